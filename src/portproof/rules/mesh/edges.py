"""What Istio's own objects ask for: servers of Gateways, listeners of Sidecars, matches of VirtualServices.

A Gateway's server opens a port of the Gateway's pods, and clients come in through the Services in front of them, at their
own port or at that of the pods. A Sidecar's listener is a port of the pods, and so is the one it passes requests on to. A
match with a port asks the Services for whose callers it holds; one for a Gateway asks that for a server, which is nobody's
port here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from portproof.graph import hosts, sites
from portproof.graph.answers import node_ports, numbers_behind
from portproof.graph.fields import indexed, labels, mapping, scalar
from portproof.graph.labelled import Labelled
from portproof.graph.mesh_hosts import ISTIO, texts
from portproof.graph.model import (
    Edge,
    MatchBy,
    Piece,
    PodEdge,
    Pods,
    PortGraph,
    Relation,
    Service,
    ServiceEdge,
    ServiceName,
    Site,
    Workload,
)
from portproof.graph.names import is_placeholder
from portproof.resources import Resource
from portproof.rules.mesh import mesh
from portproof.yamldoc import FieldPath

ENDPOINT = re.compile(r"(?:127\.0\.0\.1|0\.0\.0\.0|\[::1?\])?:(?P<port>[1-9][0-9]{0,4})")
"""Where a Sidecar passes requests on to: a port of the pod itself."""

_MATCHES = ("spec.http[*].match[*]", "spec.tcp[*].match[*]", "spec.tls[*].match[*]")


def edges(graph: PortGraph) -> Iterator[Edge[ServiceName | Pods]]:
    """What all Gateways, Sidecars and matches of a rendering ask for."""
    fronts, pods = Fronts(graph), mesh.pods(graph)
    for gateway in graph.of_kind("Gateway", ISTIO):
        front = fronts.of(gateway)
        for server in mesh.servers(gateway):
            yield from server_edges(server, front, front.services)
    for sidecar in graph.of_kind("Sidecar", ISTIO):
        selected = selected_by(sidecar, pods)
        for listener in listeners(sidecar):
            yield from _to_pods(listener.number, listener.at, selected)
            yield from _to_pods(listener.endpoint, listener.at, selected)
    for virtual_service in graph.of_kind("VirtualService", ISTIO):
        for at, port, gateways in matches(virtual_service):
            if mesh.MESH in gateways:
                yield from _of_match(virtual_service, at, port)


class Front(Struct, frozen=True):
    """The Services through which clients come in to the pods of a Gateway.

    `unknown` is empty, or says why clients may come in otherwise. `having` are the Services that may have a port, by its
    number; under None, one that stands for all others.
    """

    services: tuple[Service, ...]
    having: Mapping[object, Sequence[Service]]
    unknown: str

    def likely(self, number: object) -> Sequence[Service]:
        """The Services that need to be asked for a port: thousands may stand in front, and be asked by thousands."""
        return (*self.having.get(number, ()), *self.having.get(None, ()))


class Fronts:
    """What stands in front of the pods of Gateways; most Gateways share one."""

    def __init__(self, graph: PortGraph) -> None:
        """Sort the workloads of `graph` by their labels."""
        self._graph = graph
        self._pods = mesh.pods(graph)
        self._known: dict[tuple[tuple[str, str], ...], Front] = {}

    def of(self, gateway: Resource) -> Front:
        """What stands in front of the pods that a Gateway selects."""
        selector = labels(mapping(gateway.data.get("spec")).get("selector"))
        key = tuple(sorted(selector.items()))
        if key not in self._known:
            self._known[key] = self._front(mesh.chosen(self._pods, selector))
        return self._known[key]

    def _front(self, pods: Sequence[Workload]) -> Front:
        services = tuple(dict.fromkeys(one for pod in pods for one in self._graph.services_of(pod)))
        unknown = ""
        if not pods:
            unknown = "its pods are not in this rendering"
        elif any(one.host_network for one in pods):
            unknown = "its pods use the network of their nodes"
        elif not all(self._graph.services_of(one) for one in pods):
            unknown = "no Service here leads to its pods"
        return Front(services, self._having(services), unknown)

    def _having(self, services: Sequence[Service]) -> Mapping[object, Sequence[Service]]:
        found: dict[object, list[Service]] = {}
        others = list(services[:1])
        for service in services:
            reached = numbers_behind(self._graph, [service])
            numbers: frozenset[object] = frozenset(
                {*(one.number.value for one in service.ports), *(reached or ())}
            )
            if reached is None or any(map(is_placeholder, numbers)):
                others = [service]
            for number in numbers | node_ports(self._graph.select(service).workloads):
                found.setdefault(number, []).append(service)
        return {**found, None: others}


def server_edges(
    server: mesh.Server, front: Front, services: Sequence[Service]
) -> Iterator[Edge[ServiceName | Pods]]:
    """An edge to each of the `services` through which clients may come in to a Gateway's server."""
    if front.unknown:
        yield _of_server(server, Pods(None, front.unknown))
        return
    named = Site(server.number.resource, ("spec", "selector"), None)
    for one in services:
        yield _of_server(server, ServiceName(one.key.namespace, one.key.name, named))


def _of_server(server: mesh.Server, whom: ServiceName | Pods) -> Edge[ServiceName | Pods]:
    return Edge(
        relation=Relation.GATEWAY,
        holder=server.number.resource,
        at=server.number.path[:-2],
        whom=whom,
        port=server.number,
        by=MatchBy.EXPOSED,
    )


class SidecarListener(Struct, frozen=True):
    """An entry of a Sidecar's ``ingress`` at `at`.

    `number` is the port at which requests reach the pods, `endpoint` that to which they are passed on; each None when the
    field is absent or no port. `text` is what ``defaultEndpoint`` holds, empty when that is no text.
    """

    at: FieldPath
    number: Site | None
    endpoint: Site | None
    text: Site


def listeners(sidecar: Resource) -> Iterator[SidecarListener]:
    """The listeners for incoming requests that a Sidecar has."""
    for index, entry in indexed(mapping(sidecar.data.get("spec")).get("ingress")):
        at = ("spec", "ingress", index)
        number = scalar(mapping(entry.get("port")).get("number"))
        where, stated = (*at, "defaultEndpoint"), entry.get("defaultEndpoint")
        text = stated if isinstance(stated, str) else ""
        found = ENDPOINT.fullmatch(text)
        piece = Piece(found.start("port"), found.end("port"), "port") if found else None
        yield SidecarListener(
            at,
            number=None if number is None else Site(sidecar.key, (*at, "port", "number"), number),
            endpoint=Site(sidecar.key, where, int(found["port"]), piece) if found else None,
            text=Site(sidecar.key, where, text),
        )


def selected_by(sidecar: Resource, pods: Labelled[Workload]) -> tuple[Workload, ...]:
    """The workloads to which a Sidecar applies, as far as it names labels."""
    selector = mapping(mapping(sidecar.data.get("spec")).get("workloadSelector")).get("labels")
    return mesh.chosen(pods, selector, frozenset({sidecar.key.namespace}))


def _to_pods(port: Site | None, at: FieldPath, selected: Sequence[Workload]) -> Iterator[PodEdge]:
    if port is not None:
        for one in [*map(Pods, selected)] or [Pods(None, "no workload here is known to be selected")]:
            yield sidecar_edge(port, at, one)


def sidecar_edge(port: Site, at: FieldPath, pods: Pods) -> PodEdge:
    """The edge of a port of a Sidecar's listener at `at`, to these pods."""
    return Edge(
        relation=Relation.SIDECAR,
        holder=port.resource,
        at=at,
        whom=pods,
        port=port,
        by=MatchBy.NUMBER,
        protocol="TCP",
    )


def matches(
    virtual_service: Resource,
) -> Iterator[tuple[FieldPath, Site, tuple[str, ...]]]:
    """The matches of a VirtualService that state a port: each with its place, the port, and the gateways it is for."""
    for text in _MATCHES:
        for path, match in sites.find(text, virtual_service.data):
            number = scalar(mapping(match).get("port"))
            stated = mapping(match).get("gateways")
            own = tuple(one for one in stated if isinstance(one, str)) if isinstance(stated, list) else ()
            gateways = own or texts(virtual_service, "gateways") or (mesh.MESH,)
            if number is not None:
                yield path, Site(virtual_service.key, (*path, "port"), number), gateways


def _of_match(virtual_service: Resource, at: FieldPath, port: Site) -> Iterator[ServiceEdge]:
    for index, host in enumerate(texts(virtual_service, "hosts")):
        place = hosts.place(host, virtual_service.key.namespace)
        if place is not None:
            named = Site(virtual_service.key, ("spec", "hosts", index), host)
            yield Edge(
                relation=Relation.MATCH,
                holder=virtual_service.key,
                at=at,
                whom=ServiceName(*place, named, stated="." in host),
                port=port,
                by=MatchBy.NUMBER,
                protocol="TCP",
            )
