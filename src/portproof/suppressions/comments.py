"""``# portproof: ignore[rule] reason`` in values, templates, overlays and manifests.

At the end of a line it speaks for that line; alone on a line, for the next one that is no comment. Templates may have
it in a comment of their own: ``{{/* portproof: ignore[rule] reason */}}``. Files are read as lines of text, because most
of them are templates.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from portproof.source import RelPath, Span
from portproof.suppressions.model import Suppression, SuppressionSource
from portproof.suppressions.parse import named, problem

MAX_IGNORES = 1_000
"""Comments of one file that are read; findings of which more would leave out simply count."""

_MARK = "portproof:"
_COMMENT = re.compile(
    r"(?:(?<!\S)#|\{\{-?\s*/\*)\s*portproof:\s*ignore\b(?P<words>.*?)(?:\*/\s*-?\}\}(?P<after>.*))?\Z"
)
_WORDS = re.compile(r"\s*(?:\[(?P<rules>[^\]]*)\])?(?P<reason>.*)\Z")
_ONLY_COMMENT = re.compile(r"\s*(?:#.*|\{\{-?\s*/\*.*\*/\s*-?\}\}\s*)\Z")


class Comments(Struct, frozen=True):
    """The ignores of one file, and the lines (from 1) that those which count speak for."""

    ignores: tuple[Suppression, ...] = ()
    by_line: Mapping[int, tuple[Suppression, ...]] = field(default_factory=dict)


def read(path: RelPath, text: str) -> Comments:
    """The ignores that a file holds."""
    if _MARK not in text:
        return Comments()
    lines = text.split("\n")
    found: list[Suppression] = []
    by_line: dict[int, list[Suppression]] = defaultdict(list)
    offset = after = 0
    for index, line in enumerate(lines):
        if len(found) == MAX_IGNORES:
            break
        match = _COMMENT.search(line.rstrip("\r")) if _MARK in line else None
        if match is not None:
            ignore = _ignore(path, offset, match)
            found.append(ignore)
            if not _stands_alone(match):
                spoken_for = index
            else:
                # A comment below another one speaks for the same line; it is looked for once.
                after = after if after > index else _after_comments(lines, index + 1)
                spoken_for = after if after < len(lines) else index
            if not ignore.problem:
                by_line[spoken_for + 1].append(ignore)
        offset += len(line) + 1
    return Comments(tuple(found), {number: tuple(group) for number, group in by_line.items()})


def _ignore(path: RelPath, offset: int, match: re.Match[str]) -> Suppression:
    words = _WORDS.match(match["words"])
    rules, reason = (named(words["rules"] or ""), words["reason"]) if words else ((), "")
    reason = " ".join(reason.split()).lstrip(":,-–— ")  # noqa: RUF001 - people write dashes of every length
    end = match.end() if match["after"] is None else match.start("after")
    text = match.string[match.start() : end].rstrip()
    span = Span(path, offset + match.start(), offset + match.start() + len(text))
    return Suppression(SuppressionSource.COMMENT, rules, reason, text, span, problem(rules, reason))


def _stands_alone(match: re.Match[str]) -> bool:
    return not (match.string[: match.start()].strip() or (match["after"] or "").strip())


def _after_comments(lines: Sequence[str], index: int) -> int:
    """The first line from `index` (from 0) that is no comment."""
    while index < len(lines) and _ONLY_COMMENT.match(lines[index]):
        index += 1
    return index
