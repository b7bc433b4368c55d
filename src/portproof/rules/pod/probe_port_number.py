"""A probe uses a port number that its container very probably does not listen on.

A probe may use a number that its container does not declare, because health
endpoints often have a separate port. So the rule needs evidence. Either the number
is that of a Service's own `port`, which sends to a port of this container, or all of
this must hold:

* the number is a near miss of one declared port (3001 for 3000).
* another probe of the container or a Service uses that port.
* nothing else mentions the number.

The base revision of a pull request, or of `--base`, is evidence too. The rule
also reports a change that does one of these:

* it moves the declared port and leaves the probe on the old number, which
  nothing else mentions.
* it moves only the probe away from a declared port, to a near miss or while
  another probe still uses that port.

Why it matters:

A probe on the wrong port fails every time: the pod never becomes ready, or its
container restarts again and again.

Severity:

* **warning**: always, because only the application knows where it listens.

Fix:

Yes. It sets the port of the probe to the declared one, or the declared port to
the number before the change.

Bad::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 3000}]
          readinessProbe: {httpGet: {path: /, port: http}}
          livenessProbe: {httpGet: {path: /, port: 3001}}

Bad (the number is the Service's port)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 80, targetPort: http}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 3000}]
          livenessProbe: {httpGet: {path: /, port: 80}}

Good::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 3000}]
          readinessProbe: {httpGet: {path: /, port: http}}
          livenessProbe: {httpGet: {path: /, port: 3000}}

Not reported when:

* the pod's settings, annotations or ConfigMaps mention the number.
* a container of the pod declares the number.
* a Service sends traffic to the number.
* the container declares no TCP port.
* no declared port is near, unless a change moved one of the two, or a Service has
  the number.
* two probes use the number, unless a change moved the declared port, or a Service has
  the number.
* `host` points elsewhere.
* the number is a usual port for health checks or metrics (8081, 9000, 10254,
  15021 and the like), unless a change moved one of the two.
* a change moves only the probe, to a number that is not near.
* a change moves only the probe, and the container's image or settings too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from portproof.graph.answers import answer, checks, resolve, target_number
from portproof.graph.evidence import HEALTH_PORTS, is_near_miss, numbers_in_settings, probed_numbers
from portproof.graph.meant import only
from portproof.graph.model import (
    Container,
    ContainerPort,
    Missed,
    PortCheck,
    PortGraph,
    Role,
    Service,
    Workload,
)
from portproof.graph.past import container_before, declared_before, program_changed
from portproof.graph.phrasing import clauses, declared, listing
from portproof.graph.referrers import renumbering
from portproof.rules.base import Finding, Label, Remedy, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each probe number whose evidence speaks against it."""
    for workload in graph.workloads:
        aimed = _aimed_at(graph, workload)
        past = declared_before(graph, workload)
        for container, missing in groupby(_missing(graph, workload, aimed), key=lambda pair: pair[0]):
            probes = [one for _, one in missing]
            left = list(_left_behind(graph, workload, container, probes, past))
            yield from left
            said = {label.site for one in left for label in one.related}
            for one in probes:
                finding = None if one.port in said else _finding(graph, workload, container, one, aimed)
                if finding is not None:
                    yield finding


def _missing(
    graph: PortGraph, workload: Workload, aimed: frozenset[int]
) -> Iterator[tuple[Container, PortCheck]]:
    """The probes and hooks by number of which nothing but the container itself could say that it listens there."""
    known = {port.value for other in workload.containers for port in other.ports}
    # An annotation may say the port of a Service by the same mistake.
    offered = {port.number.value for one in graph.services_of(workload) for port in one.ports}
    known |= numbers_in_settings(workload) | (workload.annotation_numbers - offered) | aimed
    for one, edge in checks(workload):
        container, number = edge.whom.container, one.port.value
        if container is None or container.role is Role.INIT or not isinstance(number, int):
            continue
        if number not in known and isinstance(answer(graph, edge), Missed):
            yield container, one


def _aimed_at(graph: PortGraph, workload: Workload) -> frozenset[int]:
    """The numbers that Services send to in the pods of `workload`."""
    ports = (port for service in graph.services_of(workload) for port in service.ports)
    return frozenset(number for one in ports if (number := target_number(one, workload)) is not None)


def _left_behind(
    graph: PortGraph,
    workload: Workload,
    container: Container,
    probes: Sequence[PortCheck],
    past: Mapping[ContainerPort, ContainerPort],
) -> Iterator[Finding]:
    """A finding for each declared port that a change moved away from the number that probes still use."""
    for port in container.ports:
        old = past.get(port)
        if old is None or old.value == port.value:
            continue
        left = [one for one in probes if one.port.value == old.value]
        if left and _used_before(graph, workload, container, left[0]):
            yield _moved_away(graph, workload, container, port, left)


def _used_before(graph: PortGraph, workload: Workload, container: Container, one: PortCheck) -> bool:
    """Whether the probe had its number in the base."""
    before = container_before(graph, workload, container)
    same = [] if before is None else [each for each in before.checks if each.name == one.name]
    return any(each.port.value == one.port.value for each in same)


def _moved_away(
    graph: PortGraph, workload: Workload, container: Container, port: ContainerPort, left: Sequence[PortCheck]
) -> Finding:
    old = left[0].port.value
    assert isinstance(old, int)  # noqa: S101 - it equals a declared number
    names = listing(f"the {one.label}" for one in left)
    still, fail = ("still uses", "the probe fails") if len(left) == 1 else ("still use", "the probes fail")
    along = Remedy(f"set the port of {names} to {port.value}", tuple((one.port, port.value) for one in left))
    back = renumbering(graph, workload, port, old)
    return Finding(
        message=(
            f"This change moves the port of container {container.name!r} in {workload.key} from {old} to {port.value}. "
            f"But {names} {still} {old}, which nothing else mentions: {fail} if the program moves, too."
        ),
        severity=Severity.WARNING,
        primary=port.number,
        related=tuple(Label(one.port, f"the {one.label} still uses {old} here") for one in left),
        remedies=(along, *([Remedy(f"set containerPort to {old}", back)] if back else [])),
    )


def _finding(
    graph: PortGraph, workload: Workload, container: Container, one: PortCheck, aimed: frozenset[int]
) -> Finding | None:
    number = one.port.value
    assert isinstance(number, int)  # noqa: S101 - `_missing` looked
    tcp = [port for port in container.ports if port.protocol == "TCP"]
    near = [port for port in tcp if is_near_miss(port.value, number)]
    behind = _behind(graph, workload, container, number)
    if behind is not None and number not in HEALTH_PORTS:
        service, meant = behind
        return _told(
            workload,
            container,
            one,
            meant,
            [f"{number} is the port of {service.key}, which sends to {meant.value}"],
        )
    others = list(probed_numbers(container, apart_from=one))
    moved = _moved_alone(graph, workload, container, one)
    if moved is not None and number not in others:
        typo = [f"{number} looks like a typo for {moved.value}"] if moved in near else []
        probed = [f"another probe uses {moved.value}"] if moved.value in others else []
        if typo or (probed and number not in HEALTH_PORTS):
            return _moved(workload, container, one, moved, [*typo, *probed])
    if len(near) != 1 or number in HEALTH_PORTS or number in others:
        return None
    meant = near[0]
    reasons = [f"{number} looks like a typo for {meant.value}"]
    if meant.value in others:
        reasons.append(f"another probe uses {meant.value}")
    elif len(tcp) == 1 and meant.value in aimed:
        reasons.append(f"a Service sends traffic to {meant.value}")
    else:
        return None
    return _told(workload, container, one, meant, [*reasons, f"nothing else mentions {number}"])


def _behind(
    graph: PortGraph, workload: Workload, container: Container, number: int
) -> tuple[Service, ContainerPort] | None:
    """The Service whose own port has the number, and the one port of the container that it sends to; None without them."""
    found = {
        (service, reached)
        for service in graph.services_of(workload)
        for port in service.ports
        if port.number.value == number and not port.implicit and not service.headless
        if (reached := resolve(port, workload)) is not None and reached in container.ports
    }
    return only(found)


def _told(
    workload: Workload, container: Container, one: PortCheck, meant: ContainerPort, reasons: Sequence[str]
) -> Finding:
    number = one.port.value
    return Finding(
        message=(
            f"The {one.label} of container {container.name!r} in {workload.key} uses port {number}, but the container "
            f"declares {declared(container.ports)}: the probe will probably fail. "
            f"Evidence: {clauses(reasons)}."
        ),
        severity=Severity.WARNING,
        primary=one.port,
        expected=meant.value,
        related=(Label(meant.number, f"container {container.name!r} declares {meant.value} here"),),
        remedies=_remedies(one, meant),
    )


def _moved_alone(
    graph: PortGraph, workload: Workload, container: Container, one: PortCheck
) -> ContainerPort | None:
    """The declared port that the probe contacted in the base, if a change moved the probe's number and nothing else."""
    before = container_before(graph, workload, container)
    if before is None or program_changed(graph, workload, container.name):
        return None
    asked = [
        each.port.value for each in before.checks if (each.name, each.handler) == (one.name, one.handler)
    ]
    past = declared_before(graph, workload)
    stayed = [port for port in container.ports if port in past and past[port].value == port.value]
    return next((port for port in stayed if {port.value, port.name_text} & set(asked)), None)


def _moved(
    workload: Workload, container: Container, one: PortCheck, meant: ContainerPort, reasons: Sequence[str]
) -> Finding:
    number = one.port.value
    return Finding(
        message=(
            f"This change moves the {one.label} of container {container.name!r} in {workload.key} from {meant.value} to "
            f"{number}, but the container still declares {declared(container.ports)}: the probe will probably fail. "
            f"Evidence: {clauses([*reasons, f'nothing else mentions {number}'])}."
        ),
        severity=Severity.WARNING,
        primary=one.port,
        expected=meant.value,
        related=(Label(meant.number, f"container {container.name!r} still declares {meant.value} here"),),
        remedies=_remedies(one, meant),
    )


def _remedies(one: PortCheck, meant: ContainerPort) -> tuple[Remedy, ...]:
    return (Remedy(f"set the port of the {one.label} to {meant.value}", ((one.port, meant.value),)),)


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
