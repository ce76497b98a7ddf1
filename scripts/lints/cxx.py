# SPDX-License-Identifier: Apache-2.0
"""C++ without its comments and literals, so that rules about code do not stumble over words about code."""

import re

_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"(?P<mark>[^\s()\\]{0,16})\((?:.*?)\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'""", re.DOTALL
)


def code_lines(text):
    """The lines of `text` with comments and the insides of literals blanked; the line numbers stay."""

    def blank(match):
        token = match.group(0)
        if token.startswith(("//", "/*")):
            return re.sub(r"[^\n]", " ", token)
        return '""' + "\n" * token.count("\n")

    # `#include "x"` is code, not a literal: the rules read includes from the plain text.
    return _TOKEN.sub(blank, text).splitlines()
