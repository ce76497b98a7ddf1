# SPDX-License-Identifier: Apache-2.0
"""TFLite models converted to ONNX and run in ONNX Runtime, beside LiteRT running the original.

LiteRT runs the kernels that it prefers. Layers with float inputs and int8 weights are the exception: what their inputs are rounded to is
defined by LiteRT's reference kernels, and the others differ from it. There the limit is for the reference kernels, and what the
preferred ones say stands beside it.
"""

import array
import ast
import csv
import json
import math
import pathlib
import random
import re
import struct
import subprocess
import tempfile

from measure.models import run

SEEDS = 8
IMAGES = 100
PHOTOS = pathlib.Path(__file__).resolve().parent / "photos.py"
PHOTO_FOLDER = "/usr/share/doc/opencv-doc/examples/data"
KEYWORDS = "kws_ref_model"  # the models that data with labels is for
TYPES = {"|i1": "b", "|u1": "B", "<i2": "h", "<i4": "i", "<f4": "f"}
ORACLE = pathlib.Path(__file__).resolve().parent.parent.parent / "tests" / "support" / "litert_oracle.py"


def load_npy(path):
    """(numbers, what they are)."""
    data = pathlib.Path(path).read_bytes()
    if data[:6] != b"\x93NUMPY":
        raise ValueError(f"{path}: found no NumPy file")
    size = struct.unpack_from("<H", data, 8)[0]
    header = ast.literal_eval(data[10 : 10 + size].decode("latin1"))
    return array.array(TYPES[header["descr"]], data[10 + size :]), header


def save_npy(path, kind, shape, numbers):
    header = repr({"descr": kind, "fortran_order": False, "shape": tuple(shape)})
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    pathlib.Path(path).write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode("latin1") + bytes(numbers))


def litert(folder, jobs, where):
    """Runs the jobs; an error ends the measurement."""
    (where / "jobs.json").write_text(json.dumps(jobs))
    subprocess.run(["/usr/bin/python3", ORACLE, folder, where / "jobs.json", where / "results.json"], check=True, stderr=subprocess.DEVNULL)
    for message in json.loads((where / "results.json").read_text()):
        if message:
            raise RuntimeError(message)


def same_choice(ours, theirs):
    """Whether one's largest is at the place of the other's. Ties are no disagreement: one of several largest will do, on either side."""
    here, there = (max(range(len(scores)), key=scores.__getitem__) for scores in (ours, theirs))
    return ours[there] == ours[here] or theirs[here] == theirs[there]


class Tally:
    """The outputs of both runtimes, over many runs."""

    def __init__(self):
        self.error = self.power = 0.0
        self.steps = self.runs = self.agree = 0
        self.right = [0, 0]
        self.is_float = True

    def add(self, ours, theirs, label=None):
        self.is_float = ours.typecode == "f"
        for a, b in zip(ours, theirs):
            if math.isfinite(a) and math.isfinite(b):
                self.error += (a - b) ** 2
                self.power += b * b
                self.steps = max(self.steps, abs(a - b))
        self.runs += 1
        self.agree += same_choice(ours, theirs)
        if label is not None:
            for i, scores in enumerate((ours, theirs)):
                self.right[i] += max(range(len(scores)), key=scores.__getitem__) == label

    def nmse(self):
        return self.error / self.power if self.power else self.error


def inputs_of(moru, model):
    """(name, element type, shape) of each input; extents that the model leaves open are 1."""
    _, out, _ = run(moru, "model", "show", model, "--format", "json")
    for one in json.loads(out)["inputs"]:
        yield one["name"], one["dtype"], [extent if isinstance(extent, int) else 1 for extent in one["shape"]]


def seeded(moru, model, folder):
    """SEEDS samples: floats of a normal distribution, integers over the whole range of their type. Each is (arguments, files, no label)."""
    kinds = {"float32": ("<f4", "f"), "int8": ("|i1", "b"), "uint8": ("|u1", "B"), "int16": ("<i2", "h"), "int32": ("<i4", "i")}
    for seed in range(SEEDS):
        generator = random.Random(seed)
        names, files = [], []
        for place, (name, dtype, shape) in enumerate(inputs_of(moru, model)):
            descr, code = kinds[dtype]
            low, high = (0, 255) if dtype == "uint8" else (-128, 127)
            count = math.prod(shape)
            if code == "f":
                numbers = array.array(code, (generator.gauss(0, 1) for _ in range(count)))
            else:
                numbers = array.array(code, (generator.randint(low, high) for _ in range(count)))
            path = folder / f"in_{seed}_{place}.npy"
            save_npy(path, descr, shape, numbers)
            names.append(name)
            files.append(path)
        yield names, files, None


def keywords(moru, model, folder, data):
    """The 1,000 keywords of kws01, for the int8 model or, as the real numbers that they stand for, the float one."""
    features = (data / "mlperf_tiny" / "kws01_features.i8").read_bytes()
    with open(data / "mlperf_tiny" / "kws01_labels.csv", newline="", encoding="utf-8") as file:
        labels = [int(line["label"]) for line in csv.DictReader(file)]
    _, text, _ = run(moru, "model", "show", data / "mlperf_tiny" / f"{KEYWORDS}.tflite", "--text")
    scale, zero = re.search(r"input .* quant {scales = \[([^]]+)\], zero_points = \[([^]]+)\]", text).groups()
    ((name, dtype, shape),) = inputs_of(moru, model)
    for i, label in enumerate(labels):
        stored = array.array("b", features[i * 490 : (i + 1) * 490])
        path = folder / f"keyword_{i}.npy"
        if dtype == "int8":
            save_npy(path, "|i1", shape, stored)
        else:
            save_npy(path, "<f4", shape, array.array("f", (float(scale) * (one - int(zero)) for one in stored)))
        yield [name], [path], label


def wants_images(moru, model):
    shapes = [shape for _, _, shape in inputs_of(moru, model)]
    return len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][3] == 3


def images(moru, model, folder):
    """Crops of photographs: pixels for uint8, pixels less 128 for int8, and 0 to 1 for floats."""
    ((name, dtype, shape),) = inputs_of(moru, model)
    kinds = {"float32": ("<f4", "f", lambda p: p / 255), "int8": ("|i1", "b", lambda p: p - 128), "uint8": ("|u1", "B", lambda p: p)}
    descr, code, level = kinds[dtype]
    subprocess.run(["/usr/bin/python3", PHOTOS, PHOTO_FOLDER, *(str(one) for one in (IMAGES, shape[1], shape[2], folder))], check=True)
    for i in range(IMAGES):
        path = folder / f"image_{i}.npy"
        save_npy(path, descr, shape, array.array(code, map(level, (folder / f"{i}.rgb").read_bytes())))
        yield [name], [path], None


def tallies_of(moru, litert_folder, path, samples, folder):
    """Runs the original in LiteRT, on its reference kernels and on XNNPACK, and its conversion in ONNX Runtime: ONNX Runtime beside each of
    the two, and the two beside each other."""
    onnx = folder / "converted.onnx"
    code, _, error = run(moru, "model", "convert", path, "-o", onnx, "--samples", "1")
    if code != 0:
        raise RuntimeError(error)
    samples = list(samples)
    kernels = {"reference": True, "xnnpack": False}
    jobs = [
        {"model": str(path), "inputs": [str(file) for file in files], "outputs": str(folder / f"{name}_{i}_"), "reference": reference, "xnnpack": not reference}
        for i, (_, files, _) in enumerate(samples)
        for name, reference in kernels.items()
    ]
    litert(litert_folder, jobs, folder)
    tallies = {name: Tally() for name in kernels}
    among_them = Tally()
    for i, (names, files, label) in enumerate(samples):
        given = [part for name, file in zip(names, files) for part in ("-i", f"{name}={file}")]
        ours = folder / f"ours_{i}"
        code, out, error = run(moru, "model", "run", onnx, *given, "--backend", "onnxruntime", "-o", ours, "--format", "json")
        if code != 0:
            raise RuntimeError(error)
        for place, one in enumerate(json.loads(out)["outputs"]):
            theirs = {name: load_npy(folder / f"{name}_{i}_{place}.npy")[0] for name in kernels}
            for name, tally in tallies.items():
                tally.add(load_npy(one["file"])[0], theirs[name], label)
            among_them.add(theirs["reference"], theirs["xnnpack"], label)
    return [*tallies.values(), among_them]


def figures_of(tally):
    text = f"NMSE {tally.nmse():.2g}" if tally.is_float else f"at most {tally.steps:g} steps apart"
    return text + f", arg-max agreement {tally.agree / tally.runs:.1%}"


def beside_litert(moru, litert_folder, files, data):
    for path in files:
        if path.suffix != ".tflite" or path.parent.parent != data:
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            real = path.name.startswith(KEYWORDS)
            if real:
                kind, samples = "keywords", keywords(moru, path, folder, data)
            elif wants_images(moru, path):
                kind, samples = "crops of photographs", images(moru, path, folder)
            else:
                kind, samples = "seeded runs", seeded(moru, path, folder)
            tally, xnnpack, among_them = tallies_of(moru, litert_folder, path, samples, folder)
        what = f"{path.name} in ONNX Runtime, beside LiteRT's reference kernels ({tally.runs} {kind})"
        text = figures_of(tally)
        met = tally.agree / tally.runs >= 0.99
        if tally.is_float:
            limit = "NMSE ≤ 1e-6"
            met = met and tally.nmse() <= 1e-6
        else:
            limit = "arg-max agreement ≥ 99 %"
        if real:
            ours, theirs = (100 * right / tally.runs for right in tally.right)
            limit += ", accuracy within 0.3 points"
            text += f", accuracy {ours:.1f} % and {theirs:.1f} % (XNNPACK {100 * xnnpack.right[1] / tally.runs:.1f} %)"
            met = met and abs(ours - theirs) <= 0.3
        text += f"; beside XNNPACK {figures_of(xnnpack)}; LiteRT's two beside each other {figures_of(among_them)}"
        yield what, limit, text, met
