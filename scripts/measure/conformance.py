# SPDX-License-Identifier: Apache-2.0
"""The tests that ONNX's newest package makes, through our reference implementation; and its checker over what we write."""

import json
import pathlib
import subprocess
import tempfile

from measure.models import run

WITH_ONNX = pathlib.Path(__file__).resolve().parent / "with_onnx.py"
# The reasons why the reader takes no model of an opset that is too new, nor a type that such an opset brought.
TOO_NEW = ("found opset ", "of ONNX's up to opset ")


def with_onnx(packages, *arguments):
    """Debian's Python, for which the packages are, and which has NumPy."""
    command = ["/usr/bin/python3", WITH_ONNX, packages, *arguments]
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def version(packages):
    (folder,) = packages.glob("onnx-*.dist-info")
    return folder.name.split("-")[1].removesuffix(".dist")


def newer_cases(moru, packages):
    """(what, limit, measured, met) of the tests of nodes."""
    with tempfile.TemporaryDirectory() as folder:
        with_onnx(packages, "cases", folder)
        code, out, error = run(moru, "backend", "test", "reference", "--cases", folder, "--format", "json")
    if code not in (0, 1):
        raise RuntimeError(error)
    cases = json.loads(out)["cases"]
    by_result = {result: [one for one in cases if one["result"] == result] for result in ("pass", "fail", "unsupported")}
    newer = sum(any(words in one["reason"] for words in TOO_NEW) for one in by_result["unsupported"])
    text = f"{len(by_result['pass'])} pass, {len(by_result['fail'])} fail, {newer} are newer than opset 22"
    text += f", {len(by_result['unsupported']) - newer} use what is not here (docs/ops.md)"
    text += "".join(f"; {one['name']}" for one in by_result["fail"])
    yield f"the {len(cases):,} tests of nodes of onnx {version(packages)}, by the reference implementation", "none fails", text, not by_result["fail"]


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
