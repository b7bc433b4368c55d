"""A Service selects several workloads, and the target number is wrong for some of them.

Pods of different roles may well declare different ports. The rule reports a
workload only if the evidence against the number would make it an error of
`service-target-number`. The message names the evidence.

Why it matters:

Requests that land on the pods of that workload are refused, and those that land
on the others are answered.

Severity:

* **note**: always, because pods of different roles may declare different ports.

Fix:

No. No single number fits all of the workloads. A named `targetPort` may.

Bad::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: blue, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {port: http}}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: green, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8081}]
          readinessProbe: {httpGet: {port: http}}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: http}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: blue, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {port: http}}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: green, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8081}]
          readinessProbe: {httpGet: {port: http}}

Not reported when:

* none of the workloads declares the number.
* the evidence is weaker.
* the workloads are variants of one workload (same kind, name and namespace).
* the Service is headless.
* the target is a name.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.answers import ends
from portproof.graph.model import ContainerPort, PortGraph, Service, ServicePort, Workload
from portproof.graph.phrasing import clauses, declared
from portproof.graph.weighing import Confidence, Weighed, weigh
from portproof.rules.base import Finding, Label, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a note for each numeric target that is certainly wrong for some of the selected workloads."""
    for service in graph.services:
        workloads = graph.select(service).workloads
        if service.headless or len(workloads) < 2:
            continue
        for port in service.ports:
            if not isinstance(port.target.value, int):
                continue
            found = ends(graph, service, port)
            having = found.reached
            verdicts = [weigh(graph, service, port, one) for one in found.missed]
            wrong = [
                one
                for one in verdicts
                if one.confidence is Confidence.CERTAIN
                and one.workload.key not in {who.key for who, _ in having}
            ]
            if having and wrong:
                yield _finding(service, port, wrong[0], having[0])


def _finding(
    service: Service, port: ServicePort, verdict: Weighed, having: tuple[Workload, ContainerPort]
) -> Finding:
    other, found = having
    meant = verdict.meant
    related = [Label(found.number, f"{other.key} declares {found.value} here")]
    if meant is not None:
        related.append(Label(meant.number, f"{verdict.workload.key} declares {meant.value} here"))
    return Finding(
        message=(
            f"{service.key} sends port {port.number.value} to {port.target.value}. {other.key} declares it, but "
            f"{verdict.workload.key}, which it also selects, declares {declared(verdict.workload.ports)}: requests that "
            f"land on those pods will fail. Evidence: {clauses(verdict.strongest)}."
        ),
        severity=Severity.NOTE,
        primary=port.target,
        related=tuple(related),
    )


RULE = rule(__name__, __doc__, severity=Severity.NOTE, check=check)
