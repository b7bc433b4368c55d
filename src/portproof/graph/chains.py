"""The way of the traffic around one field: who calls, the Service that is asked, the containers behind it.

A rule judges one edge of that way. A reader wants to see the rest of it: which Ingress leads to the broken Service,
which container port is there instead. Only findings have their chain made, so that memory stays flat.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cached_property
from itertools import groupby

from msgspec import Struct

from portproof.graph.answers import resolve
from portproof.graph.model import (
    Container,
    ContainerPort,
    PortCheck,
    PortGraph,
    Relation,
    Service,
    ServiceEdge,
    ServicePort,
    Site,
    Workload,
)
from portproof.resources import ResourceKey

_SHOWN = 3
"""Callers, workloads and ports of one object that are named; the rest is counted."""


class Fate(Enum):
    """What becomes of traffic on a hop: it arrives, it does not, or it would with the value that is expected."""

    ARRIVES = "arrives"
    FAILS = "fails"
    WOULD = "would"


class Stop(Struct, frozen=True):
    """Something on the way, with its ports as far as they matter; `outside` of the rendering are callers."""

    name: str
    ports: tuple[str, ...] = ()
    outside: bool = False


class Hop(Struct, frozen=True):
    """From one stop to the next, by the port that is asked for there (empty: whichever)."""

    start: Stop
    end: Stop
    port: str
    fate: Fate = Fate.ARRIVES


_CALLER = Stop("caller", outside=True)
_KUBELET = Stop("kubelet", outside=True)


class Chains:
    """The chains of one port graph; nothing is looked up before the first is asked for."""

    def __init__(self, graph: PortGraph) -> None:
        self._graph = graph

    def around(self, site: Site, others: Iterable[Site], expected: str | int | None) -> tuple[Hop, ...]:
        """The way through the field `site`, which a rule has found wrong; empty when it is on no such way.

        `others` are the fields that the rule speaks of besides.
        """
        if site in self._targets:
            service, port = self._targets[site]
            # A lone `port` is also where a name is missing or a number taken twice, which is no matter of reaching pods.
            if (
                port.implicit
                and site == port.number
                and not any(one.resource in self._pods for one in others)
            ):
                return ()
            return tuple(self._through_service(service, port, expected))
        if site in self._askings:
            return tuple(self._through_reference(self._askings[site], expected))
        if site in self._checks:
            return tuple(_through_check(*self._checks[site], expected))
        return ()

    @cached_property
    def _targets(self) -> Mapping[Site, tuple[Service, ServicePort]]:
        found: dict[Site, tuple[Service, ServicePort]] = {}
        for service in self._graph.services:
            for port in service.ports:
                for site in (port.target, port.protocol_site):
                    if site is not None:
                        found.setdefault(site, (service, port))
        return found

    @cached_property
    def _edges(self) -> tuple[ServiceEdge, ...]:
        """The edges to Services but for calls, of which a text may hold any number."""
        return self._graph.asking(*(one for one in Relation if one is not Relation.CALLER))

    @cached_property
    def _askings(self) -> Mapping[Site, ServiceEdge]:
        return {site: one for one in self._edges for site in (one.whom.site, one.port) if site is not None}

    @cached_property
    def _asking_for(self) -> Mapping[tuple[str, str], Sequence[ServiceEdge]]:
        found: dict[tuple[str, str], list[ServiceEdge]] = defaultdict(list)
        for one in self._edges:
            found[one.whom.place].append(one)
        return found

    @cached_property
    def _checks(self) -> Mapping[Site, tuple[Workload, Container, PortCheck]]:
        return {
            check.port: (workload, container, check)
            for workload in self._graph.workloads
            for container in workload.containers
            for check in container.checks
            if not (check.is_hook and check.handler == "tcpSocket")  # it goes nowhere, whatever the port
        }

    @cached_property
    def _pods(self) -> frozenset[ResourceKey]:
        return frozenset(one.key for one in self._graph.workloads)

    def _through_service(
        self, service: Service, port: ServicePort, expected: str | int | None
    ) -> Iterator[Hop]:
        stop = Stop(str(service.key), (_service_label(port),))
        behind = tuple(self._behind(service, port, stop))
        lost = [hop for hop in behind if hop.fate is Fate.FAILS]
        if lost:
            yield from self._towards(service, port, stop)
            yield from behind
            yield from _would(lost[0], expected)

    def _through_reference(self, asking: ServiceEdge, expected: str | int | None) -> Iterator[Hop]:
        holder, wanted = Stop(str(asking.holder)), _text(asking.wanted)
        yield from self._calling(holder, asking)
        service = self._graph.service(*asking.whom.place)
        if service is not None:
            stop = _service_stop(service)
            lost = Hop(holder, stop, wanted, Fate.FAILS)
            would, means = tuple(_would(lost, expected)), expected
        else:
            lost = Hop(holder, Stop(f"Service/{asking.whom.name}", ("not here",)), wanted, Fate.FAILS)
            service = self._graph.service(asking.whom.namespace, expected)
            stop = lost.end if service is None else _service_stop(service)
            would, means = (Hop(holder, stop, wanted, Fate.WOULD),) if service else (), asking.wanted
        yield from (lost, *would)
        if service is not None and means is not None:
            for port in [one for one in service.ports if means in _names(one)][:1]:
                yield from self._behind(service, port, stop)

    def _towards(self, service: Service, port: ServicePort, stop: Stop) -> Iterator[Hop]:
        """Who asks for this port of the Service."""
        known = self._asking_for.get((service.key.namespace, service.key.name), ())
        asking = list({one.holder: one for one in known if _means(one, port)}.values())
        for one in asking[:_SHOWN]:
            holder = Stop(str(one.holder))
            yield from self._calling(holder, one)
            yield Hop(holder, stop, _text(one.wanted))
        if len(asking) > _SHOWN:
            yield Hop(Stop(f"{len(asking) - _SHOWN} more", outside=True), stop, "")
        if not asking:
            yield Hop(_CALLER, stop, _text(port.number.value))

    def _calling(self, holder: Stop, asking: ServiceEdge) -> Iterator[Hop]:
        """What comes before the object that asks: a caller, unless its own pods are that."""
        if asking.holder not in self._pods:
            yield Hop(_CALLER, holder, "")

    def _behind(self, service: Service, port: ServicePort, stop: Stop) -> Iterator[Hop]:
        """The pods that the Service sends this port's traffic to."""
        for workload in self._graph.select(service).workloads[:_SHOWN]:
            several = {port.protocol, *(one.protocol for one in workload.ports)} != {"TCP"}
            asked = f"{_text(port.target.value)}/{port.protocol}" if several else _text(port.target.value)
            fate = Fate.FAILS if resolve(port, workload) is None else Fate.ARRIVES
            yield Hop(stop, _pod_stop(workload, workload.ports), asked, fate)


def _through_check(
    workload: Workload, container: Container, check: PortCheck, expected: str | int | None
) -> Iterator[Hop]:
    end = _pod_stop(workload, container.ports)
    lost = Hop(_KUBELET, end, _text(check.port.value), Fate.FAILS)
    yield lost
    yield from _would(lost, expected)


def _would(lost: Hop, expected: str | int | None) -> Iterator[Hop]:
    if expected is not None and _text(expected) != lost.port:
        yield Hop(lost.start, lost.end, _text(expected), Fate.WOULD)


def _pod_stop(workload: Workload, ports: Sequence[ContainerPort]) -> Stop:
    lines: list[str] = []
    for container, group in groupby(ports[:_SHOWN], lambda one: one.container):
        labels = (_labelled(one.number.value, one.name, one.protocol) for one in group)
        lines += [f"container {container}", *labels]
    return Stop(str(workload.key), (*lines, *_rest(len(ports))))


def _service_stop(service: Service) -> Stop:
    labels = tuple(_service_label(one) for one in service.ports[:_SHOWN])
    return Stop(str(service.key), (*labels, *_rest(len(service.ports))))


def _service_label(port: ServicePort) -> str:
    return f"port {_labelled(port.number.value, port.name, port.protocol)}"


def _labelled(number: str | int | None, name: Site | None, protocol: str) -> str:
    """``8080``, ``8080 (http)``, ``53/UDP (dns)``."""
    suffix = "" if protocol == "TCP" else f"/{protocol}"
    return f"{number}{suffix} ({name.value})" if name else f"{number}{suffix}"


def _means(edge: ServiceEdge, port: ServicePort) -> bool:
    return edge.wanted is not None and edge.wanted in _names(port)


def _names(port: ServicePort) -> tuple[str | int | None, ...]:
    """What a reference may call the port."""
    return (port.number.value,) if port.name is None else (port.number.value, port.name_text)


def _text(value: str | int | None) -> str:
    """The value; a text that reads like a number in quotes, since that is what is wrong with it."""
    if value is None:
        return ""
    return f'"{value}"' if isinstance(value, str) and value.isdigit() else str(value)


def _rest(count: int) -> tuple[str, ...]:
    return (f"and {count - _SHOWN} more",) if count > _SHOWN else ()
