"""A probe or a hook names a port that its container does not declare.

The kubelet looks up the name in the container of the probe only, not in other
containers of the pod. It does not compare the protocol. A gRPC probe accepts
only a number.

Why it matters:

A name that isn't there fails the probe every time: the pod never becomes ready,
or its container restarts again and again. The API server rejects a name in a
gRPC probe.

Severity:

* **error**: in general.
* **note**: the container declares no port at all, in a chart that wants values: whoever gives
  those may list the ports.

Fix:

Sometimes. It sets the port to the one that was probably meant, or renames the
container port. There is none when several ports would fit, or when the
container declares no port.

Bad (a typo)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /, port: htpp}}

Bad (the port of another container)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]
        - name: proxy
          image: proxy:1
          livenessProbe: {httpGet: {path: /, port: http}}

Bad (gRPC)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: grpc, containerPort: 9000}]
          livenessProbe: {grpc: {port: grpc}}

Good::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}, {name: udp, containerPort: 9000, protocol: UDP}]
          readinessProbe: {httpGet: {path: /, port: http}}
          livenessProbe: {tcpSocket: {port: udp}}
          startupProbe: {grpc: {port: 8080}}

Not reported when:

* the port is a string of digits, which `probe-port-numeric-string` reports.
* the container is a plain init container, which cannot have probes.
* the port is empty, which `probe-port-invalid` reports.
* the port is in a `tcpSocket` hook, which `lifecycle-tcp-socket` reports.
* the port is a placeholder (`${PORT}`).
* injection adds ports to the pods.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.answers import answer, checks
from portproof.graph.meant import first_unique
from portproof.graph.model import (
    Container,
    ContainerPort,
    Missed,
    PortCheck,
    PortGraph,
    Unknown,
    Workload,
)
from portproof.graph.names import is_digits, is_near_name
from portproof.graph.phrasing import declared, rejected
from portproof.graph.purpose import has_words
from portproof.graph.referrers import renaming
from portproof.rules.base import Finding, Label, Remedy, Scalar, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each named port of a probe or hook that its container lacks."""
    for workload in graph.workloads:
        for one, edge in checks(workload):
            container, name = edge.whom.container, one.port.value
            if container is None:
                continue
            if not isinstance(name, str) or not name or is_digits(name):
                continue
            if one.is_hook and one.handler == "tcpSocket":
                continue
            found = answer(graph, edge)
            if one.handler == "grpc" and not isinstance(found, Unknown):
                yield _grpc(workload, container, one)
            elif isinstance(found, Missed):
                yield _missing(graph, workload, container, one)


def _grpc(workload: Workload, container: Container, one: PortCheck) -> Finding:
    named = [port for port in container.ports if port.name is not None and port.name.value == one.port.value]
    expected = named[0].value if named else None
    return Finding(
        message=(
            f"The gRPC {one.label} of container {container.name!r} in {workload.key} uses port {str(one.port.value)!r}, "
            f"but gRPC probes accept only numbers: {rejected(workload, mistyped=True)}."
        ),
        severity=Severity.ERROR,
        primary=one.port,
        expected=expected,
        related=tuple(Label(port.number, "the port of that name") for port in named),
        remedies=()
        if expected is None
        else (Remedy(f"set the port to {expected}", ((one.port, expected),)),),
    )


def _missing(graph: PortGraph, workload: Workload, container: Container, one: PortCheck) -> Finding:
    name = str(one.port.value)
    meant = _meant(container, name)
    expected = _answer(meant) if meant else None
    elsewhere = [other for other in workload.containers if any(_is_named(port, name) for port in other.ports)]
    kind = "hook" if one.is_hook else "probe"
    why = (
        f"which container {elsewhere[0].name!r} declares, not this one. A {kind} sees only its own container, so it"
        if elsewhere
        else f"but the container declares {declared(container.ports)}: the {kind}"
    )
    return Finding(
        message=(
            f"The {one.label} of container {container.name!r} in {workload.key} uses port {name!r}, {why} always fails."
        ),
        severity=Severity.ERROR,
        primary=one.port,
        expected=expected,
        related=_related(meant, elsewhere, name),
        remedies=_remedies(graph, workload, one, meant),
        awaited=not container.ports,
    )


def _related(meant: ContainerPort | None, elsewhere: list[Container], name: str) -> tuple[Label, ...]:
    labels = (
        [Label(meant.name or meant.number, f"container {meant.container!r} declares this port")]
        if meant
        else []
    )
    labels += [
        Label(port.name, f"container {other.name!r} declares {name!r} here")
        for other in elsewhere
        for port in other.ports
        if port.name is not None and port.name.value == name
    ]
    return tuple(labels)


def _is_named(port: ContainerPort, name: str) -> bool:
    return port.name is not None and port.name.value == name


def _meant(container: Container, name: str) -> ContainerPort | None:
    tcp = [port for port in container.ports if port.protocol == "TCP"]
    near = [port for port in container.ports if port.name and is_near_name(str(port.name.value), name)]
    worded = [port for port in tcp if has_words(port.name_text, name)]
    return first_unique(near, worded, tcp, by=lambda one: one.value)


def _answer(port: ContainerPort) -> Scalar:
    return port.name.value if port.name is not None and isinstance(port.name.value, str) else port.value


def _remedies(
    graph: PortGraph, workload: Workload, one: PortCheck, meant: ContainerPort | None
) -> tuple[Remedy, ...]:
    if meant is None:
        return ()
    answer = _answer(meant)
    remedies = [Remedy(f"set the port of the {one.label} to {answer}", ((one.port, answer),))]
    changes = renaming(graph, workload, meant, str(one.port.value))
    if changes:
        remedies.append(Remedy(f"rename the container port to {one.port.value}", changes))
    return tuple(remedies)


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
