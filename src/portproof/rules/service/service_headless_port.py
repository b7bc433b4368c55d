"""A headless Service has a port that its pods do not listen on.

The DNS name of a headless Service resolves to the pods themselves. A client
that connects to `port` reaches that port of the pod, and `targetPort`
translates nothing. So `port` should be the port that the container listens on.

Why it matters:

The name resolves and the pods run, but connections to `port` are refused.

Severity:

* **warning**: `port` and `targetPort` are one number, which nothing in the pods mentions. They
  declare a port with the Service port's name, and `service-target-number` would be certain that it
  is meant. SRV records have the wrong number, too.
* **note**: otherwise, because clients that read SRV records get the target port.

Fix:

Sometimes. It sets `port` to the port that the pods declare. There is none when
the Service already has that port, or when its workloads declare different ones.

Bad::

    apiVersion: v1
    kind: Service
    metadata: {name: db}
    spec:
      clusterIP: None
      selector: {app: db}
      ports:
        - {name: sql, port: 80, targetPort: 5432}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: db, labels: {app: db}}
    spec:
      containers:
        - {name: db, image: db:1, ports: [{containerPort: 5432}]}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: db}
    spec:
      clusterIP: None
      selector: {app: db}
      ports:
        - {name: sql, port: 5432}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: db, labels: {app: db}}
    spec:
      containers:
        - {name: db, image: db:1, ports: [{containerPort: 5432}]}

Not reported when:

* the pods declare `port` too.
* the pods mention `port` in their settings.
* the pods do not declare the target, unless `port` is the same number, and they declare the name.
* the Service isn't headless.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.answers import ends
from portproof.graph.evidence import is_in_pod_spec
from portproof.graph.model import ContainerPort, PortGraph, Service, ServicePort, Workload
from portproof.graph.phrasing import clauses
from portproof.graph.weighing import Confidence, Weighed, weigh
from portproof.rules.base import Finding, Label, Remedy, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a note for each port of a headless Service that its pods do not declare, though they declare its target."""
    for service in graph.services:
        workloads = graph.select(service).workloads
        if not service.headless or not workloads:
            continue
        for port in service.ports:
            found = ends(graph, service, port)
            if not (found.reached or found.unknown) and port.target.value == port.number.value:
                verdicts = [weigh(graph, service, port, one) for one in found.missed]
                if verdicts and all(_is_certain(one, port) for one in verdicts):
                    yield _of_neither(service, port, verdicts)
            elif len(found.reached) == len(workloads) and not any(_listens(one, port) for one in workloads):
                yield _finding(service, port, found.reached)


def _listens(workload: Workload, port: ServicePort) -> bool:
    number = port.number.value
    if not isinstance(number, int):
        return True
    return is_in_pod_spec(workload, number) or any(one.value == number for one in workload.ports)


def _is_certain(verdict: Weighed, port: ServicePort) -> bool:
    """Whether the port that the pods declare by the Service port's name is certainly the one that is meant."""
    named = verdict.meant is not None and verdict.meant.name_text == port.name_text is not None
    return named and verdict.move is None and verdict.confidence is Confidence.CERTAIN


def _of_neither(service: Service, port: ServicePort, verdicts: Sequence[Weighed]) -> Finding:
    """What to say of a number that the pods know nothing of, whether clients take it from DNS or from their settings."""
    first = verdicts[0]
    meant = [one.meant for one in verdicts if one.meant is not None]
    numbers = {one.value for one in meant}
    expected = meant[0].value if len(numbers) == 1 else None
    taken = any((one.number.value, one.protocol) == (expected, port.protocol) for one in service.ports)
    if taken or port.node_port is not None:
        expected = None
    sites = [port.number] if port.implicit else [port.number, port.target]
    return Finding(
        message=(
            f"{service.key} is headless, so clients connect to port {port.number.value} of the pods themselves, but "
            f"{first.workload.key} declares {port.label} as {meant[0].value}: those connections are refused. "
            f"Evidence: {clauses(first.strongest)}."
        ),
        severity=Severity.WARNING,
        primary=port.number,
        expected=expected,
        related=tuple(Label(one.number, f"{port.label} is declared here") for one in meant),
        remedies=(
            ()
            if expected is None
            else (Remedy(f"set port to {expected}", tuple((site, expected) for site in sites)),)
        ),
    )


def _finding(service: Service, port: ServicePort, found: Sequence[tuple[Workload, ContainerPort]]) -> Finding:
    workload, declared = found[0]
    numbers = {one.value for _, one in found}
    taken = any((one.number.value, one.protocol) == (declared.value, port.protocol) for one in service.ports)
    expected = declared.value if len(numbers) == 1 and not taken else None
    return Finding(
        message=(
            f"{service.key} is headless, so clients connect to port {port.number.value} of the pods themselves, but "
            f"{workload.key} listens on {declared.value}: those connections are refused."
        ),
        severity=Severity.NOTE,
        primary=port.number,
        expected=expected,
        related=(Label(declared.number, f"{workload.key} declares {declared.value} here"),),
        remedies=() if expected is None else (Remedy(f"set port to {expected}", ((port.number, expected),)),),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
