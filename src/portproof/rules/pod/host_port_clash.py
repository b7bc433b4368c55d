"""Two workloads want the same port of every node.

A DaemonSet has a pod on each node that its placement allows. A second workload
with the same placement and the same host port finds no node where that port is
free: the API server takes it, and its pods stay Pending. On the host's network
each port that a container declares is a host port.

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

A **warning**: two manifests of one folder may be alternatives.

Silent when neither is a DaemonSet (the scheduler looks for another node), when
their `nodeSelector`, `affinity`, `tolerations` or other placement differ (they
may run on different nodes), when the protocols or the `hostIP` differ, for
workloads with 0 replicas, for pods that end, for init containers that end before
the others start, for variants of one workload (same kind, name and namespace),
for pods whose ports are added by injection, and for placeholders (`${PORT}`).
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
    where = "every node" if first.placement == "{}" else "every node that both may run on"
    return Finding(
        message=(
            f"{second.workload.key} wants port {second.site.value} {second.port.protocol} of its nodes, but "
            f"{_name(first, second)} takes it on {where} (their placement is the same): the pods of one of them stay "
            "Pending."
        ),
        severity=Severity.WARNING,
        primary=second.site,
        related=(Label(first.site, f"{first.workload.key} takes it here"),),
    )


def _name(first: NodePortClaim, second: NodePortClaim) -> str:
    own, other = first.workload.key, second.workload.key
    return str(own) if own.namespace == other.namespace else f"{own} in namespace {own.namespace!r}"


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
