"""The edits that take a change back where it touched a finding: the base's own text, for which no rule has to know a cure.

They are proven like every other fix. What the change brought in elsewhere stays, so the smallest part comes first: the
line alone, then the block of lines that it was changed with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from portproof.changed_lines import ChangedBlock, ChangedLines
from portproof.source import Edit, LineIndex, Span

_LONGEST = 20
"""Lines of a block; a longer one is more than what a finding is about."""

_WORD = re.compile(r"[\w.-]+|\s+|[^\w\s]")


def taken_back(lines: ChangedLines, place: Span) -> Iterator[tuple[Edit, ...]]:
    """The edits to try for the place of a finding, smallest first; none where the change did not touch it."""
    text = lines.tree.text_or_none(place.path)
    if text is None or place.path not in lines.changed:
        return
    number = LineIndex.of(text).position(place.start)[0]
    block = next((one for one in lines.blocks(place.path) if _is_at(one, number)), None)
    if block is None or max(len(block.old), len(block.new)) > _LONGEST:
        return
    old, new = lines.texts(place.path, block)
    pairs = list(zip(old.split("\n"), new.split("\n"), strict=False))
    start = (
        LineIndex.of(text).starts[block.new.start - 1]
        if block.new.start <= text.count("\n") + 1
        else len(text)
    )
    if len(block.old) == len(block.new):
        at = number - block.new.start
        offset = start + sum(len(one) + 1 for _, one in pairs[:at])
        yield (_narrowed(place.path, offset, pairs[at][1], pairs[at][0]),)
        if len(pairs) > 1:
            yield tuple(_each_line(place.path, start, pairs))
    elif block.new and block.old:
        yield (Edit(Span(place.path, start, start + len(new)), new, old),)
    elif block.new:
        end = min(start + len(new) + 1, len(text))
        yield (Edit(Span(place.path, start, end), text[start:end], ""),)
    else:
        yield (Edit(Span(place.path, start, start), "", f"{old}\n"),)


def _is_at(block: ChangedBlock, number: int) -> bool:
    """Whether a line is of the block; where all of it is gone, whether it is next to where that was."""
    return number in block.new or (not block.new and block.new.start in (number, number + 1))


def _each_line(path: str, start: int, pairs: list[tuple[str, str]]) -> Iterator[Edit]:
    for old, new in pairs:
        if old != new:
            yield _narrowed(path, start, new, old)
        start += len(new) + 1


def _narrowed(path: str, start: int, new: str, old: str) -> Edit:
    """The edit that makes `old` of the line `new` again, without the words that both begin and end with."""
    now, then = _WORD.findall(new), _WORD.findall(old)
    head = 0
    while head < min(len(now), len(then)) and now[head] == then[head]:
        head += 1
    tail = 0
    while tail < min(len(now), len(then)) - head and now[-1 - tail] == then[-1 - tail]:
        tail += 1
    before = sum(map(len, now[:head]))
    gone, back = "".join(now[head : len(now) - tail]), "".join(then[head : len(then) - tail])
    return Edit(Span(path, start + before, start + before + len(gone)), gone, back)
