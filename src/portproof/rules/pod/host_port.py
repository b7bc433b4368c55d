"""A host port differs from the container port on the host's network, or is taken twice in a pod.

A pod with `hostNetwork: true` listens on the node itself. There, the `hostPort`
of a container must equal its `containerPort`, and that is also its default. A
pod cannot take one host port twice.

Why it matters:

The API server rejects the workload, or every pod that is created from it. A
Rollout is accepted by the API server and rejected by its controller.

Severity:

* **error**: for every value except an empty one.
* **warning**: when the field is empty, as a template leaves it when its value
  isn't set.
* **note**: when the field is empty and a chart is rendered with its defaults
  alone, because users set the value when they install it.

Fix:

Sometimes. On the host's network it sets `hostPort` to the `containerPort`.
Otherwise, which ports are free depends on your nodes.

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

Bad (two containers on the network of the host)::

    apiVersion: apps/v1
    kind: DaemonSet
    metadata: {name: agent}
    spec:
      selector: {matchLabels: {app: agent}}
      template:
        metadata: {labels: {app: agent}}
        spec:
          hostNetwork: true
          containers:
            - {name: agent, image: agent:1, ports: [{name: http, containerPort: 8080}]}
            - {name: proxy, image: proxy:1, ports: [{name: proxy, containerPort: 8080}]}

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

Not reported when:

* `hostPort` is 0.
* `hostPort` is absent, and the pod isn't on the host's network.
* the protocols differ.
* the `hostIP` differs.
* an init container or native sidecar takes the port of another container.
* an init container or native sidecar has a different `hostPort` on the host's
  network.
* the value is a placeholder (`${PORT}`).
* two pods want one port, because the scheduler puts them on different nodes.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import Container, ContainerPort, PortGraph, Role, Site, Workload
from portproof.graph.names import is_placeholder
from portproof.graph.phrasing import rejected, sentence
from portproof.rules.base import Finding, Label, Remedy, Severity, rule
from portproof.rules.pod.node_ports import taken_twice


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each host port that is rejected."""
    for workload in graph.workloads:
        again = {port: (site, earlier) for port, site, earlier in taken_twice(workload)}
        for container in workload.containers:
            for port in container.ports:
                found = _own(workload, container, port)
                if found is None and port in again:
                    found = _twice(workload, port, *again[port])
                if found is not None:
                    yield found


def _own(workload: Workload, container: Container, port: ContainerPort) -> Finding | None:
    """What is wrong with a host port, whatever the others are."""
    host = port.host_port
    if host is None or is_placeholder(host.value):
        return None
    if not isinstance(host.value, int) or not 1 <= host.value <= 65535:
        return _out_of_range(workload, host)
    # Only the regular containers are compared (k/k validation.go, validatePodHostNetworkDeps).
    compared = workload.host_network and container.role is Role.REGULAR
    return _differs(workload, port, host) if compared and port.value and host.value != port.value else None


def _out_of_range(workload: Workload, host: Site) -> Finding:
    mistyped, unset = not isinstance(host.value, int), host.value == ""
    return Finding(
        message=(
            f"{workload.key} has hostPort {host.value!r}, which is not a number between 1 and 65535: "
            f"{rejected(workload, mistyped=mistyped)}."
        ),
        severity=Severity.WARNING if unset else Severity.ERROR,
        unset=unset,
        primary=host,
    )


def _differs(workload: Workload, port: ContainerPort, host: Site) -> Finding:
    return Finding(
        message=(
            f"{workload.key} uses the host's network, but container {port.container!r} has hostPort {host.value} for "
            f"containerPort {port.value}: they must be equal there, and {rejected(workload)}."
        ),
        severity=Severity.ERROR,
        primary=host,
        expected=port.value,
        related=(Label(port.number, "the port that the container listens on"),),
        remedies=(Remedy(f"set hostPort to {port.value}", ((host, port.value),)),),
    )


def _twice(workload: Workload, port: ContainerPort, host: Site, earlier: Site) -> Finding:
    if port.host_port is not None and earlier.path[-1] == "hostPort":
        what, effect = f"takes hostPort {host.value} {port.protocol}", sentence(rejected(workload))
    else:
        what = f"uses the host's network and declares {host.value} {port.protocol}"
        whom = "the Pod" if workload.key.kind == "Pod" else "each of its pods"
        effect = f"Every declared port is a host port there, so the API server rejects {whom}"
    return Finding(
        message=f"{workload.key} {what} twice, the second time in container {port.container!r}. {effect}.",
        severity=Severity.ERROR,
        primary=host,
        related=(Label(earlier, "taken here first"),),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
