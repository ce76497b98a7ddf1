#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run_guide.py GUIDE PROGRAMS: does what a guide says, in an empty folder, as somebody who has only the guide.

Each block ```sh is run by bash, with the folder PROGRAMS first in PATH; a block ```text behind it is what must come out. In that, "..." stands for
anything within a line, and a line of nothing else for any lines.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pattern(expected):
    parts = [r"(?:.*\n)*" if line == "..." else r".*".join(map(re.escape, line.split("..."))) + "\n" for line in expected.splitlines()]
    return re.compile("".join(parts))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    guide = pathlib.Path(sys.argv[1])
    blocks = BLOCK.findall(guide.read_text())
    if not blocks or blocks[0][0] != "sh":
        sys.exit(f"{guide.name}: found no block of commands first, expected one")
    output = ""
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PATH": f"{sys.argv[2]}:{os.environ['PATH']}", "MORU_HOME": home}
        for kind, text in blocks:
            if kind == "sh":
                done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                output = done.stdout
                if done.returncode != 0:
                    sys.exit(f"{guide.name}: found exit code {done.returncode}, expected 0, of\n{text}\nwhich said\n{output}")
            elif not pattern(text).fullmatch(output):
                sys.exit(f"{guide.name}: found\n{output}\nexpected\n{text}")


if __name__ == "__main__":
    main()
