"""An Istio VirtualService sends requests to a port that the Service does not have.

The port of a destination (`port.number`) must be a port of the Service, never a
container port. A destination names its Service by host: `web` is in the
VirtualService's own namespace, and `web.shop.svc.cluster.local` is in `shop`.

Without a port, a destination uses the only port of its Service. If there are several,
it uses the one with the number on which the request came in.

Why it matters:

Requests fail with 503, and mirrored requests are lost. A `match` on a port on which
no request comes in never applies. Istio rejects a host with a port.

Severity:

* **error**: the Service has no such port. It is also an error when a destination has
  no port, and the Service has none of the ports on which requests come in. For this,
  all of them must be known, from the servers of Gateways and the ports of the hosts'
  Services.
* **warning**: a destination has no port, a Gateway is defined elsewhere, and the
  Service has none of its usual ports (80, 443, 8080, 8443). It is also a warning when
  no request comes in on the port of a `match`. A destination of weight 0 is a
  warning, too: nothing is sent there until the weight is raised. It is also a warning
  when the Service is in another target, and nothing but names says that the two are
  deployed together.

Fix:

Sometimes. It changes the port of the destination or match, or the Service's port if
nothing else uses it. There is no fix when several ports could be meant.

Bad (the target port)::

    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: web}
    spec:
      hosts: [web.example.org]
      gateways: [public]
      http:
        - route:
            - destination: {host: web, port: {number: 8080}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Bad (the port is part of the host)::

    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: web}
    spec:
      hosts: [web.example.org]
      gateways: [public]
      http:
        - route:
            - destination: {host: "web:80"}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Bad (no port, and the gateway listens on another one)::

    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: web}
    spec:
      hosts: [web.example.org]
      gateways: [public]
      http:
        - route:
            - destination: {host: web}
    ---
    apiVersion: networking.istio.io/v1
    kind: Gateway
    metadata: {name: public}
    spec:
      selector: {istio: ingressgateway}
      servers:
        - port: {number: 80, name: http, protocol: HTTP}
          hosts: ["*"]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 8080}
        - {name: http-metrics, port: 9090}

Good::

    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: web}
    spec:
      hosts: [web.example.org]
      gateways: [public]
      http:
        - match: [{port: 80}]
          route:
            - destination: {host: web.default.svc.cluster.local, port: {number: 8080}}
    ---
    apiVersion: networking.istio.io/v1
    kind: Gateway
    metadata: {name: public}
    spec:
      selector: {istio: ingressgateway}
      servers:
        - port: {number: 80, name: http, protocol: HTTP}
          hosts: ["*"]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 8080}
        - {name: http-metrics, port: 9090}

Not reported when:

* no target that is deployed together with this one has the Service.
* the host is a wildcard.
* the host is outside the cluster.
* a ServiceEntry describes the host.
* `exportTo` hides the Service from other namespaces.
* the Service is of type ExternalName.
* the port is a placeholder, such as `${PORT}`.
* a `match` depends on a Gateway or a host's Service that is defined elsewhere.
* a destination without a port depends on a Gateway or a host's Service that is
  defined elsewhere, apart from the warning above.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from portproof.graph.answers import has, missed
from portproof.graph.meant import only
from portproof.graph.mesh_hosts import ISTIO, texts
from portproof.graph.model import PortGraph, Relation, Service, ServiceEdge, Site
from portproof.graph.phrasing import listing, offered
from portproof.resources import Resource
from portproof.rules.base import Finding, Label, Remedy, Severity, Trait, rule
from portproof.rules.mesh import mesh
from portproof.rules.mesh.edges import matches
from portproof.rules.port_references import finding
from portproof.yamldoc import lookup

_JOINED = re.compile(r"(?P<host>[a-z0-9.-]+):(?P<port>[0-9]{1,5})")
_USUAL = (80, 443, 8080, 8443)
"""The ports on which Gateways listen, nearly always."""


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each destination port that is not there, and each match that no request meets."""
    known = mesh.read(graph)
    resources = {one.key: one for one in graph.of_kind("VirtualService", ISTIO)}
    for edge in graph.asking(Relation.VIRTUAL_SERVICE):
        joined = _JOINED.fullmatch(str(edge.whom.site.value))
        if joined is not None:
            yield _joined(edge, joined["host"])
        elif not graph.mesh_hosts.shows(edge.whom, edge.holder.namespace):
            continue
        elif edge.port is not None:
            services = missed(graph, edge)
            if services:
                yield _missing(graph, edge, services)
        else:
            yield from _without_port(known, resources[edge.holder], edge)
    for resource in resources.values():
        yield from _matches(known, resource)


def _missing(graph: PortGraph, edge: ServiceEdge, services: Sequence[Service]) -> Finding:
    copies = "mirror" in edge.at or "mirrors" in edge.at
    return finding(
        graph,
        edge,
        services,
        does="mirrors traffic to" if copies else "sends traffic to",
        so="mirrored requests are lost" if copies else "requests fail with 503",
    )


def _joined(edge: ServiceEdge, host: str) -> Finding:
    return Finding(
        message=(
            f"{edge.holder} sends traffic to the host {str(edge.whom.site.value)!r}, but Istio rejects a host "
            "with a port: set `port.number` instead."
        ),
        severity=Severity.ERROR,
        primary=edge.whom.site,
        expected=host if edge.port is not None else None,
        remedies=(Remedy(f"set the host to {host}", ((edge.whom.site, host),)),)
        if edge.port is not None
        else (),
    )


def _without_port(known: mesh.Mesh, resource: Resource, edge: ServiceEdge) -> Iterator[Finding]:
    """What to say of a destination without a port whose Service has several."""
    services = known.graph.variants(edge.whom.namespace, edge.whom.name)
    stated = lookup(resource.data, (*edge.whom.site.path[:-1], "port"))
    if stated or not services or any(len(one.ports) < 2 for one in services):
        return
    gateways = texts(resource, "gateways") or (mesh.MESH,)
    arriving = known.arrivals(resource, gateways, redirecting=False)
    expected = sorted(arriving) if arriving else [] if mesh.MESH in gateways else list(_USUAL)
    if not expected or any(has(one, number, protocol="TCP") for one in services for number in expected):
        return
    numbers = listing(map(str, expected))
    why = f"Requests come in on {numbers}" if arriving else f"Gateways usually listen on {numbers}"
    yield Finding(
        message=(
            f"{edge.holder} sends traffic to {services[0].key} without a port, so Istio uses the port of the incoming "
            f"request. {why}, but the Service has {offered(services[0].ports)}: set `port.number`."
        ),
        severity=Severity.ERROR if arriving and not edge.idle else Severity.WARNING,
        primary=edge.whom.site,
        related=_shown(services),
    )


def _shown(services: Sequence[Service]) -> tuple[Label, ...]:
    service = services[0]
    return tuple(Label(one.name or one.number, f"a port of {service.key}") for one in service.ports[:3])


def _matches(known: mesh.Mesh, resource: Resource) -> Iterator[Finding]:
    """Matches on ports at which no request comes in."""
    for _, site, gateways in matches(resource):
        arriving = known.arrivals(resource, gateways, redirecting=True)
        if isinstance(site.value, int) and arriving is not None and site.value not in arriving:
            yield _unmet(site, sorted(arriving))


def _unmet(site: Site, arriving: Sequence[int]) -> Finding:
    single = only(arriving)
    return Finding(
        message=(
            f"{site.resource} matches requests on port {site.value}, but they come in only on "
            f"{listing(map(str, arriving))}: the match never applies."
        ),
        severity=Severity.WARNING,
        primary=site,
        expected=single,
        remedies=() if single is None else (Remedy(f"set the port to {single}", ((site, single),)),),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.SPANS_TARGETS])
