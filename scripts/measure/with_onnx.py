# SPDX-License-Identifier: Apache-2.0
"""What only ONNX's own Python package can do, in a process of its own: /usr/bin/python3 with_onnx.py PACKAGES VERB ...

PACKAGES is the folder that scripts/get_deps dev fills (.deps/onnx_python).
  cases OUT        writes the tests of single nodes that the package makes, in its layout, to OUT/node; prints as JSON the
                   opset of each, 0 for one that has no op of ONNX's own domain
  check FILE...    prints as JSON what onnx.checker says of each file; an empty text for one that it accepts
"""

import argparse
import json
import sys
import warnings

SEED = 1


def cases(out):
    import numpy
    from onnx.backend.test import cmd_tools
    from onnx.backend.test.case import node

    # The inputs of many cases are drawn as they are made.
    numpy.random.seed(SEED)
    made = node.collect_testcases()
    cmd_tools.model_test.collect_testcases = lambda: made
    cmd_tools.generate_data(argparse.Namespace(output=out))
    own = ("", "ai.onnx")
    json.dump({one.name: max((it.version for it in one.model.opset_import if it.domain in own), default=0) for one in made}, sys.stdout)


def verdict(path):
    import onnx

    try:
        onnx.checker.check_model(path, full_check=True)
    except Exception as error:  # whatever it throws, it does not accept the file
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def main():
    packages, verb, *rest = sys.argv[1:]
    sys.path.insert(0, packages)
    warnings.filterwarnings("ignore")
    if verb == "cases":
        cases(*rest)
    elif verb == "check":
        json.dump([verdict(path) for path in rest], sys.stdout)
    else:
        sys.exit(f"with_onnx: found verb {verb}, expected cases or check")


if __name__ == "__main__":
    main()
