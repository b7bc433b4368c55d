"""Who monitors whom: an edge for each Service or workload that a monitor selects, and for each scrape annotation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from portproof.graph.model import (
    Edge,
    MatchBy,
    PodEdge,
    Pods,
    PortGraph,
    Relation,
    ServiceEdge,
    ServiceName,
    Site,
)
from portproof.rules.monitoring import scrapes
from portproof.rules.monitoring.monitors import Endpoint, FieldMeaning, Monitors
from portproof.rules.monitoring.scrapes import Scrape

_Whom = TypeVar("_Whom", ServiceName, Pods)

_BY = {
    FieldMeaning.SERVICE_NAME: MatchBy.NAME,
    FieldMeaning.NAME: MatchBy.NAME,
    FieldMeaning.NUMBER: MatchBy.NUMBER,
    FieldMeaning.EITHER: MatchBy.EITHER,
}


def edges(graph: PortGraph) -> Iterator[Edge[ServiceName | Pods]]:
    """What all monitors and annotations of a rendering ask for."""
    monitors = Monitors(graph)
    for endpoint in (*monitors.endpoints(pods=False), *monitors.endpoints(pods=True)):
        if endpoint.means is FieldMeaning.SERVICE_NAME and monitors.services(endpoint):
            yield from service_edges(monitors, endpoint)
        else:
            yield from pod_edges(monitors, endpoint)
    for scrape in scrapes.read(graph):
        yield from annotation_edges(graph, scrape)


def service_edges(monitors: Monitors, endpoint: Endpoint) -> Iterator[ServiceEdge]:
    """An edge to each Service that the monitor of `endpoint` selects, whose field means the name of a Service's port."""
    named = Site(endpoint.monitor, ("spec", "selector"), None)
    places = dict.fromkeys((one.key.namespace, one.key.name) for one in monitors.services(endpoint))
    for namespace, name in places:
        yield _edge(endpoint, ServiceName(namespace, name, named))


def pod_edges(monitors: Monitors, endpoint: Endpoint) -> Iterator[PodEdge]:
    """An edge to each workload that the monitor of `endpoint` leads to, and one for each Service whose pods are not here."""
    pods, unknown = monitors.pods(endpoint)
    found = [*(Pods(None, one) for one in unknown), *map(Pods, pods.workloads)]
    for one in found or [Pods(None, "nothing here is known to be selected")]:
        yield pod_edge(endpoint, one)


def pod_edge(endpoint: Endpoint, pods: Pods) -> PodEdge:
    """The edge of `endpoint` to these pods."""
    return _edge(endpoint, pods)


def annotation_edges(graph: PortGraph, scrape: Scrape) -> Iterator[PodEdge]:
    """An edge to each workload whose pods are scraped for an annotation of theirs, or of a Service in front of them.

    None where the annotation is empty: it asks for no port.
    """
    if scrape.port.value == "":
        return
    unknown = graph.select(scrape.service).unknown if scrape.service is not None else ""
    for pods in [Pods(one) for one in scrape.workloads] or [Pods(None, unknown)]:
        yield Edge(
            relation=Relation.SCRAPE,
            holder=scrape.port.resource,
            at=scrape.port.path,
            whom=pods,
            port=scrape.port,
            by=MatchBy.EITHER,
        )


def _edge(endpoint: Endpoint, whom: _Whom) -> Edge[_Whom]:
    return Edge(
        relation=Relation.MONITOR,
        holder=endpoint.monitor,
        at=endpoint.port.path[:-1],
        whom=whom,
        port=endpoint.port,
        by=_BY[endpoint.means],
    )
