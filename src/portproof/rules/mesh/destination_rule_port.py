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

from portproof.graph.model import PortGraph
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.mesh import mesh
from portproof.rules.port_references import finding, missed


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each setting whose port the Service does not have."""
    known = mesh.read(graph)
    for reference in graph.referring("destination-rule-port"):
        services = missed(graph, reference) if known.hidden.is_plain(reference) else ()
        if services:
            found = finding(graph, reference, services, does="has settings for", so="they apply to nothing")
            yield replace(found, severity=Severity.WARNING)


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
