"""Which lines a change touched, and what is in the place of those that it removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from portproof.changed_lines import ChangedLines
from portproof.source import LineIndex, Span, Tree

BEFORE = "a\nb\nc\nd\ne\n"


def lines(before: str | None, after: str | None) -> ChangedLines:
    """The change of one file; None where it is not there."""
    texts = ({} if one is None else {"f": one} for one in (after, before))
    tree, old = (Tree(Path("/nowhere"), one) for one in texts)
    return ChangedLines(tree, old, frozenset({"f"}))


def line(text: str, number: int) -> Span:
    start = LineIndex.of(text).starts[number - 1]
    return Span("f", start, start + 1)


@pytest.mark.parametrize(
    ("after", "touched"),
    [
        (BEFORE, []),
        ("a\nB\nc\nd\ne\n", [2]),
        ("a\nb\nx\ny\nc\nd\ne\n", [3, 4]),
        ("a\nc\nd\ne\n", []),
        ("A\nb\nc\nd\nE\n", [1, 5]),
    ],
)
def test_lines_that_are_new_or_changed_are_touched(after: str, touched: list[int]) -> None:
    change = lines(BEFORE, after)
    count = after.count("\n")
    assert [number for number in range(1, count + 1) if change.touches(line(after, number))] == touched


@pytest.mark.parametrize(
    ("after", "was", "now"),
    [
        ("a\nB\nc\nd\ne\n", 2, 2),  # what is in its place
        ("a\nX\nY\nd\ne\n", 3, 3),
        ("a\nX\nd\ne\n", 3, 2),  # two lines became one
        ("a\nc\nd\ne\n", 2, 1),  # it is gone: the line above
        ("a\ne\n", 3, 1),
        ("a\ne\n", 4, 2),  # the line below is nearer
        ("b\nc\nd\ne\n", 1, 1),  # there is none above
        ("a\nb\nc\nd\n", 5, 4),
        ("a\nB\nc\nd\ne\n", 3, None),  # it was not touched
    ],
)
def test_a_line_of_the_base_has_a_nearest_one(after: str, was: int, now: int | None) -> None:
    span = lines(BEFORE, after).nearest(line(BEFORE, was))
    found = None if span is None else LineIndex.of(after).position(span.start)[0]
    assert found == now


def test_of_a_file_that_is_new_all_is_touched_and_of_one_that_is_gone_nothing_is_left() -> None:
    assert lines(None, BEFORE).touches(line(BEFORE, 3))
    assert lines(BEFORE, None).nearest(line(BEFORE, 3)) is None


def test_what_another_file_says_is_not_touched() -> None:
    change = lines(BEFORE, "x\n")
    assert not change.touches(Span("g", 0, 1))
    assert change.nearest(Span("g", 0, 1)) is None


def test_a_file_that_moved_is_held_against_what_it_was() -> None:
    tree, old = Tree(Path("/nowhere"), {"new": "a\nB\nc\n"}), Tree(Path("/nowhere"), {"old": "a\nb\nc\n"})
    change = ChangedLines(tree, old, frozenset({"new", "old"}), {"new": "old"})
    assert [change.touches(Span("new", start, start + 1)) for start in (0, 2, 4)] == [False, True, False]
    assert change.nearest(Span("old", 2, 3)) == Span("new", 2, 3)


def test_a_line_is_named_without_its_indentation_and_end() -> None:
    assert lines("", "  a: b  \n").line("f", 1) == Span("f", 2, 6)
    assert lines("", "  a: b\r\n").line("f", 1) == Span("f", 2, 6)
    assert lines("", "a\n").line("f", 9) == Span("f", 2, 2)
