"""A report of a merge commit's files -> the same report in the lines of the head commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from msgspec import Struct, field

from portproof.diff import moved_lines
from portproof.replacing import replace
from portproof.report.model import Fix, Location, Report, Result, TextEdit
from portproof.source import RelPath

_Place = TypeVar("_Place", Location, TextEdit)

Texts = Callable[[RelPath], str | None]
"""The text of a file; None when there is no such text."""


def at_head(report: Report, checkout: Texts, head: Texts) -> tuple[Report, frozenset[tuple[RelPath, int]]]:
    """The report with the head's lines, and the places (as they were) whose lines the head does not have."""
    work = _Relocation(checkout, head)
    results = tuple(work.result(result) for result in report.results)
    lines = {path: work.lines(path, shown) for path, shown in report.lines.items()}
    return replace(report, results=results, lines=lines), frozenset(work.astray)


class _Relocation(Struct):
    checkout: Texts
    head: Texts
    maps: dict[RelPath, Mapping[int, int] | None] = field(default_factory=dict)
    astray: set[tuple[RelPath, int]] = field(default_factory=set)

    def moved(self, path: RelPath) -> Mapping[int, int] | None:
        """Where the lines of a file stand in the head; None when they are the same."""
        if path not in self.maps:
            here, there = self.checkout(path), self.head(path)
            same = here is not None and here == there
            self.maps[path] = None if same else moved_lines(here or "", there) if there is not None else {}
        return self.maps[path]

    def place(self, place: _Place) -> _Place:
        moved = self.moved(place.path)
        if moved is None:
            return place
        line, end = moved.get(place.line), moved.get(place.end_line)
        if line is None or end is None or end - line != place.end_line - place.line:
            self.astray.add((place.path, place.line))
            return place
        return replace(place, line=line, end_line=end)

    def result(self, result: Result) -> Result:
        return replace(
            result,
            location=self.place(result.location) if result.location else None,
            related=tuple(
                replace(one, location=self.place(one.location)) if one.location else one
                for one in result.related
            ),
            fix=self.fix(result.fix) if result.fix else None,
            alternatives=tuple(map(self.fix, result.alternatives)),
        )

    def fix(self, fix: Fix) -> Fix:
        return replace(fix, edits=tuple(map(self.place, fix.edits)))

    def lines(self, path: RelPath, shown: Mapping[int, str]) -> Mapping[int, str]:
        moved = self.moved(path)
        if moved is None:
            return shown
        return {moved[number]: text for number, text in shown.items() if number in moved}
