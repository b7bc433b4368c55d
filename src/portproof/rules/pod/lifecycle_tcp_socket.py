"""A lifecycle hook opens a TCP connection, which Kubernetes does not support.

The field `tcpSocket` of `postStart` and `preStop` is a leftover that does
nothing. A port that the API server rejects there is also reported by
`probe-port-invalid` or `probe-port-numeric-string`.

Why it matters:

The API server accepts the field, but the hook fails each time it runs. A
`postStart` hook that fails kills its container.

Severity:

* **error**: in `postStart`.
* **warning**: in `preStop`, where the container is about to stop anyway.

Fix:

No. Use `httpGet` or `exec` in the hook, or `tcpSocket` in a probe.

Bad::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]
          lifecycle:
            postStart: {tcpSocket: {port: http}}

Good::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]
          lifecycle:
            postStart: {httpGet: {path: /, port: http}}
          startupProbe: {tcpSocket: {port: http}}

Not reported when:

* `tcpSocket` is in a probe, where it is supported.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph
from portproof.rules.base import Finding, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each hook with a ``tcpSocket``."""
    for workload in graph.workloads:
        for container in workload.containers:
            for one in container.checks:
                if not one.is_hook or one.handler != "tcpSocket":
                    continue
                starts = one.name == "postStart"
                effect = "and the container is killed" if starts else "and the container stops without it"
                yield Finding(
                    message=(
                        f"The {one.label} of container {container.name!r} in {workload.key} uses tcpSocket, which "
                        f"Kubernetes does not support: the hook always fails {effect}."
                    ),
                    severity=Severity.ERROR if starts else Severity.WARNING,
                    primary=one.port,
                )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
