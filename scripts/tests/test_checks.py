# SPDX-License-Identifier: Apache-2.0
import pathlib
import tempfile
import unittest

import fake_tree  # noqa: F401  puts scripts/ on the path
from checks.builds import failure_lines
from checks.outcome import Outcome, allowed_skips, judge_skips, read_junit


class Reports(unittest.TestCase):
    def read(self, text):
        with tempfile.TemporaryDirectory(prefix="moru-checks-") as folder:
            path = pathlib.Path(folder) / "report.xml"
            path.write_text(text)
            return read_junit(path)

    def test_ctest_passed_failed_and_skipped(self):
        outcome = self.read(
            '<testsuite><testcase name="a" status="run"/><testcase name="b" status="fail"><failure message=""/></testcase>'
            '<testcase name="c" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/></testcase>'
            '<testcase name="d" status="disabled"/></testsuite>'
        )
        self.assertEqual(outcome, Outcome(["a"], ["b"], ["c", "d"]))

    def test_a_test_that_was_not_built_is_a_failure(self):
        outcome = self.read(
            '<testsuite><testcase name="x_NOT_BUILT" status="notrun"><skipped message="x"/></testcase>'
            '<testcase name="y" status="notrun"><skipped message="Unable to find executable: y"/></testcase></testsuite>'
        )
        self.assertEqual(outcome, Outcome([], ["x_NOT_BUILT", "y"], []))

    def test_node_nests_suites(self):
        outcome = self.read('<testsuites><testcase name="a"/><testsuite><testcase name="b"><failure/></testcase></testsuite></testsuites>')
        self.assertEqual(outcome, Outcome(["a"], ["b"], []))

    def test_a_report_that_is_missing_broken_or_empty_is_a_failure(self):
        self.assertEqual(len(read_junit(pathlib.Path("nowhere.xml")).failed), 1)
        self.assertEqual(len(self.read("<testsuite>").failed), 1)
        self.assertEqual(len(self.read("<testsuite/>").failed), 1)


    def test_tests_that_run_twice_have_two_names(self):
        again = Outcome(["a"], ["b"], ["c"]).named(" on x")
        self.assertEqual(Outcome(["a"]).plus(again), Outcome(["a", "a on x"], ["b on x"], ["c on x"]))


class Skips(unittest.TestCase):
    def allowed(self, text):
        with tempfile.TemporaryDirectory(prefix="moru-checks-") as folder:
            path = pathlib.Path(folder) / "allowed_skips.txt"
            path.write_text(text)
            return allowed_skips(path)

    def test_a_skip_must_be_allowed_by_its_whole_name(self):
        allowed = self.allowed("# comment\ndev/core/Amx.* needs AMX\n")
        outcome = judge_skips("dev", Outcome([], [], ["core/AmxRuns", "xcore/AmxRuns"]), allowed)
        self.assertEqual(outcome.skipped, ["core/AmxRuns"])
        self.assertEqual(len(outcome.failed), 1)
        self.assertEqual(len(judge_skips("asan", Outcome([], [], ["core/AmxRuns"]), allowed).failed), 1)

    def test_a_pattern_must_have_a_reason(self):
        with self.assertRaisesRegex(ValueError, "no reason"):
            self.allowed("dev/.*\n")


class Output(unittest.TestCase):
    def test_the_reason_of_a_failure_is_shown(self):
        lines = failure_lines("1/2 Test #1: a ... Passed\nnoise\n/src/a_test.cc:12: Failure\nExpected: 1\n")
        self.assertEqual(lines, ["/src/a_test.cc:12: Failure", "Expected: 1"])
