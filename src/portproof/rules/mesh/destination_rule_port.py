"""A DestinationRule has settings for a port that the Service does not have.

`portLevelSettings` apply to a port of the Service by its number, never to a container
port (istio `pilot/pkg/networking/util/util.go`).

Why it matters:

The settings have no effect. Callers go without the TLS mode, load balancing or limits
that were meant for the port.

Severity:

* **warning**: always, because requests still flow.

Fix:

Sometimes. It changes the port of the setting, or the Service's port if nothing else
uses it. There is no fix when several ports could be meant.

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

Not reported when:

* no target that is deployed together with this one has the Service.
* the host is a wildcard.
* the host is outside the cluster.
* a ServiceEntry describes the host.
* `exportTo` hides the Service from other namespaces.
* the Service is of type ExternalName.
* the port is a placeholder, such as `${PORT}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from portproof.graph.answers import missed
from portproof.graph.model import PortGraph, Relation
from portproof.rules.base import Finding, Severity, Trait, rule
from portproof.rules.port_references import finding


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each setting whose port the Service does not have."""
    for edge in graph.asking(Relation.DESTINATION_RULE):
        services = missed(graph, edge)
        if services:
            found = finding(graph, edge, services, does="has settings for", so="the settings have no effect")
            yield replace(found, severity=Severity.WARNING)


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check, traits=[Trait.SPANS_TARGETS])
