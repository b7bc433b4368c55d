r"""Which lines of which files a pull request lets one comment on.

GitHub accepts a comment on a line of a hunk: on the RIGHT side (the head's numbers) on added lines and on context, on
the LEFT side (the base's numbers) on removed lines. It tells the hunks as the `patch` of each changed file, a unified
diff without header; the same is read here from a whole diff. Lines end at ``\n`` only: a carriage return belongs to
its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct, field

from portproof.patch import unified, unquoted
from portproof.replacing import replace
from portproof.source import RelPath

_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_LARGE = 4_000_000


class DiffError(ValueError):
    """A text that is no unified diff, or one that was cut off."""


class Hunk(Struct, frozen=True):
    """A piece of a diff: the text of each line that can be commented on, by its number.

    `right` holds added lines and context in the head's numbers, without gaps; `left` removed lines in the base's.
    `added` are the numbers of `right` that are new.
    """

    right: Mapping[int, str]
    left: Mapping[int, str]
    added: frozenset[int]

    def covers(self, first: int, last: int) -> bool:
        """Whether all of the lines `first` to `last` of the head stand in this hunk."""
        return first <= last and first in self.right and last in self.right


class FileDiff(Struct, frozen=True):
    """One file of a pull request.

    `status` is GitHub's word: added, removed, modified, renamed, copied, changed, unchanged. `mapped` is False when
    there is no patch though the text may differ: binary, too large, or only a mode or a name changed.
    """

    path: RelPath
    status: str = "modified"
    previous: RelPath | None = None
    hunks: tuple[Hunk, ...] = ()
    mapped: bool = True

    @property
    def removed(self) -> bool:
        """Whether the head no longer has the file."""
        return self.status == "removed"

    def hunk(self, first: int, last: int) -> Hunk | None:
        """The hunk that holds all of the lines `first` to `last` of the head."""
        return next((hunk for hunk in self.hunks if hunk.covers(first, last)), None)

    def is_added(self, line: int) -> bool:
        """Whether the line of the head is new."""
        return any(line in hunk.added for hunk in self.hunks)


Changes: TypeAlias = Mapping[RelPath, FileDiff]
"""The files of a pull request by their path in the head (in the base, for those that were removed)."""


def file_diff(path: RelPath, status: str, patch: str | None, previous: RelPath | None = None) -> FileDiff:
    """A file as GitHub lists it; a patch that cannot be read is as good as none."""
    if patch is None:
        return FileDiff(path, status, previous, mapped=False)
    try:
        return FileDiff(path, status, previous, hunks(patch))
    except DiffError:
        return FileDiff(path, status, previous, mapped=False)


def file_diff_of(listed: FileDiff, before: str, after: str) -> FileDiff:
    """A file that GitHub lists without a patch, as both of its texts say it differs."""
    patch = unified(listed.path, before, after)
    return replace(listed, hunks=hunks(patch[patch.index("\n@@ ") + 1 :]), mapped=True) if patch else listed


def hunks(patch: str) -> tuple[Hunk, ...]:
    """The hunks of one file's patch. Raises `DiffError` when it does not hold what its headers promise."""
    found, rest = _hunks(patch.split("\n"))
    if any(rest):
        raise DiffError(f"not a hunk: {rest[0][:40]!r}")
    return found


def changes(diff: str) -> dict[RelPath, FileDiff]:
    """Every file of a whole ``git diff``. Raises `DiffError` for anything else."""
    sections: list[list[str]] = []
    for line in _sections(diff.split("\n")):
        if line.startswith("diff --git "):
            sections.append([line])
        elif sections:
            sections[-1].append(line)
        elif line:
            raise DiffError(f"not a diff: {line[:40]!r}")
    files = [_file(section) for section in sections]
    return {file.path: file for file in files}


def moved_lines(before: str, after: str) -> dict[int, int]:
    """Where each line of `before` stands in `after`, for the lines that are there unchanged; both count from 1."""
    old, new = before.split("\n"), after.split("\n")
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    moved = {number: number for number in range(1, head + 1)}
    shift = len(new) - len(old)
    moved |= {number: number + shift for number in range(len(old) - tail + 1, len(old) + 1)}
    middle = old[head : len(old) - tail], new[head : len(new) - tail]
    return moved | {a + head + 1: b + head + 1 for a, b in _equal_lines(*middle)}


def _equal_lines(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int]]:
    from difflib import SequenceMatcher  # noqa: PLC0415 - most files are equal in both

    # Aligning is quadratic in repeated lines; beyond some size a rougher answer is better than a long wait.
    matcher = SequenceMatcher(None, old, new, autojunk=len(old) * len(new) > _LARGE)
    for block in matcher.get_matching_blocks():
        yield from ((block.a + at, block.b + at) for at in range(block.size))


class _Reader(Struct):
    """Reads one hunk, line by line, until its counts are used up."""

    old: int
    new: int
    old_left: int
    new_left: int
    right: dict[int, str] = field(default_factory=dict)
    left: dict[int, str] = field(default_factory=dict)
    added: set[int] = field(default_factory=set)

    @property
    def done(self) -> bool:
        return self.old_left == 0 and self.new_left == 0

    def take(self, line: str) -> None:
        sign, text = line[:1], line[1:]
        if sign not in ("", " ", "-", "+"):
            raise DiffError(f"not a line of a hunk: {line[:40]!r}")
        if sign == "-":
            self.left[self.old] = text
        else:
            self.right[self.new] = text
        if sign == "+":
            self.added.add(self.new)
        self._count(old=sign != "+", new=sign != "-")

    def _count(self, *, old: bool, new: bool) -> None:
        self.old, self.old_left = self.old + old, self.old_left - old
        self.new, self.new_left = self.new + new, self.new_left - new
        if self.old_left < 0 or self.new_left < 0:
            raise DiffError("a hunk is longer than its header says")

    def hunk(self) -> Hunk:
        return Hunk(self.right, self.left, frozenset(self.added))


def _hunks(lines: Sequence[str]) -> tuple[tuple[Hunk, ...], Sequence[str]]:
    """The hunks at the beginning of `lines`, and the lines after them."""
    found: list[Hunk] = []
    at = 0
    while at < len(lines) and (header := _HUNK.match(lines[at])):
        at += 1
        old, old_count, new, new_count = (1 if part is None else int(part) for part in header.groups())
        reader = _Reader(old, new, old_count, new_count)
        while not reader.done or (at < len(lines) and lines[at].startswith("\\")):
            if at == len(lines):
                raise DiffError("a hunk is shorter than its header says")
            if not lines[at].startswith("\\"):  # "\ No newline at end of file"
                reader.take(lines[at])
            at += 1
        found.append(reader.hunk())
    return tuple(found), lines[at:]


def _sections(lines: Sequence[str]) -> Iterator[str]:
    """The lines of a diff; those inside of hunks get a space, so that none of them looks like a header."""
    old = new = 0
    for line in lines:
        header = _HUNK.match(line)
        if old <= 0 and new <= 0 and header:
            old, new = (1 if part is None else int(part) for part in header.group(2, 4))
            yield line
        elif old > 0 or new > 0:
            old -= line[:1] in ("", " ", "-")
            new -= line[:1] in ("", " ", "+")
            yield f" {line}"
        else:
            yield line


def _file(section: Sequence[str]) -> FileDiff:
    status, names = "modified", _names(section[0])
    body: list[str] = []
    for line in section[1:]:
        if line.startswith(("@@ ", " ", "\\")):
            body.append(line.removeprefix(" "))
        elif line.startswith("new file mode"):
            status = "added"
        elif line.startswith("deleted file mode"):
            status = "removed"
        elif line.startswith(("rename from ", "copy from ")):
            status = "renamed" if line.startswith("rename") else "copied"
            names = (unquoted(line.partition(" from ")[2]), names[1])
        elif line.startswith(("rename to ", "copy to ")):
            names = (names[0], unquoted(line.partition(" to ")[2]))
        elif line.startswith("--- ") and (name := _name(line)):
            names = (name, names[1])
        elif line.startswith("+++ ") and (name := _name(line)):
            names = (names[0], name)
    found, rest = _hunks(body)
    if any(rest):
        raise DiffError(f"not a hunk: {rest[0][:40]!r}")
    previous = names[0] if status in ("renamed", "copied") else None
    path = names[0] if status == "removed" else names[1]
    return FileDiff(path, status, previous, found, mapped=bool(found))


def _name(line: str) -> RelPath | None:
    text = unquoted(line[4:].removesuffix("\t"))
    return None if text == "/dev/null" else text[2:]


def _names(header: str) -> tuple[RelPath, RelPath]:
    """The names of ``diff --git a/x b/x``; only when both are the same can they be told apart without quotes."""
    rest = header.removeprefix("diff --git ")
    if rest.startswith('"'):
        end = re.match(r'"(?:[^"\\]|\\.)*"', rest)
        if end is None:
            raise DiffError(f"not a header: {header[:60]!r}")
        return unquoted(end[0])[2:], unquoted(rest[end.end() + 1 :])[2:]
    half = len(rest) // 2
    return rest[2:half], unquoted(rest[half + 1 :])[2:]
