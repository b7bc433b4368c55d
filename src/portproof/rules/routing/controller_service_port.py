"""A gateway's own route resource asks for a port that the Service does not have.

Besides Ingress, many controllers have resources of their own that name a port of
a *Service*: never the port of the container. Read are

* NGINX `VirtualServer`, `VirtualServerRoute`, `TransportServer` (a number),
* Kong `TCPIngress`, `UDPIngress` (a number),
* APISIX `ApisixRoute` (a number or a name),
* Gloo `VirtualService`, `RouteTable`, `Upstream` (a number),
* Emissary `Mapping`, `TCPMapping` (`service: web.shop:80`),
* the ConfigMaps with the TCP and UDP services of ingress-nginx and HAProxy
  (`"9000": shop/queue:5672`): those that an argument like
  `--tcp-services-configmap` names, and those called `tcp-services` or
  `udp-services` (a number or a name, of a port with that protocol).

Bad (the target port)::

    apiVersion: k8s.nginx.org/v1
    kind: VirtualServer
    metadata: {name: web}
    spec:
      host: web.example.org
      upstreams:
        - {name: web, service: web, port: 8080}
      routes:
        - {path: /, action: {pass: web}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Bad (in an address)::

    apiVersion: getambassador.io/v3alpha1
    kind: Mapping
    metadata: {name: web}
    spec: {hostname: "*", prefix: /, service: "http://web.default:8080"}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Bad (a service of TCP)::

    apiVersion: v1
    kind: ConfigMap
    metadata: {name: tcp-services, namespace: ingress-nginx}
    data:
      "9000": "default/queue:15672"
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: queue}
    spec:
      selector: {app: queue}
      ports:
        - {name: amqp, port: 5672, targetPort: 5672}

Good::

    apiVersion: k8s.nginx.org/v1
    kind: VirtualServer
    metadata: {name: web}
    spec:
      host: web.example.org
      upstreams:
        - {name: web, service: web, port: 80}
      routes:
        - {path: /, action: {pass: web}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

What comes of it: the controller finds no endpoints for the port, or (Emissary)
connects to a port on which the Service does not answer, and the route fails.
(nginx/kubernetes-ingress `internal/k8s/controller.go`,
Kong/kubernetes-ingress-controller `translate_upstreams.go`,
apache/apisix-ingress-controller `apisixroute_controller.go`, solo-io/gloo
`proxy.proto`, emissary-ingress/emissary `irbasemapping.py`,
kubernetes/ingress-nginx `controller.go`)

Silent when the Service is not in the rendering (or in another namespace of it),
when it is an ExternalName, for placeholders (`${PORT}`), and for a Mapping
that names no port, that names another resolver than Kubernetes' DNS, or whose
Service is headless (clients then reach the container's port); and of ConfigMaps
for all others, and for entries that are not of that shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from portproof.graph import hosts, sites
from portproof.graph.answers import missed
from portproof.graph.fields import mapping
from portproof.graph.model import Edge, MatchBy, Piece, PortGraph, Relation, ServiceEdge, ServiceName, Site
from portproof.resources import Resource
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.port_references import finding

_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?P<host>[a-z0-9.-]+):(?P<port>[1-9][0-9]{0,4})/?")


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that the Service does not have."""
    for edge in graph.asking(Relation.CONTROLLER):
        services = missed(graph, edge)
        if services:
            yield finding(graph, edge, services, does="sends traffic to", so="no request gets through")
    for kind in ("Mapping", "TCPMapping"):
        for resource in graph.of_kind(kind, "getambassador.io"):
            for edge in _addressed(resource):
                services = missed(graph, edge)
                if services and not any(one.headless for one in services):
                    yield finding(
                        graph, edge, services, does="sends traffic to", so="no request gets through"
                    )


def _addressed(resource: Resource) -> Iterator[ServiceEdge]:
    """The port in a Mapping's ``service``; a name without a namespace is one of the Mapping's (``irbasemapping.py``)."""
    for path, text in sites.find("spec.service", resource.data):
        found = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
        place = hosts.place(found["host"], resource.key.namespace) if found else None
        if found is None or place is None or mapping(resource.data.get("spec")).get("resolver"):
            continue
        piece = Piece(found.start("port"), found.end("port"), "port")
        yield Edge(
            relation=Relation.CONTROLLER,
            holder=resource.key,
            at=path[:-1],
            whom=ServiceName(place[0], place[1], Site(resource.key, path, text), stated="." in found["host"]),
            port=Site(resource.key, path, int(found["port"]), piece),
            by=MatchBy.NUMBER,
        )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
