"""Two ports of a Service go to one port of the pods, which have another one by the second's name.

A Service port `https` that is sent to the same port as `http`, while the pods
declare an `https` that no Service reaches, was copied and not finished: clients
speak to a port that does not understand them.

Bad::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: http}
        - {name: https, port: 443, targetPort: http}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          ports:
            - {name: http, containerPort: 8080}
            - {name: https, containerPort: 8443}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: http}
        - {name: https, port: 443, targetPort: https}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          ports:
            - {name: http, containerPort: 8080}
            - {name: https, containerPort: 8443}

Kubernetes allows it, so it is a warning.

Silent when the pods declare no port by the second's name, when a Service reaches
that one, when the first port is not called like the port that both reach, for
headless Services, and for those of a load balancer (by type, or by an annotation
for one), which may well end TLS and go on in plain text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.answers import resolve
from portproof.graph.fields import mapping
from portproof.graph.meant import only
from portproof.graph.model import ContainerPort, PortGraph, Service, ServicePort, Workload
from portproof.rules.base import Finding, Label, Remedy, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that goes where another one goes, past the one that has its name."""
    for service in graph.services:
        workloads = graph.select(service).workloads
        if len(service.ports) < 2 or not workloads or service.headless:
            continue
        for port in service.ports:
            found = [_passed_by(graph, service, port, one) for one in workloads]
            if all(found) and not _is_balanced(graph, service):
                yield _finding(service, port, [one for one in found if one is not None])


def _passed_by(
    graph: PortGraph, service: Service, port: ServicePort, workload: Workload
) -> tuple[ServicePort, ContainerPort, ContainerPort] | None:
    """The port that goes there by right, the one that both reach, and the one that is called like `port`."""
    reached = resolve(port, workload)
    if port.implicit or port.name is None or reached is None or workload.opaque:
        return None
    own = [one for one in _named(workload, port.name.value) if one.protocol == port.protocol]
    if len(own) != 1 or own[0].value == reached.value or own[0].value in _reached(graph, workload):
        return None
    called = None if reached.name is None else reached.name.value
    for other in service.ports:
        if other is not port and other.name is not None and other.name.value == called:
            there = resolve(other, workload)
            if there is not None and there.value == reached.value:
                return other, reached, own[0]
    return None


def _named(workload: Workload, name: object) -> Sequence[ContainerPort]:
    return [one for one in workload.ports if one.name is not None and one.name.value == name]


def _reached(graph: PortGraph, workload: Workload) -> frozenset[int]:
    """The declared ports that some Service reaches."""
    found = (resolve(port, workload) for one in graph.services_of(workload) for port in one.ports)
    return frozenset(one.value for one in found if one is not None)


def _is_balanced(graph: PortGraph, service: Service) -> bool:
    """Whether a load balancer stands before the Service, which may end TLS."""
    if service.type == "LoadBalancer":
        return True
    annotations = (
        mapping(mapping(one.data.get("metadata")).get("annotations"))
        for one in graph.of_kind("Service", "")
        if one.key == service.key
    )
    return any("load-balancer" in str(name) or "ssl" in str(name) for one in annotations for name in one)


def _finding(
    service: Service, port: ServicePort, found: Sequence[tuple[ServicePort, ContainerPort, ContainerPort]]
) -> Finding:
    other, reached, own = found[0]
    named = isinstance(port.target.value, str)
    answer = only(str(one.name.value) if named and one.name else one.value for _, _, one in found)
    return Finding(
        message=(
            f"{service.key} sends port {port.number.value} ({port.label}) to {reached.value}, as it does with port "
            f"{other.number.value} ({other.label}), but {own.number.resource} declares {own.value} under the name "
            f"{port.label!r}, and no Service reaches that."
        ),
        severity=Severity.WARNING,
        primary=port.target,
        expected=answer,
        related=(
            Label(own.name or own.number, f"{own.number.resource} declares {own.label} here"),
            Label(other.target, f"port {other.number.value} goes there, too"),
        ),
        remedies=() if answer is None else (Remedy(f"set targetPort to {answer}", ((port.target, answer),)),),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
