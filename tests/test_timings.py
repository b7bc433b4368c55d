"""Where the time goes: stages count for themselves alone, and people can read it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from portproof import timings
from portproof.report.timing_table import data, table
from portproof.timings import Purpose, Row, Stage, Taken, timed


def spend(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def test_a_stage_within_another_counts_for_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([1.0, 2.0, 5.0, 11.0, 20.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    with timings.running():
        with timed(Stage.TRACING, "helm:a"), timed(Stage.RENDERS):  # from 1 to 11, from 2 to 5
            pass
        taken = timings.taken()
    assert taken is not None
    assert taken.stages == (Row("renders", 1, 3.0), Row("tracing", 1, 7.0))
    assert taken.renders == (Row("for tracing", 1, 3.0),)
    assert taken.slowest == (Row("helm:a", 1, 10.0),)


def test_threads_have_stages_of_their_own() -> None:
    with timings.running() as clock, ThreadPoolExecutor(4) as pool, timed(Stage.PROOF, "helm:a"):

        def render(number: int) -> None:
            with timed(Stage.RENDERS, f"helm:{number}"):
                spend(0.001)

        list(pool.map(render, range(20)))
        taken = clock.taken()
    (renders,) = taken.stages
    assert renders.count == 20
    assert renders.seconds >= 0.02
    assert taken.renders == (
        Row("of targets", 20, renders.seconds),
    )  # what waits for a thread is not around it
    assert taken.targets == 20
    assert len(taken.slowest) == timings.SLOWEST


def test_nothing_is_measured_unless_somebody_asks() -> None:
    with timed(Stage.RULES):
        assert timings.taken() is None


def made(*slowest: Row, seconds: float = 10, **stages: float) -> Taken:
    rows = tuple(Row(Stage[name].value, 3, took) for name, took in stages.items())
    return Taken(seconds, 12.0, rows, (Row(Purpose.CHECK.value, 3, 1.0),), slowest, 40)


def test_the_table_is_aligned_and_has_shares() -> None:
    shown = table(made(Row("helm:charts/a", 1, 2.5), DISCOVERY=0.5, RENDERS=9.5)).splitlines()
    assert shown == [
        "",
        "10.00 s in all, 12.00 s of processor time, 10.00 s of work in parallel",
        "",
        "stage         count  seconds  share",
        "discovery         3     0.50    5 %",
        "renders           3     9.50   95 %",
        "  of targets      3     1.00   10 %",
        "",
        "slowest targets  renders  seconds  share",
        "helm:charts/a          1     2.50   25 %",
    ]


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        (
            made(Row("helm:charts/a", 1, 4.0), RENDERS=10),
            "helm:charts/a alone takes 40 % of the work, in 1 render.",
        ),
        (
            made(Row("helm:charts/a", 30, 4.0), RENDERS=10),
            "in 30 renders. Most of them prove places and fixes",
        ),
        (made(Row("helm:charts/a", 1, 1.0), DISCOVERY=5, RENDERS=5), "Finding the targets takes the most."),
        (
            made(Row("helm:charts/a", 1, 1.0), PROOF=6, RENDERS=4),
            "Places and proven fixes of findings take the most.",
        ),
        (made(Row("helm:charts/a", 1, 1.0), RENDERS=10, seconds=70), "`--shard I/N` divides them"),
    ],
)
def test_what_to_do_next(taken: Taken, said: str) -> None:
    last = table(taken).splitlines()[-1]
    assert last.startswith("next: ")
    assert said in last


def test_names_of_the_tree_are_harmless() -> None:
    taken = made(Row("helm:a\x1b[31m##[error]", 1, 1.0), RENDERS=10)
    assert "\x1b" not in table(taken)
    assert "##[" not in table(taken)
    assert data(taken)["slowest"] == [{"id": "helm:a\x1b[31m##[error]", "renders": 1, "seconds": 1.0}]
