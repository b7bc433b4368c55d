"""A BackendTLSPolicy names a port that its Service does not have.

The `sectionName` of a target must be the name of one of the Service's ports, not its
number. The rule checks `targetRefs` and the older `targetRef`.

Why it matters:

The policy does not attach. The gateway then speaks plain text to a backend that
expects TLS, and requests fail.

Severity:

* **error**: no port has that name.
* **warning**: the name is the number of one of the Service's ports. The specification
  allows only names, but a lenient gateway may accept it. It is also a warning when
  the Service is in another target, and nothing but names says that the two are
  deployed together.

Fix:

Sometimes. It sets `sectionName` to the name of the port, or renames the Service's
port. There is no fix when that port has no name.

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

Not reported when:

* no `sectionName` is set: the policy then applies to every port.
* no target that is deployed together with this one has the Service.
* the Service is of type ExternalName.
* the target is of another kind.
* the port is a placeholder, such as `${PORT}`.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.answers import missed
from portproof.graph.model import PortGraph, Relation
from portproof.replacing import replace
from portproof.rules.base import Finding, Severity, Trait, rule
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


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.SPANS_TARGETS])
