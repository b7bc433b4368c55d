"""The annotation ``prometheus.io/port`` on pod templates and Services.

It is a convention of scrape configurations, not an API. The configurations that the Prometheus charts and
documentation give read it as a number, and put it behind the address of the pod: on a pod it is the container's port,
and on a Service the port of the endpoints, though others take it for the Service's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from portproof.graph import sites
from portproof.graph.fields import mapping, scalar
from portproof.graph.model import Piece, PortGraph, Service, Site, Workload
from portproof.graph.names import is_digits
from portproof.graph.numbers import numbers_in
from portproof.resources import Resource
from portproof.yamldoc import FieldPath

ANNOTATION = "prometheus.io/port"
_SWITCH = "prometheus.io/scrape"


class Scrape(Struct, frozen=True):
    """What the annotation holds at `port`: a number, or a text that is none; empty text where no value came.

    `workloads` are the pods that are scraped, `service` the Service if the annotation is one's; `others` are the
    numbers in the other annotations beside it.
    """

    port: Site
    workloads: tuple[Workload, ...]
    service: Service | None
    others: frozenset[int]


def read(graph: PortGraph) -> Iterator[Scrape]:
    """Every annotation that is switched on, of pods that last and of Services."""
    for workload in graph.workloads:
        resource = graph.read_from[workload]
        template = sites.pod_template(resource) if workload.serves else None
        if template is not None:
            for port, others in _annotation(resource, *template):
                yield Scrape(port, (workload,), None, others)
    for service in graph.services:
        resource = graph.read_from[service]
        for port, others in _annotation(resource, (), resource.data):
            yield Scrape(port, graph.select(service).workloads, service, others)


def _annotation(
    resource: Resource, path: FieldPath, holder: Mapping[str, Any]
) -> Iterator[tuple[Site, frozenset[int]]]:
    found = mapping(mapping(holder.get("metadata")).get("annotations"))
    value = scalar(found.get(ANNOTATION))
    if value is None or str(found.get(_SWITCH, "true" if value != "" else "")).lower() != "true":
        return
    where = (*path, "metadata", "annotations", ANNOTATION)
    if isinstance(value, str) and is_digits(value) and len(value) <= 5:
        port = Site(resource.key, where, int(value), Piece(0, len(value), "port"))
    else:
        port = Site(resource.key, where, value)
    yield port, numbers_in({name: text for name, text in found.items() if name != ANNOTATION})
