# SPDX-License-Identifier: Apache-2.0
"""Where the runtimes of a quantised model come apart: layer by layer, on crops of photographs.

Out of a model's text form two others are made. In the *chain* the result of every layer is an output, too: it shows how far the runtimes have
come apart up to there. In the *cut* every layer is fed with what LiteRT's reference kernels made in the chain: it shows what each op does by
itself. LiteRT runs them as TFLite, the others after our conversion to ONNX; "ours" is the backend `reference`, the definition in
docs/arithmetic.md.
"""

import json
import pathlib
import re
import subprocess
import tempfile

from measure import peers
from measure.models import run

CROPS = 20  # of those whose layers are looked at; their outputs are compared for all of peers.IMAGES
CLEAR = 25  # steps between the largest and the next: a tenth, where levels are probabilities
STEPS = pathlib.Path(__file__).resolve().parent / "steps.py"
NAME = r'"(?:[^"\\]|\\.)*"|[A-Za-z_/.][\w/.-]*'
LAYER = re.compile(rf"  ({NAME}): (\w+\[[^]]*\](?: quant {{[^}}]*}})?) = tflite::(\w+)\(([^)]*)\)(.*)")
RUNTIMES = ("reference", "XNNPACK", "ONNX Runtime", "ours")
PAIRS = [(first, second) for i, second in enumerate(RUNTIMES) for first in RUNTIMES[i + 1 :]]


class Layers:
    """The layers of a TFLite model's text form, with results of new names, and what stands around them."""

    def __init__(self, text):
        self.around, self.layers = [], []
        names, outputs = {}, []
        for line in text.splitlines():
            found = LAYER.fullmatch(line)
            if found:
                name, kind, op, uses, rest = found.groups()
                names[name] = f"layer_{len(self.layers)}"
                self.layers.append((kind, op, [names.get(use, use) for use in re.findall(NAME, uses)], rest))
            elif "= tflite::" in line:
                raise ValueError(f"layers: found {line.strip()[:80]}, expected a layer with one result")
            elif line.startswith("  output "):
                outputs.append(names[line.removeprefix("  output ")])
            elif line != "}":
                self.around.append(line)
        if outputs != [f"layer_{len(self.layers) - 1}"]:
            raise ValueError(f"layers: found the outputs {', '.join(outputs)}, expected the result of the last layer")

    def _text(self, result, inputs):
        lines = self.around + [f"  input layer_{i}: {self.layers[i][0]}" for i in inputs]
        for i, (kind, op, uses, rest) in enumerate(self.layers):
            lines.append(f"  {result}_{i}: {kind} = tflite::{op}({', '.join(uses)}){rest}")
        return "\n".join([*lines, *(f"  output {result}_{i}" for i in range(len(self.layers))), "}", ""])

    def chain(self):
        return self._text("layer", [])

    def fed(self):
        """The layers whose results others use; the cut has inputs in their place, behind the model's own."""
        return sorted({int(use.removeprefix("layer_")) for _, _, uses, _ in self.layers for use in uses if use.startswith("layer_")})

    def cut(self):
        return self._text("made", self.fed())


class Apart:
    """Elements of two tensors, how many of them differ, by how many steps at most, and by how many on average, with sign."""

    def __init__(self):
        self.elements = self.differ = self.most = self.sum = 0

    def add(self, elements, differ, most, total):
        self.elements += elements
        self.differ += differ
        self.most = max(self.most, most)
        self.sum += total

    def __str__(self):
        if self.differ == 0:
            return "0"
        return f"{100 * self.differ / self.elements:.2g} %, {self.most}, {self.sum / self.elements:+.1g}"


def moru_runs(moru, model, inputs, backend, out):
    """The files of the outputs."""
    given = [part for name, file in inputs for part in ("-i", f"{name}={file}")]
    code, text, error = run(moru, "model", "run", model, *given, "--backend", backend, "-o", out, "--format", "json")
    if code != 0:
        raise RuntimeError(error)
    return [one["file"] for one in json.loads(text)["outputs"]]


class Model:
    """A TFLite model, its chain and its cut, each as TFLite and ONNX, in a folder."""

    def __init__(self, moru, litert, path, folder):
        self.moru, self.litert, self.path, self.folder = moru, litert, path, folder
        self.convert(path, folder / "plain.graph")
        self.convert(path, folder / "plain.onnx")
        self.layers = Layers((folder / "plain.graph").read_text(encoding="latin1"))  # names and metadata may hold any bytes
        for name, text in (("chain", self.layers.chain()), ("cut", self.layers.cut())):
            (folder / f"{name}.graph").write_text(text, encoding="latin1")
            self.convert(folder / f"{name}.graph", folder / f"{name}.tflite")
            self.convert(folder / f"{name}.tflite", folder / f"{name}.onnx")
        self.crops = [(names[0], files[0]) for names, files, _ in peers.images(moru, path, folder)]

    def convert(self, there, back):
        code, _, error = run(self.moru, "model", "convert", there, "-o", back, "--samples", "1")
        if code != 0:
            raise RuntimeError(error)

    def job(self, model, files, outputs, reference):
        return {
            "model": str(model),
            "inputs": [str(file) for file in files],
            "outputs": str(self.folder / outputs),
            "reference": reference,
            "xnnpack": not reference,
        }

    def each_layer(self, crop):
        """For the chain and for the cut: the files of each runtime's layers."""
        count = len(self.layers.layers)
        chain = {name: [self.folder / f"chain {name} {i}.npy" for i in range(count)] for name in RUNTIMES[:2]}
        cut = {name: [self.folder / f"cut {name} {i}.npy" for i in range(count)] for name in RUNTIMES[:2]}
        fed = [crop, *((f"layer_{i}", chain["reference"][i]) for i in self.layers.fed())]
        jobs = [self.job(self.folder / "chain.tflite", [crop[1]], f"chain {name} ", name == "reference") for name in RUNTIMES[:2]]
        jobs += [self.job(self.folder / "cut.tflite", [file for _, file in fed], f"cut {name} ", name == "reference") for name in RUNTIMES[:2]]
        peers.litert(self.litert, jobs, self.folder)
        for name, backend in zip(RUNTIMES[2:], ("onnxruntime", "reference")):
            chain[name] = moru_runs(self.moru, self.folder / "chain.onnx", [crop], backend, self.folder / f"chain {name}")
            cut[name] = moru_runs(self.moru, self.folder / "cut.onnx", fed, backend, self.folder / f"cut {name}")
        return chain, cut

    def outputs(self):
        """The levels of the model's output for every crop, a list a runtime. The last one is ONNX Runtime with the chain."""
        places = range(len(self.crops))
        jobs = [self.job(self.path, [self.crops[i][1]], f"{name} {i} ", name == "reference") for name in RUNTIMES[:2] for i in places]
        peers.litert(self.litert, jobs, self.folder)
        found = {name: [peers.load_npy(self.folder / f"{name} {i} 0.npy")[0] for i in places] for name in RUNTIMES[:2]}
        for name, model, backend in (
            ("ONNX Runtime", "plain", "onnxruntime"),
            ("ours", "plain", "reference"),
            ("with its layers", "chain", "onnxruntime"),
        ):
            model = self.folder / f"{model}.onnx"
            found[name] = [peers.load_npy(moru_runs(self.moru, model, [crop], backend, self.folder / "run")[-1])[0] for crop in self.crops]
        return found

    def profile(self):
        """(of the chain, of the cut): for each pair of runtimes an Apart a layer."""
        tallies = [{pair: [Apart() for _ in self.layers.layers] for pair in PAIRS} for _ in range(2)]
        for crop in self.crops[:CROPS]:
            for tally, files in zip(tallies, self.each_layer(crop)):
                self.compare(tally, files)
        return tallies

    def compare(self, tally, files):
        wanted = [(first, second, apart) for pair in PAIRS for first, second, apart in zip(files[pair[0]], files[pair[1]], tally[pair])]
        (self.folder / "pairs.json").write_text(json.dumps([[str(first), str(second)] for first, second, _ in wanted]))
        subprocess.run(["/usr/bin/python3", STEPS, self.folder / "pairs.json", self.folder / "steps.json"], check=True)
        for (_, _, apart), found in zip(wanted, json.loads((self.folder / "steps.json").read_text())):
            apart.add(*found)


def together(aparts):
    whole = Apart()
    for one in aparts:
        whole.add(one.elements, one.differ, one.most, one.sum)
    return whole


def layer_rows(model):
    chain, cut = model.profile()
    ops = [op for _, op, _, _ in model.layers.layers]
    rows, quiet = [], []
    for op in dict.fromkeys(ops):
        cells = [together(apart for apart, its in zip(cut[pair], ops) if its == op) for pair in PAIRS]
        name = f"{op} ({ops.count(op)})"
        if any(cell.differ for cell in cells):
            rows.append([f"alone: {name}", *cells])
        else:
            quiet.append(name)
    if quiet:
        rows.append([f"alone: {', '.join(quiet)}", *["0"] * len(PAIRS)])
    # The softmax behind the last sums says little: most of its levels are 0.
    last = max(i for i, op in enumerate(ops) if op in ("CONV_2D", "FULLY_CONNECTED"))
    for i in sorted({last // 4, last // 2, 3 * last // 4, last}):
        rows.append([f"in the chain: layer {i + 1} of {len(ops)}, {ops[i]}", *(chain[pair][i] for pair in PAIRS)])
    return rows


def margin(levels):
    first, second = sorted(levels)[-1:-3:-1]
    return first - second


def margin_row(outputs, first, second):
    agree = [peers.same_choice(a, b) for a, b in zip(outputs[first], outputs[second])]
    margins = [margin(levels) for levels in outputs["reference"]]
    apart = sorted(found for found, same in zip(margins, agree) if not same)
    clear = [same for found, same in zip(margins, agree) if found > CLEAR]
    steps = max(abs(x - y) for a, b in zip(outputs[first], outputs[second]) for x, y in zip(a, b))
    return [f"{first}, {second}", steps, f"{sum(agree)} of {len(agree)}", ", ".join(map(str, apart)), f"{sum(clear)} of {len(clear)}"]


def table(head, rows):
    return ["| " + " | ".join(map(str, row)) + " |" for row in [head, ["---"] * len(head), *rows]]


def quantised_images(moru, files, data):
    for path in files:
        if path.suffix == ".tflite" and path.parent.parent == data and peers.wants_images(moru, path):
            ((_, dtype, _),) = peers.inputs_of(moru, path)
            if dtype in ("int8", "uint8"):
                yield path


def profiles(moru, litert, files, data):
    """Lines of Markdown: two tables a model."""
    for path in quantised_images(moru, files, data):
        with tempfile.TemporaryDirectory() as name:
            model = Model(moru, litert, path, pathlib.Path(name))
            rows, outputs = layer_rows(model), model.outputs()
        yield f"**{path.name}**: {len(model.layers.layers)} layers on {CROPS} crops, then the outputs for {len(model.crops)}"
        yield ""
        yield from table(["", *(f"{first}, {second}" for first, second in PAIRS)], rows)
        yield ""
        pairs = [*PAIRS, ("with its layers", "ONNX Runtime")]
        head = ["outputs of", "steps", "same class", "margins where not", f"same class where the margin is over {CLEAR}"]
        yield from table(head, [margin_row(outputs, *pair) for pair in pairs])
        yield ""
