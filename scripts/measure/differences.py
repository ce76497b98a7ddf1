# SPDX-License-Identifier: Apache-2.0
"""The measured half of docs/backends.md: ONNX's tests of single nodes and all models, on each backend that is here."""

import json
import pathlib
import re

from measure import agreement
from measure.models import run
from measure.page import ROOT, machine, markers, replace_section

CASES = pathlib.Path("/usr/share/libonnx-testdata/data/node")
PAGE = ROOT / "docs" / "backends.md"
BEGIN, END = markers("measure_backends")
# Their right answers are random numbers, which only the library that made the tests can draw again.
RANDOM = ("Bernoulli", "Dropout")
# What the tests' names begin with where that is not an op's name.
NAMES = {"basicconv": "Conv", "sce": "SoftmaxCrossEntropyLoss", "nllloss": "NegativeLogLikelihoodLoss", "simplernn": "RNN", "rnn": "RNN",
         "strnormalizer": "StringNormalizer", "batchnorm": "BatchNormalization", "nesterov": "Momentum", "edge": "Pad", "reflect": "Pad",
         "constantpad": "Pad", "basicconvinteger": "ConvInteger", "adagrad": "Adagrad", "adam": "Adam", "maxunpool": "MaxUnpool",
         "training": "Dropout", "convwith": "Conv", "nonmaxsuppression": "NonMaxSuppression", "sequence": "sequences",
         "optional": "optionals", "identitysequence": "sequences", "identityopt": "optionals", "ifseq": "sequences", "ifopt": "optionals",
         "loop13seq": "sequences", "loop16seq": "sequences", "castlike": "CastLike", "momentum": "Momentum", "tfidf": "TfIdfVectorizer",
         "instancenorm": "InstanceNormalization", "mvn": "MeanVarianceNormalization", "tril": "Trilu", "triu": "Trilu"}  # fmt: skip
LITTLE = 1e-3


def op_names(moru):
    _, out, _ = run(moru, "ops", "--format", "json")
    found = {one["name"].lower(): one["name"] for one in json.loads(out) if one["domain"] == ""}
    return {**found, **NAMES}


def op_of(case, names):
    """The op that a test is of, by its name: test_reduce_sum_do_not_keepdims is one of ReduceSum."""
    stem = case.rsplit("/", 1)[-1].removeprefix("test_").replace("_", "")
    fitting = [name for name in names if stem.startswith(name)]
    return names[max(fitting, key=len)] if fitting else case.removeprefix("test_").split("_")[0]


def words_of(library, text):
    """Its own words without the places in its source, and of a long report the part that says why."""
    missing = re.search(r"No conversion rule found for operations: ", text) or re.search(r"is not a registered function/op", text)
    if missing:
        return f"{library} does not have the op"
    text = re.sub(r"^.*Model wasn't fully converted\..*?with a message: ", "", text)
    text = re.sub(r"(Exception during initialization: |Check '.*?' failed at |FrontEnd API failed with \w+: )", "", text)
    text = re.sub(r"/?\w+(/[\w.-]+)+:\d+:? ?", "", text)
    text = re.sub(r"[\w:<>]+::[\w:<>]+\([^)]*\)(::<lambda\(\)>)? |\[with T = \w+\] ", "", text)
    text = re.sub(r"\b(with name|for name|name:) ?'?[^' ]*'?", "", text)
    text = re.sub(r"While validating (ONNX )?node '.*?': |( Summary: -- Conversion is failed for: .*)$", "", text)
    return f"{library}: {text}"


def why(reason, op):
    """The reason without what differs from test to test."""
    text = re.sub(r"^test_data_set_\d+: ", "", " ".join(reason.split()))
    value = re.match(r"output \d+: element \d+: found .*?(?:, (\S+) away)?$", text)
    if value:
        if op in RANDOM:
            return "random numbers, drawn by a generator of its own"
        return "values a little off (at most 0.001)" if float(value[1] or 1) <= LITTLE else "other values"
    converted = re.match(r"load model: \d+ of \d+ nodes cannot be converted (.*)", text)
    if converted:
        return re.sub(r" node \d+ \(.*$", "", re.sub(r"^node \d+ \([^)]*\): ", "", converted[1]))
    text = re.sub(r"^(load model|run model|run): ", "", text)
    text = re.sub(r"^node \d+ \([^)]*\): ", "", text)
    says = re.match(r"(ONNX Runtime|OpenVINO|LiteRT) says '(.*?)'?$", text)
    if says:
        return words_of(says[1], says[2])
    return re.sub(r"^((?:graph )?(?:input|output))[^:]*: ", r"\1: ", text)


def kind_of(text):
    """What reasons of one row have in common: of ours what was expected, of a library's all but names and numbers."""
    text = re.sub(r"^((?:graph )?(?:input|output): )?found .*?, expected (?=.{15})", r"\1found, expected ", text)
    return re.sub(r"\d+", "", re.sub(r"'[^']*'|\[[^\]]*\]", "", text))


def clipped(text, most=150):
    text = text.replace("|", "\\|").replace("<", "&lt;")
    return text if len(text) <= most else text[: most - 3] + "..."


def table_of(cases, verdict, names):
    """Rows "result | tests | of the ops | why", the commonest first; where reasons differ a little, one of them."""
    groups = {}
    for one in cases:
        if one["result"] == verdict:
            op = op_of(one["name"], names)
            text = clipped(why(one["reason"], op))
            ops, texts = groups.setdefault(kind_of(text), ({}, []))
            ops[op] = ops.get(op, 0) + 1
            texts.append(text)
    for ops, texts in sorted(groups.values(), key=lambda group: (-len(group[1]), group[1][0])):
        listed = ", ".join(op if count == 1 else f"{op} ({count})" for op, count in sorted(ops.items(), key=lambda item: item[0].lower()))
        yield f"| {verdict} | {len(texts)} | {listed} | {'such as: ' if len(set(texts)) > 1 else ''}{texts[0]} |"


def tested(moru, backend, cases):
    code, out, error = run(moru, "backend", "test", backend, "--cases", cases, "--format", "json")
    if not out.strip():
        raise RuntimeError(f"moru backend test {backend} ended with {code}: {error}")
    return json.loads(out)


def node_tests(moru, here, cases):
    results = {backend: tested(moru, backend, cases) for backend in here}
    count = sum(next(iter(results.values()))["counts"].values())
    yield from ("### ONNX's tests of single nodes", "")
    yield f"The {count} of Debian's package libonnx-testdata (ONNX 1.12), by `moru backend test NAME --cases {cases}`, which CI uses, too."
    yield from ("", "| backend | version | pass | fail | unsupported |", "|---|---|---|---|---|")
    for backend, result in results.items():
        counts = result["counts"]
        yield f"| {backend} | {here[backend]} | {counts['pass']} | {counts['fail']} | {counts['unsupported']} |"
    yield from ("", "Why, by backend. What is not supported is no failure; a test that fails gives another answer than the standard's, or an error where it")
    yield "should give one. Numbers in brackets: tests of that op."
    names = op_names(moru)
    for backend, result in results.items():
        yield from ("", f"#### {backend}", "", "| result | tests | of the ops | why |", "|---|---|---|---|")
        for verdict in ("fail", "unsupported"):
            yield from table_of(result["cases"], verdict, names)


def model_table(answers):
    """A row a model, a column a backend; and why, for what is not right."""
    backends = [name for name in dict.fromkeys(one["backend"] for one in answers) if name != "reference"]
    cells, reasons = {}, {}
    for one in answers:
        if one["backend"] == "reference":
            continue
        verdict = agreement.verdict(one)
        text = {"right": f"{float(one['nmse'] or 0):.0e}", "wrong": f"**{float(one['nmse'] or 0):.0e}**", "unsupported": "-", "unchecked": "runs"}[verdict]
        cells.setdefault((one["model"], one["quantised"]), {})[one["backend"]] = text
        if verdict != "right":
            reasons.setdefault((one["backend"], verdict, clipped(agreement.sentence(one["reason"]), 220)), []).append(one["model"])
    yield from ("", "### Models", "")
    yield "NMSE of the answers from the reference's, to seeded inputs; **bold** where it is too much. `-`: not supported; `runs`: the reference"
    yield "has no answer to compare with. Quantised models (q) may differ by a step an op ([arithmetic.md](arithmetic.md))."
    yield from ("", f"| model | | {' | '.join(backends)} |", "|---|---|" + "---|" * len(backends))
    for (model, quantised), row in cells.items():
        yield f"| {model} | {'q' if quantised else ''} | {' | '.join(row.get(backend, '') for backend in backends)} |"
    yield from ("", "| backend | models | why |", "|---|---|---|")
    for (backend, verdict, reason), models in reasons.items():
        yield f"| {backend} | {', '.join(models)} | {'' if reason.startswith(verdict) else verdict + ': '}{reason} |"


def lines(moru, here, cases, answers):
    return [f"Measured on: {machine()}.", "", *node_tests(moru, here, cases), *model_table(answers)]


def write_first_half(moru):
    """What needs no measuring: all in front of the section."""
    _, first, _ = run(moru, "backends", "--markdown")
    text = PAGE.read_text() if BEGIN in PAGE.read_text() else f"{BEGIN}\n{END}\n"
    PAGE.write_text(first + text[text.index(BEGIN) :])


def write(moru, page):
    write_first_half(moru)
    replace_section(PAGE, "measure_backends", page)
