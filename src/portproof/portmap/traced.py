"""Targets rendered, and where their numbers are written.

The first probes of many charts are one process of helm; what a chart's first target shows is not asked of the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import TypeAlias

from msgspec import Struct

from portproof.discover.model import HelmTarget, Target
from portproof.graph import link
from portproof.graph.model import PortGraph, Site
from portproof.graph.references import ReferenceKind
from portproof.portmap.siblings import Siblings
from portproof.render.batch import EditedChart
from portproof.render.model import NotRendered, Renderer, Rendering
from portproof.resources import read
from portproof.rules.evaluate import Evaluation, evaluation
from portproof.source import Tree
from portproof.trace.model import Origin
from portproof.trace.probe import Tracing

PART = 48
"""Targets whose renderings are held at the same time."""

SHARE = 24
"""Fewer are not worth a further process."""

Together: TypeAlias = Callable[[Sequence[EditedChart]], Sequence[Rendering | None]]
"""Renders edited charts, many at once; None for one that has to be rendered by itself."""


def one_by_one(charts: Sequence[EditedChart]) -> Sequence[Rendering | None]:
    """Renders nothing together."""
    return [None for _ in charts]


class Begun(Struct, frozen=True):
    """A target that has been rendered and read, and not yet traced: only what is not `known` of its chart has to be."""

    target: Target
    rendering: Rendering
    graph: PortGraph
    evaluation: Evaluation
    known: Mapping[Site, Origin]
    tracing: Tracing | None


class NotBegun(Struct, frozen=True):
    """A target that does not render, and why, in one line."""

    target: Target
    reason: str


def parts(targets: Sequence[Target]) -> Iterator[list[Target]]:
    """All targets, `PART` at a time: the first of each chart, then the second of each, then what is left.

    So a chart has been traced once before its other targets are, even where its defaults do not render.
    """
    count: Counter[str] = Counter()
    turns: tuple[list[Target], ...] = ([], [], [])
    for one in targets:
        turns[min(count[one.path], 2)].append(one)
        count[one.path] += 1
    for turn in turns:
        for start in range(0, len(turn), PART):
            yield turn[start : start + PART]


def begin(
    tree: Tree, rows: tuple[ReferenceKind, ...], render: Renderer, siblings: Siblings, target: Target
) -> Begun | NotBegun:
    """Render a target, and read its graph."""
    rendering = render(target, tree)
    if not isinstance(rendering, Rendering):
        reason = rendering.reason if isinstance(rendering, NotRendered) else rendering.message
        return NotBegun(target, reason.partition("\n")[0])
    manifests = read(rendering)
    graph = link.build(manifests, rows)
    fields = list(_sites(graph))
    known = siblings.known(target, fields)
    rest = [one for one in fields if one not in known]
    tracing = Tracing(manifests, rest, tree) if rest else None
    return Begun(target, rendering, graph, evaluation(manifests, graph), known, tracing)


def traced(
    several: Sequence[Begun | NotBegun], render: Renderer, together: Together, pool: Executor, jobs: int
) -> Iterator[tuple[Begun | NotBegun, Mapping[Site, Origin]]]:
    """Each of `several` with the places of its fields."""
    begun = [one for one in several if isinstance(one, Begun) and one.tracing]
    count = max(1, min(jobs, len(begun) // SHARE))
    shares = [begun[number::count] for number in range(count)]
    for share, answers in zip(shares, pool.map(partial(_answers, together), shares), strict=True):
        yield from zip(share, pool.map(partial(_origins, render), share, answers), strict=True)
    for one in several:
        if isinstance(one, NotBegun):
            yield one, {}
        elif not one.tracing:
            yield one, one.known


def _origins(render: Renderer, begun: Begun, answer: Rendering | None) -> Mapping[Site, Origin]:
    assert begun.tracing is not None  # noqa: S101 - traced() looked
    return {**begun.known, **begun.tracing.origins(render, answer)}


def _answers(together: Together, several: Sequence[Begun]) -> list[Rendering | None]:
    """What the first probes of these targets render to, as far as that can be had of many at once."""
    charts = {
        place: EditedChart(
            one.target, first.tree, first.stand_ins, one.rendering, first.inputs, first.sources
        )
        for place, one in enumerate(several)
        if isinstance(one.target, HelmTarget) and one.tracing and (first := one.tracing.first())
    }
    found = dict(zip(charts, together(list(charts.values())), strict=True))
    return [found.get(place) for place in range(len(several))]


def _sites(graph: PortGraph) -> Iterator[Site]:
    for service in graph.services:
        for port in service.ports:
            yield port.number
            yield port.target
    for workload in graph.workloads:
        for container in workload.containers:
            yield from (port.number for port in container.ports)
