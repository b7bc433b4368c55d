"""A probe uses a port number that its container very probably does not listen on.

A probe may use a number that its container does not declare, because health
endpoints often have a separate port. So the rule needs evidence, and all of
this must hold:

* the number is a near miss of one declared port (3001 for 3000).
* another probe of the container or a Service uses that port.
* nothing else mentions the number.

Why it matters:

A probe on the wrong port fails every time: the pod never becomes ready, or its
container restarts again and again.

Severity:

* **warning**: always, because only the application knows where it listens.

Fix:

Yes. It sets the port of the probe to the declared one.

Bad::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 3000}]
          readinessProbe: {httpGet: {path: /, port: http}}
          livenessProbe: {httpGet: {path: /, port: 3001}}

Good::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 3000}]
          readinessProbe: {httpGet: {path: /, port: http}}
          livenessProbe: {httpGet: {path: /, port: 3000}}

Not reported when:

* the pod's settings, annotations or ConfigMaps mention the number.
* a container of the pod declares the number.
* a Service sends traffic to the number.
* the container declares no TCP port.
* no declared port is near.
* two probes use the number.
* `host` points elsewhere.
* the number is a usual port for health checks or metrics (8081, 9000, 10254,
  15021 and the like).
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.answers import answer, checks, target_number
from portproof.graph.evidence import HEALTH_PORTS, is_near_miss, numbers_in_settings, probed_numbers
from portproof.graph.model import Container, ContainerPort, Missed, PortCheck, PortGraph, Role, Workload
from portproof.graph.phrasing import clauses, declared
from portproof.rules.base import Finding, Label, Remedy, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each probe number whose evidence speaks against it."""
    for workload in graph.workloads:
        aimed = _aimed_at(graph, workload)
        for one, edge in checks(workload):
            container, number = edge.whom.container, one.port.value
            if container is None or container.role is Role.INIT or not isinstance(number, int):
                continue
            if number in aimed | HEALTH_PORTS or not isinstance(answer(graph, edge), Missed):
                continue
            finding = _finding(workload, container, one, number, aimed)
            if finding is not None:
                yield finding


def _aimed_at(graph: PortGraph, workload: Workload) -> frozenset[int]:
    """The numbers that Services send to in the pods of `workload`."""
    ports = (port for service in graph.services_of(workload) for port in service.ports)
    return frozenset(number for one in ports if (number := target_number(one, workload)) is not None)


def _finding(
    workload: Workload, container: Container, one: PortCheck, number: int, aimed: frozenset[int]
) -> Finding | None:
    tcp = [port for port in container.ports if port.protocol == "TCP"]
    near = [port for port in tcp if is_near_miss(port.value, number)]
    known = {port.value for other in workload.containers for port in other.ports}
    others = list(probed_numbers(container, apart_from=one))
    if (
        len(near) != 1
        or number in known | numbers_in_settings(workload) | workload.annotation_numbers
        or number in others
    ):
        return None
    meant = near[0]
    reasons = [f"{number} looks like a typo for {meant.value}"]
    if meant.value in others:
        reasons.append(f"another probe uses {meant.value}")
    elif len(tcp) == 1 and meant.value in aimed:
        reasons.append(f"a Service sends traffic to {meant.value}")
    else:
        return None
    return Finding(
        message=(
            f"The {one.label} of container {container.name!r} in {workload.key} uses port {number}, but the container "
            f"declares {declared(container.ports)}: the probe will probably fail. "
            f"Evidence: {clauses([*reasons, f'nothing else mentions {number}'])}."
        ),
        severity=Severity.WARNING,
        primary=one.port,
        expected=meant.value,
        related=(Label(meant.number, f"container {container.name!r} declares {meant.value} here"),),
        remedies=_remedies(one, meant),
    )


def _remedies(one: PortCheck, meant: ContainerPort) -> tuple[Remedy, ...]:
    return (Remedy(f"set the port of the {one.label} to {meant.value}", ((one.port, meant.value),)),)


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
