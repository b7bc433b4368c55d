"""The block that GitHub turns into a commit when somebody clicks it.

It replaces whole lines, and is applied as it stands: so it holds the lines of the head, byte for byte, with only a number or
name replaced, or the lines that the pull request has replaced. It is rejected for whatever could make more of it than that.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from msgspec import Struct

from portproof import yamldoc
from portproof.diff import Hunk
from portproof.report import marks
from portproof.report.model import Location, TextEdit
from portproof.report.safe import LONGEST_RUN, fence_around, longest_run, stripped
from portproof.source import RelPath

_FIELD = r"\$?(?:\.[A-Za-z_]\w{0,63}){1,12}"
_READ = rf'{_FIELD}|\{{\{{ (?:{_FIELD}|include "[\w./-]{{1,120}}" [.$])(?: \| int)? \}}\}}'  # runs nothing
_VALUE = re.compile(rf"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{{0,251}}[A-Za-z0-9])?|{_READ})\Z")
_LINE = 1_000
_LINES = 20
"""So many lines one suggestion replaces at most."""


class Lines(Struct, frozen=True):
    """Whole lines of a file, `first` to `last`, both included."""

    path: RelPath
    first: int
    last: int

    @classmethod
    def of(cls, place: Location | TextEdit) -> Lines:
        """The lines that a place stands on; one that ends before the first column of a line does not reach it."""
        last = place.end_line - (place.end_column == 1 and place.end_line > place.line)
        return cls(place.path, place.line, last)

    @classmethod
    def of_all(cls, edits: Sequence[TextEdit]) -> Lines | None:
        """The lines from the first of several places to the last; None when they are in different files."""
        several = [cls.of(one) for one in edits]
        paths = {one.path for one in several}
        if len(paths) != 1:
            return None
        return cls(paths.pop(), min(one.first for one in several), max(one.last for one in several))


class Replaced(Struct, frozen=True):
    """What the pull request did in a hunk: the texts of the lines that it removed, and the numbers of those it added."""

    removed: Collection[str] = frozenset()
    added: Collection[int] = frozenset()

    @classmethod
    def by(cls, hunk: Hunk) -> Replaced:
        """What a hunk replaced."""
        return cls(frozenset(hunk.left.values()), hunk.added)

    def is_taken_back(self, first: int, before: Sequence[str], after: Sequence[str]) -> bool:
        """Whether `after` has nothing but lines that were there or are there, and only new lines go."""
        known = all(row in self.removed or row in before for row in after)
        return known and all(row in after or first + at in self.added for at, row in enumerate(before))


NOTHING = Replaced()


def suggestion(
    edits: Sequence[TextEdit], lines: Lines, text: str, replaced: Replaced = NOTHING
) -> str | None:
    """A suggestion block for `lines` of a file that reads `text`, with the edits applied; None when there can be none.

    `replaced` is what the pull request did there: taking that back may change more than numbers and names.
    """
    rows = text.split("\n")
    # What follows the last newline is no line to replace: it is empty, or lacks a newline of its own.
    if _in_github_folder(lines.path) or "\r" in text or lines.last >= len(rows):
        return None
    before = rows[lines.first - 1 : lines.last]
    after = applied(before, edits, lines) if len(before) <= _LINES else None
    if after is None or after == before or any(map(_odd, (*before, *after))):
        return None
    if all(_is_value(edit) for edit in edits):
        if not _same_shape(
            text, "\n".join([*rows[: lines.first - 1], *after, *rows[lines.last :]]), lines.path
        ):
            return None
    elif not replaced.is_taken_back(lines.first, before, after):
        return None
    content = "\n".join(after)
    if marks.begins_one(content) or longest_run(content) > LONGEST_RUN:
        return None
    fence = fence_around(content)
    return f"{fence}suggestion\n{content}\n{fence}" if after else f"{fence}suggestion\n{fence}"


def _is_value(edit: TextEdit) -> bool:
    return edit.line == edit.end_line and bool(edit.old) and bool(_VALUE.match(edit.new))


def applied(before: Sequence[str], edits: Sequence[TextEdit], lines: Lines) -> list[str] | None:
    """The `lines`, which read `before`, with the edits applied; None when they do not read there as the edits say."""
    block = "".join(f"{row}\n" for row in before)
    starts = [0]
    for row in before:
        starts.append(starts[-1] + len(row) + 1)
    for edit in sorted(edits, key=lambda one: (one.line, one.column), reverse=True):
        own = Lines.of(edit)
        if own.path != lines.path or own.first < lines.first or own.last > lines.last:
            return None
        start = starts[edit.line - lines.first] + edit.column - 1
        end = starts[edit.end_line - lines.first] + edit.end_column - 1
        if block[start:end] != edit.old:
            return None
        block = block[:start] + edit.new + block[end:]
    if not block:
        return []
    return block[:-1].split("\n") if block.endswith("\n") else None


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
