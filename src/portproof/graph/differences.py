"""Two port graphs side by side: which edges moved, broke, were mended, came and went.

Pure: it knows nothing of revisions or files. What the same edge is in both, `graph.identity` says. What moved for one
reason is one change: `graph.folding` joins it, and says who asks for the port.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from portproof.graph.answers import answer, edges, unlisted
from portproof.graph.identity import AnyEdge, identities, who
from portproof.graph.model import (
    RUNTIME_LABELS,
    ContainerPort,
    Missed,
    Pods,
    PortGraph,
    Reached,
    Relation,
    Service,
    ServiceName,
    ServicePort,
    Unknown,
)
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
    holds it, if one does. `meets` is None where nobody can know, and `unknown` is the reason. `reaches` are the numbers
    that answer; where none does, `offers` are the ports of those who were asked.
    """

    whom: str
    asked: str | int | None
    last: int | None
    port: int | None
    meets: bool | None
    reaches: tuple[int, ...]
    offers: tuple[str, ...] = field(default=(), compare=False)
    unknown: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for the port of a change, and what becomes of that edge: None where it stays as it is.

    `target` is the id of the target that renders it, empty for the same one.
    """

    relation: Relation
    holder: ResourceKey
    field: str
    kind: ChangeKind | None = None
    target: str = ""


@dataclass(frozen=True, slots=True)
class EdgeChange:
    """An edge that differs between two revisions; `before` is None for a new one, `after` for one that is gone.

    `callers` ask for the port: of the Service that holds the edge, or the one that the edge itself asks for.
    """

    kind: ChangeKind
    relation: Relation
    holder: ResourceKey
    field: str
    before: EdgeState | None
    after: EdgeState | None
    callers: tuple[Caller, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """A change with the edges that it is about, each in its revision."""

    change: EdgeChange
    before: AnyEdge | None
    after: AnyEdge | None


@dataclass(frozen=True, slots=True)
class _Seen:
    edge: AnyEdge
    key: Hashable
    state: EdgeState


def differences(
    base: PortGraph | None, head: PortGraph | None, read: Callable[[PortGraph], Iterable[AnyEdge]] = edges
) -> Iterator[Difference]:
    """The edges that differ, one by one. None stands for a target that is not there in that revision.

    `read` gives the edges of a graph: those that it knows itself, or more.
    """
    before, after = _seen(base, read), _seen(head, read)
    for place in dict.fromkeys((*before, *after)):
        for old, new in _pairs(before.get(place, []), after.get(place, [])):
            change = _change(old, new, head)
            if change is not None:
                yield Difference(change, None if old is None else old.edge, None if new is None else new.edge)


def _seen(
    graph: PortGraph | None, read: Callable[[PortGraph], Iterable[AnyEdge]]
) -> Mapping[Hashable, list[_Seen]]:
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
    asked = [port for one in found.by for port in one.ports] if isinstance(found, Missed) else []
    by_number = isinstance(edge.wanted, int)
    return EdgeState(
        whom,
        edge.wanted,
        edge.last,
        port,
        None if isinstance(found, Unknown) else isinstance(found, Reached),
        tuple(sorted(numbers)),
        tuple(dict.fromkeys(_offer(one, by_number=by_number) for one in asked if one.number.value)),
        found.reason if isinstance(found, Unknown) else "",
    )


def _offer(port: ServicePort | ContainerPort, *, by_number: bool) -> str:
    return str(port.number.value) if by_number else port.label


def _pairs(before: list[_Seen], after: list[_Seen]) -> Iterator[tuple[_Seen | None, _Seen | None]]:
    """Pairs those that mean the same; then what is left over in order, if one place has as many in both: another is meant.

    Where nobody is meant in one revision, that is what became of each that was meant in the other.
    """
    meant: dict[Hashable, deque[_Seen]] = defaultdict(deque)
    for one in after:
        meant[one.key].append(one)
    alone = []
    for one in before:
        if meant[one.key]:
            yield one, meant[one.key].popleft()
        else:
            alone.append(one)
    left = [one for several in meant.values() for one in several]
    if len(alone) == len(left):
        yield from zip(alone, left, strict=True)
    elif len(left) == 1 and _is_nobody(left[0]):
        yield from ((one, left[0]) for one in alone)
    elif len(alone) == 1 and _is_nobody(alone[0]):
        yield from ((alone[0], one) for one in left)
    else:
        yield from ((one, None) for one in alone)
        yield from ((None, one) for one in left)


def _is_nobody(one: _Seen) -> bool:
    return isinstance(one.edge.whom, Pods) and one.edge.whom.workload is None


def _change(old: _Seen | None, new: _Seen | None, head: PortGraph | None) -> EdgeChange | None:
    shown = new or old
    if shown is None or (old and new and old.state == new.state):
        return None
    before, after = (None if one is None else one.state for one in (old, new))
    edge = shown.edge
    if edge.relation is Relation.POLICY and not any(one and one.state.meets for one in (old, new)):
        return None  # it opens a port for all pods that it selects, whether they have it or not
    if all(one is None or (one.state.asked is None and one.state.meets is None) for one in (old, new)):
        return None  # it names somebody, and no port
    if old and new and head and old.state.meets and new.state.meets is None:
        kind = ChangeKind.BROKEN if _is_lost(head, old.edge, new.edge) else ChangeKind.CHANGED
    else:
        kind = _kind(before, after)
    return EdgeChange(kind, edge.relation, edge.holder, format_path(edge.at), before, after)


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


def _is_lost(head: PortGraph, old: AnyEdge, new: AnyEdge) -> bool:
    """Whether an edge that met asks for nothing any more, or for something of somebody who is not there any more."""
    whom = new.whom
    if isinstance(whom, ServiceName):
        return not head.variants(*whom.place)
    if new.relation is not Relation.TARGET or not isinstance(old.whom, Pods):
        return False
    if new.wanted is None:
        return True  # the API server does not take a Service with an empty port
    if whom.workload is not None:
        return False
    if not any(one.key == new.holder and _selects_here(one) for one in head.services):
        return False
    served = old.whom.workload and who(old.whom.workload.key)
    return not head.unknown_owners or any(who(one.key) == served for one in head.workloads)


def _selects_here(service: Service) -> bool:
    """Whether the pods behind a Service are found by labels that manifests give them."""
    return not unlisted(service) and bool(service.selector.keys() - RUNTIME_LABELS)


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
