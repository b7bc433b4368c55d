"""A short run of every target in each run of the tests: what is kept, then new inputs, the same ones every time."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import TARGETS, fuzz
from tests.fuzz.engine import SlowError, attempt, fails, inputs, smaller
from tests.fuzz.target import CORPUS, Target, write

SLOW = frozenset({"manifest", "terminal", "summary", "review", "sarif", "json"})
"""A hundred inputs of these take seconds."""

by_name = pytest.mark.parametrize("target", TARGETS, ids=lambda one: one.name)


def test_what_is_kept_belongs_to_a_target() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} <= {target.name for target in TARGETS}
    assert len({target.name for target in TARGETS}) == len(TARGETS)
    assert sum(file.stat().st_size for file in CORPUS.rglob("*") if file.is_file()) < 200_000


@pytest.mark.slow
@by_name
def test_what_broke_once_holds(target: Target) -> None:
    for text in (*target.kept(), *islice(target.seeds, 0, None, 8 if target.name in SLOW else 1)):
        attempt(target, text)


@by_name
def test_new_inputs(target: Target) -> None:
    for text in islice(inputs(target, random.Random(0)), 15 if target.name in SLOW else 120):
        attempt(target, text)


@by_name
def test_any_text(target: Target) -> None:
    given_text = st.one_of(st.text(), st.lists(st.sampled_from(target.words)).map("".join))

    @settings(
        max_examples=10 if target.name in SLOW else 40,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(given_text)
    def check(text: str) -> None:
        target.check(text)

    check()


# the engine


def _breaks(text: str) -> None:
    if "ab" in text:
        raise ValueError(text)


def _never_ends(_text: str) -> None:
    while True:
        pass


def test_what_breaks_is_made_smaller_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.target.CORPUS", tmp_path)
    broken = Target("broken", _breaks, ("a", "b"), ("xxabxx",))
    error = fails(broken, "xxxxabxxxx")
    assert isinstance(error, ValueError)
    assert smaller(broken, "xxxxabxxxx", error) == "ab"
    tried, found = fuzz(broken, 0.05, 1)
    assert (found, broken.kept()) == (1, ["ab"])
    assert tried >= 1


def test_what_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.engine.SECONDS", 0.05)
    assert isinstance(fails(Target("endless", _never_ends, ("a",)), "a"), SlowError)


def test_an_input_is_kept_to_the_letter(tmp_path: Path) -> None:
    target = Target("x", _breaks, ())
    write(tmp_path / "a", "\ud800\r\n\udcff\0")
    assert (tmp_path / "a").read_bytes() == b"\xed\xa0\x80\r\n\xed\xb3\xbf\0"
    assert target.kept() == []


@by_name
def test_the_same_seed_gives_the_same_inputs(target: Target) -> None:
    first, second = (list(islice(inputs(target, random.Random(7)), 20)) for _ in range(2))
    assert first == second
