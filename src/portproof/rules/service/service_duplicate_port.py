"""A Service has the same port twice.

No two ports of a Service may have the same number and the same protocol.

Why it matters:

The API server rejects the whole Service, so `helm upgrade` or `kubectl apply` fails.

Severity:

* **error**: always.

Fix:

No. Only you know which number the second port should have.

Bad::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}
        - {name: api, port: 80, targetPort: 8081}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: dns}
    spec:
      selector: {app: dns}
      ports:
        - {name: dns, port: 53, protocol: UDP}
        - {name: dns-tcp, port: 53, protocol: TCP}

Not reported when:

* the protocols differ, as for DNS over UDP and TCP.
* only the target is the same: two ports may lead to one port of the pods.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph, Site
from portproof.rules.base import Finding, Label, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each Service port that repeats an earlier one."""
    for service in graph.services:
        first: dict[tuple[str, int], Site] = {}
        for port in service.ports:
            number = port.number.value
            if not isinstance(number, int):
                continue
            earlier = first.setdefault((port.protocol, number), port.number)
            if earlier is not port.number:
                yield Finding(
                    message=(
                        f"{service.key} has port {number} {port.protocol} twice. The API server rejects the Service."
                    ),
                    severity=Severity.ERROR,
                    primary=port.number,
                    related=(Label(earlier, "used here first"),),
                )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
