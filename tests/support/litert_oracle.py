# SPDX-License-Identifier: Apache-2.0
"""Runs TFLite models with LiteRT's reference kernels: python3 litert_oracle.py LITERT_FOLDER JOBS.json RESULTS.json

JOBS is a list of {"model": FILE, "inputs": [NPY, ...], "outputs": PREFIX, "reference": BOOL}; the outputs are written as PREFIX0.npy
and so on. Ops that have no reference kernel of that version, and jobs that want none, run on the kernels that LiteRT prefers, and with
"xnnpack": true on XNNPACK, as LiteRT does when it is left alone.
RESULTS is a list with "" or an error message for each job. One process runs all, since it takes long to start.
"""
import json
import sys

import numpy


def make(job, interpreter_module):
    kinds = interpreter_module.OpResolverType

    def of(resolver):
        return interpreter_module.Interpreter(model_path=job["model"], experimental_op_resolver_type=resolver, num_threads=1)

    if job.get("xnnpack"):
        return of(kinds.BUILTIN)
    if not job["reference"]:
        return of(kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    try:
        return of(kinds.BUILTIN_REF)
    except ValueError as error:
        if "Didn't find op" not in str(error):
            raise
        return of(kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES)


def run(job, interpreter_module):
    interpreter = make(job, interpreter_module)
    details = interpreter.get_input_details()
    arrays = [numpy.load(name) for name in job["inputs"]]
    for detail, array in zip(details, arrays):
        if list(detail["shape"]) != list(array.shape):
            interpreter.resize_tensor_input(detail["index"], array.shape)
    interpreter.allocate_tensors()
    for detail, array in zip(details, arrays):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    for i, detail in enumerate(interpreter.get_output_details()):
        numpy.save(job["outputs"] + str(i) + ".npy", interpreter.get_tensor(detail["index"]))


def main():
    litert, jobs, results = sys.argv[1:]
    sys.path.insert(0, litert)
    from ai_edge_litert import interpreter as interpreter_module

    messages = []
    with open(jobs, encoding="utf-8") as file:
        for job in json.load(file):
            try:
                run(job, interpreter_module)
                messages.append("")
            except (RuntimeError, ValueError) as error:
                messages.append(str(error))
    with open(results, "w", encoding="utf-8") as file:
        json.dump(messages, file)


if __name__ == "__main__":
    main()
