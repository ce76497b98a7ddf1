# SPDX-License-Identifier: Apache-2.0
import pathlib

RULE = "every source and script begins with its licence: 'SPDX-License-Identifier: Apache-2.0' in line 1 (2 or 3 where line 1 is taken)"
REASON = "a file must say its terms wherever it is copied to"
FIX = "put `// SPDX-License-Identifier: Apache-2.0` (or `#`, `/* */`, `<!-- -->`) at the top"

SUFFIXES = {".cc", ".h", ".ts", ".mjs", ".js", ".py", ".cmake", ".css", ".html", ".sh", ".proto", ".yaml", ".yml"}


def check(tree):
    findings = []
    for name in tree.files():
        path = pathlib.PurePath(name)
        lines = tree.lines(name)
        script = bool(lines) and lines[0].startswith("#!")
        if path.suffix not in SUFFIXES and path.name != "CMakeLists.txt" and not script:
            continue
        taken = script or path.suffix == ".html"
        head = lines[: 3 if taken else 1]
        if not any("SPDX-License-Identifier: Apache-2.0" in line for line in head):
            findings.append(f"{name}:1: found '{(lines or [''])[0][:60]}', expected the licence")
    return findings
