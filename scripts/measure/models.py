# SPDX-License-Identifier: Apache-2.0
"""Models read and written, and converted there and back again, by `moru model`."""

import json
import pathlib
import subprocess
import tempfile

SAMPLES = 4
OTHER = {".onnx": ".tflite", ".tflite": ".onnx"}
FLOAT_NMSE = 1e-6


def files_of(data, more):
    """Every model, sorted, none twice under one name."""
    found = {}
    for folder in (data / "models", data / "mlperf_tiny", more):
        if folder is None:
            continue
        for path in sorted(folder.rglob("*")):
            if path.suffix in OTHER:
                found.setdefault(path.name, path)
    return [found[name] for name in sorted(found)]


def run(*command):
    """(exit code, standard output, the last line of the error)."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout, " ".join(done.stderr.split())


def graph_text(moru, path, folder):
    out = folder / "model.graph"
    code, _, error = run(moru, "model", "convert", path, "-o", out, "--samples", "1")
    if code != 0:
        raise RuntimeError(error)
    text = out.read_text(encoding="latin1")  # names and metadata may hold any bytes
    # Opsets are of the file, not of what it computes.
    return "\n".join(line for line in text.splitlines() if not line.strip().startswith("opset "))


def same_graph(moru, path):
    """Empty when the written model is the same when read again, else what is different."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        code, _, error = run(moru, "model", "show", path, "--svg", folder / "picture.svg")
        if code != 0:
            return f"not shown: {error}"
        again = folder / f"again{path.suffix}"
        code, _, error = run(moru, "model", "convert", path, "-o", again, "--samples", "1")
        if code != 0:
            return f"not written: {error}"
        return "" if graph_text(moru, path, folder) == graph_text(moru, again, folder) else "another graph"


def read_and_written(moru, files):
    failures = [f"{path.name}: {why}" for path in files if (why := same_graph(moru, path))]
    measured = f"{len(files) - len(failures)} of {len(files)}" + "".join(f"; {one}" for one in failures)
    yield "models read, shown, written, read again", "all, same graph", measured, not failures


def judge(report, original):
    """What the comparison says, and whether it is enough: float models by NMSE, integer ones to the bit."""
    nmse = max((one["nmse"] or 0) for one in report["outputs"])
    agreed = min((one["argmax_agreement"] if one["argmax_agreement"] is not None else 1) for one in report["outputs"])
    bits = report["same_bits"]
    text = "the same bits" if bits else f"NMSE {nmse:.2g}, arg-max agreement {agreed:.0%}"
    return text, bits or ("int" not in original and nmse <= FLOAT_NMSE and agreed == 1)


def there_and_back(moru, files):
    for path in files:
        with tempfile.TemporaryDirectory() as name:
            there = pathlib.Path(name) / f"there{OTHER[path.suffix]}"
            back = pathlib.Path(name) / f"back{path.suffix}"
            code, out, error = run(moru, "model", "convert", path, "-o", there, "--samples", "1", "--format", "json")
            what = f"{path.name}: there and back again"
            if code != 0:
                yield what, "same bits, or NMSE ≤ 1e-6", error.split("cannot be converted", 1)[-1].strip()[:160], None
                continue
            changes = json.loads(out)["changes"]
            code, _, error = run(moru, "model", "convert", there, "-o", back, "--samples", "1")
            if code == 0:
                code, out, error = run(moru, "model", "compare", path, back, "--samples", SAMPLES, "--format", "json")
            if code != 0:
                yield what, "same bits, or NMSE ≤ 1e-6", error[:160], False
                continue
            _, shown, _ = run(moru, "model", "show", path, "--format", "json")
            types = " ".join(one["dtype"] for one in json.loads(shown)["outputs"])
            text, met = judge(json.loads(out), types)
            if changes:
                text += f" ({len(changes)} layers changed: {changes[0].split(': ', 1)[-1]})"
            yield what, "same bits, or NMSE ≤ 1e-6", text, met or (None if changes else False)
