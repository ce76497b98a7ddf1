# SPDX-License-Identifier: Apache-2.0
"""A tree in memory, on a folder of its own, for the tests of the rules."""

import pathlib
import shutil
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SCRIPTS))

from lints.tree import Tree  # noqa: E402


class FakeTree(Tree):
    def __init__(self, root, files):
        super().__init__(root)
        for name, text in files.items():
            path = pathlib.Path(root) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self._files = sorted(files)


class RuleTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="moru-lint-")
        self.addCleanup(shutil.rmtree, self.folder)

    def tree(self, files):
        return FakeTree(self.folder, files)

    def assert_clean(self, rule, files):
        self.assertEqual(rule.check(self.tree(files)), [])

    def assert_broken(self, rule, files, *parts):
        """Exactly one finding, with every part in it."""
        findings = rule.check(self.tree(files))
        self.assertEqual(len(findings), 1, findings)
        for part in parts:
            self.assertIn(part, findings[0])
