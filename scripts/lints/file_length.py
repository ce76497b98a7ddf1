# SPDX-License-Identifier: Apache-2.0
from lints.tree import is_test

RULE = "a source file has at most 400 lines; a test or a table at most 800"
REASON = "who changes a file must be able to read all of it"
FIX = "split it along its ideas; one idea, one file"

SOURCE_LIMIT = 400
TEST_LIMIT = 800


def check(tree):
    findings = []
    for name in tree.files(".cc", ".h", ".ts", ".mjs", ".py", ".css", ".cmake"):
        limit = TEST_LIMIT if is_test(name) or name.endswith("_table.cc") or name.endswith(".css") else SOURCE_LIMIT
        found = len(tree.lines(name))
        if found > limit:
            findings.append(f"{name}: found {found} lines, expected at most {limit}")
    return findings
