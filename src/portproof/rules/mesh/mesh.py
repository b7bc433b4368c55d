"""Where requests enter an Istio mesh: the servers of Gateways, the ports of hosts, and who hides a Service's ports.

Meaning: istio ``pilot/pkg/networking/core/route/route.go`` (GetDestinationCluster: without a port a destination gets the
port at which the request came in, unless its Service has only one), ``pilot/pkg/model/config.go``
(ResolveShortnameToFQDN, resolveGatewayName).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from portproof.graph import hosts, selectors
from portproof.graph.fields import indexed, mapping, scalar
from portproof.graph.labelled import Labelled
from portproof.graph.mesh_hosts import ISTIO, texts
from portproof.graph.model import PortGraph, Site, Workload
from portproof.resources import Resource

MESH = "mesh"
"""The gateway that means all sidecars."""

_HTTP = frozenset({"HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTP_PROXY"})

_Place = tuple[str, str]


class Server(Struct, frozen=True):
    """An entry of a Gateway's ``servers``; `redirects` is true when it only sends callers to HTTPS.

    `hosts` have the namespace of the Gateway where they say "this one", `bind` is empty for all addresses, and
    `ends_tls` is true when TLS is spoken there, passed through or not.
    """

    number: Site
    name: Site | None
    redirects: bool
    protocol: str
    hosts: tuple[str, ...]
    bind: str
    ends_tls: bool

    @property
    def is_http(self) -> bool:
        """Whether it is for plain HTTP, in one of Istio's words (``pkg/config/protocol/instance.go`` IsHTTP)."""
        return self.protocol in _HTTP


class Mesh(Struct, frozen=True):
    """What one rendering knows of a mesh.

    `gateways` are the servers of each Gateway, by namespace and name.
    """

    graph: PortGraph
    gateways: Mapping[_Place, tuple[Server, ...]]

    def arrivals(
        self, virtual_service: Resource, gateways: Sequence[str], *, redirecting: bool
    ) -> frozenset[int] | None:
        """The ports at which requests come in; None when they are not all known.

        `gateways` are as the resource names them; servers that only redirect count when `redirecting`.
        """
        found: set[int] = set()
        for name in gateways:
            ports = (
                self._called(virtual_service)
                if name == MESH
                else self._served(virtual_service, name, redirecting=redirecting)
            )
            if not ports:
                return None
            found |= ports
        return frozenset(found) or None

    def _called(self, virtual_service: Resource) -> frozenset[int]:
        """The ports of the Services for whose callers the resource holds; empty when one of them is not here."""
        found: set[int] = set()
        for host in texts(virtual_service, "hosts"):
            place = hosts.place(host, virtual_service.key.namespace)
            services = (
                self.graph.variants(*place) if place and place not in self.graph.mesh_hosts.replaced else ()
            )
            numbers = {port.number.value for one in services for port in one.ports}
            known = {number for number in numbers if isinstance(number, int)}
            if not known or known != numbers or any(one.type == "ExternalName" for one in services):
                return frozenset()
            found |= known
        return frozenset(found)

    def _served(self, virtual_service: Resource, gateway: str, *, redirecting: bool) -> frozenset[int]:
        """The ports of a Gateway's servers; empty when it is not here, or one of them is filled in later."""
        namespace, _, name = gateway.rpartition("/")
        if not namespace:
            name, _, rest = name.partition(".")
            namespace = rest.partition(".")[0] or virtual_service.key.namespace
        servers = self.gateways.get((namespace, name), ())
        if any(not isinstance(one.number.value, int) for one in servers):
            return frozenset()
        return frozenset(
            one.number.value
            for one in servers
            if isinstance(one.number.value, int) and (redirecting or not one.redirects)
        )


def read(graph: PortGraph) -> Mesh:
    """What a rendering knows of the mesh."""
    gateways = {(one.key.namespace, one.key.name): servers(one) for one in graph.of_kind("Gateway", ISTIO)}
    return Mesh(graph, gateways)


def servers(gateway: Resource) -> tuple[Server, ...]:
    """The servers of a Gateway that listen on a port."""
    return tuple(_servers(gateway))


def _servers(gateway: Resource) -> Iterator[Server]:
    for index, server in indexed(mapping(gateway.data.get("spec")).get("servers")):
        port, path = mapping(server.get("port")), ("spec", "servers", index, "port")
        number, name = scalar(port.get("number")), scalar(port.get("name"))
        spoken = str(port.get("protocol") or "").upper()
        named = server.get("hosts")
        if number is not None and not str(server.get("bind") or "").startswith("unix:"):
            yield Server(
                number=Site(gateway.key, (*path, "number"), number),
                name=None if name is None else Site(gateway.key, (*path, "name"), name),
                redirects=mapping(server.get("tls")).get("httpsRedirect") is True,
                protocol=spoken,
                hosts=tuple(_host(one, gateway.key.namespace) for one in named if isinstance(one, str))
                if isinstance(named, list)
                else (),
                bind=str(server.get("bind") or ""),
                ends_tls=isinstance(server.get("tls"), dict) and spoken not in _HTTP,
            )


def _host(text: str, namespace: str) -> str:
    return f"{namespace}/{text.removeprefix('./')}" if text.startswith("./") else text


def pods(graph: PortGraph) -> Labelled[Workload]:
    """The workloads of a rendering whose pods last, by their labels."""
    return Labelled((one.key.namespace, one.labels, one) for one in graph.workloads if one.serves)


def chosen(
    pods: Labelled[Workload], wanted: object, namespaces: frozenset[str] | None = None
) -> tuple[Workload, ...]:
    """The workloads with all labels that a mapping holds, in these namespaces (None: in all); none if it is empty."""
    selector = selectors.kubernetes({"matchLabels": wanted})
    return pods.matching(selector, namespaces) if selector is not None and selector.labels else ()
