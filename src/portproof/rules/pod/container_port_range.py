"""A container port has no number, or an invalid one.

Every entry of `ports` needs `containerPort`, a number between 1 and 65535. It
must be a number: the API server rejects `containerPort: "8080"`.

Why it matters:

The API server rejects the workload, so `helm upgrade` or `kubectl apply` fails.
A Rollout with a number out of range is rejected by its controller.

Severity:

* **error**: when the field is absent or has an invalid value.
* **warning**: when the field is empty, as a template leaves it when its value
  isn't set.
* **note**: when the field is empty and a chart is rendered with its defaults
  alone, because users set the value when they install it.

Fix:

Sometimes. It removes the quotes from a number in range. Any other number is
yours to choose.

Bad::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{containerPort: 80800}]}

Bad (in quotes)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{containerPort: "8080"}]}

Good::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{containerPort: 8080}]}

Not reported when:

* the number is in range, whatever it is used for.
* the number is written in another way: `8080.0` and `8.08e3` are 8080.
* the value is a placeholder that is filled in later (`${PORT}`).
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import Container, ContainerPort, PortGraph, Workload
from portproof.graph.names import is_digits, is_placeholder
from portproof.graph.phrasing import rejected
from portproof.rules.base import Finding, Remedy, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each container port whose number the API server rejects."""
    for workload in graph.workloads:
        for container in workload.containers:
            for port in container.ports:
                value = port.number.value
                if is_placeholder(value):
                    continue
                if not (isinstance(value, int) and 1 <= value <= 65535):
                    yield _finding(graph, workload, container, port)


def _finding(graph: PortGraph, workload: Workload, container: Container, port: ContainerPort) -> Finding:
    value = port.number.value
    number = int(str(value)) if is_digits(value) else 0
    quoted = 1 <= number <= 65535
    if value is None:
        what = (
            f"has a port {str(port.name.value)!r} without a number"
            if port.name
            else "has a port without a number"
        )
    elif quoted:
        what = f"has containerPort '{value}' in quotes, but it must be a number"
    else:
        what = f"has containerPort {value!r}, which is not a number between 1 and 65535"
    unset = graph.is_empty(port.number)
    return Finding(
        message=(
            f"Container {container.name!r} of {workload.key} {what}: "
            f"{rejected(workload, mistyped=not isinstance(value, int))}."
        ),
        severity=Severity.WARNING if unset else Severity.ERROR,
        unset=unset,
        primary=port.number,
        expected=number if quoted else None,
        remedies=(Remedy(f"write {number} without quotes", ((port.number, number),)),) if quoted else (),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
