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

from portproof.graph.model import IngressBackend, PortGraph, Service
from portproof.rules.base import Finding, Label, Remedy, Severity, rule
from portproof.rules.port_references import by_digits, slip_of


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each backend Service that is absent but for a slip."""
    groups = by_digits(graph)
    for backend in graph.backends:
        namespace, name = backend.service.resource.namespace, str(backend.service.value)
        if backend.port is None or backend.port.value == "use-annotation":
            continue
        if graph.service(namespace, name) is not None:
            continue
        near = slip_of(groups, namespace, name)
        if near is not None and _has(near, backend):
            yield _finding(backend, near)


def _has(service: Service, backend: IngressBackend) -> bool:
    wanted = backend.port.value if backend.port else None
    return any(
        wanted in (port.number.value, port.name.value if port.name else None) for port in service.ports
    )


def _finding(backend: IngressBackend, near: Service) -> Finding:
    wanted = backend.port.value if backend.port else None
    name = near.key.name
    return Finding(
        message=(
            f"{backend.service.resource} sends traffic to Service/{backend.service.value}, which is not here, but "
            f"{near.key} is and has port {wanted}: the names differ by a slip."
        ),
        severity=Severity.WARNING,
        primary=backend.service,
        expected=name,
        related=tuple(Label(port.number, f"{near.key} has it here") for port in near.ports[:1]),
        remedies=(Remedy(f"set the Service name to {name}", ((backend.service, name),)),),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
