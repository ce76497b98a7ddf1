# SPDX-License-Identifier: Apache-2.0
"""Every model on every backend that is here, beside the reference, as `moru bench` checks answers."""

import json
import re

from measure.models import run

SAMPLES = 4
LIMIT = 120  # seconds that the reference may take for its answers
EXTENT = 64  # of what a model leaves open and is no batch: pixels, say; most models want some


def dims_of(moru, path):
    """Extents by name that the model leaves open behind its inputs' first."""
    _, out, _ = run(moru, "model", "show", path, "--format", "json")
    names = {extent for one in json.loads(out)["inputs"] for extent in one["shape"][1:] if isinstance(extent, str)}
    return [part for name in sorted(names) for part in ("--dim", f"{name}={EXTENT}")]


def is_quantised(moru, path):
    _, out, _ = run(moru, "model", "show", path, "--format", "json")
    return json.loads(out)["quantisation"] not in ("none", "float16 weights")


def available(moru):
    """Name to version of what can run models here, the reference last."""
    _, out, _ = run(moru, "backends", "--format", "json")
    here = {one["name"]: one["version"] for one in json.loads(out) if one["available"]}
    here["reference"] = here.pop("reference")
    return here


def answers(moru, files, backends):
    """Rows of `moru bench`, each with the model's file name and whether it is quantised; progress on standard error is the caller's."""
    for path in files:
        code, out, error = run(moru, "bench", path, "--backend", ",".join(backends), "--seconds", "0.05", "--samples", SAMPLES, "--limit", LIMIT,
                               "--format", "json", *dims_of(moru, path))  # fmt: skip
        if not out.strip():
            raise RuntimeError(f"{path}: moru bench ended with {code}: {error}")
        for one in json.loads(out):
            yield {**one, "model": path.name, "quantised": is_quantised(moru, path)}


def verdict(one):
    """right, wrong, unsupported, or unchecked: where the reference has no answer, there is nothing to agree with."""
    if one["ok"]:
        return "unchecked" if one["nmse"] is None else "right"
    return "wrong" if one["nmse"] is not None else "unsupported"


def sentence(reason):
    """What one row of a table has room for."""
    text = " ".join(reason.split())
    text = re.sub(r"\bCheck '.*?' failed at \S+: ", "", text)
    return (text if len(text) <= 200 else text[:197] + "...").replace("|", "\\|")


def agreeing(rows):
    """(what, limit, measured, met): a row a backend, then one for each answer that was wrong."""
    for backend in dict.fromkeys(one["backend"] for one in rows):
        if backend == "reference":
            continue
        mine = [one for one in rows if one["backend"] == backend]
        texts = []
        for quantised, kind in ((False, "float"), (True, "quantised")):
            checked = [one for one in mine if one["quantised"] == quantised and one["nmse"] is not None]
            if not checked:
                continue
            right = [one for one in checked if verdict(one) == "right"]
            worst = max(checked, key=lambda one: float(one["nmse"]))
            texts.append(f"{kind}: {len(right)} of {len(checked)}, worst NMSE {float(worst['nmse']):.1g} ({worst['model']})")
        for kind in ("unsupported", "unchecked"):
            names = [one["model"] for one in mine if verdict(one) == kind]
            if names:
                texts.append(f"{len(names)} {kind}")
        wrong = [one for one in mine if verdict(one) == "wrong"]
        limit = "float: NMSE ≤ 1e-6; quantised: the same choice in 99 %, NMSE ≤ 0.1"
        yield f"models on {backend} beside the reference", limit, "; ".join(texts), not wrong
        for one in wrong:
            yield f"{one['model']} on {backend}", "right", sentence(one["reason"]), False
