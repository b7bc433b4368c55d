"""The annotation `prometheus.io/port` names a port that very probably nobody listens on.

Scrape configurations by annotation append this number to the address of each pod. It's
a convention, and a pod may serve metrics on a port that it doesn't declare, so the rule
needs evidence. Either the number is a near miss of one declared port, or exactly one
declared port has a name for metrics. Nothing else may mention the number.

On a Service, the number may be one of its own ports, a target, or a declared port of its
pods: configurations differ in what they accept.

The base revision of a pull request, or of `--base`, is evidence too. If the two met there,
the rule reports a change that moves only the declared port.

Why it matters:

Every scrape fails because the connection is refused, and the pod's metrics are missing.

Severity:

* **warning**: always, because the scrape configuration isn't in the manifests.

Fix:

Sometimes. It sets the annotation to the declared port. There is none when the value
isn't a number.

Bad (a near miss)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web, annotations: {prometheus.io/scrape: "true", prometheus.io/port: "3001"}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: http, containerPort: 3000}]}

Bad (another port is for metrics)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web, annotations: {prometheus.io/port: "9102"}}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}, {name: metrics, containerPort: 9090}]

Bad (no number)::

    apiVersion: v1
    kind: Service
    metadata: {name: web, annotations: {prometheus.io/scrape: "true", prometheus.io/port: "map[http:80]"}}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80}

Good::

    apiVersion: v1
    kind: Pod
    metadata: {name: web, annotations: {prometheus.io/scrape: "true", prometheus.io/port: "9090"}}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}, {name: metrics, containerPort: 9090}]

Not reported when:

* `prometheus.io/scrape` is present and isn't "true".
* the number has no quotes: `port-without-quotes` reports that.
* a container declares the number.
* the settings, probes, other annotations or ConfigMaps of the pods mention the number.
* a Service sends traffic to the number.
* the pods aren't in the rendered manifests.
* the pods declare no TCP port.
* nothing singles out another port.
* the near miss is a usual port for health checks or metrics (8081, 9000).
* well-known programs or meshes open the number without declaring it (10254, 15020).
* the pods end, as those of Jobs do.
* injection adds ports to the pods.
* the value is the name of a port.
* the value is a list of numbers with commas.
* the value is a placeholder (`${PORT}`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.answers import answer
from portproof.graph.evidence import HABITUAL_PORTS, HEALTH_PORTS, is_near_miss, numbers_in_settings
from portproof.graph.model import ContainerPort, PortGraph, Reached
from portproof.graph.names import is_placeholder
from portproof.graph.past import declared_before
from portproof.graph.phrasing import declared
from portproof.graph.purpose import Purpose, purpose
from portproof.rules.base import Finding, Label, Remedy, Scalar, Severity, rule
from portproof.rules.monitoring import scrapes
from portproof.rules.monitoring.edges import annotation_edges
from portproof.rules.monitoring.scrapes import ANNOTATION, Scrape

_ADDED = HABITUAL_PORTS | {9901, 15090}
"""Ports that well-known programs open undeclared, and those of sidecars that meshes add."""


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each annotation whose port is most likely wrong."""
    for scrape in scrapes.read(graph):
        if any(one.opaque for one in scrape.workloads):
            continue
        if any(isinstance(answer(graph, one), Reached) for one in annotation_edges(graph, scrape)):
            continue
        value = scrape.port.value
        found = _number(graph, scrape, value) if isinstance(value, int) else _text(scrape, str(value))
        if found is not None:
            yield found


def _number(graph: PortGraph, scrape: Scrape, number: int) -> Finding | None:
    if number in scrape.others or any(number in one for one in _known(graph, scrape)):
        return None
    ports = [port for one in scrape.workloads for port in one.ports if port.protocol == "TCP"]
    moved = _moved(graph, scrape, number)
    if moved is None and number in _ADDED:
        return None
    meant, reason = moved or _meant(number, ports)
    if meant is None:
        return None
    who = f"{scrape.workloads[0].key} " if scrape.service is not None else ""
    quoted = scrape.port.piece is not None
    value: Scalar = meant.value if quoted else str(meant.value)  # annotations are text
    return Finding(
        message=(
            f"{scrape.port.resource} asks to be scraped on {number} ({ANNOTATION}), but {who}declares "
            f"{declared(ports)}: {reason}, and nothing else mentions {number}."
        ),
        severity=Severity.WARNING,
        primary=scrape.port,
        expected=value,
        related=(Label(meant.number, f"{meant.value} is declared here"),),
        remedies=(Remedy(f"set {ANNOTATION} to {meant.value}", ((scrape.port, value),)),),
    )


def _known(graph: PortGraph, scrape: Scrape) -> Iterator[Sequence[object] | frozenset[int]]:
    """The numbers that speak for themselves: probed, mentioned, or a Service's."""
    if scrape.service is not None:
        yield [port.number.value for port in scrape.service.ports]
        yield [port.target.value for port in scrape.service.ports]
    for workload in scrape.workloads:
        yield numbers_in_settings(workload)
        yield [check.port.value for container in workload.containers for check in container.checks]
        yield [port.target.value for service in graph.services_of(workload) for port in service.ports]
        if scrape.service is not None:
            yield workload.annotation_numbers


def _meant(number: int, ports: Sequence[ContainerPort]) -> tuple[ContainerPort | None, str]:
    """The declared port that was probably meant, and why; None when nothing, or more than one thing, tells."""
    metrics = [port for port in ports if port.name and purpose(str(port.name.value)) is Purpose.METRICS]
    near = [port for port in ports if is_near_miss(port.value, number)]
    if len({port.value for port in (*metrics, *near)}) != 1:
        return None, ""
    if metrics:
        return metrics[0], f"its port for metrics is {metrics[0].value}"
    if number in HEALTH_PORTS:
        return None, ""
    return near[0], f"{number} is a near miss of {near[0].value}"


def _moved(graph: PortGraph, scrape: Scrape, number: int) -> tuple[ContainerPort, str] | None:
    """The declared port that had the number in the base, and that a change has moved."""
    pairs = [pair for one in scrape.workloads for pair in declared_before(graph, one).items()]
    meant = next((new for new, old in pairs if old.value == number), None)
    return None if meant is None else (meant, f"this change moves that port from {number} to {meant.value}")


def _text(scrape: Scrape, text: str) -> Finding | None:
    """What to say of a text that is neither a number nor the name of a port."""
    names = [port.name_text for port in scrape.service.ports] if scrape.service is not None else []
    if is_placeholder(text) or text in names:
        return None
    if all(part.strip().isdigit() for part in text.split(",")):
        return None
    return Finding(
        message=(
            f"{scrape.port.resource} has {text!r} in the annotation {ANNOTATION}, but scrape configurations expect a "
            "number there."
        ),
        severity=Severity.WARNING,
        primary=scrape.port,
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
