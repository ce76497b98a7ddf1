# SPDX-License-Identifier: Apache-2.0
import pathlib
import re

RULE = "every test, fuzzer and source is named in a CMakeLists.txt (or in the glob of its folder)"
REASON = "a test that is not built does not exist, and nobody notices"
FIX = "name the file in moru_test(), moru_fuzzer() or moru_library() of its folder's CMakeLists.txt"

_GLOB = re.compile(r"file\(\s*GLOB(?:_RECURSE)?\s+\S+\s+(?:CONFIGURE_DEPENDS\s+)?([^)]*)\)", re.DOTALL)


def _named_in(tree, cmake, name):
    """Whether the CMakeLists.txt names the file, by its path from there, by its name, or by a glob."""
    folder = pathlib.PurePath(cmake).parent
    text = re.sub(r"#[^\n]*", "", tree.text(cmake))
    relative = str(pathlib.PurePath(name).relative_to(folder))
    words = {word.strip('()"') for word in text.split()}
    if relative in words or any(word.endswith("/" + relative) for word in words):
        return True
    for match in _GLOB.finditer(text):
        for pattern in match.group(1).split():
            pattern = re.sub(r"^\$\{[A-Z_]+\}/", "", pattern.strip('"'))
            if pathlib.PurePath(relative).match(pattern) and not relative.endswith("_test.cc"):
                return True
    # Tests of a plug-in folder may be listed by a glob of their own.
    return any("_test" in pattern and pathlib.PurePath(relative).match(pattern) for match in _GLOB.finditer(text) for pattern in match.group(1).split())


def check(tree):
    findings = []
    for name in tree.files(".cc", ".test"):
        path = pathlib.PurePath(name)
        cmakes = [str(folder / "CMakeLists.txt") for folder in path.parents if tree.exists(str(folder / "CMakeLists.txt"))]
        if not any(_named_in(tree, cmake, name) for cmake in cmakes):
            findings.append(f"{name}: no CMakeLists.txt names it")
    for name in tree.files(".mjs", ".ts"):
        stem = pathlib.PurePath(name).stem
        if stem.endswith(("_test", ".test")) and not name.startswith(("tests/browser/", "web/test/")):
            findings.append(f"{name}: ./check runs tests/browser/*_test.mjs and web/test/*.test.ts only")
    for name in tree.files(".py"):
        if "unittest" in tree.text(name) and "TestCase" in tree.text(name) and not re.fullmatch(r"scripts/tests/test_\w+\.py", name) and not name.startswith("scripts/lints/"):
            findings.append(f"{name}: ./check runs scripts/tests/test_*.py only")
    return findings
