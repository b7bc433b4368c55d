"""Prose in lines of a width, for a terminal: colors have none, a Chinese character has two, and a command stays whole."""

from __future__ import annotations

import re

from portproof.report.excerpt import columns

_WORD = re.compile(r"(?:`[^`]{0,500}`|[^ \t`]|`)+|[ \t]+")
"""What stays in one line: a word, with all of a command in backticks, to copy it; or the spaces between two."""


def wrapped(text: str, width: int, indent: str, hang: str) -> list[str]:
    """The lines of one line of prose, `indent` before the first and `hang` before the others; none of no words.

    White space before the first word stays. What is wider by itself (a path, a command) has a line of its own, and sticks out.
    """
    lines: list[str] = []
    line, used, gap = indent, columns(indent), ""
    empty = True
    for word in _WORD.findall(text):
        if not word.strip(" \t"):
            gap = word
            continue
        if not empty and used + columns(gap + word) > width:
            lines.append(line)
            line, used, empty = hang, columns(hang), True
        said = word if empty and lines else gap + word
        line, used, empty = line + said, used + columns(said), False
    return lines if empty else [*lines, line]
