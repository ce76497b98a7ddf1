# SPDX-License-Identifier: Apache-2.0
"""Our interface beside the libraries' own C interfaces, by measure_interface: the same model twice in one process, run in turns."""

import json
import statistics
import subprocess

BACKENDS = ("onnxruntime", "openvino", "litert")
PROCESSES = 12  # half of them load ours first; where memory happens to lie decides over a percent or two
CONTROLS = 4  # with the library on both sides: how much that is
SECONDS = 1
SHARE, MICROSECONDS = 0.02, 1


def run(build, backend, path, first):
    """What one process says; or why not."""
    command = [build / "bin" / "measure_interface", backend, path, first, str(SECONDS)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr.strip()


def difference(build, backend, path):
    """(what ours takes longer, what theirs takes, how far theirs is from itself), microseconds, medians over processes; or why not."""
    runs = [run(build, backend, path, ("ours", "theirs")[i % 2]) for i in range(PROCESSES)]
    controls = [run(build, backend, path, "control") for _ in range(CONTROLS)]
    for found in runs + controls:
        if isinstance(found, str):
            return found
    return (
        statistics.median(found["difference_us"] for found in runs),
        statistics.median(found["theirs_us"] for found in runs),
        statistics.median(abs(found["difference_us"]) for found in controls),
    )


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
            more, own, itself = found
            texts.append(f"{backend} {more:+.2f} on {own:.1f} (two of its own: {itself:.2f} apart)")
            met = met and more <= max(SHARE * own, MICROSECONDS)
        yield f"{path.name}: our interface over the library's own, µs", "≤ 2 % or 1 µs", "; ".join(texts), met
