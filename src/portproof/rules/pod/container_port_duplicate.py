"""A pod declares the same port twice.

All containers of a pod share one network, so two of them cannot listen on one
number. In one container a second entry of the same number and protocol is
legal, but tools that merge by number (`kubectl apply`, kustomize) may drop one
of the two, and with it the name that a Service looks for.

Bad::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}, {containerPort: 8080}]

Bad (two containers)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{containerPort: 8080}]}
        - {name: proxy, image: proxy:1, ports: [{containerPort: 8080}]}

Good::

    apiVersion: v1
    kind: Pod
    metadata: {name: dns}
    spec:
      containers:
        - name: dns
          image: dns:1
          ports: [{name: dns, containerPort: 53, protocol: UDP}, {name: dns-tcp, containerPort: 53}]

A **warning** in one container, a **note** when both entries there have names
(the second is an alias), and a **note** across containers, where a declaration
may be only information (a proxy that names the port it stands for).

Silent when the protocols or the host addresses differ, for init containers that
end before the others start, and for pods whose ports are added by injection.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import ContainerPort, PortGraph, Workload
from portproof.rules.base import Finding, Label, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that a pod declares again."""
    for workload in graph.workloads:
        if workload.opaque:
            continue
        first: dict[tuple[int, str, str], ContainerPort] = {}
        for port in workload.ports:
            if not port.value:
                continue
            earlier = first.setdefault((port.value, port.protocol, port.host_ip), port)
            if earlier is not port:
                yield _finding(workload, port, earlier)


def _finding(workload: Workload, port: ContainerPort, earlier: ContainerPort) -> Finding:
    same = port.container == earlier.container
    who = (
        f"Container {port.container!r} of {workload.key} declares {port.value} {port.protocol} twice: tools that "
        "merge by number may drop one."
        if same
        else f"Containers {earlier.container!r} and {port.container!r} of {workload.key} both declare {port.value} "
        f"{port.protocol}: they share one network, so only one of them can listen there."
    )
    return Finding(
        message=who,
        severity=Severity.WARNING if same and not _is_alias(port, earlier) else Severity.NOTE,
        primary=port.number,
        related=(Label(earlier.number, f"container {earlier.container!r} declares it here"),),
    )


def _is_alias(port: ContainerPort, earlier: ContainerPort) -> bool:
    """Whether the second entry gives the port a second name on purpose."""
    return port.name is not None and earlier.name is not None


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
