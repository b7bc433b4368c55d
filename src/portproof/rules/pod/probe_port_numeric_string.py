"""A probe or a hook has its port in quotes.

A port that is a string is the name of a port, and a name needs a letter. A gRPC
probe accepts no names at all. Templates that pipe the number through `quote`
are the usual cause.

Why it matters:

The API server rejects `"8080"`, and with it the whole workload. A Rollout is
rejected by its controller.

Severity:

* **error**: always.

Fix:

Sometimes. It removes the quotes, unless the number is out of range.

Bad::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /, port: "8080"}}

Good::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /, port: 8080}}

Not reported when:

* the string has a letter, which makes it a name.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import Container, PortCheck, PortGraph, Workload
from portproof.graph.names import is_digits
from portproof.graph.phrasing import rejected
from portproof.rules.base import Finding, Remedy, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port of a probe or hook that is a number in quotes."""
    for workload in graph.workloads:
        for container in workload.containers:
            for one in container.checks:
                if is_digits(one.port.value):
                    yield _finding(workload, container, one)


def _finding(workload: Workload, container: Container, one: PortCheck) -> Finding:
    number = int(str(one.port.value))
    usable = 1 <= number <= 65535
    grpc = one.handler == "grpc"
    why = "gRPC probes accept only numbers" if grpc else "that makes it a port name, which needs a letter"
    return Finding(
        message=(
            f"The {one.label} of container {container.name!r} in {workload.key} has port '{one.port.value}' in quotes: "
            f"{why}, so {rejected(workload, mistyped=grpc)}."
        ),
        severity=Severity.ERROR,
        primary=one.port,
        expected=number if usable else None,
        remedies=(Remedy(f"write {number} without quotes", ((one.port, number),)),) if usable else (),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
