"""A change sends traffic to a Service that does not exist here.

In the base revision, an Ingress, a route or a webhook named a Service that had the port.
The change makes it name another one, which is not in the rendering. The first one still
is.

Why it matters:

The name does not resolve, and no request gets through. An Ingress answers 503, and the
API server cannot reach the webhook.

Severity:

* **error**: the names of the two Services differ by a typo.
* **warning**: the names differ in another way. The new Service may belong to another
  release.

Fix:

Sometimes. It sets the name back to the Service that exists. There is none for the host
that a program calls: that is a part of a longer text.

Bad::

    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 80}]
    ---
    # base
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: web, port: {name: http}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 80}]
    ---
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: storefront, port: {name: http}}}

Good::

    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 80}]
    ---
    # base
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: web, port: {name: http}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: storefront}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 80}]
    ---
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: storefront, port: {name: http}}}

Not reported when:

* there is no base revision to compare with.
* the backend missed its port in the base revision, too.
* the Service that it named is gone, too.
* the backend has the weight 0.
* the name is filled in after rendering.
* `ingress-service` or `route-backend-service` reports the typo.
* another target of the same environment has the Service.
* the name is in a variable, an argument or a ConfigMap, and is no typo: programs call
  hosts outside for good reasons.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph, Relation, Service, ServiceEdge
from portproof.graph.names import is_near_name
from portproof.graph.past import redirected
from portproof.rules.base import Finding, Label, Remedy, Severity, Trait, rule
from portproof.rules.port_references import absent_services


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each backend that a change sends away from a Service that is here, to one that is not."""
    moved = redirected(graph)
    if not moved:
        return
    routes = (Relation.INGRESS, *(one for one in Relation if one.carries_requests))
    said = {edge for edge, _ in absent_services(graph, *routes)}
    for edge, service in moved.items():
        is_mesh = not graph.mesh_hosts.shows(edge.whom, edge.holder.namespace)
        elsewhere = edge.whom.name in graph.neighbours
        if not (edge in said or elsewhere or edge.wanted == "use-annotation" or is_mesh):
            yield _finding(edge, service)


def _finding(edge: ServiceEdge, service: Service) -> Finding:
    new, old = edge.whom.name, service.key.name
    typo = is_near_name(new, old) and service.key.namespace == edge.whom.namespace
    harm = "no request gets through" if typo else "no request gets through, unless another release has it"
    site = edge.whom.site
    name = old + str(site.value).removeprefix(new)  # of a host: its namespace and domain
    # The host that a program calls is part of a text, and is not offered to be changed.
    called = edge.relation is Relation.CALLER
    return Finding(
        message=(
            f"This change sends {edge.holder} to Service/{new} instead of {service.key}, which still exists. "
            f"Service/{new} does not exist here: {harm}."
        ),
        severity=Severity.ERROR if typo else Severity.WARNING,
        primary=site,
        expected=None if called else name,
        related=tuple(Label(port.number, f"a port of {service.key}") for port in service.ports[:1]),
        remedies=() if called else (Remedy(f"set the name back to {name}", ((site, name),)),),
    )


RULE = rule(
    __name__,
    __doc__,
    severity=Severity.ERROR,
    check=check,
    traits=[Trait.SPANS_TARGETS, Trait.COMPARES, Trait.NEEDS_ALL],
)
