"""Which edits give lines of a change their old text back."""

from __future__ import annotations

from pathlib import Path

import pytest

from portproof.changed_lines import ChangedLines
from portproof.source import Span, Tree
from portproof.take_back import taken_back

BASE = "a: 1\nname: web-api\nport: 80\nlast: x\n"


def tried(tmp_path: Path, head: str, line: int, base: str = BASE) -> list[tuple[list[str], str]]:
    """What each try puts into the place of what, and the text that it makes."""
    tree, old = (Tree(tmp_path, {"f.yaml": text}) for text in (head, base))
    lines = ChangedLines(tree, old, frozenset({"f.yaml"}))
    start = sum(len(one) + 1 for one in head.split("\n")[: line - 1])
    tries = taken_back(lines, Span("f.yaml", start, start))
    return [
        ([f"{edit.old} -> {edit.new}" for edit in edits], tree.with_edits(edits).text("f.yaml"))
        for edits in tries
    ]


def test_of_a_line_only_the_word_that_moved_is_edited(tmp_path: Path) -> None:
    assert tried(tmp_path, BASE.replace("80", "8080"), 3) == [(["8080 -> 80"], BASE)]
    assert tried(tmp_path, BASE.replace("web-api", "web-apo"), 2) == [(["web-apo -> web-api"], BASE)]


def test_the_line_comes_before_the_block_that_it_was_changed_with(tmp_path: Path) -> None:
    head = BASE.replace("web-api", "shop").replace("80", "81")
    (one, text), (both, whole) = tried(tmp_path, head, 3)
    assert (one, text) == (["81 -> 80"], BASE.replace("web-api", "shop"))
    assert (both, whole) == (["shop -> web-api", "81 -> 80"], BASE)


@pytest.mark.parametrize(
    ("head", "line"),
    [
        pytest.param(BASE.replace("port: 80\n", ""), 2, id="above-a-line-that-is-gone"),
        pytest.param(BASE.replace("port: 80\n", ""), 3, id="below-a-line-that-is-gone"),
        pytest.param(BASE.replace("port: 80\n", "port: 80\nmore: 1\n"), 4, id="a-line-that-came"),
        pytest.param(BASE.replace("port: 80\n", "port:\n  number: 80\n"), 3, id="one-line-became-two"),
        pytest.param(BASE + "more: 1\n", 5, id="a-line-that-came-at-the-end"),
        pytest.param("first: 1\n" + BASE, 1, id="a-line-that-came-at-the-start"),
    ],
)
def test_lines_that_came_or_went_are_taken_back_as_a_block(tmp_path: Path, head: str, line: int) -> None:
    assert [text for _, text in tried(tmp_path, head, line)] == [BASE]


def test_nothing_is_tried_away_from_the_change(tmp_path: Path) -> None:
    assert tried(tmp_path, BASE.replace("80", "81"), 1) == []
    assert tried(tmp_path, BASE, 3) == []


def test_a_long_block_is_left_alone(tmp_path: Path) -> None:
    added = "".join(f"k{number}: {number}\n" for number in range(30))
    assert tried(tmp_path, BASE + added, 6) == []
