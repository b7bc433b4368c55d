"""References that a change points at a Service which does not exist here, away from one that does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from portproof.graph.answers import answer
from portproof.graph.identity import Identity, identities
from portproof.graph.meant import only
from portproof.graph.model import PortGraph, Reached, Relation, ServiceEdge
from portproof.resources import ResourceKey


@dataclass(frozen=True, slots=True)
class Strayed:
    """An edge whose Service does not exist here, and the same edge in the base, whose Service still does."""

    edge: ServiceEdge
    before: ServiceEdge


def strayed(graph: PortGraph) -> Iterator[Strayed]:
    """The edges that a change points at a missing Service; empty without a base."""
    if graph.base is None:
        return
    lost = [one for one in _named(graph) if not graph.variants(*one.whom.place)]
    if not lost:
        return
    still = {(one.relation, one.holder, one.whom.place) for one in _named(graph)}
    known = [one for one in _named(graph.base) if isinstance(answer(graph.base, one), Reached)]
    place_of = {
        id(edge): found.place for found, edge in (*identities(graph, lost), *identities(graph.base, known))
    }
    before: dict[Identity, list[ServiceEdge]] = defaultdict(list)
    left: dict[tuple[Relation, ResourceKey], list[ServiceEdge]] = defaultdict(list)
    for edge in known:
        before[place_of[id(edge)]].append(edge)
        if (edge.relation, edge.holder, edge.whom.place) not in still:
            left[edge.relation, edge.holder].append(edge)
    for edge in lost:
        old = only(before[place_of[id(edge)]]) or _only_service(left[edge.relation, edge.holder])
        if old is not None and old.whom.place != edge.whom.place and graph.variants(*old.whom.place):
            yield Strayed(edge, old)


def _named(graph: PortGraph) -> tuple[ServiceEdge, ...]:
    return graph.asking(*Relation)


def _only_service(edges: Sequence[ServiceEdge]) -> ServiceEdge | None:
    """The first of some edges that all mean one Service; None when they mean several, or there is none."""
    return edges[0] if len({one.whom.place for one in edges}) == 1 else None
