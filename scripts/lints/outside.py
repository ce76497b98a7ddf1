# SPDX-License-Identifier: Apache-2.0
import re

from lints.tree import is_test

RULE = "no path of a machine, no address of a package registry, no file outside this tree"
REASON = "the tree must work in any folder, on any machine, with the package sources that its user has set up"
FIX = "a path relative to the source or build folder, $MORU_HOME, a temporary folder; the registry's client with its own configuration"

# Who may name the place of shared test data: the one script that continuous integration calls.
ALLOWED = {".ci/run"}

_PATTERNS = (
    (re.compile(r"""(?<![\w.}\)$])/(?:home|root|Users|work|tmp)/(?=\w)"""), "a path of a machine"),
    (
        re.compile(
            r"(?:pypi|npmjs|crates|pythonhosted|rubygems|maven|sonatype|debian|ubuntu|golang|github(?:usercontent)?)[.](?:org|com|io|net)/(?:simple|packages|debian|ubuntu|maven2?|pool|archive|raw)|registry[.]\w+[.]\w+|files[.]pythonhosted|(?:deb|snapshot)[.]debian",
            re.IGNORECASE,
        ),
        "an address of a package registry",
    ),
    (re.compile(r"(?:\.\./)+shared/|\bshared/(?:design|reference|dependencies)"), "a file outside this tree"),
)


def check(tree):
    findings = []
    for name in tree.files():
        if name in ALLOWED or name in ("LICENSE", "scripts/lints/outside.py") or name.startswith("scripts/tests/"):
            continue
        for number, line in enumerate(tree.lines(name), 1):
            for pattern, what in _PATTERNS:
                match = pattern.search(line)
                if match and not (is_test(name) and match.group(0).startswith("/home")):  # a made-up home is a fine fixture
                    findings.append(f"{name}:{number}: found '{line[max(0, match.start() - 10):match.end() + 20].strip()}': {what}")
    return findings
