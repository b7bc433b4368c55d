"""A route names a Service that does not exist, one slip away from one that does.

The Service of a backendRef may live in another chart or overlay, so a name that
the rendering does not have is no finding. It is one when the rendering has
exactly one Service in that namespace whose name differs by a slip of the hand,
and that Service has the port which the route asks for.

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
names differ in their digits, when the near one lacks the port, and for backends
of another kind.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph, Service, ServiceReference
from portproof.rules.base import Finding, Label, Remedy, Severity, rule
from portproof.rules.reaching import answers, by_digits, slip_of


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each backend Service that is absent but for a slip."""
    groups = by_digits(graph)
    for reference in graph.referring("route-backend-port"):
        if graph.service(reference.namespace, reference.name) is not None:
            continue
        near = slip_of(groups, reference.namespace, reference.name)
        if near is not None and _has(near, reference):
            yield _finding(reference, near)


def _has(service: Service, reference: ServiceReference) -> bool:
    wanted = reference.wanted
    return wanted is not None and any(
        answers(one, wanted, reference.by) and one.protocol == reference.protocol for one in service.ports
    )


def _finding(reference: ServiceReference, near: Service) -> Finding:
    name = near.key.name
    return Finding(
        message=(
            f"{reference.service.resource} sends traffic to Service/{reference.name}, which is not here, but "
            f"{near.key} is and has port {reference.wanted}: the names differ by a slip."
        ),
        severity=Severity.WARNING,
        primary=reference.service,
        expected=name,
        related=tuple(Label(port.number, f"{near.key} has it here") for port in near.ports[:1]),
        remedies=(Remedy(f"set the Service name to {name}", ((reference.service, name),)),),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
