# SPDX-License-Identifier: Apache-2.0
"""The table of rules, made from the file names: a module with RULE, REASON, FIX and check(tree) is a rule."""

import importlib
import pathlib

NOT_RULES = {"__init__", "tree", "cxx"}


def all_rules():
    names = sorted(path.stem for path in pathlib.Path(__file__).parent.glob("*.py"))
    return {name: importlib.import_module(f"lints.{name}") for name in names if name not in NOT_RULES}
