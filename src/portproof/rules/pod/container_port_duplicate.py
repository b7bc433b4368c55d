"""A pod declares the same port twice.

In one container, the number and the protocol together are a port's key,
whatever its name and host address. All containers of a pod share one network,
so two of them cannot listen on the same number.

Why it matters:

Server-side apply, which helm 4 uses, rejects an object that has a key twice.
Client-side apply and kustomize may drop one of the two ports, and with it the
name that a Service looks for.

Severity:

* **error**: in one container of a Rollout, which the API server rejects in any
  case.
* **warning**: in one container of any other workload, because helm 3 and
  client-side apply install it.
* **note**: across containers, where a declaration may be only information, such
  as a proxy that names the port it forwards to.

Fix:

No. Only you know which of the two ports to remove or renumber.

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

Not reported when:

* the protocols differ.
* two containers have the port on different host addresses.
* one of them is an init container, and the other starts after it has ended.
* the pod takes the host port twice, which `host-port` reports.
* injection adds ports to the pods.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import ContainerPort, PortGraph, Role, Workload
from portproof.rules.base import Finding, Label, Severity, rule
from portproof.rules.pod.node_ports import taken_twice


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that a pod declares again."""
    for workload in graph.workloads:
        if workload.opaque:
            continue
        known = {port for port, _, _ in taken_twice(workload)}
        for port, earlier in _repeated(workload):
            if port not in known:
                yield _finding(workload, port, earlier)


def _repeated(workload: Workload) -> Iterator[tuple[ContainerPort, ContainerPort]]:
    """Each port that its container, or another one that runs at the same time, declares before it."""
    of_pod: dict[tuple[int, str, str], ContainerPort] = {}
    for container in sorted(workload.containers, key=lambda one: list(Role).index(one.role)):
        of_container: dict[tuple[int, str], ContainerPort] = {}
        for port in container.ports:
            if not port.value:
                continue
            earlier = of_container.setdefault((port.value, port.protocol), port)
            if earlier is port and container.role is not Role.INIT:
                earlier = of_pod.setdefault((port.value, port.protocol, port.host_ip), port)
            if earlier is not port:
                yield port, earlier


def _finding(workload: Workload, port: ContainerPort, earlier: ContainerPort) -> Finding:
    if port.container != earlier.container:
        severity = Severity.NOTE
        what = (
            f"Containers {earlier.container!r} and {port.container!r} of {workload.key} both declare {port.value} "
            f"{port.protocol}: they share one network, so only one of them can listen there."
        )
    else:
        severity = Severity.ERROR if workload.is_custom else Severity.WARNING
        effect = (
            f"the API server rejects the {workload.key.kind}"
            if workload.is_custom
            else "server-side apply, which helm 4 uses, rejects that, and other tools may drop one of them"
        )
        what = f"Container {port.container!r} of {workload.key} declares {port.value} {port.protocol} twice: {effect}."
    return Finding(
        message=what,
        severity=severity,
        primary=port.number,
        related=(Label(earlier.number, f"container {earlier.container!r} declares it here"),),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
