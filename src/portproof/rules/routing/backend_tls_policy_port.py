"""A BackendTLSPolicy names a port that its Service does not have.

The `sectionName` of a target is the *name* of a port of the Service, not its
number. With a name that is not there the policy does not attach, and the gateway
speaks plain text to a backend that expects TLS.

Bad (a number)::

    apiVersion: gateway.networking.k8s.io/v1
    kind: BackendTLSPolicy
    metadata: {name: shop}
    spec:
      targetRefs:
        - {group: "", kind: Service, name: shop, sectionName: "443"}
      validation: {hostname: shop.example.org, wellKnownCACertificates: System}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: shop}
    spec:
      selector: {app: shop}
      ports:
        - {name: https, port: 443, targetPort: 8443}

Good::

    apiVersion: gateway.networking.k8s.io/v1
    kind: BackendTLSPolicy
    metadata: {name: shop}
    spec:
      targetRefs:
        - {group: "", kind: Service, name: shop, sectionName: https}
      validation: {hostname: shop.example.org, wellKnownCACertificates: System}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: shop}
    spec:
      selector: {app: shop}
      ports:
        - {name: https, port: 443, targetPort: 8443}

It holds for `targetRefs` and for the older `targetRef`.

A warning when the name is the number of one of the Service's ports: the
specification takes names only, but a lenient gateway may understand it.

Silent without a `sectionName` (then every port is meant), when the Service is
not in the rendering, when it is an ExternalName, for targets of another kind,
and for placeholders (`${PORT}`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from portproof.graph.answers import missed
from portproof.graph.model import PortGraph, Relation
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.port_references import finding


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each policy that names a port which the Service does not have."""
    for edge in graph.asking(Relation.BACKEND_TLS):
        services = missed(graph, edge)
        if not services:
            continue
        numbers = {str(port.number.value) for port in services[0].ports}
        if edge.wanted in numbers:
            so = "a strict gateway ignores the policy"
            yield replace(finding(graph, edge, services, does="applies to", so=so), severity=Severity.WARNING)
        else:
            so = "the policy does not attach, and the gateway speaks plain text"
            yield finding(graph, edge, services, does="applies to", so=so)


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
