"""A change points a reference at a Service that does not exist here.

In the base revision, an Ingress, a route, a webhook, a monitor or a caller reached a
Service. That Service is still here, but the reference now names another one, which
no resource here creates.

Why it matters:

The name does not resolve unless another release brings the Service. An Ingress
answers 503, a caller gets "no such host", and the API server rejects what a webhook
was to admit.

Severity:

* **error**: the new name differs from the old one by a typo.
* **warning**: the new name is a different one. The Service may be in another release.

Fix:

Sometimes. It sets the name that the base revision has. There is none when the name is
a part of a longer text.

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
* the reference did not reach its port in the base revision either.
* the Service that it reached is gone, too: `service-gone` reports that.
* another target that is deployed together with this one has the Service.
* `ingress-service` or `route-backend-service` reports the name as a typo.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph, Relation, Site
from portproof.graph.names import is_near_name
from portproof.graph.strayed import Strayed, strayed
from portproof.rules.base import Finding, Label, Remedy, Severity, rule
from portproof.rules.port_references import absent_services

_ROUTES = (Relation.INGRESS, *(one for one in Relation if one.carries_requests))


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each reference that a change points at a missing Service."""
    lost = [one for one in strayed(graph) if one.edge.whom.name not in graph.neighbours]
    typos = {id(edge) for edge, _ in absent_services(graph, *_ROUTES)} if lost else frozenset()
    for one in lost:
        if id(one.edge) not in typos:
            yield _finding(graph, one)


def _finding(graph: PortGraph, one: Strayed) -> Finding:
    site, before = one.edge.whom.site, one.before.whom
    old = graph.variants(*before.place)[0]
    typo = is_near_name(one.edge.whom.name, before.name)
    whole = site.piece is None and before.site.piece is None and isinstance(before.site.value, str)
    back = Remedy(f"set the name back to {before.name}", ((site, str(before.site.value)),))
    return Finding(
        message=(
            f"This change points {one.edge.holder} at Service/{one.edge.whom.name}, which does not exist here; "
            f"{old.key}, which it reached before, still does. No request gets through unless another release brings it."
        ),
        severity=Severity.ERROR if typo else Severity.WARNING,
        primary=site,
        expected=before.site.value if whole else None,
        related=(Label(Site(old.key, ("metadata", "name"), old.key.name), "what it reached before"),),
        remedies=(back,) if whole else (),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
