"""An Ingress names a Service that does not exist, one slip away from one that does.

A backend's Service may live in another chart or overlay, so a name that the
rendering does not have is no finding. It is one when the rendering has exactly
one Service whose name differs by a slip of the hand, and that Service has the
port which the Ingress asks for.

Bad::

    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: shop}
    spec:
      defaultBackend: {service: {name: fronted, port: {number: 80}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: frontend}
    spec:
      selector: {app: shop}
      ports:
        - {port: 80}

Good::

    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: shop}
    spec:
      defaultBackend: {service: {name: frontend, port: {number: 80}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: frontend}
    spec:
      selector: {app: shop}
      ports:
        - {port: 80}

Silent when no Service of the namespace is near, or more than one is, when the
names differ in their digits or in a word of one letter (`web` and `web-b`), when
the near one lacks the port, and when the port name is `use-annotation`.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph, Relation
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.port_references import absent_services


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each backend Service that is absent but for a slip."""
    for edge, finding in absent_services(graph, Relation.INGRESS):
        if edge.wanted != "use-annotation":
            yield finding


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
