"""A probe or a hook has two handlers.

A probe has one handler: `exec`, `httpGet`, `tcpSocket` or `grpc`. A hook has
`sleep` in place of `grpc`. The usual cause of two is a patch or a values file
that adds one to that of a base or a chart.

Why it matters:

The API server rejects the workload, so `helm upgrade` or `kubectl apply` fails.
A Rollout is rejected by its controller.

Severity:

* **error**: always.

Fix:

No. Set the handler that you do not want to `null`, in the patch or the values
file that adds the other one.

Bad::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]
          readinessProbe:
            httpGet: {path: /, port: http}
            tcpSocket: {port: http}

Bad (a hook)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]
          lifecycle:
            preStop:
              exec: {command: [sleep, "5"]}
              httpGet: {path: /stop, port: http}

Good::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]
          readinessProbe:
            httpGet: {path: /, port: http}
            tcpSocket: null

Not reported when:

* only one handler is set (`null` does not count).
* none of the handlers has a port (`exec` and `sleep`).
* the container is a plain init container, which cannot have probes.
* the container has no image: such a fragment is a patch.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph
from portproof.graph.phrasing import listing, rejected
from portproof.rules.base import Finding, Label, Severity, rule
from portproof.rules.pod.handlers import Acting, acting


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each probe or hook with more than one handler."""
    for one in acting(graph):
        if len(one.handlers) > 1 and any(handler.has_port for handler in one.handlers):
            yield _finding(one)


def _finding(one: Acting) -> Finding:
    later = next(handler for handler in reversed(one.handlers) if handler.has_port)
    others = [handler for handler in one.handlers if handler.has_port and handler is not later]
    return Finding(
        message=(
            f"Container {one.container.name!r} of {one.workload.key} has "
            f"{listing(handler.kind for handler in one.handlers)} in its {one.label}: only one is allowed, and "
            f"{rejected(one.workload)}."
        ),
        severity=Severity.ERROR,
        primary=later.port(one.workload),
        related=tuple(Label(handler.port(one.workload), f"the port of {handler.kind}") for handler in others),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
