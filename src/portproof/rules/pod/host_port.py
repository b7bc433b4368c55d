"""A host port differs on the host's network, or is taken twice in one pod.

A pod with `hostNetwork: true` listens on the node itself, so its `hostPort` has
to equal `containerPort`. In one pod no two containers can have the same host
port. The API server refuses both.

Bad (the network of the host)::

    apiVersion: v1
    kind: Pod
    metadata: {name: agent}
    spec:
      hostNetwork: true
      containers:
        - {name: agent, image: agent:1, ports: [{containerPort: 8080, hostPort: 80}]}

Bad (taken twice)::

    apiVersion: v1
    kind: Pod
    metadata: {name: agent}
    spec:
      containers:
        - {name: agent, image: agent:1, ports: [{containerPort: 8080, hostPort: 80}]}
        - {name: proxy, image: proxy:1, ports: [{containerPort: 8081, hostPort: 80}]}

Good::

    apiVersion: v1
    kind: Pod
    metadata: {name: agent}
    spec:
      containers:
        - name: agent
          image: agent:1
          ports:
            - {containerPort: 8080, hostPort: 80}
            - {containerPort: 8125, hostPort: 80, protocol: UDP}

Silent when `hostPort` is absent or 0, when the protocols or `hostIP` differ,
for init containers taking the same port, for placeholders (`${PORT}`), and about two pods that want one port
(the scheduler puts them on different nodes).
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import ContainerPort, PortGraph, Role, Site, Workload
from portproof.graph.names import is_placeholder
from portproof.rules.base import Finding, Label, Remedy, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each host port that the API server refuses."""
    for workload in graph.workloads:
        first: dict[tuple[object, str, str], Site] = {}
        for container in workload.containers:
            for port in container.ports:
                host = port.host_port
                if host is None or is_placeholder(host.value):
                    continue
                if not isinstance(host.value, int) or not 1 <= host.value <= 65535:
                    yield _out_of_range(workload, host)
                elif workload.host_network and port.value and host.value != port.value:
                    yield _differs(workload, port, host)
                elif container.role is Role.REGULAR:
                    earlier = first.setdefault((host.value, port.protocol, port.host_ip), host)
                    if earlier is not host:
                        yield _twice(workload, port, host, earlier)


def _out_of_range(workload: Workload, host: Site) -> Finding:
    return Finding(
        message=(
            f"{workload.key} has hostPort {host.value!r}, which is not a number between 1 and 65535: the API server "
            "refuses the object."
        ),
        severity=Severity.ERROR,
        primary=host,
    )


def _differs(workload: Workload, port: ContainerPort, host: Site) -> Finding:
    return Finding(
        message=(
            f"{workload.key} uses the host's network, and container {port.container!r} has hostPort {host.value} for "
            f"containerPort {port.value}: the two have to be equal there, and the API server refuses the object."
        ),
        severity=Severity.ERROR,
        primary=host,
        expected=port.value,
        related=(Label(port.number, "the port that the container listens on"),),
        remedies=(Remedy(f"set hostPort to {port.value}", ((host, port.value),)),),
    )


def _twice(workload: Workload, port: ContainerPort, host: Site, earlier: Site) -> Finding:
    return Finding(
        message=(
            f"{workload.key} takes hostPort {host.value} {port.protocol} twice, the second time in container "
            f"{port.container!r}: the API server refuses the object."
        ),
        severity=Severity.ERROR,
        primary=host,
        related=(Label(earlier, "taken here first"),),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
