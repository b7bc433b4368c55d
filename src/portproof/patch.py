r"""Unified diffs that ``git apply`` accepts at the root, and their way back into lines.

Lines end at ``\n`` only, as in git: a carriage return stays part of its line, and neither a form feed nor
U+2028 ends one (`str.splitlines` would cut there).
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from portproof.source import RelPath, work_tree

CONTEXT = 3
"""Unchanged lines around a change, git's own default."""

_NO_NEWLINE = "\\ No newline at end of file\n"
_LARGE = 2_000
_Block: TypeAlias = tuple[int, int, int, int]
"""Lines ``before[a0:a1]`` become ``after[b0:b1]``."""


class PatchHunk(Struct, frozen=True):
    """A piece of a patch: `line` is where it starts in the old file, `lines` are as printed, with their sign."""

    path: RelPath
    line: int
    lines: tuple[str, ...]

    @property
    def changes(self) -> tuple[tuple[int, str], ...]:
        """The lines that go or come, with their line number in the old file (a new line has that of its place)."""
        found, number = [], self.line
        for line in self.lines:
            if line[:1] in ("-", "+"):
                found.append((number, line))
            if line[:1] in (" ", "-"):
                number += 1
        return tuple(found)


def unified(path: RelPath, before: str, after: str, hidden: Collection[int] = ()) -> str:
    """The patch that turns `before` into `after`; empty when they are equal.

    The lines of `before` that are `hidden`, by their numbers from 1, are no context of a change; git takes a smaller one, too.
    """
    if before == after:
        return ""
    old, new = _lines(before), _lines(after)
    parts = [
        f"diff --git {quoted(f'a/{path}')} {quoted(f'b/{path}')}\n",
        f"--- {_header_name(f'a/{path}')}\n",
        f"+++ {_header_name(f'b/{path}')}\n",
    ]
    for group in _grouped(_blocks(old, new), hidden):
        parts += _hunk(group, old, new, hidden)
    return "".join(parts)


def unified_many(
    changes: Mapping[RelPath, tuple[str, str]], hidden: Mapping[RelPath, Collection[int]] | None = None
) -> str:
    """One patch for many files, ``{path: (before, after)}``, in the order of their paths."""
    return "".join(unified(path, *changes[path], (hidden or {}).get(path, ())) for path in sorted(changes))


def applied_in(folder: Path, root: Path, paths: Iterable[RelPath]) -> tuple[dict[RelPath, str], str | None]:
    """The names by which ``git apply`` in `folder` finds files of `root`; and where it has to run if that cannot be there.

    In a work tree git takes the names from its root, wherever it runs, and silently skips files outside of the current
    folder. Without a work tree it takes them from the current folder.
    """
    folder, root = folder.resolve(), root.resolve()
    here = {path: os.path.relpath(root / path, folder).replace(os.sep, "/") for path in paths}
    below = not any(name.startswith("../") for name in here.values())
    if below and work_tree(folder) is None:
        return here, None
    same = {path: path for path in here}
    if below and work_tree(folder) == root:
        return same, None
    return same, shlex.quote(os.path.relpath(root, folder))


def quoted(name: str) -> str:
    r"""`name` as git writes it: in quotes, with octal bytes, when it has quotes, controls or non-ASCII characters.

    A name that is not UTF-8 on disk comes with surrogate escapes, and leaves as the bytes it has there.
    """
    data = name.encode("utf-8", "surrogateescape")
    text = "".join(
        _C_ESCAPES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in data
    )
    return f'"{text}"' if text != name else name


def hunks(patch: str) -> Iterator[PatchHunk]:
    """Read back a patch that `unified` wrote."""
    lines = patch.split("\n")
    path, at = "", 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if line.startswith("+++ "):
            path = unquoted(line[4:].removesuffix("\t"))[2:]
        found = _HUNK.match(line)
        if found is None:
            continue
        # The counts say where the hunk ends, so content that looks like a header is not mistaken for one.
        old, new = (int(count) if count is not None else 1 for count in found.group(2, 3))
        start = at
        while old or new or lines[at].startswith("\\"):
            old -= lines[at][:1] in (" ", "-")
            new -= lines[at][:1] in (" ", "+")
            at += 1
        yield PatchHunk(path, int(found[1]), tuple(lines[start:at]))


_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_ESCAPED = re.compile(r"\\([0-3][0-7]{2}|.)", re.DOTALL)
_C_ESCAPES = {
    0x07: "\\a",
    0x08: "\\b",
    0x09: "\\t",
    0x0A: "\\n",
    0x0B: "\\v",
    0x0C: "\\f",
    0x0D: "\\r",
    0x22: '\\"',
    0x5C: "\\\\",
}
_C_LETTERS = {escape[1]: byte for byte, escape in _C_ESCAPES.items()}


def _header_name(name: str) -> str:
    # A tab ends a name with a space in it, which would otherwise be taken to end where a timestamp might start.
    text = quoted(name)
    return f"{text}\t" if " " in text and not text.startswith('"') else text


def unquoted(name: str) -> str:
    """The name that git wrote, with C escapes where it is quoted; an escape that git does not write reads ``?``."""
    if not name.startswith('"'):
        return name
    data, at = bytearray(), 0
    text = name[1:-1]
    for found in _ESCAPED.finditer(text):
        data += _encoded(text[at : found.start()])
        data.append(int(found[1], 8) if len(found[1]) == 3 else _C_LETTERS.get(found[1], ord("?")))
        at = found.end()
    return (data + _encoded(text[at:])).decode("utf-8", "surrogateescape")


def _encoded(name: str) -> bytes:
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # of no disk
        return name.encode("utf-8", "replace")


def _lines(text: str) -> list[str]:
    r"""Lines with their ``\n``; the last one has none when the text does not end in one."""
    *lines, last = text.split("\n")
    return [f"{line}\n" for line in lines] + ([last] if last else [])


def _blocks(old: Sequence[str], new: Sequence[str]) -> list[_Block]:
    """What differs. Edits of scalars keep the number of lines, so the common case needs no alignment."""
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    old_middle, new_middle = old[head : len(old) - tail], new[head : len(new) - tail]
    if len(old_middle) == len(new_middle):
        return _runs(old_middle, new_middle, head)
    from difflib import SequenceMatcher  # noqa: PLC0415 - rarely needed

    # Aligning is quadratic in repeated lines; beyond some size a longer diff is better than a long wait.
    matcher = SequenceMatcher(
        None, old_middle, new_middle, autojunk=len(old_middle) + len(new_middle) > _LARGE
    )
    return [
        (a0 + head, a1 + head, b0 + head, b1 + head)
        for tag, a0, a1, b0, b1 in matcher.get_opcodes()
        if tag != "equal"
    ]


def _runs(old: Sequence[str], new: Sequence[str], shift: int) -> list[_Block]:
    found: list[_Block] = []
    for number, (one, other) in enumerate(zip(old, new, strict=True), shift):
        if one == other:
            continue
        if found and found[-1][1] == number:
            start = found[-1][0]
            found[-1] = (start, number + 1, start, number + 1)
        else:
            found.append((number, number + 1, number, number + 1))
    return found


def _grouped(blocks: Sequence[_Block], hidden: Collection[int]) -> Iterator[list[_Block]]:
    """Blocks whose context would touch share a hunk."""
    group: list[_Block] = []
    for block in blocks:
        between = range(group[-1][1] + 1, block[0] + 1) if group else range(0)
        if len(between) > 2 * CONTEXT or (len(between) > 1 and any(one in hidden for one in between)):
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def _hunk(
    group: Sequence[_Block], old: Sequence[str], new: Sequence[str], hidden: Collection[int]
) -> Iterator[str]:
    first, last = group[0], group[-1]
    # At least one line on either side: none would say that the file begins or ends here.
    before = _seen(range(first[0], max(0, first[0] - CONTEXT), -1), hidden) or min(1, first[0])
    left = len(old) - last[1]
    after = _seen(range(last[1] + 1, last[1] + min(CONTEXT, left) + 1), hidden) or min(1, left)
    yield (
        f"@@ -{_range(first[0] - before, last[1] + after)} +{_range(first[2] - before, last[3] + after)} @@\n"
    )
    at = first[0] - before
    for a0, a1, b0, b1 in group:
        yield from _signed(" ", old[at:a0])
        yield from _signed("-", old[a0:a1])
        yield from _signed("+", new[b0:b1])
        at = a1
    yield from _signed(" ", old[at : at + after])


def _seen(numbers: Sequence[int], hidden: Collection[int]) -> int:
    """How many of `numbers` come before the first that is hidden."""
    return next((count for count, number in enumerate(numbers) if number in hidden), len(numbers))


def _range(start: int, end: int) -> str:
    # An empty range names the line before it.
    return f"{start},0" if start == end else f"{start + 1},{end - start}"


def _signed(sign: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield f"{sign}{line}" if line.endswith("\n") else f"{sign}{line}\n{_NO_NEWLINE}"
