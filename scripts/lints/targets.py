# SPDX-License-Identifier: Apache-2.0
import pathlib
import re

RULE = "every room is one CMake target, and its DEPS are arrows of scripts/layers.txt"
REASON = "the build must refuse what the design forbids, and src/CMakeLists.txt must know every room"
FIX = "add the room to the list in src/CMakeLists.txt, call moru_library() or add_executable() once in it, and take out the dependency"

from lints.layers import read_layers, room_of

_LIBRARY = re.compile(r"moru_library\(\s*(\S+)(.*?)\)", re.DOTALL)
_DEPS = re.compile(r"\bDEPS\b(.*?)(?=\b[A-Z]{4,}\b|$)", re.DOTALL)


def check(tree):
    layers = read_layers(tree.text("scripts/layers.txt"))
    findings = []
    listed = tree.text("src/CMakeLists.txt").split()
    listed = {re.sub(r"[()]", "", word) for word in listed}
    for name in tree.files(".txt", under=("src/", "solutions/")):
        path = pathlib.PurePath(name)
        if path.name != "CMakeLists.txt" or name == "src/CMakeLists.txt":
            continue
        folder = str(path.parent).removeprefix("src/")
        text = re.sub(r"#[^\n]*", "", tree.text(name))
        # A folder may be reached from its parent's list or from the rooms' list.
        parents = [str(parent / "CMakeLists.txt") for parent in path.parent.parents if str(parent) != "."]
        reached = folder in listed or f"../{folder}" in listed
        reached = reached or any(tree.exists(parent) and "add_subdirectory" in tree.text(parent) for parent in parents if parent != "src/CMakeLists.txt")
        if not reached:
            findings.append(f"{name}: nobody adds it, expected '{folder}' in src/CMakeLists.txt")
        for library in _LIBRARY.finditer(text):
            room = room_of(library.group(1), layers)
            if room is None:
                findings.append(f"{name}: found library '{library.group(1)}', expected a room of scripts/layers.txt")
                continue
            for deps in _DEPS.finditer(library.group(2)):
                for dep in deps.group(1).split():
                    if "$" not in dep and room_of(dep, layers) not in layers[room]:
                        findings.append(f"{name}: {library.group(1)} depends on {dep}, expected only {', '.join(sorted(layers[room]))}")
    for name in tree.files(".cc", under=("src/", "solutions/")):
        folders = pathlib.PurePath(name).parents
        if not any(tree.exists(str(folder / "CMakeLists.txt")) for folder in folders if str(folder) not in (".", "src")):
            findings.append(f"{name}: no CMakeLists.txt in its folder or above, so it is never built")
    return findings
