# SPDX-License-Identifier: Apache-2.0
"""What a stream with a model costs: many sensors joined into the signal of one, and a model swapped while items run."""

import json
import os
import pathlib
import signal
import subprocess
import time

from measure.page import row

SENSORS = 16
ROWS = 40  # 16 sensors x 40 rows are the 640 numbers that the model takes
RATE_HZ = 1000
HEAD = "apiVersion: moru.dev/v1\nkind: Stream\nmetadata: {name: sensors}\nspec:\n  stages:\n"


def sensors(model):
    """The stream: sources of one rate, joined in time, filtered, put in windows, inferred, and looked at."""
    names = [f"s{number}" for number in range(SENSORS)]
    fields = ["value"] + [f"{name}_value" for name in names[1:]]
    lines = [f"- {{name: {name}, stage: synthetic, options: {{rate_hz: {RATE_HZ}, seed: {number + 1}}}}}" for number, name in enumerate(names)]
    prefixes = ", ".join(f"{name}_" for name in names[1:])
    lines += [
        f"- {{name: joined, stage: join, inputs: [{', '.join(names)}], options: {{within_ms: 5, key: [device], prefixes: [{prefixes}]}}}}",
        "- {name: sound, stage: filter, inputs: [joined], options: {where: abs(value) < 1000 and abs(s1_value) < 1000}}",
        f"- {{name: window, stage: stack, inputs: [sound], options: {{fields: [{', '.join(fields)}], rows: {ROWS}, key: [device]}}}}",
        f'- {{name: infer, stage: infer, inputs: [window], options: {{model: "{model}", backend: native, answer: error}}}}',
        "- {name: hot, stage: threshold, inputs: [infer], options: {field: error, on: 1000, off: 900}}",
        "- {name: end, stage: 'null', inputs: [hot]}",
    ]
    return HEAD + "".join(f"    {line}\n" for line in lines)


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share_of_core(moru, model, folder, seconds):
    """CPU time over time, once it runs, held to one core; and what became of the items."""
    file, state = folder / "sensors.yaml", folder / "state"
    file.write_text(sensors(model))
    command = ["taskset", "-c", "0", moru, "stream", "run", file, "--state", state]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        time.sleep(2.0)
        begin, start = cpu_seconds(process.pid), time.monotonic()
        time.sleep(seconds)
        share = (cpu_seconds(process.pid) - begin) / (time.monotonic() - start)
        process.send_signal(signal.SIGINT)
    return share, json.loads((state / "state.json").read_text())


def rows(build, data, folder):
    model = data / "mlperf_tiny" / "ad01_int8.tflite"
    share, report = share_of_core(build / "bin" / "moru", model, folder, 10)
    counts = {stage["name"]: stage for stage in report["stages"]}
    inferred = counts["infer"]["consumed"]
    whole = report["missed"] == 0 and inferred > 0 and set(counts["window"]["dropped"]) <= {"incomplete"}
    yield row(
        f"{SENSORS} sensors at 1 kHz joined, filtered, windowed, inferred (ad01_int8, native), one core",
        "≤ 50 % of it",
        f"{100 * share:.0f} %, {report['missed']} missed, {inferred} inferences",
        share <= 0.5 and whole,
    )
    limit = "0 missed, none later than its p99 and one inference"
    swap = swaps_of([build / "bin" / "measure_swap", model, "60"])
    yield row("hot swap under 1,000 items/s", limit, told(swap), swap["missed"] == 0 and swap["later"] == 0 and swap["swaps"] > 0)
    swap = swaps_of(["chrt", "-f", "50", build / "bin" / "measure_swap", model, "60"])
    yield row("the same, each thread with real-time priority (`chrt -f 50`)", "", told(swap) if swap else "not allowed here", None)


def swaps_of(command):
    """What measure_swap says; None where the machine does not allow it."""
    done = subprocess.run(command, stdout=subprocess.PIPE)
    if done.returncode != 0 and command[0] == "chrt":
        return None
    done.check_returncode()
    return json.loads(done.stdout)


def told(swap):
    share = swap["later"] / max(swap["swaps"], 1)
    usual = swap["others_later"] / max(swap["others"], 1)
    return (
        f"{swap['swaps']} swaps, {swap['missed']} missed, {swap['later']} later ({100 * share:.1f} %; of the items behind which no swap stands "
        f"{100 * usual:.1f} % are); the first item of a model takes {swap['after_swap_p50_us']:.0f} µs in the middle, the others "
        f"{swap['others_p50_us']:.0f}; the latest first item {swap['after_swap_us']:.0f} µs, p99 without swaps {swap['p99_us']:.0f} µs, "
        f"an inference {swap['inference_us']:.0f} µs"
    )
