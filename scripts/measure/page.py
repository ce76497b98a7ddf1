# SPDX-License-Identifier: Apache-2.0
"""Rows of a table of figures, and the section of a page that a script writes anew."""

import os
import pathlib

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


def replace_section(page, script, title, lines):
    """Puts the lines between the script's markers; a page without them gets a section of that title at its end."""
    begin, end = f"<!-- begin: scripts/{script} -->", f"<!-- end: scripts/{script} -->"
    section = "\n".join([begin, "", *lines, "", end])
    text = page.read_text()
    if begin in text:
        text = text[: text.index(begin)] + section + text[text.index(end) + len(end) :]
    else:
        text += f"\n## {title}\n\n{section}\n"
    page.write_text(text)


def write_rows(script, title, rows):
    """The section of docs/measurements.md."""
    head = f"Measured on: {machine()}."
    replace_section(MEASUREMENTS, script, title, [head, "", "| what | at least | measured | |", "|---|---|---|---|", *rows])
