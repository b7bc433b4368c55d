"""What the things of a rendering were in the base revision: the state that worked is the best witness.

The same thing in both: a resource by kind, namespace and name; a container by its name, else the only one; a port by its
name, else the only one of its list, else number and protocol. Lines, list positions and other fields may move.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

from portproof.graph.answers import answer
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
from portproof.resources import ResourceKey
from portproof.yamldoc import lookup

_Port = TypeVar("_Port", ContainerPort, ServicePort)

_SAYS_WHERE_IT_LISTENS = ("image", "command", "args", "env", "envFrom", "volumeMounts")
"""Fields of a container that may tell its program another port."""


def _who(key: ResourceKey) -> Hashable:
    return key.group, key.kind, key.namespace, key.name


def service_before(graph: PortGraph, service: Service) -> Service | None:
    """The Service in the base; None when it is new, has variants, or when there is no base."""
    if graph.base is None:
        return None
    found = graph.base.variants(service.key.namespace, service.key.name)
    return found[0] if len(found) == 1 else None


def workload_before(graph: PortGraph, workload: Workload) -> Workload | None:
    """The workload in the base; None when it is new, has variants, or when there is no base."""
    if graph.base is None:
        return None
    found = [one for one in graph.base.workloads if _who(one.key) == _who(workload.key)]
    return found[0] if len(found) == 1 else None


def same_port(port: _Port, others: Sequence[_Port]) -> _Port | None:
    """The port among `others`, of another revision, that is the same as `port`."""
    if port.name_text is not None:
        named = [one for one in others if one.name_text == port.name_text]
        if len(named) == 1:
            return named[0]
    if len(others) == 1:
        return others[0]
    alike = [one for one in others if (one.number.value, one.protocol) == (port.number.value, port.protocol)]
    return alike[0] if len(alike) == 1 else None


def port_before(graph: PortGraph, service: Service, port: ServicePort) -> ServicePort | None:
    """The entry of a Service's ``ports`` in the base."""
    before = service_before(graph, service)
    return None if before is None else same_port(port, before.ports)


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
    if before is None or graph.base is None:
        return True
    if before.config_numbers != workload.config_numbers:
        return True
    old, new = _container(graph.base, before, container), _container(graph, workload, container)
    return old is None or new is None or any(old.get(one) != new.get(one) for one in _SAYS_WHERE_IT_LISTENS)


def _container(graph: PortGraph, workload: Workload, name: str) -> Any:
    found: Sequence[Container] = [one for one in workload.containers if one.name == name]
    if len(found) != 1:
        return None
    return lookup(graph.read_from[workload].data, found[0].path)


def lost_pods(graph: PortGraph, service: Service) -> Workload | None:
    """A workload that the Service selected in the base and that is still here, where it selects nothing any longer."""
    before = service_before(graph, service)
    if before is None or graph.base is None or service.type == "ExternalName" or not service.selector:
        return None
    if graph.select(service).workloads or RUNTIME_LABELS & service.selector.keys():
        return None
    served = {_who(one.key) for one in graph.base.select(before).workloads}
    return next((one for one in graph.workloads if one.serves and _who(one.key) in served), None)


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
        known = (edge.relation, edge.holder, edge.whom.place) in before
        if gone is not None and known and not graph.variants(*edge.whom.place):
            found.setdefault(gone, []).append(edge)
    return {gone: tuple(edges) for gone, edges in found.items()}


def renamed(graph: PortGraph, gone: Service) -> Service | None:
    """The one new Service that has the selector and the ports of one that is gone; None when there is none, or several."""
    found = [
        one
        for one in graph.services
        if graph.base is not None
        and not graph.base.variants(one.key.namespace, one.key.name)
        and one.selector == gone.selector
        and _numbers(one) == _numbers(gone)
    ]
    return found[0] if len(found) == 1 else None


def _numbers(service: Service) -> list[object]:
    return [one.number.value for one in service.ports]
