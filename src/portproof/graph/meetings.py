"""Which numbers work in a target: a Service sends to one, and the program behind it declares it or is told it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from portproof.graph.answers import answer, targets
from portproof.graph.evidence import running
from portproof.graph.images import is_placeholder_image, name_of
from portproof.graph.model import Container, ContainerPort, PortGraph, Reached, ServicePort, Workload
from portproof.resources import ResourceKey
from portproof.source import RelPath
from portproof.yamldoc import FieldPath


class Meeting(Struct, frozen=True):
    """A Service of `target` (its id) that sends to `number`, and pods whose container declares it, or else is `told` it.

    It is told by its settings, a probe or its image. `image` is as `image_of` says. `file` is where the Service is written, as
    far as the renderer says so.
    """

    target: str
    service: ResourceKey
    workload: ResourceKey
    image: str
    number: int
    told: bool
    file: RelPath | None = None


def meetings(graph: PortGraph, target: str) -> tuple[Meeting, ...]:
    """All of the target with this id, in the order of the rendering."""
    return tuple(dict.fromkeys(_meetings(graph, target)))


def image_of(workload: Workload, container: Container) -> str:
    """What the container runs, without the tag; empty where that is unknown or is an official image for anything.

    Many different programs run as ``nginx`` or ``python``. An image that the container is called after is one program.
    """
    name = name_of(container.image)
    official = "/" not in name
    return "" if official and is_placeholder_image(name, container.name, workload.key.name) else name


def _meetings(graph: PortGraph, target: str) -> Iterator[Meeting]:
    images: dict[tuple[Workload, FieldPath], str] = {}  # one text for all ports of a container
    for service in graph.services:
        file = graph.read_from[service].document.source
        for port in service.ports:
            for edge in targets(graph, service, port):
                workload, reply = edge.whom.workload, answer(graph, edge)
                if workload is None:
                    continue
                ends = reply.ports if isinstance(reply, Reached) else ()
                for container, number, told in _met(workload, port, ends):
                    image = images.setdefault((workload, container.path), image_of(workload, container))
                    yield Meeting(target, service.key, workload.key, image, number, told, file)


def _met(
    workload: Workload, port: ServicePort, ends: Iterable[ContainerPort | ServicePort]
) -> Iterator[tuple[Container, int, bool]]:
    declared = [one for one in ends if isinstance(one, ContainerPort)]
    number = port.target.value
    for container in running(workload):
        yield from ((container, one.value, False) for one in declared if one.container == container.name)
        if not declared and isinstance(number, int) and number in _told(container):
            yield container, number, True


def _told(container: Container) -> frozenset[object]:
    probed = (one.port.value for one in container.checks if not one.is_hook)
    return container.mentions.union(probed, container.default_ports)
