"""What a change does to ports, as people count it: what moves for one reason is one change, with all who ask for the port.

A Service's port stands for its traffic. A probe that moves along with the port of its pods, or an Ingress that moves
along with that of the Service, asks for the same port: it is a caller of that change, and no change of its own. Edges
that lose the same port of somebody are one change as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping

from msgspec import Struct, field

from portproof.graph.answers import answer, edges
from portproof.graph.differences import Caller, ChangeKind, Difference, EdgeChange, EdgeState, differences
from portproof.graph.identity import AnyEdge, who
from portproof.graph.model import Pods, PortGraph, Reached, Relation, ServiceName
from portproof.replacing import replace
from portproof.yamldoc import format_path

_Read = Callable[[PortGraph], Iterable[AnyEdge]]
_Place = tuple[str, str] | None


def changes(base: PortGraph | None, head: PortGraph | None, read: _Read = edges) -> tuple[EdgeChange, ...]:
    """The changes between two graphs, in a fixed order; see `differences.differences` for what is given."""
    found = list(differences(base, head, read))
    services = _services([one for one in found if one.change.relation is Relation.TARGET])
    named, fronts = _by_place(services), _by_workload(services)
    rest = [one for one in found if one.change.relation is not Relation.TARGET]
    alone = [one for one in rest if not _joins(one, named, fronts)]
    for edge, ports in _steady(head, read, rest, named.keys()):
        for service in named[_asked_of(edge)]:
            if _port(service.change.after) in ports:
                service.callers.append(_caller(edge, None))
    told = [replace(one.change, callers=_in_order(one.callers)) for one in services]
    told += _alike(alone)
    kinds = list(ChangeKind)
    return tuple(
        sorted(
            told, key=lambda one: (kinds.index(one.kind), str(one.holder), one.holder.namespace, one.field)
        )
    )


class _Service(Struct):
    """What becomes of one port of a Service, with the workloads that it means in either revision."""

    change: EdgeChange
    place: _Place
    workloads: frozenset[Hashable]
    callers: list[Caller] = field(default_factory=list)


def _by_place(services: Iterable[_Service]) -> Mapping[_Place, list[_Service]]:
    found: dict[_Place, list[_Service]] = defaultdict(list)
    for one in services:
        found[one.place].append(one)
    return found


def _by_workload(services: Iterable[_Service]) -> Mapping[Hashable, list[_Service]]:
    found: dict[Hashable, list[_Service]] = defaultdict(list)
    for one in services:
        for workload in one.workloads:
            found[workload].append(one)
    return found


def _services(found: Iterable[Difference]) -> list[_Service]:
    """A Service's ports, each once for all workloads behind it."""
    groups: dict[Hashable, list[Difference]] = defaultdict(list)
    for one in found:
        change = one.change
        groups[
            change.kind, change.holder, change.field, _nobodys(change.before), _nobodys(change.after)
        ].append(one)
    return [_service(group) for group in groups.values()]


def _service(group: list[Difference]) -> _Service:
    change = group[0].change
    meant = (edge.whom for one in group for edge in (one.before, one.after) if edge is not None)
    return _Service(
        replace(
            change,
            before=_together([one.change.before for one in group]),
            after=_together([one.change.after for one in group]),
        ),
        (change.holder.namespace, change.holder.name),
        frozenset(who(one.workload.key) for one in meant if isinstance(one, Pods) and one.workload),
    )


def _nobodys(state: EdgeState | None) -> EdgeState | None:
    return state and replace(state, whom="")


def _together(states: Iterable[EdgeState | None]) -> EdgeState | None:
    """One state for edges that differ only by whom they mean."""
    known = [one for one in states if one is not None]
    if not known:
        return None
    offers = tuple(dict.fromkeys(offer for one in known for offer in one.offers))
    whom = ", ".join(dict.fromkeys(one.whom for one in known if one.whom))
    return replace(known[0], whom=whom, offers=offers)


def _joins(
    one: Difference, named: Mapping[_Place, list[_Service]], fronts: Mapping[Hashable, list[_Service]]
) -> bool:
    """Make an edge a caller of the Services' ports that it asks for; gives whether it is no change of its own."""
    edge = one.after or one.before
    assert edge is not None  # noqa: S101 - a difference is one of an edge
    asked = [service for service in named.get(_asked_of(edge), ()) if _asks(one.change, service.change)]
    whom = edge.whom
    if isinstance(whom, Pods) and whom.workload is not None:
        before = fronts.get(who(whom.workload.key), ())
        asked = [service for service in before if _same_move(one.change, service.change)][:1]
    for service in asked:
        service.callers.append(_caller(edge, one.change.kind))
    return any(isinstance(whom, Pods) or _moves_along(one.change, service.change) for service in asked)


def _asks(edge: EdgeChange, service: EdgeChange) -> bool:
    """Whether an edge asks for the Service's port in one of the revisions."""
    pairs = ((edge.before, service.before), (edge.after, service.after))
    return any(asked is not None and _port(port) in asked.reaches for asked, port in pairs)


def _moves_along(edge: EdgeChange, service: EdgeChange) -> bool:
    """Whether an edge to a Service does what its port does: it comes, goes or gets another number together with it."""
    if edge.kind is not service.kind or edge.kind not in (ChangeKind.NEW, ChangeKind.GONE, ChangeKind.MOVED):
        return False
    pairs = ((edge.before, service.before), (edge.after, service.after))
    return all(asked is None or _port(port) in asked.reaches for asked, port in pairs)


def _same_move(edge: EdgeChange, service: EdgeChange) -> bool:
    """Whether an edge to pods does what the Service in front of them does, for the same ports of theirs."""
    if edge.kind is not service.kind or edge.kind is ChangeKind.CHANGED:
        return False
    if _reaches(edge) != _reaches(service):
        return False
    if (
        edge.kind is ChangeKind.BROKEN
    ):  # what they ask for is not there any more; else each has a story of its own
        return _asks_the_same(edge) and _asks_the_same(service)
    return edge.kind is not ChangeKind.MOVED or len(set(_reaches(edge))) > 1


def _reaches(change: EdgeChange) -> tuple[object, object]:
    return change.before and change.before.reaches, change.after and change.after.reaches


def _asks_the_same(change: EdgeChange) -> bool:
    before, after = change.before, change.after
    return before is not None and after is not None and before.asked == after.asked


def _port(state: EdgeState | None) -> int | None:
    return None if state is None else state.port


def _steady(
    head: PortGraph | None, read: _Read, moved: Iterable[Difference], places: Collection[_Place]
) -> Iterator[tuple[AnyEdge, tuple[object, ...]]]:
    """The edges of the head to these Services that stay as they are, with the numbers of the ports that they reach."""
    if head is None or not places:
        return
    known = {one.after for one in moved}
    for edge in dict.fromkeys(read(head)):
        if _asked_of(edge) in places and edge not in known:
            found = answer(head, edge)
            if isinstance(found, Reached):
                yield edge, tuple(one.number.value for one in found.ports)


def _asked_of(edge: AnyEdge) -> _Place | None:
    return edge.whom.place if isinstance(edge.whom, ServiceName) else None


def _alike(found: Iterable[Difference]) -> Iterator[EdgeChange]:
    """Edges of no Service's change: those that find, lose or change the same port of somebody are one change."""
    groups: dict[Hashable, list[Difference]] = defaultdict(list)
    for one in found:
        change = one.change
        stranger = (
            change.holder if not any(each and each.whom for each in (change.before, change.after)) else None
        )
        groups[change.kind, change.before, change.after, stranger].append(one)
    for group in groups.values():
        first, *others = group
        callers = [_caller(one.after or one.before, one.change.kind) for one in others]
        yield replace(first.change, callers=_in_order(callers))


def _caller(edge: AnyEdge | None, kind: ChangeKind | None) -> Caller:
    assert edge is not None  # noqa: S101 - a difference is one of an edge
    return Caller(edge.relation, edge.holder, format_path(edge.at), kind)


def _in_order(callers: Iterable[Caller]) -> tuple[Caller, ...]:
    """Those that break first, then those that stay, without repeats."""
    kinds: list[ChangeKind | None] = [ChangeKind.BROKEN, None, *ChangeKind]
    return tuple(
        sorted(
            dict.fromkeys(callers),
            key=lambda one: (
                one.target,
                kinds.index(one.kind),
                str(one.holder),
                one.holder.namespace,
                one.field,
            ),
        )
    )
