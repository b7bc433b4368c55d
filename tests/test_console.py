"""What a run says on standard error while it works."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from portproof import console


class Clock:
    """Time that passes when it is asked for."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 11.0
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is later by more than the pause between two lines."""
    monkeypatch.setattr("portproof.console.time", SimpleNamespace(monotonic=Clock()))


def test_each_step_counts_what_it_works_on(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress() as told:
        told("rendered", 2, 5)
        told("traced", 3, 12)
        told("proved", 4, 12)
    assert capsys.readouterr().err.splitlines() == [
        "rendered 2 of 5 targets",
        "traced 3 of 12 findings",
        "proved 4 of 12 findings",
    ]


def test_nothing_is_said_when_it_is_to_be_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress(quiet=True) as told:
        told("traced", 3, 12)
    assert capsys.readouterr().err == ""
