# SPDX-License-Identifier: Apache-2.0
"""Why ONNX Runtime misses models that end in Sigmoid, and what was tried; writes that table of docs/measurements.md.

`/usr/bin/python3 scripts/measure/sigmoid.py MODEL PYTHON...`: each PYTHON has numpy, onnx and a release of onnxruntime. It runs MODEL with
the logits as outputs beside the answers, on noise and on smooth waves, and holds each answer against the Sigmoid of those logits in
float64. The first PYTHON tries everything, the others show whether another release does otherwise.
"""

import json
import pathlib
import subprocess
import sys

SEED = 1
FREE = {0: 1, 1: 3}  # what a dynamic dimension is, by its place; else SIDE
SIDE = 192


def dimensions(value):
    return [one.dim_value if one.dim_value > 0 else FREE.get(place, SIDE) for place, one in enumerate(value.type.tensor_type.shape.dim)]


def waves(shape):
    import numpy

    at = numpy.linspace(0, 6, max(shape[1:]))
    plane = 0.5 + 0.5 * numpy.sin(numpy.add.outer(at, at))
    rows, columns = (shape[2], shape[3]) if shape[1] in (1, 3) else (shape[1], shape[2])
    plane = plane[:rows, :columns]
    return numpy.broadcast_to(plane if shape[1] in (1, 3) else plane[..., None], shape).astype(numpy.float32)


def ends(graph):
    """(logits, answer) of each Sigmoid whose result is an output."""
    outputs = {one.name for one in graph.output}
    return [(node.input[0], node.output[0]) for node in graph.node if node.op_type == "Sigmoid" and node.output[0] in outputs]


def written_out(model, answers):
    """The same with 1 / (1 + Exp(-x)) for those nodes."""
    from onnx import TensorProto, helper

    graph, nodes = model.graph, []
    graph.initializer.append(helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]))
    for node in graph.node:
        if node.op_type != "Sigmoid" or node.output[0] not in answers:
            nodes.append(node)
            continue
        answer = node.output[0]
        nodes.append(helper.make_node("Neg", [node.input[0]], [f"{answer}_minus"]))
        nodes.append(helper.make_node("Exp", [f"{answer}_minus"], [f"{answer}_exp"]))
        nodes.append(helper.make_node("Add", [f"{answer}_exp", "one"], [f"{answer}_sum"]))
        nodes.append(helper.make_node("Div", ["one", f"{answer}_sum"], [answer]))
    del graph.node[:]
    graph.node.extend(nodes)


def answers_of(model, pairs, level, feeds):
    """Per kind of input: the largest answer, by how much one is off at most, and the NMSE, over the answers of all pairs."""
    import numpy
    import onnxruntime

    def flat(values):
        return numpy.concatenate([one.astype(numpy.float64).ravel() for one in values])

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    found = {}
    for kind, feed in feeds.items():
        values = dict(zip(names, session.run(None, feed)))
        exact = 1 / (1 + numpy.exp(-flat(values[logits] for logits, _ in pairs)))
        said = flat(values[answer] for _, answer in pairs)
        off = said - exact
        found[kind] = [float(exact.max()), float(numpy.abs(off).max()), float((off**2).sum() / (exact**2).sum())]
    return found


def one_release(path):
    import numpy
    import onnx
    import onnxruntime

    model = onnx.load(path)
    pairs = ends(model.graph)
    constants = {one.name for one in model.graph.initializer}
    inputs = [one for one in model.graph.input if one.name not in constants]
    random = numpy.random.default_rng(SEED)
    feeds = {
        "noise": {one.name: random.standard_normal(dimensions(one)).astype(numpy.float32) for one in inputs},
        "waves": {one.name: waves(dimensions(one)) for one in inputs},
    }
    for logits, _ in pairs:
        model.graph.output.append(onnx.helper.make_tensor_value_info(logits, onnx.TensorProto.FLOAT, None))
    levels = onnxruntime.GraphOptimizationLevel
    tried = {
        "as it is": answers_of(model, pairs, levels.ORT_ENABLE_ALL, feeds),
        "no graph optimisations": answers_of(model, pairs, levels.ORT_DISABLE_ALL, feeds),
    }
    written_out(model, {answer for _, answer in pairs})
    tried["the node Sigmoid written as 1 / (1 + Exp(-x))"] = answers_of(model, pairs, levels.ORT_ENABLE_ALL, feeds)
    json.dump({"version": onnxruntime.__version__, "tried": tried}, sys.stdout)


def rows(model, pythons):
    yield "| tried | noise: largest answer | off by at most | NMSE | waves: largest answer | off by at most | NMSE |"
    yield "|---|---|---|---|---|---|---|"
    for number, python in enumerate(pythons):
        done = subprocess.run([python, __file__, "--one", model], stdout=subprocess.PIPE, check=True)
        release = json.loads(done.stdout)
        for what, found in release["tried"].items():
            if number == 0 or what == "as it is":
                figures = " | ".join(f"{figure:.1g}" for kind in ("noise", "waves") for figure in found[kind])
                yield f"| {what}, release {release['version']} | {figures} |"


def main():
    if sys.argv[1:2] == ["--one"]:
        one_release(sys.argv[2])
        return
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
    from measure.page import write_lines

    found = list(rows(sys.argv[1], sys.argv[2:]))
    print("\n".join(found))
    write_lines("measure/sigmoid.py", found)


if __name__ == "__main__":
    main()
