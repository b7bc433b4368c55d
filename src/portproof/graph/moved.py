"""What a change did to the edge that a finding is about: which end moved, from what to what, and which end stayed.

Pure: both revisions are graphs. What is the same in both, `graph.identity` and `graph.past` say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias, TypeVar

from msgspec import Struct

from portproof.graph.answers import answer
from portproof.graph.identity import AnyEdge, identities, same_field
from portproof.graph.model import (
    ContainerPort,
    Missed,
    PortGraph,
    Reached,
    Service,
    ServiceName,
    ServicePort,
    Site,
    Workload,
)
from portproof.graph.past import renamed
from portproof.replacing import replace
from portproof.resources import Resource, ResourceKey
from portproof.yamldoc import FieldPath, lookup

_Port: TypeAlias = "ServicePort | ContainerPort"
_AnyPort = TypeVar("_AnyPort", ContainerPort, ServicePort)
_Holder = TypeVar("_Holder", Service, Workload)
_NAME: FieldPath = ("metadata", "name")


class Move(Struct, frozen=True):
    """One end of an edge moved, and the `other` stayed where it was; None when both moved, or nobody knows of another.

    `past` is the end that moved, as the field of the base, `now` as that of the head: None where it is new or gone. Their
    values may be of more than one field (a name and its namespace), so `before` and `after` hold them. `was_missed`
    says that the edge met nothing in the base either.
    """

    past: Site | None
    before: str | int | None
    now: Site | None
    after: str | int | None
    other: Site | None
    was_missed: bool = False

    @property
    def end(self) -> Site:
        """The end that moved: the field of the head, else that of the base."""
        end = self.now or self.past
        assert end is not None  # noqa: S101 - something moved
        return end

    @property
    def here(self) -> tuple[Site, ...]:
        """The ends that the head has, the one that moved first."""
        return tuple(one for one in (self.now, self.other) if one is not None)


class Moves:
    """What became of the edges of one graph since its base. `read` gives all edges of a graph."""

    def __init__(self, graph: PortGraph, read: Callable[[PortGraph], Iterable[AnyEdge]]) -> None:
        self._graph = graph
        self._read = read

    def of(self, primary: Site, others: Sequence[Site]) -> Move | None:
        """The move of the edge with the field `primary`, of which a finding speaks, and `others` besides.

        None without a base, and for an edge that the base does not have or that did not change.
        """
        if self._graph.base is None:
            return None
        for site in (primary, *others):
            for edge in self._edges.get(site, ()):
                move = self._gone(self._graph.base, edge) or self._moved(self._graph.base, edge)
                if move is not None:
                    return move if move.other is not None else replace(move, other=self._stayed(others, move))
        return self._fields(primary, others)

    def was(self, site: Site) -> tuple[ResourceKey, FieldPath] | None:
        """The object and identity of a field in the base; its own where nothing is known, None for a new entry of a list."""
        here, there = self._resources.get(_who(site)), self._pasts.get(_who(site))
        if here is None or there is None:
            return site.resource, site.identity
        path = same_field(site.path, here.data, there.data)
        return None if path is None else (there.key, (*path, *site.identity[len(site.path) :]))

    def before(self, site: Site) -> Site | None:
        """The same field in the base; None when the base has no such object, or no such entry of a list.

        The value of one that the base's object does not have is None.
        """
        there, was = self._pasts.get(_who(site)), self.was(site)
        if there is None or was is None or site.piece is not None or _who(site) not in self._resources:
            return None
        value = lookup(there.data, was[1])
        return Site(there.key, was[1], value if isinstance(value, str | int) else None)

    @cached_property
    def _resources(self) -> Mapping[Hashable, Resource]:
        return _by_who(self._graph)

    @cached_property
    def _pasts(self) -> Mapping[Hashable, Resource]:
        return {} if self._graph.base is None else _by_who(self._graph.base)

    @cached_property
    def _edges(self) -> Mapping[Site, Sequence[AnyEdge]]:
        """The edges by the fields that hold their port and the name of whom they mean."""
        found: dict[Site, list[AnyEdge]] = defaultdict(list)
        for edge in dict.fromkeys(self._read(self._graph)):
            for site in dict.fromkeys((edge.port, _naming(edge))):
                if site is not None:
                    found[site].append(edge)
        return found

    @cached_property
    def _edges_before(self) -> Mapping[AnyEdge, AnyEdge]:
        """What each edge was in the base: the one that means the same, else the only one of its field."""
        base = self._graph.base
        if base is None:
            return {}
        exact: dict[Hashable, AnyEdge] = {}
        places: dict[Hashable, list[AnyEdge]] = defaultdict(list)
        for known, edge in identities(base, dict.fromkeys(self._read(base))):
            exact[known] = edge
            places[known.place].append(edge)
        found: dict[AnyEdge, AnyEdge] = {}
        for known, edge in identities(self._graph, dict.fromkeys(self._read(self._graph))):
            alone = places.get(known.place, [])
            past = exact.get(known) or (alone[0] if len(alone) == 1 else None)
            if past is not None:
                found[edge] = past
        return found

    def _gone(self, base: PortGraph, edge: AnyEdge) -> Move | None:
        """The Service that the edge still names is not here any longer."""
        whom = edge.whom
        if not isinstance(whom, ServiceName) or self._graph.variants(*whom.place):
            return None
        gone = base.service(*whom.place)
        if gone is None or edge not in self._edges_before:
            return None
        return self._left(gone, whom.site)

    def _left(self, gone: Service, asking: Site) -> Move:
        past, new = Site(gone.key, _NAME, gone.key.name), renamed(self._graph, gone)
        if new is None:
            return Move(past, past.value, None, None, asking)
        before, after = _differing((gone.key.namespace, gone.key.name), (new.key.namespace, new.key.name))
        return Move(past, before, Site(new.key, _NAME, new.key.name), after, asking)

    def _moved(self, base: PortGraph, edge: AnyEdge) -> Move | None:
        """The end of an edge that asks, or that which answered it in the base."""
        old = self._edges_before.get(edge)
        if old is None:
            return None
        met, asking = answer(base, old), edge.port or _naming(edge)
        missed = isinstance(met, Missed) and isinstance(answer(self._graph, edge), Missed)
        past, now = self._answering(base, old)
        if _meant(edge) != _meant(old):
            named, whom = _naming(edge), self._still_here(old)
            before, after = _differing(_meant(old), _meant(edge))
            return Move(_naming(old), before, named, after, whom, missed) if named else None
        stayed = past is not None and now is not None and past.value == now.value
        if edge.wanted != old.wanted:
            other = now if stayed else None
            return Move(old.port or _naming(old), old.wanted, asking, edge.wanted, other, missed)
        if past is None or stayed:
            return None
        return Move(past, past.value, now, None if now is None else now.value, asking)

    def _answering(self, base: PortGraph, old: AnyEdge) -> tuple[Site | None, Site | None]:
        """The field that answered an edge in the base, and the same one now."""
        met = answer(base, old)
        port = met.ports[0] if isinstance(met, Reached) else None
        if port is None:
            return None, None
        now = self._port(base, port)
        past = _facet(port, old.wanted)
        return past, None if now is None else _same_facet(port, past, now)

    def _port(self, base: PortGraph, port: _Port) -> _Port | None:
        """What became of a port of the base."""
        who = _who(port.number)
        if isinstance(port, ServicePort):
            before, after = (_only(one.services, who) for one in (base, self._graph))
            return None if before is None or after is None else _same(port, before.ports, after.ports)
        pods, now = (_only(one.workloads, who) for one in (base, self._graph))
        if pods is None or now is None:
            return None
        own, others = ([one for one in each.ports if one.container == port.container] for each in (pods, now))
        return _same(port, own, others)

    def _still_here(self, old: AnyEdge) -> Site | None:
        """The name of the Service that an edge meant in the base, where there is still one of that name."""
        if not isinstance(old.whom, ServiceName):
            return None
        found = self._graph.service(*old.whom.place)
        return None if found is None else Site(found.key, _NAME, found.key.name)

    def _fields(self, primary: Site, others: Sequence[Site]) -> Move | None:
        """Of the fields that a finding speaks of the first that moved, and the first that stayed."""
        pairs = [(one, self.before(one)) for one in dict.fromkeys((primary, *others))]
        known = [(one, past) for one, past in pairs if past is not None]
        moved = next(((one, past) for one, past in known if one.value != past.value), None)
        if moved is None:
            return None
        now, past = moved
        return Move(past, past.value, now, now.value, _unmoved(known))

    def _stayed(self, others: Sequence[Site], move: Move) -> Site | None:
        """The first of `others` that did not move."""
        pairs = [(one, self.before(one)) for one in others if one != move.now]
        return _unmoved([(one, past) for one, past in pairs if past is not None])


def _unmoved(known: Iterable[tuple[Site, Site]]) -> Site | None:
    return next((one for one, was in known if one.value == was.value and one.value is not None), None)


def _by_who(graph: PortGraph) -> Mapping[Hashable, Resource]:
    """The resources that are there once."""
    found: dict[Hashable, list[Resource]] = defaultdict(list)
    for one in graph.resources:
        found[_key(one.key)].append(one)
    return {who: several[0] for who, several in found.items() if len(several) == 1}


def _key(key: ResourceKey) -> Hashable:
    return key.group, key.kind, key.namespace, key.name


def _who(site: Site) -> Hashable:
    return _key(site.resource)


def _naming(edge: AnyEdge) -> Site | None:
    """The field that says whom an edge means."""
    return edge.whom.site if isinstance(edge.whom, ServiceName) else None


def _meant(edge: AnyEdge) -> tuple[str, str]:
    """The namespace and name of the Service that an edge means; empty for one that means pods."""
    return edge.whom.place if isinstance(edge.whom, ServiceName) else ("", "")


def _differing(before: tuple[str, str], after: tuple[str, str]) -> tuple[str, str]:
    """The names, with their namespaces where these are what differs."""
    if before[0] == after[0]:
        return before[1], after[1]
    return "/".join(before), "/".join(after)


def _only(several: Iterable[_Holder], who: Hashable) -> _Holder | None:
    """The one Service or workload that is called so; None when there is none, or variants of one."""
    found = [one for one in several if _key(one.key) == who]
    return found[0] if len(found) == 1 else None


def _same(port: _AnyPort, before: Sequence[_AnyPort], after: Sequence[_AnyPort]) -> _AnyPort | None:
    """The port among `after` that `port`, one of `before`, has become.

    It has its name, else its number and protocol, else it is the only one that is left over, as `port` is.
    """
    old, new = list(before), list(after)
    for told in (lambda one: one.name_text, lambda one: (one.number.value, one.protocol)):
        for one in list(old):
            alike = [other for other in new if told(one) is not None and told(other) == told(one)]
            if len(alike) == 1:
                if one is port:
                    return alike[0]
                old.remove(one)
                new.remove(alike[0])
    return new[0] if len(old) == len(new) == 1 and old[0] is port else None


def _facets(port: _Port) -> Iterator[tuple[str, Site]]:
    """The fields of a port by which it can be asked for."""
    for name in ("name", "number", "target"):
        site = getattr(port, name, None)
        if isinstance(site, Site):
            yield name, site


def _facet(port: _Port, wanted: object) -> Site:
    """The field of a port that answers `wanted`; its number where it answers whatever is asked."""
    return next((site for _, site in _facets(port) if site.value == wanted), port.number)


def _same_facet(port: _Port, site: Site, now: _Port) -> Site | None:
    """The field of `now` that `site` is of `port`."""
    name = next(one for one, each in _facets(port) if each == site)
    return dict(_facets(now)).get(name)
