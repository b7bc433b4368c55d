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

from portproof.graph import mesh_hosts
from portproof.graph.model import PortGraph, Service, ServiceReference
from portproof.rules.base import Finding, Label, Remedy, Severity, rule
from portproof.rules.port_references import answers, by_digits, slip_of

_JUDGED = (
    "route-backend-port",
    "virtual-service-port",
    "traefik-service-port",
    "httpproxy-service-port",
    "controller-service-port",
)
"""The rules whose references are read here for their names."""


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each backend Service that is absent but for a slip."""
    groups, known = by_digits(graph), mesh_hosts.read(graph)
    for reference in (one for name in _JUDGED for one in graph.referring(name)):
        if graph.service(reference.namespace, reference.name) is not None or not known.is_plain(reference):
            continue
        near = slip_of(groups, reference.namespace, reference.name)
        if near is not None and _has(near, reference):
            yield _finding(reference, near)


def _has(service: Service, reference: ServiceReference) -> bool:
    wanted = reference.wanted
    return wanted is not None and any(
        answers(one, wanted, reference.by) and reference.protocol in ("", one.protocol)
        for one in service.ports
    )


def _finding(reference: ServiceReference, near: Service) -> Finding:
    rest = str(reference.service.value).removeprefix(reference.name)  # of a host: its namespace and domain
    name = near.key.name + rest
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
