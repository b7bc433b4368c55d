"""A Service sends traffic to a port name that its pods do not declare.

Kubernetes looks up a named `targetPort` in every selected pod: the name and the
protocol must match. It searches containers first, then native sidecars (init
containers with `restartPolicy: Always`), and never plain init containers.

Why it matters:

Kubernetes drops the Service port for a pod that has no such port, without an
error and without an event. Nothing listens behind it, so connections are
refused.

Severity:

* **error**: when none of the selected workloads declares the name.
* **warning**: on a headless Service when one declared port was probably meant,
  because its clients find the pods by DNS, whatever the port.
* **note**: on any other headless Service, and when only some of the workloads
  declare the name, as in a blue-green switch or with pods of different roles. Also when they
  declare no port at all in a chart that wants values: whoever gives those may list the ports.

Fix:

Sometimes. It sets `targetPort` to the port that was probably meant, or renames
the container port. There is none when several ports would fit.

Bad (a typo)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: htpp}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          containers:
            - {name: web, image: web:1, ports: [{name: http, containerPort: 8080}]}

Bad (only an init container has it)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: setup}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      initContainers:
        - {name: setup, image: web:1, ports: [{name: setup, containerPort: 9000}]}
      containers:
        - {name: web, image: web:1, ports: [{name: http, containerPort: 8080}]}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: http}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          containers:
            - {name: web, image: web:1, ports: [{name: http, containerPort: 8080}]}

Not reported when:

* no workload of the rendering matches the selector.
* the name exists under another protocol, which `service-target-protocol`
  reports.
* the target is a string of digits, which `service-target-numeric-string`
  reports.
* the target cannot be a name at all, which `service-target-invalid` reports.
* a mesh adds the name to pods when they are created (`linkerd-admin`,
  `dapr-http`).
* the target is a placeholder (`${PORT}`).
* injection adds ports to the pods.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.answers import Ends, ends
from portproof.graph.meant import only
from portproof.graph.model import ContainerPort, PortGraph, Role, Service, ServicePort, Workload
from portproof.graph.names import is_digits, is_placeholder, port_name_problem
from portproof.graph.phrasing import declared
from portproof.graph.referrers import meant_by_name, renaming
from portproof.rules.base import Finding, Label, Remedy, Scalar, Severity, Trait, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each named target that some selected workload does not declare."""
    for service in graph.services:
        workloads = graph.select(service).workloads
        if not workloads or any(one.opaque for one in workloads):
            continue
        for port in service.ports:
            name = port.target.value
            if (
                not isinstance(name, str)
                or is_digits(name)
                or is_placeholder(name)
                or port_name_problem(name)
            ):
                continue
            found = ends(graph, service, port)
            if not found.missed or any(_has_other_protocol(port, one) for one in found.missed):
                continue
            if found.reached:
                yield _partial(service, port, found)
            else:
                yield _unreached(graph, service, port, found.missed)


def _has_other_protocol(port: ServicePort, workload: Workload) -> bool:
    return any(one.name is not None and one.name.value == port.target.value for one in workload.ports)


def _unreached(graph: PortGraph, service: Service, port: ServicePort, missing: Sequence[Workload]) -> Finding:
    meant = [(one, meant_by_name(graph, service, port, one)) for one in missing]
    found = [(workload, one) for workload, one in meant if one is not None]
    expected = only(_answer(one) for _, one in found) if len(found) == len(missing) else None
    effect = (
        "DNS still finds the pods, but the port is not published"
        if service.headless
        else f"nothing answers on port {port.number.value}"
    )
    return Finding(
        message=(
            f"{service.key} sends port {port.number.value} to port {str(port.target.value)!r}, but {missing[0].key} "
            f"declares {declared(missing[0].ports)}{_others(missing[1:])}: {effect}.{_in_vain(missing[0], port)}"
        ),
        severity=_severity(service, found=bool(found)),
        primary=port.target,
        expected=expected,
        related=tuple(
            Label(one.name or one.number, f"{workload.key} declares {_answer(one)} here")
            for workload, one in found
        ),
        remedies=_remedies(graph, port, expected, found),
        awaited=not any(one.ports for one in missing),
    )


def _severity(service: Service, *, found: bool) -> Severity:
    if service.headless:
        return Severity.WARNING if found else Severity.NOTE
    return Severity.ERROR


def _partial(service: Service, port: ServicePort, found: Ends) -> Finding:
    return Finding(
        message=(
            f"{service.key} also selects {found.missed[0].key}, which has no port named {str(port.target.value)!r}: only "
            f"the pods of {found.reached[0][0].key} answer on port {port.number.value}."
        ),
        severity=Severity.NOTE,
        primary=port.target,
        related=tuple(
            Label(one.name or one.number, f"{workload.key} declares it here")
            for workload, one in found.reached
        ),
    )


def _in_vain(workload: Workload, port: ServicePort) -> str:
    """That an init container has the name, in a sentence; empty when none has it."""
    name = port.target.value
    for container in workload.containers:
        if container.role is Role.INIT and any(
            one.name and one.name.value == name for one in container.ports
        ):
            return (
                f" Its init container {container.name!r} declares {name!r}, but init containers never serve."
            )
    return ""


def _others(missing: Sequence[Workload]) -> str:
    if not missing:
        return ""
    if len(missing) == 1:
        return f", and {missing[0].key} has no such port either"
    return f", and {len(missing)} more workloads have no such port either"


def _answer(port: ContainerPort) -> Scalar:
    return port.name.value if port.name is not None and isinstance(port.name.value, str) else port.value


def _remedies(
    graph: PortGraph,
    port: ServicePort,
    expected: Scalar | None,
    found: Sequence[tuple[Workload, ContainerPort]],
) -> tuple[Remedy, ...]:
    if expected is None:
        return ()
    remedies = [Remedy(f"set targetPort to {expected}", ((port.target, expected),))]
    name = str(port.target.value)
    changes = [renaming(graph, workload, one, name) for workload, one in found]
    if all(changes):
        remedies.append(
            Remedy(f"rename the container port to {name}", tuple(pair for one in changes for pair in one))
        )
    return tuple(remedies)


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.REACHES_PODS])
