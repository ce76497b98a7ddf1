# SPDX-License-Identifier: Apache-2.0
"""ONNX's tests, those that Debian has and those that its newest package makes, through our reference implementation; and its checker over what we write."""

import fnmatch
import json
import pathlib
import re
import subprocess
import tempfile

from measure.models import run

WITH_ONNX = pathlib.Path(__file__).resolve().parent / "with_onnx.py"
OPS_PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "ops.md"
NEWEST_OPSET = 22
DEBIANS = pathlib.Path("/usr/share/libonnx-testdata/data")
NODE_CASES = 860  # at least, of Debian's tests of nodes


def with_onnx(packages, *arguments):
    """Debian's Python, for which the packages are, and which has NumPy."""
    command = ["/usr/bin/python3", WITH_ONNX, packages, *arguments]
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def version(packages):
    (folder,) = packages.glob("onnx-*.dist-info")
    return folder.name.split("-")[1].removesuffix(".dist")


def debians_cases(moru):
    """(what, limit, measured, met) of each folder of Debian's libonnx-testdata."""
    for name in ("node", "simple", "pytorch-converted", "pytorch-operator"):
        code, out, error = run(moru, "backend", "test", "reference", "--cases", DEBIANS / name, "--format", "json")
        if code not in (0, 1):
            raise RuntimeError(error)
        counts = json.loads(out)["counts"]
        text = f"{counts['pass']} pass, {counts['fail']} fail, {counts['unsupported']} are not supported"
        what = f"the {sum(counts.values())} tests in libonnx-testdata's folder {name}, by the reference implementation"
        if name == "node":
            yield what, f"{NODE_CASES} pass", text, counts["pass"] >= NODE_CASES
        else:
            yield what, "those of ops that are here pass", text, counts["fail"] == 0


def is_named(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def newer_cases(moru, packages):
    """(what, limit, measured, met) of the tests of nodes. A test that does not pass needs a reason in docs/ops.md."""
    with tempfile.TemporaryDirectory() as folder:
        opsets = json.loads(with_onnx(packages, "cases", folder))
        code, out, error = run(moru, "backend", "test", "reference", "--cases", pathlib.Path(folder) / "node", "--format", "json")
    if code not in (0, 1):
        raise RuntimeError(error)
    results = {one["name"]: one["result"] for one in json.loads(out)["cases"]}
    if results.keys() != opsets.keys():
        raise RuntimeError(f"found {len(results)} cases, expected {len(opsets)}")
    reasons = re.findall(r"`(test_\w+\*?)`", OPS_PAGE.read_text())
    old = [name for name in results if opsets[name] <= NEWEST_OPSET]
    right = [name for name in old if results[name] == "pass"]
    failed = [name for name in old if results[name] == "fail"]
    unsupported = [name for name in old if results[name] == "unsupported"]
    taken = [name for name in results if name not in old and results[name] != "unsupported"]
    unexplained = [name for name in failed + unsupported if not is_named(name, reasons)]
    wrong = unexplained + [name for name in right if is_named(name, reasons)] + taken
    text = f"{len(right)} pass, {len(failed)} fail and {len(unsupported)} are not supported, each for a reason in docs/ops.md"
    text += f"; {len(results) - len(old)} are of opset {NEWEST_OPSET + 1} to {max(opsets.values())}"
    text += "".join(f"; not so: {name} ({results[name]})" for name in wrong)
    what = f"the {len(results):,} tests of nodes that onnx {version(packages)} makes, by the reference implementation"
    yield what, "right, or a reason why not", text, not wrong


def checked(moru, packages, files):
    """(what, limit, measured, met) of every model as ONNX: those of TFLite converted, the others written anew."""
    with tempfile.TemporaryDirectory() as name:
        written, refused = {}, 0
        for path in files:
            out = pathlib.Path(name) / f"{path.name}.onnx"
            code, _, error = run(moru, "model", "convert", path, "-o", out, "--samples", "1")
            if code == 0:
                written[path.name] = out
            elif "cannot be converted" in error:
                refused += 1
            else:
                raise RuntimeError(error)
        said = dict(zip(written, json.loads(with_onnx(packages, "check", *written.values()))))
    wrong = {one: words for one, words in said.items() if words}
    text = f"{len(said) - len(wrong)} of {len(said)} accepted"
    text += f"; {refused} have no counterpart in ONNX" if refused else ""
    text += "".join(f"; {one}: {words[:160]}" for one, words in wrong.items())
    yield f"ONNX files that we write, before onnx.checker {version(packages)} (full check)", "all accepted", text, not wrong
