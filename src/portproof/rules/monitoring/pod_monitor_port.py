"""A monitor scrapes a port that none of its pods declares.

A PodMonitor finds the ports that the containers *declare*: `port` is the name of
one, `portNumber` its number, and `targetPort` (deprecated) either. A port on
which a container listens without declaring it is never found, and nothing tells:
the monitor just has no targets. VMPodScrape reads the same fields; PodMonitoring
and ClusterPodMonitoring have `port` only, a name or a number.

Bad::

    apiVersion: monitoring.coreos.com/v1
    kind: PodMonitor
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      podMetricsEndpoints:
        - {port: metrics}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: http, containerPort: 8080}]}

Bad (a number where a name belongs)::

    apiVersion: monitoring.coreos.com/v1
    kind: PodMonitor
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      podMetricsEndpoints:
        - {port: "8080"}

Good::

    apiVersion: monitoring.coreos.com/v1
    kind: PodMonitor
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      podMetricsEndpoints:
        - {port: http}
        - {portNumber: 9090}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}, {containerPort: 9090}]

An **error** when the monitor looks in namespaces that it names (or its own), and
a **warning** when it looks in all of them: pods of other releases may be meant.
Also a warning when other endpoints of the monitor find targets and the name is no
slip of one that is there: it may be meant for another version.
A text of digits is an error wherever the pods are, for no port can have that
name, and so is a number in `port` of a PodMonitor, which the API server refuses.

Silent when no workload here has the labels, or only Jobs and other pods that
end, when the selector names no value that a label must have or only a switch
(`scrape: "true"`, which operators set, too), when one of the pods declares the
port, in an init container too, for the names of ports that a mesh adds at
admission, for numbers that an annotation of the pod mentions, for numbers of
PodMonitoring (it scrapes them undeclared), for patterns (`http.*`) and for
placeholders (`${PORT}`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.model import PortGraph, Workload
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.monitoring.monitors import Endpoint, Monitors
from portproof.rules.monitoring.scraping import answer_for, findings, lacking, lasting_first, undeclared


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each endpoint of a monitor over pods that can have no targets."""
    monitors = Monitors(graph)

    def lack(endpoint: Endpoint) -> Sequence[Workload] | None:
        return None if endpoint.free else lasting_first(lacking(monitors, endpoint)) or None

    return findings(
        monitors,
        pods=True,
        answer=lambda endpoint: answer_for(endpoint, monitors.workloads(endpoint)),
        lack=lack,
        tell=lambda endpoint, workloads: undeclared(graph, endpoint, workloads),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
