# SPDX-License-Identifier: Apache-2.0
"""What can be said about the source without running it."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import unittest

from checks.outcome import Outcome, one
from lints import all_rules
from lints.tree import CXX, Tree


def rules(context):
    tree = Tree(context.root)
    result = Outcome()
    for name, rule in all_rules().items():
        findings = rule.check(tree)
        if findings:
            print(f"  {name}\n    rule:   {rule.RULE}\n    reason: {rule.REASON}\n    fix:    {rule.FIX}")
            for finding in findings:
                print(f"    {finding}")
        result = result.plus(one(name, not findings))
    return result


def rule_tests(context):
    folder = context.root / "scripts" / "tests"
    suite = unittest.TestLoader().discover(str(folder), "test_*.py", str(folder))
    with open(context.logs / "rules-tests.log", "w", encoding="utf-8") as log:
        run = unittest.TextTestRunner(stream=log, resultclass=_Named).run(suite)
    for test, trace in run.failures + run.errors:
        print("\n".join(f"  | {line}" for line in trace.splitlines()[-8:]))
    failed = [test.id() for test, _ in run.failures + run.errors]
    return Outcome([name for name in run.ran if name not in failed], failed, [test.id() for test, _ in run.skipped])


class _Named(unittest.TextTestResult):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.ran = []

    def addSuccess(self, test):
        super().addSuccess(test)
        self.ran.append(test.id())


def layout(context):
    files = Tree(context.root).files(*CXX)
    code = context.run("layout", "clang-format-19", "--dry-run", "-Werror", *files, show=0)
    if code != 0:
        wrong = sorted(set(re.findall(r"^([^:\n]+):\d+:\d+: error", context.output("layout"), re.MULTILINE)))
        print(f"  wrong layout; fix: clang-format-19 -i {' '.join(wrong)}")
    return one("clang-format", code == 0)


def _includes(tree, name, known):
    """The project's headers behind a file, itself first."""
    if name in known:
        return
    known.append(name)
    for header in re.findall(r'^\s*#\s*include\s+"([^"]+)"', tree.text(name), re.MULTILINE):
        for place in (f"src/{header}", header):
            if tree.exists(place):
                _includes(tree, place, known)
                break


def _changed(root):
    """Files of the last commit and of the working tree."""
    names = set()
    for command in (["git", "diff", "--name-only", "HEAD"], ["git", "ls-files", "--others", "--exclude-standard"], ["git", "diff-tree", "-r", "--root", "--name-only", "--no-commit-id", "-m", "HEAD"]):
        names |= set(subprocess.run(command, cwd=root, capture_output=True, text=True, check=False).stdout.split("\n"))
    return names


def _tenth(root, name):
    """A tenth of the files, another one after each commit, so that ten commits look at all of them."""
    commits = subprocess.run(["git", "rev-list", "--count", "HEAD"], cwd=root, capture_output=True, text=True, check=False).stdout.strip()
    return (int(hashlib.sha256(name.encode()).hexdigest(), 16) + int(commits or 0)) % 10 == 0


def tidy(context):
    """clang-tidy, with a memory: a file that was clean, and has not changed with all it includes, is not looked at again."""
    database = context.root / "build" / "asan" / "compile_commands.json"
    if not database.exists():
        return Outcome(failed=["found no build/asan/compile_commands.json, expected the gate 'asan' to have run before"])
    tree = Tree(context.root)
    commands = {entry["file"]: entry["command"] for entry in json.loads(database.read_text())}
    ours = [name for name in tree.files(".cc", under=("src/", "solutions/", "examples/")) if str(context.root / name) in commands]
    changed = _changed(context.root)
    cache = context.root / "build" / "tidy"
    cache.mkdir(parents=True, exist_ok=True)
    config = tree.text(".clang-tidy")
    result = Outcome()
    waiting = []
    for name in ours:
        behind = []
        _includes(tree, name, behind)
        if not (context.tidy_all or changed & set(behind[:1]) or _tenth(context.root, name)):
            continue
        # The name of the build folder is in the command and says nothing about the code.
        command = commands[str(context.root / name)].replace(str(context.root), "")
        key = hashlib.sha256("\0".join([config, command, *(tree.text(other) for other in sorted(behind))]).encode()).hexdigest()
        if (cache / key).exists():
            result.passed.append(name)
        else:
            waiting.append((name, cache / key))

    def look(name):
        done = subprocess.run(
            ["clang-tidy-19", "-p", str(database.parent), "--quiet", "--warnings-as-errors=*", str(context.root / name)],
            cwd=context.root, capture_output=True, text=True, env={**os.environ, "CCACHE_DISABLE": "1"}, check=False,
        )
        return done.returncode, done.stdout

    with concurrent.futures.ThreadPoolExecutor(context.jobs) as pool:
        for (name, mark), (code, output) in zip(waiting, pool.map(lambda entry: look(entry[0]), waiting)):
            result = result.plus(one(name, code == 0))
            if code == 0:
                pathlib.Path(mark).touch()
            else:
                print("\n".join(f"  | {line}" for line in output.splitlines() if ": error:" in line or ": warning:" in line))
    return result
