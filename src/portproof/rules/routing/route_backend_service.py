"""A route names a Service that does not exist, one slip away from one that does.

The Service of a route may live in another chart or overlay, so a name that the
rendering does not have is no finding. It is one when the rendering has exactly
one Service in that namespace whose name differs by a slip of the hand, and that
Service has the port which the route asks for. Read are the routes of the Gateway
API, of Istio (VirtualService), Traefik, Contour, and the other controllers that
`controller-service-port` knows.

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

Silent when no Service of the namespace is near, or more than one is, when the
names differ in their digits, when the near one lacks the port, for routes without
a port, for backends of another kind, and for hosts of a ServiceEntry.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph, Relation
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.port_references import absent_services


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each backend Service that is absent but for a slip."""
    for edge, finding in absent_services(graph, *(one for one in Relation if one.carries_requests)):
        if graph.mesh_hosts.shows(edge.whom, edge.holder.namespace):
            yield finding


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
