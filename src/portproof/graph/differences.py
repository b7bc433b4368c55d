"""Two port graphs side by side: which edges moved, broke, were mended, came and went.

Pure: it knows nothing of revisions or files. What the same edge is in both, `graph.identity` says. What moved for one
reason is one change: `graph.folding` joins it, and says who asks for the port.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from msgspec import Struct

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
from portproof.replacing import replace
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


class Caller(Struct, frozen=True):
    """Who asks for the port of a change, and what becomes of that edge: None where it stays as it is.

    `target` is the id of the target that renders it, empty for the same one.
    """

    relation: Relation
    holder: ResourceKey
    field: str
    kind: ChangeKind | None = None
    target: str = ""


class EdgeChange(Struct, frozen=True):
    """An edge that differs between two revisions; `before` is None for a new one, `after` for one that is gone.

    `was` is what holds it in the base, where that has another name. The ends moved `together` when what was asked for is
    not there any more either. What is new or gone is so `also` where the Service's port is in both revisions, and only
    some of its pods are not. `callers` ask for the port: of the Service that holds the edge, or the one that the edge
    itself asks for.
    """

    kind: ChangeKind
    relation: Relation
    holder: ResourceKey
    field: str
    before: EdgeState | None
    after: EdgeState | None
    callers: tuple[Caller, ...] = ()
    was: ResourceKey | None = None
    together: bool = False
    also: bool = False


class Difference(Struct, frozen=True):
    """A change with the edges that it is about, each in its revision."""

    change: EdgeChange
    before: AnyEdge | None
    after: AnyEdge | None


class _Seen(Struct, frozen=True):
    """An edge of one revision: whom it means, as the base calls them, with and without the container."""

    edge: AnyEdge
    key: tuple[str, ...]
    state: EdgeState

    @property
    def whom(self) -> tuple[str, ...]:
        return self.key[:4]

    @property
    def ports(self) -> EdgeState:
        """All but what somebody is called."""
        return replace(self.state, whom="")


def differences(
    base: PortGraph | None, head: PortGraph | None, read: Callable[[PortGraph], Iterable[AnyEdge]] = edges
) -> Iterator[Difference]:
    """The edges that differ, one by one. None stands for a target that is not there in that revision.

    `read` gives the edges of a graph: those that it knows itself, or more. Where `head` knows what its objects were in the
    base (`PortGraph.before`), they may be called otherwise there.
    """
    names = {} if head is None else _names(head)
    before, after = _seen(base, read, {}), _seen(head, read, names)
    pairs: list[tuple[_Seen | None, _Seen | None]] = []
    for place in dict.fromkeys((*before, *after)):
        pairs += _pairs(before.get(place, []), after.get(place, []))
    both = _numbers(before) & _numbers(after)
    for old, new in _rejoined(pairs):
        change = _change(old, new, head)
        if change is not None:
            alone = old if new is None else new if old is None else None
            change = replace(change, also=alone is not None and _port_of(alone) in both)
            yield Difference(change, None if old is None else old.edge, None if new is None else new.edge)


def _numbers(places: Mapping[Hashable, list[_Seen]]) -> frozenset[Hashable]:
    """The ports of Services."""
    every = (_port_of(one) for several in places.values() for one in several)
    return frozenset(one for one in every if one is not None)


def _names(head: PortGraph) -> Mapping[tuple[str, ...], tuple[str, ...]]:
    """What the objects of the head are called in the base, where that differs."""
    known = head.before
    pairs = [
        *((now.key, then.key) for now, then in known.services.items()),
        *((now.key, then.key) for now, then in known.workloads.items()),
        *known.keys.items(),
    ]
    return {who(now): who(then) for now, then in pairs if who(now) != who(then)}


def _rejoined(
    pairs: Iterable[tuple[_Seen | None, _Seen | None]],
) -> Iterator[tuple[_Seen | None, _Seen | None]]:
    """Joins what is gone at one place and new at another, where it is the same: the entry of a list came to be known otherwise.

    An edge of somebody to the same port of somebody; else a Service's port of the same number.
    """
    gone: list[_Seen] = []
    new: list[_Seen] = []
    for old, now in pairs:
        if old and now:
            yield old, now
        elif old:
            gone.append(old)
        elif now:
            new.append(now)
    for describe in (_same, _same_wish, _same_number, _same_place):
        waiting: dict[Hashable, deque[_Seen]] = defaultdict(deque)
        for one in new:
            waiting[describe(one)].append(one)
        waiting.pop(None, None)
        left = []
        taken: set[int] = set()
        for one in gone:
            told = describe(one)
            if told is not None and waiting.get(told):
                found = waiting[told].popleft()
                yield one, found
                taken.add(id(found))
            else:
                left.append(one)
        gone, new = left, [one for one in new if id(one) not in taken]
    yield from ((one, None) for one in gone)
    yield from ((None, one) for one in new)


def _same(one: _Seen) -> Hashable:
    return one.edge.relation, who(one.edge.holder)[1:], one.whom, one.ports


def _same_wish(one: _Seen) -> Hashable | None:
    """What somebody other than a Service asks for, whether it is there or not."""
    if one.edge.relation is Relation.TARGET or one.state.asked is None:
        return None
    return one.edge.relation, who(one.edge.holder)[1:], one.whom, one.state.asked, one.state.last


def _same_number(one: _Seen) -> Hashable | None:
    port = _port_of(one)
    return None if port is None else (port, one.whom)


def _same_place(one: _Seen) -> Hashable | None:
    """A port of a Service whatever its protocol is."""
    port = _port_of(one)
    return None if port is None else (port[:-1], one.whom)


def _port_of(one: _Seen) -> tuple[Hashable, ...] | None:
    """The port of a Service that holds an edge; None for other edges."""
    if one.edge.relation is not Relation.TARGET or one.state.port is None:
        return None
    return one.edge.holder.kind, one.edge.holder.name, one.state.port, one.edge.protocol


def _seen(
    graph: PortGraph | None,
    read: Callable[[PortGraph], Iterable[AnyEdge]],
    names: Mapping[tuple[str, ...], tuple[str, ...]],
) -> Mapping[Hashable, list[_Seen]]:
    places: dict[Hashable, list[_Seen]] = defaultdict(list)
    if graph is None:
        return places
    numbers = {(one.key, port.path): port.number.value for one in graph.services for port in one.ports}
    for known, edge in identities(graph, dict.fromkeys(read(graph))):
        whom = _whom(edge)
        number = numbers.get((edge.holder, edge.at)) if edge.relation is Relation.TARGET else None
        state = _state(graph, edge, whom, number if isinstance(number, int) else None)
        place = replace(known.place, holder=names.get(known.holder, known.holder))
        key = (*names.get(known.whom[:4], known.whom[:4]), *known.whom[4:])
        places[place].append(_Seen(edge, key, state))
    return places


def _state(graph: PortGraph, edge: AnyEdge, whom: str, port: int | None) -> EdgeState:
    found = answer(graph, edge)
    ports = found.ports if isinstance(found, Reached) else ()
    numbers = {one.number.value for one in ports if isinstance(one.number.value, int)}
    asked = [port for one in found.by for port in one.ports] if isinstance(found, Missed) else []
    return EdgeState(
        whom,
        edge.wanted,
        edge.last,
        port,
        None if isinstance(found, Unknown) else isinstance(found, Reached),
        tuple(sorted(numbers)),
        tuple(dict.fromkeys(_offer(one, edge.wanted) for one in asked if one.number.value)),
        found.reason if isinstance(found, Unknown) else "",
    )


def _offer(port: ServicePort | ContainerPort, wanted: object) -> str:
    """A port as one asks for it; with the protocol where that alone is another."""
    label = str(port.number.value) if isinstance(wanted, int) else port.label
    return f"{label}/{port.protocol}" if label == str(wanted) else label


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
    if shown is None:
        return None
    renamed = _renamed(old, new)
    if old and new and not renamed and (old.whom, old.ports) == (new.whom, new.ports):
        return None
    before, after = (None if one is None else one.state for one in (old, new))
    edge = shown.edge
    if edge.relation is Relation.POLICY and not any(one and one.state.meets for one in (old, new)):
        return None  # it opens a port for all pods that it selects, whether they have it or not
    if all(one is None or (one.state.asked is None and one.state.meets is None) for one in (old, new)):
        return None  # it names somebody, and no port
    if edge.holder.kind == "ConfigMap" and all(one is None or one.state.meets is None for one in (old, new)):
        return None  # a text with a colon and a number, about nobody who is here
    if old and new and head and old.state.meets and new.state.meets is None:
        kind = ChangeKind.BROKEN if _is_lost(head, old.edge, new.edge) else ChangeKind.CHANGED
    else:
        kind = _kind(old, new)
    return EdgeChange(
        kind,
        edge.relation,
        edge.holder,
        format_path(edge.at),
        before,
        after,
        was=renamed,
        together=kind is ChangeKind.MOVED and bool(old and new and head and not _stays(head, old, new)),
    )


def _kind(old: _Seen | None, new: _Seen | None) -> ChangeKind:
    if old is None:
        return ChangeKind.NEW
    if new is None:
        return ChangeKind.GONE
    match old.state.meets, new.state.meets:
        case True, False if not _needs_no_declaration(new) or old.state.asked == new.state.asked:
            return ChangeKind.BROKEN
        case False, True if not _needs_no_declaration(old):
            return ChangeKind.MENDED
        case True, True if old.whom == new.whom and old.ports != new.ports:
            return ChangeKind.MOVED
    return ChangeKind.CHANGED


def _needs_no_declaration(one: _Seen) -> bool:
    """Whether a pod asks for a number of its own, declared or not: whoever writes another one there has reasons."""
    own = one.edge.relation in (Relation.PROBE, Relation.HOOK, Relation.SCRAPE)
    return own and isinstance(one.state.asked, int)


def _renamed(old: _Seen | None, new: _Seen | None) -> ResourceKey | None:
    """What holds a Service's port in the base, where that is called otherwise: who calls it has to know."""
    if old is None or new is None or new.edge.relation is not Relation.TARGET:
        return None
    was, now = old.edge.holder, new.edge.holder
    return was if was.name != now.name else None


def _stays(head: PortGraph, old: _Seen, new: _Seen) -> bool:
    """Whether a port that an edge reached before is there after the change, too: then the edge moved from it to another."""
    whom = new.edge.whom
    if isinstance(whom, ServiceName):
        ports: Iterable[ServicePort | ContainerPort] = (
            port for one in head.variants(*whom.place) for port in one.ports
        )
    else:
        ports = whom.workload.ports if whom.workload else ()
    return any(port.number.value in old.state.reaches for port in ports)


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
