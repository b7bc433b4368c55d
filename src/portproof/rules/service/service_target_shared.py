"""Two Service ports share a target although the pods declare a port with the second one's name.

A Service port `https` that has the same target as `http` was probably copied
and not finished. The rule reports it when the pods declare a port named `https`
that no Service reaches.

Why it matters:

Clients talk to a port that does not understand them, as when they send TLS to a
plain HTTP port.

Severity:

* **warning**: always, because Kubernetes allows it.

Fix:

Sometimes. It sets `targetPort` to the port with the second one's name. There is
none for a number when the workloads declare different ones.

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

Not reported when:

* the pods declare no port with the second one's name.
* a Service reaches the port with the second one's name.
* the first port does not have the name of the port that both reach.
* the Service is headless.
* a load balancer is in front, by type or by an annotation: it may end TLS and
  continue in plain text.
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
    """Whether a load balancer is in front of the Service, which may end TLS."""
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
            f"{service.key} sends both port {other.number.value} ({other.label}) and port {port.number.value} "
            f"({port.label}) to {reached.value}. {own.number.resource} declares {own.value} as {port.label!r}, but no "
            f"Service reaches it, so clients of port {port.number.value} get the wrong port."
        ),
        severity=Severity.WARNING,
        primary=port.target,
        expected=answer,
        related=(
            Label(own.name or own.number, f"{own.number.resource} declares {own.label} here"),
            Label(other.target, f"port {other.number.value} goes there too"),
        ),
        remedies=() if answer is None else (Remedy(f"set targetPort to {answer}", ((port.target, answer),)),),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
