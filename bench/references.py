"""The port references of a rendering and whether they arrive, by Kubernetes' own rules.

Written a second time, apart from portproof's rules, so that the mutation bench does not grade them with themselves.
Only the reading of the resources (`portproof.graph`) is shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from portproof.graph.model import ContainerPort, PortGraph, Relation, Role, ServicePort, Site, Workload
from portproof.resources import ResourceKey
from portproof.yamldoc import FieldPath

Place = tuple[ResourceKey, FieldPath]

REACHED = "reached"
MISSED = "missed"
UNKNOWN = "unknown"
"""States of a reference; any other state is the reason why a checker should keep quiet about a missed one."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A field that names a port (or Service), and the entries that it reaches: their fields begin with these places.

    `words` are what it holds where that is more than one value: the labels of a selector.
    """

    kind: str
    source: Place
    value: str | int
    ends: frozenset[Place]
    state: str
    words: tuple[str, ...] = ()


def references(graph: PortGraph) -> dict[Place, Reference]:
    """All references of a rendering by the field they stand in."""
    found = (*_of_services(graph), *_of_ingresses(graph), *_of_probes(graph), *_of_statefulsets(graph))
    return {one.source: one for one in found}


def promises(graph: PortGraph) -> dict[Place, Reference]:
    """What has to arrive in the next revision if it does in this one: references, and whom selectors and names mean.

    A Service without pods, or a name without a Service, may be right in one revision by itself; not when it was there.
    """
    return {**references(graph), **{one.source: one for one in (*_of_selectors(graph), *_of_names(graph))}}


def _of_selectors(graph: PortGraph) -> Iterator[Reference]:
    for service in graph.services:
        if service.selector:
            pods = graph.select(service).workloads
            ends = frozenset((pod.key, _labels(pod)) for pod in pods if pod.containers)
            words = tuple(sorted(service.selector.values()))
            state = REACHED if pods else MISSED
            yield Reference("selector", (service.key, ("spec", "selector")), words[0], ends, state, words)


def _labels(pod: Workload) -> FieldPath:
    """Where a pod template has its labels: beside the ``spec`` that holds its containers."""
    path = pod.containers[0].path
    return (
        *path[: path.index("containers" if "containers" in path else "initContainers") - 1],
        "metadata",
        "labels",
    )


def _of_names(graph: PortGraph) -> Iterator[Reference]:
    for edge in graph.asking(*Relation):
        if edge.wanted == "use-annotation":  # the load balancer's annotation says who is meant
            continue
        named = edge.whom.site
        services = graph.variants(*edge.whom.place)
        ends = frozenset((service.key, ("metadata", "name")) for service in services)
        state = REACHED if services else MISSED
        yield Reference(
            f"name of {edge.relation.value}", (named.resource, named.path), edge.whom.name, ends, state
        )


def _of_services(graph: PortGraph) -> Iterator[Reference]:
    """FindPort (kubernetes/endpointslice, utils.go): the protocol has to be equal, and the name or the number."""
    for service in graph.services:
        pods = graph.select(service).workloads
        for port in service.ports if pods else ():
            target = port.target.value
            if target is None or (isinstance(target, str) and target.isdigit()):
                continue
            alike = [one for pod in pods for one in _declared(pod) if one.protocol == port.protocol]
            reached = [one for one in alike if target in _answers(one, target)]
            kind = "target number" if isinstance(target, int) else "target name"
            if reached:
                state = REACHED
            elif service.headless:
                state = "headless"
            else:
                state = _missed_number(target, pods, alike) if isinstance(target, int) else MISSED
            yield _reference(kind, port.target, (one.number for one in reached), state)


def _missed_number(target: int, pods: Iterable[Workload], alike: list[ContainerPort]) -> str:
    if not alike:
        return UNKNOWN
    if any(pod.opaque for pod in pods):
        return "injected"
    return "corroborated" if any(target in _spoken_of(pod) for pod in pods) else MISSED


def _spoken_of(pod: Workload) -> set[str | int | None]:
    """Numbers in a pod's own command, args, environment, ConfigMaps, annotations and probes, and its image's own."""
    found: set[str | int | None] = {*pod.config_numbers, *pod.annotation_numbers}
    for one in pod.containers:
        if one.role is not Role.INIT:
            found.update(one.mentions, one.default_ports)
            found.update(check.port.value for check in one.checks)
    return found


def _of_ingresses(graph: PortGraph) -> Iterator[Reference]:
    for backend in graph.asking(Relation.INGRESS):
        wanted = backend.wanted
        if backend.port is None or wanted is None:
            continue
        services = graph.variants(*backend.whom.place)
        ports = [port for service in services for port in service.ports]
        reached = [port for port in ports if wanted in _service_answers(port, wanted)]
        state = REACHED if reached else MISSED if services else UNKNOWN
        kind = "ingress number" if isinstance(wanted, int) else "ingress name"
        yield _reference(kind, backend.port, (port.number for port in reached), state)


def _of_probes(graph: PortGraph) -> Iterator[Reference]:
    """A named probe port is looked up in its own container only."""
    for pod in graph.workloads:
        for container in pod.containers:
            for check in container.checks:
                wanted = check.port.value
                if isinstance(wanted, str) and not wanted.isdigit():
                    reached = [one for one in container.ports if one.name and one.name.value == wanted]
                    state = REACHED if reached else MISSED
                    yield _reference("probe name", check.port, (one.number for one in reached), state)


def _of_statefulsets(graph: PortGraph) -> Iterator[Reference]:
    for one in graph.governing:
        services = graph.variants(one.name.resource.namespace, one.name.value)
        ends = frozenset((service.key, ("metadata", "name")) for service in services)
        state = REACHED if services else MISSED
        yield Reference("serviceName", (one.name.resource, one.name.path), str(one.name.value), ends, state)


def _reference(kind: str, source: Site, reached: Iterable[Site], state: str) -> Reference:
    assert source.value is not None
    ends = frozenset((one.resource, one.path[:-1]) for one in reached)
    return Reference(kind, (source.resource, source.path), source.value, ends, state)


def _declared(pod: Workload) -> Iterator[ContainerPort]:
    for container in pod.containers:
        if container.role is not Role.INIT:
            yield from container.ports


def _answers(port: ContainerPort, target: str | int) -> tuple[str | int | None, ...]:
    return (port.number.value,) if isinstance(target, int) else (port.name.value if port.name else None,)


def _service_answers(port: ServicePort, wanted: str | int) -> tuple[str | int | None, ...]:
    return (port.number.value,) if isinstance(wanted, int) else (port.name.value if port.name else None,)
