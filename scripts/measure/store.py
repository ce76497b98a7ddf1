# SPDX-License-Identifier: Apache-2.0
"""What kills and power cuts leave of the store: all points of its tests (edge/streams/outbox_power_test.cc)."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from measure.page import row

WANTED = {
    "KilledAtEveryChangeItKeepsWhatWasPromised": ("`kill -9` at {points} points of the store's work", "nothing acknowledged lost, start ≤ 1 s"),
    "EveryStateThatAPowerCutMayLeaveKeepsWhatWasPromised": (
        "power cut after {points} writes, fsyncs and renames, in each state that it may leave",
        "nothing acknowledged lost",
    ),
    "AfterAnFsyncThatFailedNothingPromisedIsLostAndTheFileIsNotWrittenAgain": (
        "an fsync that returns EIO, and power cuts at {points} points afterwards",
        "nothing acknowledged lost, the file is not written again",
    ),
}


def rows(build):
    test = build / "bin" / "edge_streams_outbox_power_test"
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.json"
        command = [test, f"--gtest_output=json:{report}"]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "MORU_TEST_POINTS": "all"})
        if not report.is_file():
            sys.exit(f"measure_streams: {test} left no report, expected a test of the preset dev")
        tests = {one["name"]: one for suite in json.loads(report.read_text())["testsuites"] for one in suite["testsuite"]}
    result = []
    for name, (what, limit) in WANTED.items():
        one = tests[name]
        start_us = int(one.get("slowest_start_us", 0))
        text = f"kept in all {one.get('states')} states; slowest start {start_us / 1000:.1f} ms" if "failures" not in one else "lost"
        result.append(row(what.format(points=one.get("points")), limit, text, "failures" not in one and start_us < 1_000_000))
    return result
