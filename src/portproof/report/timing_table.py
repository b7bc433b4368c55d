"""Where the time of a run went, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from portproof.report.safe import log_line, visible
from portproof.report.summary_line import plural
from portproof.timings import Purpose, Row, Stage, Taken

_DOMINATES = 0.3
"""The share of all work from which on one target decides how long a run takes."""

_FEW = 3
"""Renders of a target without findings: itself, as another release, and in the base."""

_NAME = 60


def table(taken: Taken) -> str:
    """A table of the stages, one of the slowest targets, and what to do next."""
    return "".join(f"{log_line(line)}\n" for line in _lines(taken))


def data(taken: Taken) -> dict[str, Any]:
    """The same for programs."""
    return {
        "seconds": round(taken.seconds, 3),
        "cpu_seconds": round(taken.cpu_seconds, 3),
        "stages": [_stage(one) for one in taken.stages],
        "renders": [_stage(one) for one in taken.renders],
        "slowest": [
            {"id": one.name, "renders": one.count, "seconds": round(one.seconds, 3)} for one in taken.slowest
        ],
    }


def _stage(one: Row) -> dict[str, Any]:
    return {"name": one.name, "count": one.count, "seconds": round(one.seconds, 3)}


def _lines(taken: Taken) -> Iterator[str]:
    work = taken.work or 1.0
    yield ""
    yield f"{taken.seconds:.2f} s in all, {taken.cpu_seconds:.2f} s of processor time, {taken.work:.2f} s of work in parallel"
    yield ""
    rows = [("stage", "count", "seconds", "share")]
    for one in taken.stages:
        rows.append(_cells(one.name, one, work))
        if one.name == Stage.RENDERS.value:
            rows += [_cells(f"  {each.name}", each, work) for each in taken.renders]
    yield from _aligned(rows)
    if taken.slowest:
        yield ""
        title = "slowest targets" if taken.targets > len(taken.slowest) else "targets"
        rows = [(title, "renders", "seconds", "share")]
        rows += [_cells(visible(one.name), one, work) for one in taken.slowest]
        yield from _aligned(rows)
    if advice := _advice(taken):
        yield ""
        yield f"next: {advice}"


def _cells(name: str, one: Row, work: float) -> tuple[str, str, str, str]:
    name = name if len(name) <= _NAME else f"…{name[1 - _NAME :]}"
    return name, str(one.count), f"{one.seconds:.2f}", f"{100 * one.seconds / work:.0f} %"


def _aligned(rows: list[tuple[str, str, str, str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for name, *numbers in rows:
        right = (cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True))
        yield "  ".join((name.ljust(widths[0]), *right))


def _advice(taken: Taken) -> str:
    """What to do about it; empty where the time is as it should be."""
    stages = {one.name: one.seconds for one in taken.stages}
    work = taken.work or 1.0
    first = taken.slowest[0] if taken.slowest else None
    if first and taken.targets > 1 and first.seconds >= _DOMINATES * work:
        share = f"{100 * first.seconds / work:.0f} % of the work"
        found = f"{visible(first.name)} alone takes {share}, in {plural(first.count, 'render')}."
        if first.count > _FEW:
            return f"{found} Most of them prove places and fixes: they end with its findings."
        return f"{found} Give it fewer or smaller files, or leave it out: `exclude` in portproof.yaml."
    if stages.get(Stage.DISCOVERY.value, 0.0) >= _DOMINATES * work:
        return "Finding the targets takes the most. Name folders on the command line, or `exclude` what is never deployed."
    proofs = sum(
        one.seconds for one in taken.renders if one.name in (Purpose.TRACING.value, Purpose.PROOF.value)
    )
    proofs += stages.get(Stage.TRACING.value, 0.0) + stages.get(Stage.PROOF.value, 0.0)
    if proofs >= 0.5 * work:
        return "Places and proven fixes of findings take the most. With `--base`, old findings cost less: check what changed."
    if taken.seconds >= 60 and stages.get(Stage.RENDERS.value, 0.0) >= 0.5 * work:
        return "Renders take the most. `--shard I/N` divides them among machines; `--base REV` renders what a change affects."
    return ""
