"""Declared ports that a change moved together with the Services that reach them, while nothing tells the program."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from portproof.graph.answers import resolve
from portproof.graph.evidence import numbers_in_pod_spec, running
from portproof.graph.images import is_version_known
from portproof.graph.model import Container, ContainerPort, PortGraph, Role, Service, Workload
from portproof.graph.past import container_before, declared_before, program_changed, reached_before
from portproof.graph.weighing import numbers_of_policies

_VERSION = re.compile(r"@sha256:|:[^/:\d]*\d[^/:]*\Z")


class MovedPort(Struct, frozen=True):
    """A `port` of a container that `was` another number in the base; the Services `going` there came along.

    `is_known`: the image is one that listens on the old number by default. Else the Dockerfile that builds it says so.
    """

    workload: Workload
    container: Container
    port: ContainerPort
    was: int
    going: tuple[Service, ...]
    is_known: bool


def moved_ports(graph: PortGraph) -> Iterator[MovedPort]:
    """Every such port of a rendering; none without a base."""
    if graph.base is None:
        return
    for workload in graph.workloads:
        if workload.opaque or workload.host_network or any(not one.ports for one in running(workload)):
            continue
        for container in workload.containers:
            yield from _of(graph, workload, container)


def _of(graph: PortGraph, workload: Workload, container: Container) -> Iterator[MovedPort]:
    before = container_before(graph, workload, container)
    if container.role is Role.INIT or before is None or _VERSION.search(container.image) is None:
        return
    then = declared_before(graph, workload)
    for port in container.ports:
        old = then.get(port)
        if old is None or old.value == port.value or port.protocol != "TCP":
            continue
        known = old.value in container.default_ports and is_version_known(container.image)
        going = _following(graph, workload, port, old) if known or container.built_port == old.value else []
        if going and _is_told_nowhere(graph, workload, container, (old.value, port.value)):
            yield MovedPort(workload, container, port, old.value, tuple(going), known)


def _following(
    graph: PortGraph, workload: Workload, port: ContainerPort, old: ContainerPort
) -> list[Service]:
    """The Services that reached the port in the base, and reach it now."""
    return [
        service
        for service in graph.services_of(workload)
        if any(
            resolve(one, workload) is port and reached_before(graph, service, one, workload) is old
            for one in service.ports
        )
    ]


def _is_told_nowhere(
    graph: PortGraph, workload: Workload, container: Container, numbers: tuple[int, int]
) -> bool:
    """Whether nothing but declarations, Services and what is in the image speaks of the two numbers."""
    old, new = numbers
    if program_changed(graph, workload, container.name) or any(one.value == old for one in container.ports):
        return False
    if container.built is not None:
        return container.built_port == old
    said = numbers_in_pod_spec(workload) | numbers_of_policies(graph)
    return old not in said and new not in said | set(container.default_ports)
