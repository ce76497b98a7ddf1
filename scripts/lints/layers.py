# SPDX-License-Identifier: Apache-2.0
import pathlib
import re

from lints.tree import CXX, is_test

RULE = "a room includes only the rooms that scripts/layers.txt allows it"
REASON = "arrows in one direction keep each room buildable, testable and replaceable alone"
FIX = "pass in what is needed (a function, a struct of a lower room), or move the code to the room where it belongs; a new arrow is a change of design: say why"

_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def read_layers(text):
    """{room: set of rooms it may include, with all that stand behind them}"""
    direct = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        room, arrow, known = line.partition("->")
        if not arrow:
            raise ValueError(f"scripts/layers.txt:{number}: found '{line}', expected 'room -> rooms'")
        direct[room.strip()] = known.split()
    for room, known in direct.items():
        for name in known:
            if name not in direct:
                raise ValueError(f"scripts/layers.txt: '{room}' knows '{name}', which is no room")

    def behind(room, path=()):
        if room in path:
            raise ValueError(f"scripts/layers.txt: a cycle: {' -> '.join((*path, room))}")
        result = {room}
        for name in direct[room]:
            result |= behind(name, (*path, room))
        return result

    return {room: behind(room) for room in direct}


def room_of(folder, rooms):
    """The listed room that a folder (relative to src/) belongs to: itself or the nearest one above."""
    parts = pathlib.PurePath(folder).parts
    for end in range(len(parts), 0, -1):
        name = "/".join(parts[:end])
        if name in rooms:
            return name
    return None


def check(tree):
    layers = read_layers(tree.text("scripts/layers.txt"))
    tops = {room.split("/")[0] for room in layers}
    findings = []
    for name in tree.files(*CXX, under=("src/", "solutions/")):
        if is_test(name):
            continue  # a test may use what it needs to set the scene
        folder = str(pathlib.PurePath(name.removeprefix("src/")).parent)
        room = room_of(folder, layers)
        if room is None:
            findings.append(f"{name}: found folder '{folder}', expected one that scripts/layers.txt lists")
            continue
        for number, line in enumerate(tree.lines(name), 1):
            match = _INCLUDE.match(line)
            if not match or match.group(1).split("/")[0] not in tops:
                continue
            other = room_of(str(pathlib.PurePath(match.group(1)).parent), layers)
            if other is None:
                findings.append(f"{name}:{number}: includes {match.group(1)}, which is in no listed room")
            elif other not in layers[room]:
                findings.append(f"{name}:{number}: {room} includes {match.group(1)}, expected only {', '.join(sorted(layers[room]))}")
    return findings
