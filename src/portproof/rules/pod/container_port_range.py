"""A container port has no number, or an invalid one.

Every entry of `ports` needs `containerPort`, a number between 1 and 65535. It
must be a number: the API server rejects `containerPort: "8080"`.

Why it matters:

The API server rejects the workload, so `helm upgrade` or `kubectl apply` fails.
A Rollout with a number out of range is rejected by its controller.

Severity:

* **error**: when the field is absent or has an invalid value, or when a change
  empties it.
* **warning**: when the field is empty, as a template leaves it when its value
  isn't set.
* **note**: when the field is empty and a chart is rendered with its defaults
  alone, because users set the value when they install it.

Fix:

Sometimes. It removes the quotes from a number in range, or sets the number from
before the change. Any other number is yours to choose.

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

from portproof.graph.model import PortGraph
from portproof.graph.past import declared_before
from portproof.graph.phrasing import rejected
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.port_fields import number_finding, number_problem


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each container port whose number the API server rejects."""
    for workload in graph.workloads:
        for container in workload.containers:
            for port in container.ports:
                problem = number_problem(port)
                if problem:
                    effect = rejected(workload, mistyped=not isinstance(port.number.value, int))
                    who = f"Container {container.name!r} of {workload.key}"
                    before = declared_before(graph, workload).get(port)
                    yield number_finding(graph, port, f"{who} {problem}: {effect}.", before)


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
