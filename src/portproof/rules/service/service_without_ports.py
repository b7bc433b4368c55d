"""A Service has no ports.

A Service needs at least one port, unless it is headless (`clusterIP: None`) or
an ExternalName.

Why it matters:

The API server rejects the Service, so `helm upgrade` or `kubectl apply` fails.

Severity:

* **error**: always.

Fix:

No. Only you know which ports the Service should have.

Bad::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: []

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      clusterIP: None

Not reported when:

* the Service is headless.
* the Service is an ExternalName.
* the field `ports` is absent: such a fragment is a patch for a whole Service.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph, Site
from portproof.resources import Resource
from portproof.rules.base import Finding, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each Service that needs a port and has none."""
    for service in graph.services:
        if service.ports or service.headless or service.type == "ExternalName":
            continue
        if any(one.key == service.key and _has_empty_ports(one) for one in graph.resources):
            yield Finding(
                message=f"{service.key} has no ports: the API server rejects it unless it is headless.",
                severity=Severity.ERROR,
                primary=Site(service.key, ("spec", "ports"), None),
            )


def _has_empty_ports(resource: Resource) -> bool:
    """Whether ``ports`` is there and empty; what lacks the field altogether is a patch for a whole Service."""
    spec = resource.data.get("spec")
    return isinstance(spec, dict) and spec.get("ports", "absent") in (None, [])


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
