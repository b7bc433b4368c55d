"""A probe or a hook has two handlers.

A probe acts in one way: `exec`, `httpGet`, `tcpSocket` or `grpc`; a hook has
`sleep` in place of `grpc`. The API server rejects an object with two of them (a
Rollout is rejected by its controller). The usual cause is a patch or a values
file that adds a handler to the one that a base or a chart has: set the other
one to `null` there.

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

Silent when no more than one handler is set (`null` is not), when none of them
has a port (`exec` and `sleep`), and for containers without an image: such a
fragment is a patch.
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
