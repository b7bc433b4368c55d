"""What sends traffic to a port of a pod, and the settings that leave it behind when they move."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby

from msgspec import Struct

from portproof.graph.answers import target_number
from portproof.graph.meant import only
from portproof.graph.model import Container, PortGraph, Service, Workload
from portproof.rules.moved_settings import MovedSetting


class LeftBehind(Struct, frozen=True):
    """Settings of one container that moved from one number to another, and what still goes to the first, in words."""

    workload: Workload
    told: tuple[MovedSetting, ...]
    number: int
    reaching: tuple[str, ...]


def left_behind(graph: PortGraph, moved: Iterable[tuple[Workload, MovedSetting]]) -> Iterator[LeftBehind]:
    """The settings of `moved` that leave a port behind to which traffic still goes."""
    for (workload, old), several in groupby(moved, key=lambda pair: (pair[0], pair[1].was)):
        told = tuple(one for _, one in several)
        first, around = told[0], around_of(graph, workload)
        port = first.port
        going = reaching(first.container, (old, None if port is None else port.name_text), old, around)
        number = only(one.number for one in told)
        # A Service may have moved along: then it is a probe that is left behind.
        if number is None or number in around.known - around.targets or not going:
            continue
        if not _is_offered(graph, workload, number):
            yield LeftBehind(workload, told, number, tuple(going))


def _is_offered(graph: PortGraph, workload: Workload, number: int) -> bool:
    """Whether it is the port of a Service of other pods: a setting that says it may call that."""
    own = graph.services_of(workload)
    return any(service not in own for service in _offered(graph).get(number, ()))


@lru_cache(maxsize=4)
def _offered(graph: PortGraph) -> Mapping[str | int | None, Sequence[Service]]:
    """The Services by the numbers of their ports."""
    found: dict[str | int | None, list[Service]] = {}
    for service in graph.services:
        for port in service.ports:
            found.setdefault(port.number.value, []).append(service)
    return found


class Around(Struct, frozen=True):
    """What a pod's containers share, found out once however many they are.

    `known` are the numbers that one of them declares, or that a Service or a probe uses, `targets` those that Services
    alone use; `sent` the numbers that each Service reaches.
    """

    known: frozenset[str | int | None]
    targets: frozenset[str | int | None]
    sent: tuple[tuple[str, frozenset[int]], ...]


def around_of(graph: PortGraph, workload: Workload) -> Around:
    """Read it from a graph."""
    services = graph.services_of(workload)
    known: set[str | int | None] = {
        port.value for container in workload.containers for port in container.ports
    }
    known |= {check.port.value for container in workload.containers for check in container.checks}
    targets = frozenset(port.target.value for service in services for port in service.ports)
    sent = (
        frozenset(number for one in service.ports if (number := target_number(one, workload)) is not None)
        for service in services
    )
    return Around(
        targets | known,
        targets - known,
        tuple((str(one.key), numbers) for one, numbers in zip(services, sent, strict=True)),
    )


def reaching(
    container: Container, values: Sequence[str | int | None], number: int, around: Around
) -> list[str]:
    """What sends traffic to a port, in words: Services to its `number`, probes to one of its `values`."""
    checks = (check for check in container.checks if check.port.value in values and not check.host)
    return [
        *(service for service, numbers in around.sent if number in numbers),
        *(f"the {check.label}" for check in checks),
    ]
