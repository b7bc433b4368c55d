"""The annotation `prometheus.io/port` names a port that very probably nobody listens on.

Scrape configurations by annotation append this number to the address of each pod. It's
a convention, and a pod may serve metrics on a port that it doesn't declare, so the rule
needs evidence, one of these:

* The number is the port of a Service, which sends to another number.
* The number is a near miss of one declared port.
* Exactly one declared port has a name for metrics.

Nothing else may mention the number. On a Service, too, the number means a port of the
pods: Prometheus asks each endpoint and not the Service. A name is ignored, and so is an empty value: then all
declared ports of the pods are scraped. An empty value comes from a template whose value does not exist.

The base revision of a pull request, or of `--base`, is evidence too. If the two met there,
the rule reports a change that moves only the declared port.

Why it matters:

Every scrape fails because the connection is refused, and the pod's metrics are missing.

Severity:

* **warning**: always, because the scrape configuration isn't in the manifests.

Fix:

Sometimes. It sets the annotation to the port of the pods. There is none when the value
is neither a number nor the name of a port.

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

Bad (the Service's port)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}, annotations: {prometheus.io/scrape: "true", prometheus.io/port: "80"}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: http, containerPort: 8080}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: http}

Bad (a name)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web, annotations: {prometheus.io/scrape: "true", prometheus.io/port: metrics}}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}, {name: metrics, containerPort: 9090}]

Bad (empty)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web, annotations: {prometheus.io/scrape: "true", prometheus.io/port: ""}}
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
* the image of a container is known to listen on the number.
* a Service sends traffic to the number.
* the pods aren't in the rendered manifests.
* the pods declare no TCP port.
* nothing singles out another port.
* the near miss, or the Service's port, is a usual one for health checks or metrics (8081, 9000).
* well-known programs or meshes open the number without declaring it (10254, 15020).
* the pods end, as those of Jobs do.
* injection adds ports to the pods, or a container (`linkerd.io/inject`).
* the value is the name of a port, and the pods declare no other one.
* the value is empty, and the pods declare one port, or `prometheus.io/scrape` is not there.
* the value is a list of numbers with commas.
* the value is a placeholder (`${PORT}`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from portproof.graph import sites
from portproof.graph.answers import answer, target_number
from portproof.graph.evidence import HABITUAL_PORTS, HEALTH_PORTS, is_near_miss, numbers_in_settings
from portproof.graph.fields import mapping
from portproof.graph.model import ContainerPort, PortGraph, Reached, Workload
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

_SIDECAR = re.compile(r"(?:^|[./-])inject(?:ion|or|\b|$)|sidecar[-.]?inject|dapr\.io/enabled")
"""Labels and annotations by which a webhook adds a container to a pod."""

_OFF = frozenset({"false", "disabled", "no", ""})


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each annotation whose port is most likely wrong."""
    for scrape in scrapes.read(graph):
        if any(one.opaque for one in scrape.workloads):
            continue
        value = scrape.port.value
        reached = any(isinstance(answer(graph, one), Reached) for one in annotation_edges(graph, scrape))
        if isinstance(value, int):
            is_open = reached or any(_has_sidecar(graph, one) for one in scrape.workloads)
            found = None if is_open else _number(graph, scrape, value)
        else:
            found = _text(scrape, str(value))
        if found is not None:
            yield found


def _has_sidecar(graph: PortGraph, workload: Workload) -> bool:
    """Whether a mesh or the like puts a container into the pods, which may open any number."""
    template = sites.pod_template(graph.read_from[workload])
    metadata = mapping(mapping(template[1]).get("metadata")) if template else {}
    marks = {**mapping(metadata.get("labels")), **mapping(metadata.get("annotations"))}
    return any(_SIDECAR.search(str(name)) and str(value).lower() not in _OFF for name, value in marks.items())


def _number(graph: PortGraph, scrape: Scrape, number: int) -> Finding | None:
    if number in scrape.others or any(number in one for one in _known(graph, scrape)):
        return None
    ports = [port for one in scrape.workloads for port in one.ports if port.protocol == "TCP"]
    moved = _moved(graph, scrape, number)
    if moved is None and number in _ADDED:
        return None
    meant, reason = moved or _meant(number, ports)
    if meant is None:
        return _sent(graph, scrape, number)
    who = f"{scrape.workloads[0].key} " if scrape.service is not None else ""
    value = _written(scrape, meant.value)
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
        yield [port.target.value for port in scrape.service.ports]
    for workload in scrape.workloads:
        yield numbers_in_settings(workload)
        yield [check.port.value for container in workload.containers for check in container.checks]
        yield [number for container in workload.containers for number in container.default_ports]
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


def _sent(graph: PortGraph, scrape: Scrape, number: int) -> Finding | None:
    """What to say of a Service's port, where the Service sends what it gets to another number of the pods."""
    found = [
        (service, port, target)
        for workload in scrape.workloads
        for service in ([scrape.service] if scrape.service is not None else graph.services_of(workload))
        for port in service.ports
        if port.number.value == number and (target := target_number(port, workload)) not in (None, number)
    ]
    if len({target for _, _, target in found}) != 1:
        return None
    service, port, target = found[0]
    if number in HEALTH_PORTS and purpose(port.label) is not Purpose.METRICS:
        return None
    value = _written(scrape, target)
    whose = "its own port" if service is scrape.service else f"the port of {service.key}"
    return Finding(
        message=(
            f"{scrape.port.resource} asks to be scraped on {number} ({ANNOTATION}), but that is {whose}, which sends to "
            f"{target}: scrapes go to the pods, and nothing else there mentions {number}."
        ),
        severity=Severity.WARNING,
        primary=scrape.port,
        expected=value,
        related=(Label(port.target, f"{service.key} sends to {target} here"),),
        remedies=(Remedy(f"set {ANNOTATION} to {target}", ((scrape.port, value),)),),
    )


def _written(scrape: Scrape, number: int) -> Scalar:
    """How a number is written in place of the one there; annotations are text."""
    return number if scrape.port.piece is not None else str(number)


def _text(scrape: Scrape, text: str) -> Finding | None:
    """What to say of a text that is no number."""
    if not text:
        return _empty(scrape)
    if is_placeholder(text) or all(part.strip().isdigit() for part in text.split(",")):
        return None
    names = [port for port in scrape.service.ports if port.name_text == text] if scrape.service else []
    numbers = {target_number(port, one) for port in names for one in scrape.workloads} | {
        port.value for one in scrape.workloads for port in one.ports if port.name_text == text
    }
    if names or numbers:
        return _name(scrape, text, numbers - {None})
    return Finding(
        message=(
            f"{scrape.port.resource} has {text!r} in the annotation {ANNOTATION}, but scrape configurations expect a "
            "number there."
        ),
        severity=Severity.WARNING,
        primary=scrape.port,
    )


def _empty(scrape: Scrape) -> Finding | None:
    """What to say of an annotation without a value: what is scraped is every declared port."""
    ports = [port for one in scrape.workloads for port in one.ports if port.protocol == "TCP"]
    if len({port.value for port in ports}) < 2:
        return None
    meant = {port.value for port in ports if port.name and purpose(str(port.name.value)) is Purpose.METRICS}
    number = str(next(iter(meant))) if len(meant) == 1 else None
    who = f"of {scrape.workloads[0].key} " if scrape.service is not None else ""
    return Finding(
        message=(
            f"{scrape.port.resource} asks to be scraped, but its annotation {ANNOTATION} is empty: all ports {who}are "
            f"scraped, {declared(ports)}{'' if number is None else f', and not only {number}'}."
        ),
        severity=Severity.WARNING,
        primary=scrape.port,
        expected=number,
        remedies=()
        if number is None
        else (Remedy(f"set {ANNOTATION} to {number}", ((scrape.port, number),)),),
    )


def _name(scrape: Scrape, text: str, numbers: AbstractSet[int | None]) -> Finding | None:
    """What to say of the name of a port: without it, what is scraped is every declared port."""
    declared_ports = {port.value for one in scrape.workloads for port in one.ports if port.protocol == "TCP"}
    if len(numbers) != 1 or not declared_ports - numbers:
        return None
    (number,) = numbers
    return Finding(
        message=(
            f"{scrape.port.resource} has the name {text!r} in the annotation {ANNOTATION}, but scrape configurations "
            f"expect a number there: all ports of the pods are scraped, and not only {number}."
        ),
        severity=Severity.WARNING,
        primary=scrape.port,
        expected=str(number),
        remedies=(Remedy(f"set {ANNOTATION} to {number}", ((scrape.port, str(number)),)),),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
