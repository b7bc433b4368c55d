"""A container that declares another port than the one on which its program listens: what the rules about it share."""

from __future__ import annotations

from collections.abc import Collection

from portproof.graph.answers import resolve
from portproof.graph.model import Container, ContainerPort, PortGraph, Role, Workload


def may_be_misdeclared(
    workload: Workload, container: Container, port: ContainerPort, listening: Collection[int]
) -> bool:
    """Whether `port` may be wrong, where the program listens on `listening`: nothing of the pod mentions it or contacts those."""
    others = [one for one in workload.containers if one.role is not Role.INIT]
    if any(not one.ports for one in others) or not isinstance(port.number.value, int):
        return False
    known = {check.port.value for check in container.checks} | {port.value}
    return not known & set(listening) and not _is_said(workload, port.value)


def is_mentioned(workload: Workload, number: int) -> bool:
    """Whether something of the pod mentions the number, a probe included."""
    probed = {check.port.value for one in workload.containers for check in one.checks}
    return number in probed or _is_said(workload, number)


def _is_said(workload: Workload, number: int) -> bool:
    """Whether something other than the probes mentions the number: they repeat the declaration."""
    running = [one.mentions for one in workload.containers if one.role is not Role.INIT]
    return number in frozenset().union(*running, workload.config_numbers, workload.annotation_numbers)


def reaching(
    graph: PortGraph,
    workload: Workload,
    container: Container,
    port: ContainerPort,
    listening: Collection[int],
) -> list[str]:
    """What sends traffic to `port`, in words; nothing when a Service knows that the program is at `listening`."""
    services = graph.services_of(workload)
    if any(one.target.value in listening for service in services for one in service.ports):
        return []
    values = (port.value, port.name_text)
    checks = (check for check in container.checks if check.port.value in values and not check.host)
    going = (one for one in services if any(resolve(each, workload) is port for each in one.ports))
    return [*dict.fromkeys(str(one.key) for one in going), *(f"the {check.label}" for check in checks)]
