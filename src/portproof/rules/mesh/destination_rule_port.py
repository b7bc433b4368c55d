"""A DestinationRule has settings for a port that the Service does not have.

`portLevelSettings` apply to a port of the *Service* by its number, never to that
of the container. Settings for a port that is not there apply to nothing: callers
go without the TLS mode, load balancing or limits that were meant for the port.

Bad (the target port)::

    apiVersion: networking.istio.io/v1
    kind: DestinationRule
    metadata: {name: web}
    spec:
      host: web
      trafficPolicy:
        portLevelSettings:
          - port: {number: 8443}
            tls: {mode: SIMPLE}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: https, port: 443, targetPort: 8443}

Good::

    apiVersion: networking.istio.io/v1
    kind: DestinationRule
    metadata: {name: web}
    spec:
      host: web.default.svc.cluster.local
      trafficPolicy:
        portLevelSettings:
          - port: {number: 443}
            tls: {mode: SIMPLE}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: https, port: 443, targetPort: 8443}

Requests still flow, so this is a warning. A setting counts when its number is
that of the port (istio `pilot/pkg/networking/util/util.go`).

Silent when the Service is not in the rendering, for wildcards and hosts outside
of the cluster, when a ServiceEntry describes the host or `exportTo` hides the
Service from other namespaces, when it is an ExternalName, and for placeholders.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from portproof.graph.answers import missed
from portproof.graph.model import PortGraph, Relation
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.port_references import finding


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each setting whose port the Service does not have."""
    for edge in graph.asking(Relation.DESTINATION_RULE):
        services = missed(graph, edge)
        if services:
            found = finding(graph, edge, services, does="has settings for", so="the settings have no effect")
            yield replace(found, severity=Severity.WARNING)


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
