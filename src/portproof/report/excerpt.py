"""A few source lines with a place underlined, for a terminal.

Columns of a place count code points; columns of a terminal do not: a tab is several, a Chinese character two, a
combining mark none, and a control character is shown as its escape. So every character becomes a cell first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence

import click
from msgspec import Struct

from portproof.report.model import Location
from portproof.report.safe import discreet, outline, visible_character

WIDTH = 110
"""Lines are cut to about so many columns."""

SEEN = 20 * WIDTH
"""So many characters on each side of a place are looked at: a line may well be a megabyte."""

_TAB = 4
_BEFORE = 2
_AFTER = 1


class Cell(Struct, frozen=True):
    """How one character of a line is shown, and how wide that is."""

    shown: str
    width: int


class Clip(Struct, frozen=True):
    """A line cut to the room there is; `mark` is the part of the place that is left: columns before it, and its own."""

    text: str
    mark: tuple[int, int]


class ExcerptLine(Struct, frozen=True):
    """A line of an excerpt. `number` is None for the underline."""

    number: int | None
    text: str


def excerpt(
    lines: Mapping[int, str], location: Location, hide: Callable[[str], str] = discreet
) -> Iterator[ExcerptLine]:
    """The line of `location` with the underline below it, and neighbours up to a blank or unknown line.

    `hide` puts stars for what is not to be seen, each for a character.
    """
    for number, line in around(lines, location.line, location.line, hide).items():
        if number != location.line:
            yield ExcerptLine(number, clip(line).text)
            continue
        end = location.end_column if location.end_line == location.line else len(line) + 1
        cut = clip(line, location.column, end)
        yield ExcerptLine(number, cut.text)
        yield ExcerptLine(None, " " * cut.mark[0] + "^" * cut.mark[1])


def around(lines: Mapping[int, str], begin: int, end: int, hide: Callable[[str], str]) -> dict[int, str]:
    """The lines from `begin` to `end`, with neighbours up to a blank or unknown line; empty if one of them is unknown."""
    if not all(number in lines for number in range(begin, end + 1)):
        return {}
    first, last = begin, end
    while first > begin - _BEFORE and lines.get(first - 1, "").strip():
        first -= 1
    while last < end + _AFTER and lines.get(last + 1, "").strip():
        last += 1
    # With one more line than is shown: the name of a variable stands before its value.
    numbers = range(first - 1 if first - 1 in lines else first, last + 1)
    hidden = hide("\n".join(lines[one] for one in numbers)).split("\n")
    return {number: line for number, line in zip(numbers, hidden, strict=True) if number >= first}


_NOT_YAML = re.compile(
    r"(?i)(?:valid|no|not) YAML|YAML parse error|yaml: |(?:could|did) not find expected|mapping values|found (?:character|unexpected|"
    r"undefined|duplicate)|while (?:scanning|parsing)|unmarshal|converting YAML|expected (?:the node|<|',)"
)
"""What tools say of text that they cannot read as YAML; it may hold a secret anywhere."""


def hiding(rule: str, message: str) -> Callable[[str], str]:
    """What puts stars for secrets around the place of a finding: what cannot be read as YAML may hold one anywhere."""
    return outline if rule == "render-failed" and _NOT_YAML.search(message) else discreet


def clip(line: str, column: int = 1, end_column: int = 1, room: int = WIDTH) -> Clip:
    """`line` in at most `room` columns, cut so that the place (from 1, end exclusive) stays in sight."""
    line = line.rstrip("\r\n")
    start = min(max(column - 1, 0), len(line))
    before = max(0, start - SEEN)
    cells = _cells(line[before : start + SEEN])
    after = len(line) - before - len(cells)
    end = min(max(end_column - 1, start) - before, len(cells))
    start -= before
    if not (before or after) and _width(cells) <= room:
        return _clip(cells, start, end, "", "")
    begin = 0
    if (
        before or _width(cells[:end]) > room - 2
    ):  # far out to the right: keep a third of the room for what stands before
        begin = start
        while begin > 0 and _width(cells[begin - 1 : start]) <= room // 3:
            begin -= 1
    stop = begin
    used = 2
    while stop < len(cells) and used + cells[stop].width <= room:
        used += cells[stop].width
        stop += 1
    shown = cells[begin:stop]
    left, right = ("…" if before or begin else ""), ("…" if after or stop < len(cells) else "")
    return _clip(shown, start - begin, min(end - begin, len(shown)), left, right)


def _clip(cells: Sequence[Cell], start: int, end: int, left: str, right: str) -> Clip:
    text = left + "".join(cell.shown for cell in cells).rstrip() + right
    return Clip(text, (len(left) + _width(cells[:start]), max(1, _width(cells[start:end]))))


def _cells(line: str) -> list[Cell]:
    cells: list[Cell] = []
    column = 0
    for index, character in enumerate(line):
        if character == "\t":
            cell = _blank(_TAB - column % _TAB)
        elif character == "[" and line[max(index - 2, 0) : index] == "##":
            cell = Cell(" [", 2)  # GitHub's runner would take "##[" in a log for a command
        else:
            shown = visible_character(character)
            cell = Cell(shown, sum(map(_columns, shown)))
        cells.append(cell)
        column += cell.width
    return cells


def _blank(width: int) -> Cell:
    return Cell(" " * width, width)


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def columns(text: str) -> int:
    """How wide a text is on a terminal; what colors it has no width."""
    return sum(map(_columns, click.unstyle(text)))


def _width(cells: Sequence[Cell]) -> int:
    return sum(cell.width for cell in cells)
