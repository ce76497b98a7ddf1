# SPDX-License-Identifier: Apache-2.0
import pathlib
import re

RULE = "every test, fuzzer and source is named in a CMakeLists.txt (or in the glob of its folder)"
REASON = "a test that is not built does not exist, and nobody notices"
FIX = "name the file in moru_test(), moru_fuzzer() or moru_library() of its folder's CMakeLists.txt"

_GLOB = re.compile(r"file\(\s*GLOB(?:_RECURSE)?\s+\S+\s+(?:CONFIGURE_DEPENDS\s+)?([^)]*)\)", re.DOTALL)


def _globs(tree, cmake):
    """The patterns of a CMakeLists.txt, relative to the root."""
    folder = pathlib.PurePath(cmake).parent
    for match in _GLOB.finditer(re.sub(r"#[^\n]*", "", tree.text(cmake))):
        for pattern in match.group(1).split():
            pattern = pattern.strip('"')
            if pattern.startswith("${PROJECT_SOURCE_DIR}/"):
                yield pattern.removeprefix("${PROJECT_SOURCE_DIR}/")
            else:
                yield str(folder / re.sub(r"^\$\{[A-Z_]+\}/", "", pattern))


def _named_in(tree, cmake, name):
    """Whether the CMakeLists.txt names the file by its path from there, or by a call of moru_fuzzer()."""
    folder = pathlib.PurePath(cmake).parent
    text = re.sub(r"#[^\n]*", "", tree.text(cmake))
    relative = str(pathlib.PurePath(name).relative_to(folder))
    words = {word.strip('()"') for word in text.split()}
    fuzzer = re.fullmatch(r"fuzz_(\w+)\.cc", relative)
    return relative in words or any(word.endswith("/" + relative) for word in words) or bool(fuzzer and re.search(rf"moru_fuzzer\(\s*{fuzzer.group(1)}\s", text))


def _globbed(name, patterns):
    # A glob of sources leaves tests out (list(FILTER ...)); one that says _test takes them.
    test = name.endswith("_test.cc")
    return any(pathlib.PurePath("/" + name).match("/" + pattern) for pattern in patterns if not test or "_test" in pattern)


def check(tree):
    findings = []
    patterns = [pattern for cmake in tree.files(".txt") if cmake.endswith("CMakeLists.txt") for pattern in _globs(tree, cmake)]
    for name in tree.files(".cc", ".test"):
        path = pathlib.PurePath(name)
        cmakes = [str(folder / "CMakeLists.txt") for folder in path.parents if tree.exists(str(folder / "CMakeLists.txt"))]
        if not _globbed(name, patterns) and not any(_named_in(tree, cmake, name) for cmake in cmakes):
            findings.append(f"{name}: no CMakeLists.txt names it")
    for name in tree.files(".mjs", ".ts"):
        stem = pathlib.PurePath(name).stem
        if stem.endswith(("_test", ".test")) and not name.startswith(("tests/browser/", "web/test/")):
            findings.append(f"{name}: ./check runs tests/browser/*_test.mjs and web/test/*.test.ts only")
    for name in tree.files(".py"):
        if "unittest" in tree.text(name) and "TestCase" in tree.text(name) and not re.fullmatch(r"scripts/tests/(?:test_\w+|fake_tree)\.py", name) and not name.startswith("scripts/lints/"):
            findings.append(f"{name}: ./check runs scripts/tests/test_*.py only")
    return findings
