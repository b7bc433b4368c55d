"""A ServiceMonitor scrapes a port that its Services or their pods do not have.

`port` of an endpoint is the *name* of a Service's port, never a number; it comes
before `targetPort`, which is the name or number of a port that a container
*declares*. When nothing has that port the monitor just has no targets, and
nothing tells. VMServiceScrape reads the same fields.

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

An **error** when the monitor looks in namespaces that it names (or its own),
and a **warning** when it looks in all of them: Services of other releases may
be meant. Also a warning when other endpoints of the monitor find targets and
the name is no slip of one that is there: it may be meant for another version. A
number in `port` is an error wherever the Services are (the API server refuses
it), and so are digits in quotes in `targetPort`.

Silent when no Service here has the labels, when the selector names no value
that a label must have or only a switch (`scrape: "true"`, which operators set,
too), when one of several Services has the port, when a Service has no selector,
is an ExternalName, or is headless and lists no port (its endpoints are made
elsewhere), when the pods of `targetPort` are not here, when an init container
declares it, for the names of ports that a mesh adds at admission, for numbers
that an annotation of the pods mentions, for patterns (`http.*`) and for
placeholders (`${PORT}`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from portproof.graph.answers import missed
from portproof.graph.meant import first_unique
from portproof.graph.model import PortGraph, Service, ServiceEdge, Workload
from portproof.rules.base import Finding, Scalar, Severity, rule
from portproof.rules.monitoring.edges import service_edges
from portproof.rules.monitoring.monitors import Endpoint, FieldMeaning, Monitors
from portproof.rules.monitoring.scraping import answer_for, findings, lacking, undeclared
from portproof.rules.port_references import clarity, finding


@dataclass(frozen=True, slots=True)
class _Lack:
    """What lacks the port: `workloads`, or else Services, with the one that says best what was meant, and its edge."""

    workloads: Sequence[Workload] = ()
    best: tuple[ServiceEdge, Service] | None = None
    count: int = 0


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
    return None if best is None else _Lack(best=best, count=len(found))


def _told(graph: PortGraph, endpoint: Endpoint, lack: _Lack) -> Finding:
    if lack.best is None:
        return undeclared(graph, endpoint, lack.workloads)
    edge, service = lack.best
    so = "nothing is scraped"
    if lack.count > 1:
        so = f"none of the {lack.count} Services that it selects has it, and {so}"
    found = finding(graph, edge, (service,), does="scrapes", so=so)
    return replace(found, severity=Severity.WARNING) if endpoint.namespaces is None else found


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
