"""Two port graphs side by side: which edges moved, broke, were mended, came and went.

Pure: it knows nothing of revisions or files. What the same edge is in both, `graph.identity` says.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from enum import Enum

from portproof.graph.answers import answer, edges
from portproof.graph.identity import AnyEdge, identities
from portproof.graph.model import Missed, PortGraph, Reached, Relation, ServiceName
from portproof.resources import ResourceKey
from portproof.yamldoc import format_path


class ChangeKind(Enum):
    """What became of an edge; the order is that of the report."""

    BROKEN = "broken"
    MOVED = "moved"
    CHANGED = "changed"
    MENDED = "mended"
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class EdgeState:
    """An edge in one revision.

    `asked` is the number or name that it asks for (None for none, or any), `port` the number of the Service's port that
    holds it, if one does. `meets` is None where nobody can know, and `reaches` are the numbers that answer.
    """

    whom: str
    asked: str | int | None
    last: int | None
    port: int | None
    meets: bool | None
    reaches: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EdgeChange:
    """An edge that differs between two revisions; `before` is None for a new one, `after` for one that is gone."""

    kind: ChangeKind
    relation: Relation
    holder: ResourceKey
    field: str
    before: EdgeState | None
    after: EdgeState | None


@dataclass(frozen=True, slots=True)
class _Seen:
    edge: AnyEdge
    key: Hashable
    state: EdgeState


def differences(
    base: PortGraph | None, head: PortGraph | None, read: Callable[[PortGraph], Iterable[AnyEdge]] = edges
) -> tuple[EdgeChange, ...]:
    """The edges that differ, in a fixed order. None stands for a target that is not there in that revision.

    `read` gives the edges of a graph: those that it knows itself, or more.
    """
    before, after = _seen(base, read), _seen(head, read)
    found: list[EdgeChange] = []
    for place in dict.fromkeys((*before, *after)):
        found += _at_place(before.get(place, []), after.get(place, []))
    kinds = list(ChangeKind)
    return tuple(
        sorted(
            found, key=lambda one: (kinds.index(one.kind), str(one.holder), one.holder.namespace, one.field)
        )
    )


def _seen(
    graph: PortGraph | None, read: Callable[[PortGraph], Iterable[AnyEdge]]
) -> dict[Hashable, list[_Seen]]:
    places: dict[Hashable, list[_Seen]] = defaultdict(list)
    if graph is None:
        return places
    numbers = {(one.key, port.path): port.number.value for one in graph.services for port in one.ports}
    for known, edge in identities(graph, dict.fromkeys(read(graph))):
        whom = _whom(edge)
        number = numbers.get((edge.holder, edge.at)) if edge.relation is Relation.TARGET else None
        state = _state(graph, edge, whom, number if isinstance(number, int) else None)
        places[known.place].append(_Seen(edge, known.whom, state))
    return places


def _state(graph: PortGraph, edge: AnyEdge, whom: str, port: int | None) -> EdgeState:
    found = answer(graph, edge)
    ports = found.ports if isinstance(found, Reached) else ()
    numbers = {one.number.value for one in ports if isinstance(one.number.value, int)}
    meets = None if not isinstance(found, Reached | Missed) else isinstance(found, Reached)
    return EdgeState(whom, edge.wanted, edge.last, port, meets, tuple(sorted(numbers)))


def _at_place(before: list[_Seen], after: list[_Seen]) -> Iterable[EdgeChange]:
    """Pairs those that mean the same; then what is left over in order, if one place has as many in both: another is meant."""
    pairs: list[tuple[_Seen | None, _Seen | None]] = []
    meant: dict[Hashable, deque[_Seen]] = defaultdict(deque)
    for one in after:
        meant[one.key].append(one)
    alone = []
    for one in before:
        if meant[one.key]:
            pairs.append((one, meant[one.key].popleft()))
        else:
            alone.append(one)
    left = [one for several in meant.values() for one in several]
    if len(alone) == len(left):
        pairs += zip(alone, left, strict=True)
    else:
        pairs += [(one, None) for one in alone] + [(None, one) for one in left]
    return [change for old, new in pairs if (change := _change(old, new)) is not None]


def _change(old: _Seen | None, new: _Seen | None) -> EdgeChange | None:
    shown = new or old
    if shown is None or (old and new and old.state == new.state):
        return None
    before, after = (None if one is None else one.state for one in (old, new))
    edge = shown.edge
    if edge.relation is Relation.POLICY and not any(one and one.state.meets for one in (old, new)):
        return None  # it opens a port for all pods that it selects, whether they have it or not
    at = format_path(edge.at)
    return EdgeChange(_kind(before, after), edge.relation, edge.holder, at, before, after)


def _kind(before: EdgeState | None, after: EdgeState | None) -> ChangeKind:
    if before is None:
        return ChangeKind.NEW
    if after is None:
        return ChangeKind.GONE
    match before.meets, after.meets:
        case True, False:
            return ChangeKind.BROKEN
        case False, True:
            return ChangeKind.MENDED
        case True, True if before.whom == after.whom:
            return ChangeKind.MOVED
    return ChangeKind.CHANGED


def _whom(edge: AnyEdge) -> str:
    whom = edge.whom
    if isinstance(whom, ServiceName):
        return (
            f"Service/{whom.name}"
            if whom.namespace == edge.holder.namespace
            else f"Service/{whom.namespace}/{whom.name}"
        )
    if whom.workload is None:
        return ""
    container = f" {whom.container.name}" if whom.container else ""
    return f"{whom.workload.key}{container}"
