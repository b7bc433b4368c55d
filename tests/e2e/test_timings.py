"""--timings says where the time went, beside an output that is otherwise the same."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.e2e.program import Program, Repository

Make = Callable[[str], Repository]


def test_a_check(portproof: Program, make_repository: Make) -> None:
    make_repository("incident")
    plain, timed = (portproof("check", "--offline", "broken", *more) for more in ((), ("--timings",)))
    assert (timed.code, timed.stdout) == (plain.code, plain.stdout) == (1, plain.stdout)
    assert timed.stderr.startswith(f"{plain.stderr}\n")
    for word in (
        "discovery",
        "renders",
        "  of targets",
        "  for tracing",
        "  for proofs",
        "graph",
        "rules",
        "report",
    ):
        assert f"\n{word} " in timed.stderr
    assert "\nhelm:broken/" in timed.stderr


def test_the_json_report_has_it_only_if_it_is_asked_for(portproof: Program, make_repository: Make) -> None:
    make_repository("incident")
    assert "timings" not in portproof.check("--offline", "broken")
    report = portproof.check("--offline", "broken", "--timings")
    known = {one["id"] for one in report["targets"]}
    assert {one["id"] for one in report["timings"]["slowest"]} <= known
    renders = {one["name"]: one["count"] for one in report["timings"]["renders"]}
    assert renders["of targets"] >= len(known) - 1  # one of them are plain manifests
    assert report["timings"]["cpu_seconds"] > 0


@pytest.mark.parametrize(
    ("words", "stages"),
    [
        (("map", "broken", "--format", "json"), {"discovery", "renders", "graph", "tracing"}),
        (("diff", "--base", "HEAD", "--format", "json"), {"discovery", "renders", "graph"}),
    ],
)
def test_other_commands(
    portproof: Program, make_repository: Make, words: tuple[str, ...], stages: set[str]
) -> None:
    repository = make_repository("incident")
    repository.replace("broken/manifests/service.yaml", "8081", "8082")
    run = portproof(*words, "--offline", "--timings")
    assert run.code == 0
    assert {one["name"] for one in json.loads(run.stdout)["timings"]["stages"]} >= stages
    assert "\nstage " in run.stderr


def test_fixes(portproof: Program, make_repository: Make) -> None:
    make_repository("incident")
    plain, timed = (portproof("fix", "--offline", "broken", *more) for more in ((), ("--timings",)))
    assert timed.stdout == plain.stdout != ""
    assert "\nproofs " in timed.stderr
