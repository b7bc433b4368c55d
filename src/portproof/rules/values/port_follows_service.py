"""A container's port or probe moves with the Service's port, but its program is not told.

A template takes `containerPort`, or the port of a probe, from the value of the
Service's port. A values file that moves the Service then moves the container's
port, too. The program still listens where it did, because its image, command,
arguments, environment and files say nothing new.

The rule compares each values file of a chart with the chart's defaults (`base` in
the examples). With `--what-if` it also moves the values itself.

Why it matters:

Requests go to a port where nothing listens and are refused. A probe on that port
keeps the pod out of the Service, or restarts it.

Severity:

* **warning**: always, because only the program knows which settings it reads.

Fix:

Yes. It sets the value back to the port of the defaults. With `--what-if`, it writes the
expression by which the program is told its port, if there is one.

Bad::

    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 8080, targetPort: http}]
    ---
    # base
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 80, targetPort: http}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 80}]

Good::

    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 8080, targetPort: http}]
    ---
    # base
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 80, targetPort: http}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]

Not reported when:

* the image, command, arguments, environment or mounted files of the container
  differ in more than other numbers.
* a ConfigMap of the chart differs in more than other numbers, or it or a Secret holds
  the new number.
* no Service's `port` moves to the same number.
* the number of the defaults is still declared by the container.
* the container uses the network of its node, or injection adds ports to it.
* the image is known to listen on the new number.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from portproof.graph.answers import resolve
from portproof.graph.model import Container, PortGraph, Role, Service, ServicePort, Site, Workload
from portproof.graph.past import (
    container_before,
    declared_before,
    port_before,
    told_before,
    without_numbers,
)
from portproof.rules.base import Finding, Label, Remedy, Severity, Trait, rule
from portproof.rules.moved_settings import MovedSetting, telling
from portproof.yamldoc import lookup

_NUMBER = re.compile(r"\d{2,5}")


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port of a container that moved with the port of a Service, alone."""
    if graph.base is None or _files(graph) != _files(graph.base):
        return
    said = _numbers(graph)
    moved = {number: one for number, one in _moved_services(graph).items() if number not in said}
    for workload in graph.workloads if moved else ():
        if workload.opaque or workload.host_network:
            continue
        for container in workload.containers:
            told = {
                number: one
                for number, one in moved.items()
                if told_before(graph, workload, container.name, number)
            }
            if container.role is not Role.INIT and told:
                yield from _of(graph, workload, container, told)


def _files(graph: PortGraph) -> dict[str, str]:
    """What the ConfigMaps of a rendering hold, but for numbers."""
    return {name: without_numbers(data) for name, data in _maps(graph)}


def _maps(graph: PortGraph) -> Iterator[tuple[str, object]]:
    return (
        (str(one.key), lookup(one.data, ("data",))) for one in graph.resources if one.key.kind == "ConfigMap"
    )


def _numbers(graph: PortGraph) -> frozenset[int]:
    """The numbers that a ConfigMap says now, and did not in the base: a program may read them."""
    assert graph.base is not None  # noqa: S101 - `check` looked
    now, then = (Counter(_NUMBER.findall(repr(dict(_maps(one))))) for one in (graph, graph.base))
    return frozenset(map(int, now - then))


def _moved_services(graph: PortGraph) -> dict[int, tuple[Service, ServicePort]]:
    """The ports of Services whose number the values move, by their number."""
    found: dict[int, tuple[Service, ServicePort]] = {}
    for service in graph.services:
        for port in service.ports:
            old = port_before(graph, service, port)
            number = port.number.value
            if old is not None and isinstance(number, int) and old.number.value != number:
                found.setdefault(number, (service, port))
    return found


def _of(
    graph: PortGraph,
    workload: Workload,
    container: Container,
    moved: dict[int, tuple[Service, ServicePort]],
) -> Iterator[Finding]:
    then = declared_before(graph, workload)
    said = False
    for port in container.ports:
        old = then.get(port)
        if old is None or old.value == port.value or port.value not in moved:
            continue
        service, entry = moved[port.value]
        if _is_known(container, port.value) or _declares(container, old.value):
            continue
        if service in graph.services_of(workload) and resolve(entry, workload) is port:
            said = True
            told = tuple(telling(graph, workload, container, old.value))
            yield _finding(workload, (port.number, old.value, "containerPort"), entry, told)
    if not said:
        yield from _probes(graph, workload, container, moved)


def _probes(
    graph: PortGraph,
    workload: Workload,
    container: Container,
    moved: dict[int, tuple[Service, ServicePort]],
) -> Iterator[Finding]:
    before = container_before(graph, workload, container)
    if before is None:
        return
    old = {(one.name, one.handler): one.port.value for one in before.checks if not one.host}
    for one in container.checks:
        was, now = old.get((one.name, one.handler)), one.port.value
        if one.host or not isinstance(was, int) or not isinstance(now, int) or was == now or now not in moved:
            continue
        service, entry = moved[now]
        is_own = service in graph.services_of(workload)
        if is_own and not _is_known(container, now) and not _declares(container, now):
            yield _finding(workload, (one.port, was, f"the {one.label}"), entry)


def _is_known(container: Container, number: int) -> bool:
    return number in container.mentions or number in container.default_ports


def _declares(container: Container, number: int) -> bool:
    return any(one.value == number for one in container.ports)


def _finding(
    workload: Workload, moved: tuple[Site, int, str], entry: ServicePort, told: tuple[MovedSetting, ...] = ()
) -> Finding:
    site, was, label = moved
    harm = "requests are probably refused" if label == "containerPort" else "the probe probably fails"
    return Finding(
        message=(
            f"These values move {label} of {workload.key} from {was} to {site.value}, as they move {entry.number.resource}. "
            f"{_said(told, was)}, so {harm}."
        ),
        severity=Severity.WARNING,
        primary=site,
        related=(
            Label(entry.number, "the Service's port moves with it"),
            *(Label(one.site, f"{one.label} says {was}") for one in told),
        ),
        remedies=(Remedy(f"set the port back to {was}", ((site, was),), recommended=bool(told)),),
    )


def _said(told: tuple[MovedSetting, ...], was: int) -> str:
    """What the program is told."""
    if not told:
        return "Nothing tells its program"
    label = told[0].label
    return f"{label[0].upper()}{label[1:]} tells its program {was}"


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check, traits=[Trait.VALUES])
