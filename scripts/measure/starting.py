# SPDX-License-Identifier: Apache-2.0
"""How long `moru` takes to start, with backends and without, and what it says of libraries that are missing, wrong or hostile."""

import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

RUNS = 60
HOSTILE = ("crash", "hang", "throw", "exit", "print")
# Which file of the build stands in for which library of which backend.
WRONG = (
    ("onnxruntime", "libmoru_old_onnxruntime.so", "libonnxruntime.so"),
    ("openvino", "libmoru_old_openvino.so", "libopenvino_c.so.2641"),
    ("litert", "libmoru_older_litert.so", "libLiteRt.so"),
    ("litert", "libmoru_newer_litert.so", "libLiteRt.so"),
)


def alone(build, folder):
    """A copy of the program beside which no library lies."""
    (folder / "bin").mkdir()
    return pathlib.Path(shutil.copy(build / "bin" / "moru", folder / "bin" / "moru"))


def environment(folder, backend_path=None):
    """Nothing of this machine's own state; only what lies beside the program, and what is named."""
    set_ = {name: value for name, value in os.environ.items() if name not in ("MORU_BACKEND_PATH", "MORU_HOME")}
    set_["MORU_HOME"] = str(folder / "home")
    if backend_path is not None:
        set_["MORU_BACKEND_PATH"] = str(backend_path)
    return set_


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def milliseconds(program, folder):
    """Wall time and processor time, p50 of each."""
    took, used = [], []
    for _ in range(RUNS):
        before, used_before = time.perf_counter(), processor_seconds()
        subprocess.run([program, "--help"], env=environment(folder), stdout=subprocess.DEVNULL, check=True)
        took.append((time.perf_counter() - before) * 1e3)
        used.append((processor_seconds() - used_before) * 1e3)
    return statistics.median(took), statistics.median(used)


def help_is_quick(build):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for what, program in (("backends beside it", build / "bin" / "moru"), ("no backend anywhere", alone(build, folder))):
            took, used = milliseconds(program, folder)
            yield f"`moru --help`, {what}, ms (p50 of {RUNS})", "≤ 20", f"{took:.1f}, of the processor {used:.1f}", took <= 20


def asked(program, model, folder, backend, path):
    """What doctor and bench say of the backend, and whether both went on: (sentences, fine)."""
    env = environment(folder, path)
    doctor = subprocess.run([program, "doctor", "--format", "json"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    command = [program, "bench", model, "--backend", f"{backend},reference", "--seconds", "0.05", "--limit", "10", "--format", "json"]
    bench = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    try:
        findings = {one["name"]: one for one in json.loads(doctor.stdout)["findings"]}
        rows = {one["backend"]: one for one in json.loads(bench.stdout)}
        said = [findings[f"backend {backend}"]["to_do"], rows[backend]["reason"]]
        fine = findings["backend reference"]["present"] and rows["reference"]["ok"] and bench.returncode == 0
        fine = fine and not rows[backend]["ok"] and all(said) and not any("\n" in text for text in said)
    except (ValueError, KeyError) as error:
        return [f"no answer that can be read: {error!r}"], False
    return list(dict.fromkeys(said)), fine


def broken_libraries(build, model):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        program = alone(build, folder)
        cases = [("onnxruntime", "a library that is missing", None)]
        for backend, file, stands_for in WRONG:
            place = folder / file
            place.mkdir()
            shutil.copy(build / "lib" / file, place / stands_for)
            cases.append((backend, f"a library of another version ({file[len('libmoru_'):-len('.so')]})", place))
        cases += [("onnxruntime", f"a library that does harm at load ({kind})", build / "lib" / "hostile" / kind) for kind in HOSTILE]
        for backend, what, path in cases:
            said, fine = asked(program, model, folder, backend, path)
            text = "; ".join(said).replace(f"{folder}/home", "$MORU_HOME").replace(str(folder), "").replace(str(build), "").replace("|", "\\|")
            yield f"{backend}: {what}: `moru doctor` and `moru bench`", "one sentence; `moru` goes on", text, fine
