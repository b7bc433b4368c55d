"""An Istio Gateway listens on a port that no Service of its pods exposes.

The pods that a Gateway's `selector` matches open a listener on the port of each
server. Clients come in through the Services in front of these pods. So the number
must be a `port` or a `targetPort` of one of them. Two servers must not share a port
name.

Why it matters:

Clients cannot connect to a port that no Service exposes (istioctl's IST0162). Istio
rejects a Gateway whose servers share a port name
(`pkg/config/validation/validation.go`).

Severity:

* **error**: two servers share a port name.
* **warning**: no Service exposes the port. One may exist elsewhere.

Fix:

Sometimes. If the number is a near miss of one Service port, it sets that port. There
is no fix for a shared port name.

Bad::

    apiVersion: networking.istio.io/v1
    kind: Gateway
    metadata: {name: public}
    spec:
      selector: {istio: ingress}
      servers:
        - port: {number: 8081, name: http, protocol: HTTP}
          hosts: ["*"]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: ingress}
    spec:
      selector: {istio: ingress}
      ports:
        - {name: http, port: 80, targetPort: 8080}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ingress}
    spec:
      selector: {matchLabels: {istio: ingress}}
      template:
        metadata: {labels: {istio: ingress}}
        spec:
          containers:
            - {name: proxy, image: proxy, ports: [{containerPort: 8080}]}

Bad (a name twice)::

    apiVersion: networking.istio.io/v1
    kind: Gateway
    metadata: {name: public}
    spec:
      selector: {istio: ingressgateway}
      servers:
        - port: {number: 80, name: http, protocol: HTTP}
          hosts: ["web.example.org"]
        - port: {number: 8080, name: http, protocol: HTTP}
          hosts: ["api.example.org"]

Good::

    apiVersion: networking.istio.io/v1
    kind: Gateway
    metadata: {name: public}
    spec:
      selector: {istio: ingress}
      servers:
        - port: {number: 80, name: http, protocol: HTTP}
          hosts: ["*"]
        - port: {number: 8443, name: https, protocol: HTTPS}
          hosts: ["*"]
          tls: {mode: SIMPLE, credentialName: web}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: ingress}
    spec:
      selector: {istio: ingress}
      ports:
        - {name: http, port: 80, targetPort: 8080}
        - {name: https, port: 443, targetPort: 8443}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ingress}
    spec:
      selector: {matchLabels: {istio: ingress}}
      template:
        metadata: {labels: {istio: ingress}}
        spec:
          containers:
            - name: proxy
              image: proxy
              ports: [{containerPort: 8080}, {containerPort: 8443}]

Not reported when:

* the rendered manifests do not contain the Gateway's pods or a Service in front of
  them, which is usual for Istio's own ingress gateway.
* the pods use the host's network.
* a `hostPort` of the pods has that number.
* a named target port cannot be resolved.
* the Gateway has no selector.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.answers import answer
from portproof.graph.evidence import is_near_miss
from portproof.graph.meant import only
from portproof.graph.mesh_hosts import ISTIO
from portproof.graph.model import Missed, PortGraph, Service
from portproof.graph.phrasing import offered
from portproof.resources import Resource
from portproof.rules.base import Finding, Label, Remedy, Severity, rule
from portproof.rules.mesh import mesh
from portproof.rules.mesh.edges import Fronts, server_edges

_SHOWN = 3
"""Services that a message names."""


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each server that nobody can reach, and each name that is there twice."""
    gateways = graph.of_kind("Gateway", ISTIO)
    if not gateways:
        return
    fronts = Fronts(graph)
    for gateway in gateways:
        yield from _shared_names(gateway)
        front = fronts.of(gateway)
        for server in mesh.servers(gateway):
            asked = front.likely(server.number.value)
            found = [answer(graph, one) for one in server_edges(server, front, asked)]
            if isinstance(server.number.value, int) and all(isinstance(one, Missed) for one in found):
                yield _hidden(server, front.services)


def _shared_names(gateway: Resource) -> Iterator[Finding]:
    seen: dict[object, mesh.Server] = {}
    for server in mesh.servers(gateway):
        if server.name is None or not server.name.value:
            continue
        first = seen.setdefault(server.name.value, server)
        if first is not server and first.name is not None:
            yield Finding(
                message=(
                    f"{gateway.key} has two servers with the port name {str(server.name.value)!r}: Istio rejects the Gateway."
                ),
                severity=Severity.ERROR,
                primary=server.name,
                related=(Label(first.name, "the first server"),),
            )


def _hidden(server: mesh.Server, services: Sequence[Service]) -> Finding:
    site = server.number
    ports = [port for service in services for port in service.ports]
    near = {
        port.number.value: port
        for port in ports
        if isinstance(port.number.value, int)
        and isinstance(site.value, int)
        and is_near_miss(port.number.value, site.value)
    }
    meant = only(near)
    offers = "; ".join(f"{one.key} has {offered(one.ports)}" for one in services[:_SHOWN])
    return Finding(
        message=(
            f"{site.resource} listens on port {site.value}, but no Service of its pods exposes it, so clients cannot "
            f"connect: {offers}."
        ),
        severity=Severity.WARNING,
        primary=site,
        expected=meant,
        related=tuple(
            Label(one.name or one.number, "exposed here")
            for one in (near.values() if near else ports[:_SHOWN])
        ),
        remedies=() if meant is None else (Remedy(f"set the port to {meant}", ((site, meant),)),),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
