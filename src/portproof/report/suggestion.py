"""The block that GitHub turns into a commit when somebody clicks it.

It replaces whole lines, and is applied as it stands: so it holds the lines of the head, byte for byte, with only one
number or name replaced, and it is refused for whatever could make more of it than that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from portproof import yamldoc
from portproof.report import marks
from portproof.report.model import Location, TextEdit
from portproof.report.safe import LONGEST_RUN, fence_around, longest_run, stripped
from portproof.source import RelPath

_VALUE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\Z")
_LINE = 1_000


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines of a file, `first` to `last`, both included."""

    path: RelPath
    first: int
    last: int

    @classmethod
    def of(cls, place: Location | TextEdit) -> Lines:
        """The lines that a place stands on; one that ends before the first column of a line does not reach it."""
        last = place.end_line - (place.end_column == 1 and place.end_line > place.line)
        return cls(place.path, place.line, last)


def suggestion(edit: TextEdit, lines: Lines, text: str) -> str | None:
    """A suggestion block for `lines` of a file that reads `text`, with `edit` applied; None when there can be none."""
    own = Lines.of(edit)
    if own.path != lines.path or own.first < lines.first or own.last > lines.last or own.first != own.last:
        return None
    if _in_github_folder(lines.path) or "\r" in text or not _VALUE.match(edit.new):
        return None
    rows = text.split("\n")
    # What follows the last newline is no line to replace: it is empty, or lacks a newline of its own.
    if lines.last >= len(rows):
        return None
    before = rows[lines.first - 1 : lines.last]
    row = before[own.first - lines.first]
    changed = replaced(row, edit)
    if changed is None or changed == row or any(_odd(one) for one in before):
        return None
    after = [*before[: own.first - lines.first], changed, *before[own.first - lines.first + 1 :]]
    if not _same_shape(text, "\n".join([*rows[: lines.first - 1], *after, *rows[lines.last :]]), lines.path):
        return None
    content = "\n".join(after)
    if marks.begins_one(content) or longest_run(content) > LONGEST_RUN:
        return None
    fence = fence_around(content)
    return f"{fence}suggestion\n{content}\n{fence}"


def replaced(row: str, edit: TextEdit) -> str | None:
    """`row` with the edit applied; None when it does not read there as the edit says."""
    start, end = edit.column - 1, edit.end_column - 1
    if row[start:end] != edit.old or not edit.old:
        return None
    return row[:start] + edit.new + row[end:]


def _odd(row: str) -> bool:
    return len(row) > _LINE or stripped(row, keep="\t") != row


def _in_github_folder(path: RelPath) -> bool:
    return path.split("/")[0].casefold() in (".github", ".git")


def _same_shape(before: str, after: str, path: RelPath) -> bool:
    """Whether nothing but scalars changed, for files that are YAML; templates cannot be asked."""
    if not path.endswith((".yaml", ".yml", ".json")):
        return True
    return _shape(before) in (None, _shape(after))


def _shape(text: str) -> list[list[yamldoc.FieldPath]] | None:
    try:
        return [[path for path, _ in yamldoc.leaves(one.data)] for one in yamldoc.documents(text)]
    except yamldoc.YamlError:
        return None
