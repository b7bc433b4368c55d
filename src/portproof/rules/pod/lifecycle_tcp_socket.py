"""A lifecycle hook opens a TCP connection, which Kubernetes does not support.

The field `tcpSocket` of `postStart` and `preStop` is a leftover: the API server
accepts it, and the hook fails each time it is run. A `postStart` hook that fails
kills its container. (A port that the API server rejects is reported by
`probe-port-invalid` and `probe-port-numeric-string`, too.)

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

An **error** in `postStart`; a **warning** in `preStop`, where the container is
about to stop anyway.

Silent when `tcpSocket` stands in a probe, where it is supported.
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
                        f"{workload.key} has a {one.label} with a tcpSocket in container {container.name!r}: "
                        f"Kubernetes does not support that, so the hook always fails {effect}."
                    ),
                    severity=Severity.ERROR if starts else Severity.WARNING,
                    primary=one.port,
                )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
