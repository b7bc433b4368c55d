"""A route names a Service that does not exist, one typo away from one that does.

The Service of a route may live in another chart or overlay, so a missing Service
alone is not reported. It is reported when the name of exactly one Service in that
namespace differs by a typo, and that Service has the requested port.

The rule checks routes of the Gateway API, Istio (VirtualService), Traefik and
Contour. It also checks those of the controllers listed at `controller-service-port`.

Why it matters:

The route finds no Service, so no traffic gets through.

Severity:

* **error**: when a change made the typo: in the base revision, the name was right.
* **warning**: otherwise.

Fix:

Yes. It sets the route's Service name or host to the existing one.

Bad::

    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop}
    spec:
      parentRefs: [{name: public}]
      rules:
        - backendRefs:
            - {name: fronted, port: 80}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: frontend}
    spec:
      selector: {app: shop}
      ports:
        - {port: 80}

Good::

    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop}
    spec:
      parentRefs: [{name: public}]
      rules:
        - backendRefs:
            - {name: frontend, port: 80}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: frontend}
    spec:
      selector: {app: shop}
      ports:
        - {port: 80}

Not reported when:

* no Service in the namespace has a similar name.
* more than one Service has a similar name.
* the names differ in their digits.
* the similar Service lacks the port.
* the route names no port.
* the backend is of another kind.
* the host belongs to a ServiceEntry.
* another target of the same environment has a Service of that name.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph, Relation
from portproof.rules.base import Finding, Severity, Trait, rule
from portproof.rules.port_references import absent_services


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each backend Service that is missing because of a typo."""
    for edge, finding in absent_services(graph, *(one for one in Relation if one.carries_requests)):
        if graph.mesh_hosts.shows(edge.whom, edge.holder.namespace):
            yield finding


RULE = rule(
    __name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.SPANS_TARGETS, Trait.NEEDS_ALL]
)
