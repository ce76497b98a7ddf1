# SPDX-License-Identifier: Apache-2.0
"""The files of the project, as the rules see them."""

import pathlib
import subprocess

CXX = (".cc", ".h")
TEXT = (".cc", ".h", ".cmake", ".txt", ".md", ".yaml", ".yml", ".json", ".ts", ".mjs", ".js", ".css", ".html", ".svg", ".py", ".sh", ".proto", ".test", "")


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self._files = None
        self._texts = {}

    def files(self, *suffixes, under=("",)):
        """Paths as text, relative to the root, sorted: what is tracked, and what is new and not ignored."""
        if self._files is None:
            listing = subprocess.run(
                ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=self.root, capture_output=True, text=True, check=True
            ).stdout
            self._files = sorted({name for name in listing.split("\0") if name and (self.root / name).is_file() and not (self.root / name).is_symlink()})
        return [
            name
            for name in self._files
            if (not suffixes or pathlib.PurePath(name).suffix in suffixes) and any(name.startswith(folder) for folder in under)
        ]

    def text(self, name):
        """The file's text; empty for one that is not text."""
        if name not in self._texts:
            data = (self.root / name).read_bytes()
            try:
                self._texts[name] = "" if b"\0" in data else data.decode()
            except UnicodeDecodeError:
                self._texts[name] = ""
        return self._texts[name]

    def lines(self, name):
        return self.text(name).splitlines()

    def exists(self, name):
        return (self.root / name).exists()


def is_test(name):
    """Tests, fuzzers, benches and what only they use."""
    path = pathlib.PurePath(name)
    return path.stem.endswith(("_test", "_bench", "_tests")) or path.stem.startswith("fuzz_") or path.stem.startswith("test_") or bool({"tests", "test", "testing", "fuzz", "bench"} & set(path.parts[:-1]))
