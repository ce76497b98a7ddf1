# SPDX-License-Identifier: Apache-2.0
import pathlib
import re

RULE = "the map in HACKING.md names every folder of the tree down to the rooms, and nothing that is not there"
REASON = "a newcomer trusts the map; one wrong entry and nobody does"
FIX = "add the folder with half a sentence, or take the entry out"

BEGIN, END = "<!-- map -->", "<!-- end of map -->"


def mapped(text):
    """The paths of the map: lines `path/   what it is` between the marks."""
    between = text.partition(BEGIN)[2].partition(END)[0]
    return [match.group(1) for match in re.finditer(r"^ {4}([\w./-]+)(?:\s{2,}\S.*)?$", between, re.MULTILINE)]


def rooms(tree):
    """Folders that a map must name: every top folder, and the rooms: CMake targets down to two folders under src/."""
    folders = set()
    for name in tree.files():
        parts = pathlib.PurePath(name).parts
        if len(parts) > 1 and not parts[0].startswith("."):
            folders.add(parts[0] + "/")
        if parts[-1] == "CMakeLists.txt" and parts[0] in ("src", "solutions") and len(parts) in (3, 4):
            folders.add("/".join(parts[:-1]) + "/")
    return folders


def check(tree):
    if not tree.exists("HACKING.md"):
        return ["HACKING.md: there is none"]
    text = tree.text("HACKING.md")
    if BEGIN not in text or END not in text:
        return [f"HACKING.md: found no map between '{BEGIN}' and '{END}'"]
    names = mapped(text)
    findings = [f"HACKING.md: the map names '{name}', which is not there" for name in names if not tree.exists(name)]
    findings += [f"HACKING.md: the map names '{name}' twice" for name in sorted({name for name in names if names.count(name) > 1})]
    findings += [f"HACKING.md: the map does not name '{folder}'" for folder in sorted(rooms(tree)) if folder not in names]
    # Links to files of the tree, in every page.
    for page in tree.files(".md"):
        folder = pathlib.PurePath(page).parent
        for number, line in enumerate(tree.lines(page), 1):
            for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", line):
                if not (tree.root / folder / link).exists():
                    findings.append(f"{page}:{number}: links to '{link}', which is not there")
    return findings
