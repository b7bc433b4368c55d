"""Who else depends on a declared port: what has to move along when it is renamed or renumbered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portproof.graph.answers import resolve
from portproof.graph.meant import first_unique
from portproof.graph.model import (
    Container,
    ContainerPort,
    PortGraph,
    Service,
    ServicePort,
    Site,
    Workload,
)
from portproof.graph.names import is_near_name, port_name_problem
from portproof.graph.purpose import has_words

_AUXILIARY = (
    "admin",
    "debug",
    "health",
    "jmx",
    "live",
    "metric",
    "pprof",
    "probe",
    "prom",
    "ready",
    "status",
    "webhook",
)


def other_ports(
    graph: PortGraph, service: Service, port: ServicePort, workload: Workload
) -> Iterator[ServicePort]:
    """The Service ports that lead to the pods of `workload`, but for `port`, in whichever variant of `service`."""
    for other in graph.services_of(workload):
        for candidate in other.ports:
            if other.key != service.key or candidate.path != port.path:
                yield candidate


def reached_by_others(
    graph: PortGraph, service: Service, port: ServicePort, workload: Workload
) -> Iterator[ContainerPort]:
    """The declared ports of `workload` that Service ports other than `port` reach."""
    found = (resolve(one, workload) for one in other_ports(graph, service, port, workload))
    return (one for one in found if one is not None)


def meant_by_name(
    graph: PortGraph, service: Service, port: ServicePort, workload: Workload
) -> ContainerPort | None:
    """The declared port that a name nobody declares probably stands for; None when nothing singles one out."""
    wanted = str(port.target.value)
    declared = [one for one in workload.ports if one.protocol == port.protocol]
    taken = {one.value for one in reached_by_others(graph, service, port, workload)}
    near = [one for one in declared if one.name and is_near_name(wanted, str(one.name.value))]
    alike = [
        one
        for one in declared
        if one.value == port.number.value or (one.name and port.name and one.name.value == port.name.value)
    ]
    serving = [one for one in declared if not _is_auxiliary(str(one.name.value) if one.name else "")]
    main = [] if _is_auxiliary(wanted) or taken & {one.value for one in serving} else serving
    worded = [one for one in declared if has_words(one.name_text, wanted)]
    # One name, perhaps in several containers: Kubernetes takes the first of them too.
    return first_unique(near, worded, by=lambda one: one.name_text) or first_unique(
        alike, main, by=lambda one: one.value
    )


def _is_auxiliary(name: str) -> bool:
    """Whether the name says that the port is for health, metrics or debugging: seldom what another one stands for."""
    return any(part in name for part in _AUXILIARY)


def renaming(
    graph: PortGraph, workload: Workload, port: ContainerPort, new: str
) -> tuple[tuple[Site, str], ...]:
    """The changes that give `port` the name `new`; empty when others rely on the old one, or `new` cannot be used."""
    container = container_of(workload, port)
    if port.name is None or port_name_problem(new):
        return ()
    if any(one.name is not None and one.name.value == new for one in container.ports):
        return ()
    if any(candidate.target.value == port.name.value for candidate in _aiming_at(graph, workload, port)):
        return ()
    checks = [check.port for check in container.checks if check.port.value == port.name.value]
    return tuple((site, new) for site in (port.name, *checks))


def renumbering(
    graph: PortGraph, workload: Workload, port: ContainerPort, new: int
) -> tuple[tuple[Site, int], ...]:
    """The changes that give `port` the number `new`; empty when others rely on the old one."""
    if any(candidate.target.value == port.value for candidate in _aiming_at(graph, workload, port)):
        return ()
    return _renumbered(workload, port, new)


def moving(
    graph: PortGraph, workload: Workload, port: ContainerPort, new: int
) -> tuple[tuple[Site, int], ...]:
    """The changes that give `port` the number `new` and send the Services there that ask for it by number.

    Empty when one of them asks by its own ``port`` alone, or sends to other pods as well.
    """
    targets = []
    for service in graph.services_of(workload):
        aiming = [one for one in service.ports if resolve(one, workload) is port]
        numeric = [one.target for one in aiming if one.target.value == port.value]
        if numeric and (any(one.implicit for one in aiming) or len(graph.select(service).workloads) > 1):
            return ()
        targets += numeric
    return _renumbered(workload, port, new, targets)


def _renumbered(
    workload: Workload, port: ContainerPort, new: int, targets: Iterable[Site] = ()
) -> tuple[tuple[Site, int], ...]:
    """The changes that give `port` and what says its number the number `new`; empty when the pod has that already."""
    if any((one.value, one.protocol) == (new, port.protocol) for one in workload.ports):
        return ()
    hosts = [port.host_port] if port.host_port and port.host_port.value == port.value else []
    checks = [check.port for check in container_of(workload, port).checks if check.port.value == port.value]
    return tuple((site, new) for site in (port.number, *hosts, *checks, *targets))


def container_of(workload: Workload, port: ContainerPort) -> Container:
    """The container that declares `port`."""
    return next(
        one
        for one in workload.containers
        if port.number.path[: len(one.path)] == one.path and port in one.ports
    )


def _aiming_at(graph: PortGraph, workload: Workload, port: ContainerPort) -> Iterator[ServicePort]:
    for service in graph.services_of(workload):
        yield from (one for one in service.ports if resolve(one, workload) is port)
