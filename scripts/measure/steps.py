# SPDX-License-Identifier: Apache-2.0
"""How far tensors of levels are apart: /usr/bin/python3 steps.py PAIRS.json RESULTS.json

PAIRS is a list of two names of .npy files each. RESULTS has for each pair the number of elements, of those that differ, the most steps that one
differs by, and the sum of all differences, first less second. In a process of its own since it needs Debian's python3-numpy.
"""

import json
import sys

import numpy


def apart(first, second):
    a, b = (numpy.load(name).astype(numpy.int64).ravel() for name in (first, second))
    if a.shape != b.shape:
        sys.exit(f"steps: found {a.size} elements in {first} and {b.size} in {second}, expected the same number")
    difference = a - b
    return [int(a.size), int(numpy.count_nonzero(difference)), int(abs(difference).max()), int(difference.sum())]


def main():
    pairs, results = sys.argv[1:]
    with open(pairs, encoding="utf-8") as file:
        found = [apart(*pair) for pair in json.load(file)]
    with open(results, "w", encoding="utf-8") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main()
