"""A monitor scrapes a port that none of its pods declares.

A PodMonitor finds only the ports that containers *declare*. `port` is the name of a
port, `portNumber` its number, and `targetPort` (deprecated) either. VMPodScrape has the
same fields. PodMonitoring and ClusterPodMonitoring have only `port`, a name or a number.

Why it matters:

A port that a container listens on without declaring it is never found. The monitor has
no targets, and nothing reports that: dashboards stay empty, and alerts never fire.

Severity:

* **error**: when the monitor looks in its own namespace, or in namespaces that it
  names. Wherever the pods are, also for digits in quotes, which can't be a port's name.
  The same goes for a number in `port` of a PodMonitor, which the API server rejects.
* **warning**: when the monitor looks in all namespaces, because pods of other releases
  may be meant.
* **note**: when its other endpoints find targets and the name isn't a typo of a declared one:
  it may be for another version, or for other pods.

Fix:

Sometimes. It sets the field to the declared port, or gives the container's port the name
that the monitor asks for. There is none when several ports could be meant.

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

Not reported when:

* no workload in the rendered manifests has the labels.
* only Jobs and other pods that end have the labels.
* the selector asks for no particular value of a label.
* the selector asks only for a switch, such as `scrape: "true"`: operators set it, too.
* one of the pods declares the port, be it in an init container.
* a mesh adds a port of that name at admission.
* injection adds ports to the pods.
* an annotation of the pod mentions the number.
* the number is in a PodMonitoring, which scrapes undeclared ports, too.
* the value is a pattern (`http.*`).
* the value is a placeholder (`${PORT}`).
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
