"""Which lines of a file a change touched, and where what it removed stood: two texts of each file, and no git."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from portproof.diff import moved_lines
from portproof.source import LineIndex, RelPath, Span, Tree


class ChangedBlock(Struct, frozen=True):
    """Lines of the base, `old`, in whose place there are the lines `new` of the head; each may be empty."""

    old: range
    new: range


@dataclass(frozen=True, slots=True)
class ChangedLines:
    """What a change did to the lines of `changed` files of `tree`, which were those of `old` before it.

    `was` says where files that moved were.
    """

    tree: Tree
    old: Tree
    changed: frozenset[RelPath]
    was: Mapping[RelPath, RelPath] = field(default_factory=dict)
    _blocks: dict[RelPath, tuple[ChangedBlock, ...]] = field(default_factory=dict, compare=False)

    def touches(self, span: Span) -> bool:
        """Whether a line of `span`, a place in the head, is new or was changed."""
        if span.path not in self.changed:
            return False
        index = LineIndex.of(self.tree.text_or_none(span.path) or "")
        first, last = index.position(span.start)[0], index.position(span.end)[0]
        return any(first < block.new.stop and block.new.start <= last for block in self.blocks(span.path))

    def nearest(self, span: Span) -> Span | None:
        """The line of the head that is nearest to what `span` was in the base, where the change touched that.

        That is the line in its place, else the nearest one that is still there.
        """
        path = next((now for now, was in self.was.items() if was == span.path), span.path)
        if path not in self.changed or not self.tree.text_or_none(path):
            return None
        line = LineIndex.of(self._before(path) or "").position(span.start)[0]
        block = next((one for one in self.blocks(path) if line in one.old), None)
        return None if block is None else self.line(path, _in_place_of(line, block))

    def line(self, path: RelPath, number: int) -> Span:
        """A line of the head without its indentation; the last one, where there are not so many."""
        lines = (self.tree.text_or_none(path) or "").split("\n")
        number = max(1, min(number, len(lines)))
        text = lines[number - 1].rstrip()
        start = sum(len(one) + 1 for one in lines[: number - 1])
        return Span(path, start + len(text) - len(text.lstrip(" ")), start + len(text))

    def texts(self, path: RelPath, block: ChangedBlock) -> tuple[str, str]:
        """What stands in a block in the base, and in the head."""
        pairs = ((self._before(path), block.old), (self.tree.text_or_none(path), block.new))
        old, new = (
            "\n".join((text or "").split("\n")[lines.start - 1 : lines.stop - 1]) for text, lines in pairs
        )
        return old, new

    def blocks(self, path: RelPath) -> tuple[ChangedBlock, ...]:
        """The blocks of one file in their order; none for a file that is the same, or no text in either revision."""
        if path not in self._blocks:
            before, after = self._before(path), self.tree.text_or_none(path)
            self._blocks[path] = () if before == after else _blocks(before or "", after or "")
        return self._blocks[path]

    def _before(self, path: RelPath) -> str | None:
        return self.old.text_or_none(self.was.get(path, path))


def _blocks(before: str, after: str) -> tuple[ChangedBlock, ...]:
    kept = moved_lines(before, after)
    ends = {len(before.split("\n")) + 1: len(after.split("\n")) + 1}
    found, old, new = [], 1, 1
    for was, now in sorted((*kept.items(), *ends.items())):
        if was > old or now > new:
            found.append(ChangedBlock(range(old, was), range(new, now)))
        old, new = was + 1, now + 1
    return tuple(found)


def _in_place_of(line: int, block: ChangedBlock) -> int:
    """The line of the head that stands where `line` was; of a block that is gone the nearer of its neighbours."""
    if block.new:
        return min(block.new.start + line - block.old.start, block.new.stop - 1)
    above, below = line - block.old.start + 1, block.old.stop - line
    return block.new.start - 1 if above <= below and block.new.start > 1 else block.new.start
