# SPDX-License-Identifier: Apache-2.0
"""What kills and power cuts leave of the store: all points of its tests (edge/streams/outbox_power_test.cc)."""

import os
import re
import subprocess
import sys

from measure.page import row

LINE = re.compile(r"^(power cut|failed fsync|kill -9): (\d+) points, (\d+) states, slowest start (\d+) us$", re.M)
WANTED = {
    "kill -9": ("`kill -9` at {points} points of the store's work", "nothing acknowledged lost, start ≤ 1 s"),
    "power cut": ("power cut after each of {points} writes, fsyncs and renames, in each state that it may leave", "nothing acknowledged lost"),
    "failed fsync": ("an fsync that returns EIO, and power cuts afterwards, at {points} points", "nothing acknowledged lost, the file is not written again"),
}


def rows(build):
    test = build / "bin" / "edge_streams_outbox_power_test"
    done = subprocess.run([test], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "MORU_TEST_POINTS": "all"})
    found = {kind: (int(points), int(states), int(start)) for kind, points, states, start in LINE.findall(done.stdout)}
    if set(found) != set(WANTED):
        sys.exit(f"measure_streams: {test} did not pass: {done.stdout[-800:]}")
    result = []
    for kind, (what, limit) in WANTED.items():
        points, states, start = found[kind]
        text = f"kept in all {states} states; slowest start {start / 1000:.1f} ms"
        result.append(row(what.format(points=points), limit, text, done.returncode == 0 and start < 1_000_000))
    return result
