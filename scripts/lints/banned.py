# SPDX-License-Identifier: Apache-2.0
"""Patterns that code must not hold. One row a pattern: what, where, except where, why, and what to do instead."""

import dataclasses
import re

from lints.cxx import code_lines
from lints.tree import CXX, is_test

RULE = "no banned pattern in the code (the table in scripts/lints/banned.py)"
REASON = "each of them has cost somebody a night; every finding names its own reason"
FIX = "what the finding says; where the pattern is right, the table has a place for the exception"


@dataclasses.dataclass(frozen=True)
class Ban:
    pattern: str
    reason: str
    fix: str
    under: tuple = ("src/", "solutions/", "examples/")
    # Paths (prefixes) that may hold it, because that is their job.
    allowed: tuple = ()
    headers_only: bool = False
    tests_only: bool = False
    tests_too: bool = True
    # The pattern is looked for in comments too.
    comments: bool = False


# Who may talk to the terminal and end the process: the programs' own files.
PROGRAMS = ("src/cli/", "src/edge/agent/main.cc", "src/forge/train/job_main.cc", "src/api/measure_library.cc", "examples/embed/")

# A library of its own behind a C interface: libtorch reports by exceptions, and the file turns all of them into codes.
FOREIGN = ("src/forge/train/torch_trainer.cc",)

BANS = (
    Ban(r"\bthrow\b", "errors are values here; a caller cannot see an exception in a signature", "return fail(...)", allowed=FOREIGN, tests_too=False),
    Ban(
        r"std::c(?:out|err|log)\b|(?<![\w:])(?:std::)?(?:v?f?printf|puts|putchar)\s*\(",
        "library code never prints: its output may be anybody's",
        "return an Error, or MORU_LOG; only the programs print",
        allowed=(*PROGRAMS, "src/core/check.cc", "tests/", "fuzz/"),
    ),
    Ban(r"#\s*include\s*<iostream>", "it drags static initialisers into every program", "fmt, or write()"),
    Ban(
        r"(?<![\w:.>])(?:std::|::)?_?(?:exit|quick_exit|abort)\s*\(",
        "library code never ends the process",
        "return an Error; MORU_CHECK for what cannot be",
        allowed=(*PROGRAMS, "src/core/check.cc", "src/core/process.cc", "src/runtime/kernels/trial.cc"),
        tests_too=False,
    ),
    Ban(r"(?<!unique_ptr<)\bnew\s+(?:\(|[A-Za-z_:])", "an owner that is not in the type is forgotten", "std::make_unique, a container, or std::unique_ptr<T>(new T(...)) for a private constructor; for one that lives as long as the process, `static T* const x = new T` with a comment that says 'never destroyed'", allowed=FOREIGN),
    Ban(r"(?<!=)(?<!= )\bdelete\b(?!d)", "an owner that is not in the type is forgotten", "std::unique_ptr, with a deleter of its own for foreign memory", allowed=FOREIGN),
    Ban(r"^(?!.*\bwhile \().*(?:\b(?:sleep_for|sleep_until|usleep|nanosleep)\s*\(|(?<![\w.:>])sleep\s*\()", "a test that sleeps is slow on a fast machine and wrong on a slow one", "FakeClock, a condition variable, or `while (not there yet) usleep(...)` on one line, with a deadline", under=("src/", "solutions/", "examples/", "tests/"), tests_only=True),
    Ban(r"\busing\s+namespace\b", "it leaks into every file that includes the header", "name what you use", headers_only=True),
    Ban(r"\b(?:TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))", "a note without an issue is a promise that nobody keeps", "do it now, or open an issue and write TODO" + "(#N)", under=("",), comments=True),
    Ban(r"\bDISABLED_\w+", "a test that never runs rots", "fix it, or remove it and open an issue", under=("",)),
    Ban(r"\bstd::regex\b", "it recurses on its input: a long line exhausts the stack", "core/text.h, or a small parser"),
    Ban(r"\b(?:strcpy|strcat|sprintf|gets|atoi|atof|strtok)\s*\(", "no bounds, or no way to see an error", "std::string, fmt, std::from_chars"),
)

# An object for the life of the process, so that no destructor runs while threads still use it.
_FOR_EVER = re.compile(r"\bstatic\b[^;]*=\s*\*?new\b")
_UNIQUE_NEW = re.compile(r"_ptr<[^;]*>\(\s*new\b|_ptr<[^;]*>\s+\w+\(\s*new\b|\.reset\(\s*new\b")


def _owned(tree, name, number, line):
    documented = any("never destroyed" in text.lower() for text in tree.lines(name)[max(0, number - 4) : number])
    return bool(_UNIQUE_NEW.search(line) or (_FOR_EVER.search(line) and documented))


def check(tree):
    findings = []
    for name in tree.files(*CXX):
        code = plain = None
        for ban in BANS:
            if not name.startswith(ban.under) or name.startswith(ban.allowed or ("\0",)):
                continue
            if (ban.headers_only and not name.endswith(".h")) or (ban.tests_only and not is_test(name)) or (not ban.tests_too and is_test(name)):
                continue
            if ban.comments:
                plain = lines = plain if plain is not None else tree.lines(name)
            else:
                code = lines = code if code is not None else code_lines(tree.text(name))
            for number, line in enumerate(lines, 1):
                match = re.search(ban.pattern, line)
                if match and not (match.group(0).startswith("new") and _owned(tree, name, number, line)):
                    findings.append(f"{name}:{number}: found '{match.group(0).strip()}': {ban.reason}; {ban.fix}")
        if name.endswith(".h") and "#pragma once" not in tree.text(name):
            findings.append(f"{name}: found no '#pragma once': the header may come twice; put it after the first comment")
    for name in tree.files(".py", ".ts", ".mjs", ".sh", ".cmake", "", under=("scripts/", "web/", "tests/", "cmake/", "start", "check")):
        if name == "scripts/lints/banned.py" or name.startswith("scripts/tests/"):
            continue
        for number, line in enumerate(tree.lines(name), 1):
            if re.search(r"\b(?:TODO|FIXME|XXX)\b(?!\(#\d+\))", line):
                findings.append(f"{name}:{number}: a note without an issue; do it now, or open an issue and write its number")
            if name.startswith("web/src/") and re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", line):
                findings.append(f"{name}:{number}: text from outside could become markup; textContent, through dom.ts")
    return findings
