"""The line of a change that a finding is about: where the person who made the change looks first.

It is, in this order: the origin of the field itself, if the change touched it; else that of the end that moved, or of
another end; else the line of the base that the moved end stood on, or what is in its place now; else the change of the
only file that can be meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from portproof.changed_lines import ChangedLines
from portproof.discover.model import Target
from portproof.graph.model import Site
from portproof.graph.moved import Move
from portproof.rules.base import Finding
from portproof.rules.evaluate import FindingKey
from portproof.source import Span
from portproof.trace.model import Origin, Proof


class Place(Struct, frozen=True):
    """Where a change touched what a finding is about, other than at the finding's own field; `site` is the field there.

    The origin is proven for that field. Without a `site` the place is only hinted.
    """

    origin: Origin
    site: Site | None = None


class Past(Struct, frozen=True):
    """The base of a change, for those who look for the line that the change touched.

    `is_new` says whether the base did not have a finding of a target, by what it would have been there and by its move;
    `origins` traces fields of a target in the base.
    """

    lines: ChangedLines
    is_new: Callable[[Target, FindingKey | None, Move | None], bool]
    origins: Callable[[Target, Sequence[Site]], Mapping[Site, Origin]]


class Asked(Struct, frozen=True):
    """A finding of the head that the base does not have, its move if it has one, and the origins of its fields."""

    target: Target
    finding: Finding
    move: Move | None
    origins: Mapping[Site, Origin]


def places(past: Past, target: Target, several: Sequence[Asked]) -> list[Place | None]:
    """The places of new findings of one target; None where the own field's origin is the best, touched or not."""
    found: dict[int, Place] = {}
    open_ones: list[int] = []
    for number, one in enumerate(several):
        own = one.origins.get(one.finding.primary)
        if own is not None and own.proof is Proof.PROVEN and past.lines.touches(own.span):
            continue
        place = next(_touched(past.lines, one), None)
        if place is None:
            open_ones.append(number)
        else:
            found[number] = place
    sites = {move.past for number in open_ones if (move := several[number].move) and move.past}
    known = (
        past.origins(target, sorted(sites, key=lambda one: (one.resource, str(one.path)))) if sites else {}
    )
    for number in open_ones:
        place = _removed(past.lines, several[number], known) or _in_files(past.lines, several[number])
        if place is not None:
            found[number] = place
    return [found.get(number) for number in range(len(several))]


def _touched(lines: ChangedLines, one: Asked) -> Iterator[Place]:
    """The places in touched lines at which the fields of a finding are decided, the end that moved first."""
    moved = () if one.move is None else one.move.here
    sites = dict.fromkeys((*moved, one.finding.primary, *(label.site for label in one.finding.related)))
    for site in sites:
        origin = one.origins.get(site)
        if origin is None or origin.proof is not Proof.PROVEN:
            continue
        for span in (origin.span, *origin.partners):
            if lines.touches(span):
                yield Place(Origin(span, origin.text, origin.proof), site)


def _removed(lines: ChangedLines, one: Asked, known: Mapping[Site, Origin]) -> Place | None:
    """What is in the place of the line that decided the moved end in the base."""
    move = one.move
    origin = None if move is None or move.past is None else known.get(move.past)
    spans = () if origin is None else (origin.span, *origin.partners)
    return next((_hinted(lines, span) for each in spans if (span := lines.nearest(each)) is not None), None)


def _in_files(lines: ChangedLines, one: Asked) -> Place | None:
    """The one change in what the target reads, of several the one whose lines name what moved."""
    blocks = [
        (path, block)
        for path in sorted(lines.changed)
        if one.target.reads(path)
        for block in lines.blocks(path)
    ]
    if len(blocks) != 1:
        words = _words(one)
        blocks = [pair for pair in blocks if words & _of(lines.texts(*pair))]
    if len(blocks) != 1:
        return None
    path, block = blocks[0]
    return _hinted(lines, lines.line(path, block.new.start if block.new else block.new.start - 1))


def _hinted(lines: ChangedLines, span: Span) -> Place:
    text = lines.tree.text_or_none(span.path) or ""
    return Place(Origin(span, text[span.start : span.end], Proof.HINTED))


def _words(one: Asked) -> set[str]:
    """The values that tell the change of a finding from others."""
    move = one.move
    values = (one.finding.primary.value,) if move is None else (move.before, move.after)
    return {str(value) for value in values if value is not None}


def _of(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in re.findall(r"[\w.-]+", text)}
