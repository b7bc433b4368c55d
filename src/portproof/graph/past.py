"""What the things of a rendering were in the base revision: the state that worked is the best witness.

What is the same in both, `graph.pairing` says. Lines, list positions and other fields may move.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from portproof.graph import pairing
from portproof.graph.answers import answer
from portproof.graph.identity import Identity, identities, who
from portproof.graph.model import (
    RUNTIME_LABELS,
    Container,
    ContainerPort,
    PortGraph,
    Reached,
    Relation,
    Service,
    ServiceEdge,
    ServicePort,
    Workload,
)
from portproof.graph.names import is_near_name, is_placeholder
from portproof.replacing import replace
from portproof.yamldoc import lookup

_SAYS_WHERE_IT_LISTENS = ("image", "command", "args", "env", "envFrom", "volumeMounts")
"""Fields of a container that may tell its program another port."""

_PORT_NUMBER = re.compile(r"(?<![\w.])\d{2,5}(?![\w.])")


def service_before(graph: PortGraph, service: Service) -> Service | None:
    """The Service in the base; None when it is new, has variants, or when there is no base."""
    return graph.before.services.get(service)


def workload_before(graph: PortGraph, workload: Workload) -> Workload | None:
    """The workload in the base; None when it is new, has variants, or when there is no base."""
    return graph.before.workloads.get(workload)


def port_before(graph: PortGraph, service: Service, port: ServicePort) -> ServicePort | None:
    """The entry of a Service's ``ports`` in the base."""
    before = service_before(graph, service)
    return None if before is None else _ports(service, before).get(port)


@lru_cache(maxsize=16)
def _ports(now: Service, then: Service) -> Mapping[ServicePort, ServicePort]:
    return pairing.ports(now.ports, then.ports)


def container_before(graph: PortGraph, workload: Workload, container: Container) -> Container | None:
    """The container of a workload in the base; None when it is new, or when there is no base."""
    before = workload_before(graph, workload)
    return None if before is None else _containers(workload, before).get(container)


@lru_cache(maxsize=16)
def _containers(now: Workload, then: Workload) -> Mapping[Container, Container]:
    return pairing.containers(now, then)


def declared_before(graph: PortGraph, workload: Workload) -> Mapping[ContainerPort, ContainerPort]:
    """What each declared port of a workload was in the base, container by container; new ones are not in it."""
    before = workload_before(graph, workload)
    return {} if before is None else _declared(workload, before)


@lru_cache(maxsize=16)
def _declared(now: Workload, then: Workload) -> Mapping[ContainerPort, ContainerPort]:
    found: dict[ContainerPort, ContainerPort] = {}
    for new, old in _containers(now, then).items():
        found |= pairing.ports(new.ports, old.ports)
    return found


def declared_now(graph: PortGraph, workload: Workload, port: ContainerPort) -> ContainerPort | None:
    """What became of a `port` that the workload declared in the base; None when it declares it no more."""
    return next((new for new, old in declared_before(graph, workload).items() if old is port), None)


def reached_before(
    graph: PortGraph, service: Service, port: ServicePort, workload: Workload
) -> ContainerPort | None:
    """The container port of the base that `port` reached there in `workload`; None when it reached none, or is new."""
    old_port, old_workload = port_before(graph, service, port), workload_before(graph, workload)
    old_service = service_before(graph, service)
    if graph.base is None or old_port is None or old_workload is None or old_service is None:
        return None
    if old_workload not in graph.base.select(old_service).workloads:
        return None
    return old_workload.port(old_port.target.value, old_port.protocol)


def program_changed(graph: PortGraph, workload: Workload, container: str) -> bool:
    """Whether something that may tell the program another port changed: image, command, settings, mounted files."""
    before = workload_before(graph, workload)
    if before is None or graph.base is None or before.config_numbers != workload.config_numbers:
        return True
    pairs = _containers(workload, before)
    old, new = next(((old, new) for new, old in pairs.items() if new.name == container), (None, None))
    if old is None or new is None:
        return True
    then, now = _data(graph.base, before, old), _data(graph, workload, new)
    return any(then.get(one) != now.get(one) for one in _SAYS_WHERE_IT_LISTENS)


def told_before(graph: PortGraph, workload: Workload, container: str, number: int) -> bool:
    """Whether a program is told what it was told in the base, other numbers apart, and nothing says this `number`."""
    before = workload_before(graph, workload)
    if before is None or graph.base is None:
        return False
    pairs = _containers(workload, before)
    old, new = next(((old, new) for new, old in pairs.items() if new.name == container), (None, None))
    if old is None or new is None or number in new.mentions or number in workload.config_numbers:
        return False
    then, now = _data(graph.base, before, old), _data(graph, workload, new)
    kept = ("image", "volumeMounts")
    return all(then.get(one) == now.get(one) for one in kept) and all(
        without_numbers(then.get(one)) == without_numbers(now.get(one))
        for one in _SAYS_WHERE_IT_LISTENS
        if one not in kept
    )


def without_numbers(data: object) -> str:
    """What is told, but for numbers that may be those of ports."""
    return _PORT_NUMBER.sub("#", repr(data))


def _data(graph: PortGraph, workload: Workload, container: Container) -> Mapping[str, Any]:
    found = lookup(graph.read_from[workload].data, container.path)
    return found if isinstance(found, dict) else {}


def lost_pods(graph: PortGraph, service: Service) -> Workload | None:
    """A workload that the Service selected in the base and that is still here, where it selects nothing any longer."""
    before = service_before(graph, service)
    if before is None or graph.base is None or service.type == "ExternalName" or not service.selector:
        return None
    if graph.select(service).workloads or RUNTIME_LABELS & service.selector.keys():
        return None
    served = graph.base.select(before).workloads
    lost = (one for one in graph.workloads if one.serves and workload_before(graph, one) in served)
    return next((one for one in lost if not _is_replaced(graph, one)), None)


def _is_replaced(graph: PortGraph, workload: Workload) -> bool:
    """Whether what has another name now has another Service, too: the old one is only left over."""
    old = workload_before(graph, workload)
    return old is not None and workload.key.name != old.key.name and bool(graph.services_of(workload))


def gone_services(graph: PortGraph) -> Mapping[Service, tuple[ServiceEdge, ...]]:
    """The Services of the base that are not here any longer, with the edges that reached them and still name them."""
    if graph.base is None:
        return {}
    relations = tuple(Relation)
    before = {
        (edge.relation, edge.holder, edge.whom.place)
        for edge in graph.base.asking(*relations)
        if isinstance(answer(graph.base, edge), Reached)
    }
    found: dict[Service, list[ServiceEdge]] = {}
    for edge in graph.asking(*relations):
        gone = graph.base.service(*edge.whom.place)
        known = (edge.relation, graph.before.keys.get(edge.holder), edge.whom.place) in before
        if gone is not None and known and not graph.variants(*edge.whom.place):
            found.setdefault(gone, []).append(edge)
    return {gone: tuple(edges) for gone, edges in found.items()}


def renamed(graph: PortGraph, gone: Service) -> Service | None:
    """What a Service that is gone is called now: the only new one with its selector and ports; None when there is none."""
    return next((new for new, old in graph.before.services.items() if old is gone), None)


_ASKING = (
    Relation.INGRESS,
    Relation.WEBHOOK,
    Relation.OPENSHIFT_ROUTE,
    *(one for one in Relation if one.carries_requests),
    Relation.CALLER,
)


@lru_cache(maxsize=4)
def redirected(graph: PortGraph) -> Mapping[ServiceEdge, Service]:
    """The backends that name a Service which is not here, each with the one that it reached in the base and that still is.

    Addresses that programs call change to hosts outside for good reasons: of those only the typos are among them.
    """
    base = graph.base
    absent = [
        edge
        for edge in graph.asking(*_ASKING)
        if not (edge.idle or is_placeholder(edge.whom.name) or graph.variants(*edge.whom.place))
    ]
    if base is None or not absent:
        return {}
    then = {
        edge: replace(known, apart="")
        for known, edge in identities(base, base.asking(*_ASKING))
        if isinstance(answer(base, edge), Reached)
    }
    now = {edge: _as_before(graph, known, edge) for known, edge in identities(graph, graph.asking(*_ASKING))}
    unchanged = set(now.values())
    gone = [
        edge for edge, known in then.items() if known not in unchanged and graph.variants(*edge.whom.place)
    ]
    told = then | now
    pairs = pairing.paired(
        absent,
        gone,
        lambda one: told[one].place,
        lambda one: _without_host(told[one]),
        lambda one: _field(told[one]),
    )
    return {
        new: graph.variants(*old.whom.place)[0]
        for new, old in pairs.items()
        if new.relation is not Relation.CALLER or is_near_name(new.whom.name, old.whom.name)
    }


def _as_before(graph: PortGraph, known: Identity, edge: ServiceEdge) -> Identity:
    """The identity of an edge as it was in the base, where its holder may have had another name."""
    old = graph.before.keys.get(edge.holder)
    return replace(known, apart="", holder=known.holder if old is None else who(old))


def _without_host(known: Identity) -> tuple[object, ...]:
    """The field of an edge, whatever host its text names."""
    name = known.whom[-1]
    return known.relation, known.holder, tuple(one for one in known.at if one.partition(".")[0] != name)


def _field(known: Identity) -> tuple[object, ...]:
    """The field of an edge, in whichever entries of its lists: what names an entry may be what has changed."""
    return known.relation, known.holder, tuple(one for one in known.at if not one.startswith("["))
