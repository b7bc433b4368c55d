"""A Traefik route asks for a port that the Service does not have.

Routes (`IngressRoute`, `IngressRouteTCP`, `IngressRouteUDP`), a `TraefikService` and
the `errors` middleware name a port of the Service, by number or by name, and never a
container port. A number in quotes is a name.

Why it matters:

Traefik logs that it did not find the service port, and drops the whole route.
Requests get 404 (traefik/traefik `pkg/provider/kubernetes/crd/kubernetes.go`,
getServicePort).

Severity:

* **warning**: the Service is in another target, and nothing but names says that the
  two are deployed together.
* **error**: otherwise. A weight of 0 makes no difference, because Traefik drops the
  whole route.

Fix:

Sometimes. It changes the port of the route, or the Service's port if nothing else
uses it. There is no fix when the route names no port, or several could be meant.

Bad (the target port)::

    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: web}
    spec:
      routes:
        - kind: Rule
          match: Host(`web.example.org`)
          services:
            - {name: web, port: 8080}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Bad (no port)::

    apiVersion: traefik.io/v1alpha1
    kind: TraefikService
    metadata: {name: web}
    spec:
      weighted:
        services:
          - {name: web, weight: 1}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Good::

    apiVersion: traefik.io/v1alpha1
    kind: IngressRoute
    metadata: {name: web}
    spec:
      routes:
        - kind: Rule
          match: Host(`web.example.org`)
          services:
            - {name: web, port: 80}
        - kind: Rule
          match: Host(`www.example.org`)
          services:
            - {name: web, port: http}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Not reported when:

* no target that is deployed together with this one has the Service in that namespace.
* the Service is of type ExternalName.
* the reference is to a `TraefikService`.
* the reference is to a service of another provider (`api@internal`).
* the port is a placeholder, such as `${PORT}`.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.answers import missed
from portproof.graph.model import PortGraph, Relation, Service, ServiceEdge
from portproof.graph.phrasing import offered
from portproof.replacing import replace
from portproof.rules.base import Finding, Severity, Trait, rule
from portproof.rules.port_references import finding


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that the Service does not have, and for each Service named without one."""
    for edge in graph.asking(Relation.TRAEFIK):
        whole = replace(edge, idle=False)  # whatever its weight, the route that it is part of is lost
        services = missed(graph, whole)
        if services:
            yield finding(graph, whole, services, does="sends traffic to", so="Traefik drops the route")
        elif edge.port is None:
            known = graph.variants(edge.whom.namespace, edge.whom.name)
            if known and not any(one.type == "ExternalName" for one in known):
                yield _without_port(edge, known[0])


def _without_port(edge: ServiceEdge, service: Service) -> Finding:
    return Finding(
        message=(
            f"{edge.holder} sends traffic to {service.key} without a port: Traefik drops the route. "
            f"Add `port`; the Service has {offered(service.ports)}."
        ),
        severity=Severity.ERROR,
        primary=edge.whom.site,
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.SPANS_TARGETS])
