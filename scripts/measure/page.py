# SPDX-License-Identifier: Apache-2.0
"""Rows of a table of figures, and the section of a page that a script writes anew."""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MEASUREMENTS = ROOT / "docs" / "measurements.md"


def row(what, limit, measured, met):
    """met: None where the text says why the limit does not hold for it."""
    verdict = {True: "met", False: "**missed**", None: "see there"}[met]
    return f"| {what} | {limit} | {measured} | {verdict} |"


def cpu():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def machine():
    return f"{cpu()}, {os.cpu_count()} cores"


def markers(script):
    return f"<!-- begin: scripts/{script} -->", f"<!-- end: scripts/{script} -->"


def replace_section(page, script, lines):
    """Puts the lines between the script's markers."""
    begin, end = markers(script)
    text = page.read_text()
    if begin not in text or end not in text:
        sys.exit(f"{page.name}: found no lines '{begin}' and '{end}', expected both")
    page.write_text(text[: text.index(begin)] + "\n".join([begin, "", *lines, "", end]) + text[text.index(end) + len(end) :])


def write_lines(part, lines):
    """What was measured, between the part's marks in docs/measurements.md."""
    replace_section(MEASUREMENTS, part, [f"Measured on: {machine()}.", "", *lines])


def table(rows):
    return ["| what | at least | measured | |", "|---|---|---|---|", *rows]


def write_rows(script, title, rows):
    """The section of docs/measurements.md; one that is not there yet comes to its end."""
    begin, end = markers(script)
    if begin not in MEASUREMENTS.read_text():
        MEASUREMENTS.write_text(MEASUREMENTS.read_text() + f"\n## {title}\n\n{begin}\n{end}\n")
    write_lines(script, table(rows))
