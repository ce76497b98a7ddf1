# SPDX-License-Identifier: Apache-2.0
"""Our interface beside the libraries' own C interfaces, by measure_interface: the same model twice in one process, run in turns."""

import json
import statistics
import subprocess

BACKENDS = ("onnxruntime", "openvino", "litert")
PROCESSES = 6  # half of them load ours first; where memory happens to lie decides over a percent or two
SECONDS = 1
SHARE, MICROSECONDS = 0.02, 1


def difference(build, backend, path):
    """(what ours takes longer, what theirs takes), microseconds, each a median over the processes; or why not."""
    runs = []
    for i in range(PROCESSES):
        command = [build / "bin" / "measure_interface", backend, path, ("ours", "theirs")[i % 2], str(SECONDS)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            return done.stderr.strip()
        runs.append(json.loads(done.stdout))
    return statistics.median(run["difference_us"] for run in runs), statistics.median(run["theirs_us"] for run in runs)


def beside_own(build, files):
    """(what, limit, measured, met) for each model."""
    for path in files:
        texts, met = [], True
        for backend in BACKENDS:
            found = difference(build, backend, path)
            if isinstance(found, str):
                texts.append(f"{backend}: {found}")
                met = False
                continue
            more, own = found
            texts.append(f"{backend} {more:+.2f} on {own:.1f}")
            met = met and more <= max(SHARE * own, MICROSECONDS)
        yield f"{path.name}: our interface over the library's own, µs", "≤ 2 % or 1 µs", "; ".join(texts), met
