"""Which templates draw lots: an answer that differs each time must not be kept."""

from __future__ import annotations

import pytest

from portproof.render.lots import _draws


@pytest.mark.parametrize(
    ("text", "draws"),
    [
        ("a: {{ randAlphaNum 8 }}", True),
        ("a: {{ now }}", True),
        ('a: {{ printf "now" }}', False),
        ("{{ $x := list " + '"a" ' * 1000 + "now }}", True),
        ("{{{{ now }}", True),
        ("a: now", False),
    ],
    ids=["a password", "the time", "a word", "a long action", "braces before braces", "no action"],
)
def test_an_action_that_asks_for_a_lot(text: str, draws: bool) -> None:
    assert _draws(text) is draws
