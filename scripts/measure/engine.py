# SPDX-License-Identifier: Apache-2.0
"""Rows on the native engine as a program has it, by libmoru.so (build/.../bin/measure_library): time of a run, threads, memory, size of the code."""

import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from measure.page import row
from measure.twins import chain, mobilenet_v2

# Where the engine's code lies in a build; of the archives' objects, so nothing of what a program leaves out is left out.
ENGINE_ARCHIVES = ("rooms/runtime/kernels/libmoru_runtime_kernels.a", "rooms/runtime/engine/libmoru_runtime_engine.a")
NATIVE_OBJECTS = "rooms/runtime/backends"
MIB = 1024 * 1024
TURNS = 3  # one after the other, again and again; the fastest of all runs count, since what else disturbs the machine is not ours


def library(build, model, seconds, threads=1, isa="", bound=False):
    environment = {**os.environ, **({"MORU_ISA": isa} if isa else {})}
    command = [build / "bin" / "measure_library", model, str(threads), str(seconds), *(["bind"] if bound else [])]
    return json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)


def to_onnx(build, folder, name, text):
    graph, model = folder / f"{name}.graph", folder / f"{name}.onnx"
    graph.write_text(text)
    subprocess.run([build / "bin" / "moru", "model", "convert", graph, "-o", model], stdout=subprocess.DEVNULL, check=True)
    return model


def run_rows(build, folder, seconds):
    nodes = 64
    none, many = (library(build, to_onnx(build, folder, f"chain{count}", chain(count)), seconds)["run_ns"] for count in (0, nodes))
    each = (many - none) / nodes
    return [row("run() with nothing to do", "0.3 µs", f"{none / 1e3:.3f} µs (one Identity of four floats)", none <= 300),
            row("and a node with next to nothing to do", "40 ns", f"{each:.0f} ns (the mean of {nodes})", each <= 40)]


def twin_rows(build, folder, seconds):
    floats, levels = (to_onnx(build, folder, f"twin{int(which)}", mobilenet_v2(which)) for which in (False, True))
    rows = []
    for isa, words, limit in (("avx2", "AVX2", 1.7), ("", "this machine's best ISA", 3.0)):
        turns = [[library(build, model, seconds, isa=isa)["min_us"] for model in (floats, levels)] for _ in range(TURNS)]
        slow, fast = (min(turn[which] for turn in turns) for which in (0, 1))
        text = f"{slow / fast:.2f}× (µs: float32 {slow:.0f}, int8 {fast:.0f}; the fastest runs)"
        rows.append(row(f"int8 over our own float32, MobileNetV2, {words}", f"{limit}×", text, slow / fast >= limit))
    return rows


def two_programs(build, model, seconds):
    """The fastest runs of two programs of one thread, each on a core of its own, at the same time: what the machine has for two threads at most."""
    command = [build / "bin" / "measure_library", model, "1", str(seconds)]
    both = [subprocess.Popen(["taskset", "-c", str(core), *command], stdout=subprocess.PIPE) for core in (0, 1)]
    return [json.loads(one.communicate()[0])["min_us"] for one in both]


def thread_rows(build, data, seconds):
    model = data / "models" / "tf2_mobilenet_v2_1.0_224_ptq.tflite"
    turns = [(library(build, model, seconds)["min_us"], library(build, model, seconds, threads=2)["min_us"], two_programs(build, model, seconds))
             for _ in range(TURNS)]
    one, two = (min(turn[which] for turn in turns) for which in (0, 1))
    apart = [min(turn[2][core] for turn in turns) for core in (0, 1)]
    text = f"{one / two:.2f}× (µs: {one:.0f}, {two:.0f}; the fastest runs)"
    bound = f"{sum(one / each for each in apart):.2f}× as many runs as one alone (µs: {', '.join(f'{each:.0f}' for each in apart)}; the fastest runs)"
    return [row("2 threads over 1, MobileNetV2 int8", "1.7×", text, one / two >= 1.7),
            row("two programs of one thread at the same time, a core each", "", bound, None)]


def memory_rows(build, data, seconds):
    rows = []
    for bound, words in ((True, "its batch bound for good (`bind=1`)"), (False, "any batch, as without settings")):
        got = library(build, data / "mlperf_tiny" / "vww_96_int8.tflite", seconds, bound=bound)
        need = (got["weights"] + got["arena"]) / MIB
        text = (f"{got['anonymous'] / MIB:.2f} MiB of its own, {got['steady'] / MIB:.2f} with the code that was read in, "
                f"{got['peak'] / MIB:.2f} at the peak of loading; weights and arena {need:.2f}")
        rows.append(row(f"memory over the idle process, VWW int8, {words}", "≤ 1 MiB", text, got["anonymous"] <= MIB))
    return rows


def size_rows(build):
    native = sorted((build / "src" / NATIVE_OBJECTS).rglob("native/*.cc.o"))
    files = [build / "src" / path for path in ENGINE_ARCHIVES] + [one for one in native if "_test" not in one.name]
    lines = subprocess.run(["size", *files], stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    total = sum(int(text) + int(data) for text, data in (line.split()[:2] for line in lines if line.split()[0].isdigit()))
    text = f"{total / MIB:.2f} MiB of code and data in the objects of kernels, engine and backends/native, every ISA of this processor's"
    return [row("the engine's code, all ops, at most", "1.5 MiB", text, total <= 1.5 * MIB)]


def tail_row(rows):
    """rows: by model, the backends' rows of moru bench. What disturbs a run takes as long whoever runs, so a quicker run has the larger ratio;
    hence also whose slow runs are the quickest, and by how much they are slower than the median."""
    worse, first, late = [], 0, {"native": [], "the peers": []}
    for model, backends in rows.items():
        right = {name: one for name, one in backends.items() if one["ok"]}
        ratios = {name: one["p99_us"] / one["p50_us"] for name, one in right.items()}
        first += min(right, key=lambda name: right[name]["p99_us"]) == "native"
        for name, one in right.items():
            late["native" if name == "native" else "the peers"].append(one["p99_us"] - one["p50_us"])
        best = min(ratio for name, ratio in ratios.items() if name != "native")
        if ratios["native"] > best:
            worse.append(f"{model} {ratios['native']:.2f} beside {best:.2f}")
    text = f"so on {len(rows) - len(worse)} of {len(rows)} models" + (f"; not on {', '.join(worse)}" if worse else "")
    middle = ", ".join(f"{statistics.median(those):.0f} µs of {who}" for who, those in late.items())
    text += f"; the quickest p99 is native's on {first}; p99 less p50, in the middle of the models: {middle}"
    return row("p99 / p50 no more than the best peer's in the same run", "all", text, not worse)


def all_rows(build, data, seconds):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [*run_rows(build, folder, seconds), *twin_rows(build, folder, seconds), *thread_rows(build, data, seconds),
                *memory_rows(build, data, seconds), *size_rows(build)]
