"""A ServiceMonitor scrapes a port that its Services or their pods do not have.

`port` of an endpoint is the *name* of a Service's port, never a number. It takes
precedence over `targetPort`, which is the name or number of a port that a container
*declares*. VMServiceScrape has the same fields.

Why it matters:

When nothing has the port, the monitor has no targets, and nothing reports that:
dashboards stay empty, and alerts never fire.

Severity:

* **error**: when the monitor looks in its own namespace, or in namespaces that it
  names. Wherever the Services are, also for a number in `port`, which the API server
  rejects, and for digits in quotes in `targetPort`.
* **warning**: when the monitor looks in all namespaces, because Services of other
  releases may be meant.
* **note**: when its other endpoints find targets and the name isn't a typo of an existing one:
  it may be for another version, or for other Services.

Fix:

Sometimes. It sets the field to the port that exists, or gives that port the name that
the monitor asks for. There is none when several ports could be meant, when the only one
speaks another protocol than HTTP, or when only one of several selected Services has it.

Bad (a name that no Service has)::

    apiVersion: monitoring.coreos.com/v1
    kind: ServiceMonitor
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      endpoints:
        - {port: metrics}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web, labels: {app: web}}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80}

Bad (a number that no container declares)::

    apiVersion: monitoring.coreos.com/v1
    kind: ServiceMonitor
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      endpoints:
        - {targetPort: 9090}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web, labels: {app: web}}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: http}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: http, containerPort: 8080}]}

Good::

    apiVersion: monitoring.coreos.com/v1
    kind: ServiceMonitor
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      endpoints:
        - {port: http}
        - {targetPort: 9090}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web, labels: {app: web}}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: http}
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

* no Service in the rendered manifests has the labels.
* the selector asks for no particular value of a label.
* the selector asks only for a switch, such as `scrape: "true"`: operators set it, too.
* one of several selected Services has the port.
* a selected Service has no selector, so its endpoints are made elsewhere.
* a selected Service is of type ExternalName.
* a selected Service is headless and lists no port.
* `targetPort` leads to pods that aren't in the rendered manifests.
* an init container declares the port.
* a mesh adds a port of that name at admission.
* an annotation of the pods mentions the number.
* the value is a pattern (`http.*`).
* the value is a placeholder (`${PORT}`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from portproof.graph.answers import missed
from portproof.graph.meant import first_unique
from portproof.graph.model import PortGraph, Service, ServiceEdge, Workload
from portproof.graph.purpose import speaks_http
from portproof.replacing import replace
from portproof.rules.base import Finding, Scalar, Severity, rule
from portproof.rules.monitoring.edges import service_edges
from portproof.rules.monitoring.monitors import Endpoint, FieldMeaning, Monitors
from portproof.rules.monitoring.scraping import answer_for, findings, lacking, undeclared
from portproof.rules.port_references import clarity, finding


class _Lack(Struct, frozen=True):
    """What lacks the port: `workloads`, or else Services, with the one that says best what was meant, and its edge."""

    workloads: Sequence[Workload] = ()
    best: tuple[ServiceEdge, Service] | None = None
    services: Sequence[Service] = ()


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each endpoint of a monitor over Services that can have no targets."""
    monitors = Monitors(graph)

    def answer(endpoint: Endpoint) -> Scalar | None:
        services = monitors.services(endpoint)
        if endpoint.means is FieldMeaning.SERVICE_NAME:
            return _named(endpoint, services)
        pods, unknown = monitors.pods(endpoint)
        return answer_for(endpoint, () if unknown else pods.workloads)

    def lack(endpoint: Endpoint) -> _Lack | None:
        if endpoint.means is FieldMeaning.SERVICE_NAME:
            return _absent(graph, service_edges(monitors, endpoint))
        workloads = lacking(monitors, endpoint)
        return _Lack(workloads) if workloads else None

    return findings(
        monitors, pods=False, answer=answer, lack=lack, tell=lambda one, found: _told(graph, one, found)
    )


def _named(endpoint: Endpoint, services: Sequence[Service]) -> Scalar | None:
    """The name of the one port that a number in ``port`` stands for, as the Service's port or as its target."""
    ports = [port for one in services for port in one.ports if port.name is not None]
    own = {port.name.value for port in ports if port.name and port.number.value == endpoint.port.value}
    aimed = {port.name.value for port in ports if port.name and port.target.value == endpoint.port.value}
    return first_unique(own, aimed)


def _absent(graph: PortGraph, edges: Iterable[ServiceEdge]) -> _Lack | None:
    """The Services when none of them has a port of that name; None when one does, or may."""
    found: list[tuple[ServiceEdge, Service]] = []
    for edge in edges:
        services = missed(graph, edge)
        if not services:
            return None
        found += ((edge, one) for one in services)
    best = min(found, key=lambda one: clarity(one[1], one[0]), default=None)
    return None if best is None else _Lack(best=best, services=[service for _, service in found])


def _told(graph: PortGraph, endpoint: Endpoint, lack: _Lack) -> Finding:
    if lack.best is None:
        return undeclared(graph, endpoint, lack.workloads)
    edge, service = lack.best
    found = finding(graph, edge, (service,), does="scrapes", so="nothing is scraped")
    count = len(lack.services)
    if count > 1:
        text = f"{found.message} None of the {count} selected Services has that port."
        found = replace(found, message=text)
    meant = next((one for one in service.ports if found.expected == one.name_text), None)
    # A port that only one of several Services has is a guess: it may be that of an admission webhook.
    shared = all(any(one.name_text == found.expected for one in each.ports) for each in lack.services)
    if meant is not None and not (shared and speaks_http(meant.name_text, meant.number.value)):
        found = replace(found, expected=None, remedies=())
    return replace(found, severity=Severity.WARNING) if endpoint.namespaces is None else found


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
