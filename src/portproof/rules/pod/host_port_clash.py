"""Two workloads want the same port of every node.

A DaemonSet has a pod on each node that its placement allows. A second workload
with the same placement and the same host port finds no node where that port is
free. On the host's network, each port that a container declares is a host port.

Why it matters:

The API server accepts both workloads, but pods of one of them stay Pending.

Severity:

* **warning**: always, because two manifests in one folder may be alternatives.

Fix:

No. Which ports are free depends on your nodes.

Bad::

    apiVersion: apps/v1
    kind: DaemonSet
    metadata: {name: node-exporter}
    spec:
      selector: {matchLabels: {app: node-exporter}}
      template:
        metadata: {labels: {app: node-exporter}}
        spec:
          hostNetwork: true
          containers:
            - {name: exporter, image: exporter:1, ports: [{containerPort: 9100}]}
    ---
    apiVersion: apps/v1
    kind: DaemonSet
    metadata: {name: agent}
    spec:
      selector: {matchLabels: {app: agent}}
      template:
        metadata: {labels: {app: agent}}
        spec:
          containers:
            - {name: agent, image: agent:1, ports: [{containerPort: 8080, hostPort: 9100}]}

Good::

    apiVersion: apps/v1
    kind: DaemonSet
    metadata: {name: node-exporter}
    spec:
      selector: {matchLabels: {app: node-exporter}}
      template:
        metadata: {labels: {app: node-exporter}}
        spec:
          hostNetwork: true
          containers:
            - {name: exporter, image: exporter:1, ports: [{containerPort: 9100}]}
    ---
    apiVersion: apps/v1
    kind: DaemonSet
    metadata: {name: agent}
    spec:
      selector: {matchLabels: {app: agent}}
      template:
        metadata: {labels: {app: agent}}
        spec:
          containers:
            - {name: agent, image: agent:1, ports: [{containerPort: 8080, hostPort: 9101}]}

Not reported when:

* neither is a DaemonSet: the scheduler looks for another node.
* their `nodeSelector`, `affinity`, `tolerations` or other placement differ,
  because they may run on different nodes.
* the protocols differ.
* the `hostIP` differs.
* a workload has 0 replicas.
* the pods end, as those of a Job do.
* an init container declares the port and ends before the others start.
* the two are variants of one workload (same kind, name and namespace).
* injection adds ports to the pods.
* the value is a placeholder (`${PORT}`).
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph
from portproof.rules.base import Finding, Label, Severity, rule
from portproof.rules.pod.node_ports import NodePortClaim, clashes


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each workload whose port is taken on every node."""
    for first, second in clashes(graph):
        yield _finding(first, second)


def _finding(first: NodePortClaim, second: NodePortClaim) -> Finding:
    return Finding(
        message=(
            f"{second.workload.key} needs port {second.site.value} {second.port.protocol} of its nodes, but "
            f"{_name(first, second)}, with the same placement, takes it on every one of them. Pods of one of the two "
            "stay Pending."
        ),
        severity=Severity.WARNING,
        primary=second.site,
        related=(Label(first.site, f"{first.workload.key} takes it here"),),
    )


def _name(first: NodePortClaim, second: NodePortClaim) -> str:
    own, other = first.workload.key, second.workload.key
    return str(own) if own.namespace == other.namespace else f"{own} in namespace {own.namespace!r}"


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
