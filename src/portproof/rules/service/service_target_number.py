"""A Service sends traffic to a port number that its pods very probably do not listen on.

Kubernetes uses a numeric `targetPort` as it is and never compares it with the
ports that the containers declare. Declaring a port is only information, so an
undeclared number isn't wrong by itself. The rule weighs what else is known, and
the message names the evidence.

A declared port fits when it has the Service port's name. It also fits when no
other Service port reaches it and it meets one of these conditions:

* it is the only declared port.
* it has the number of the Service's `port`.
* the wrong number is a near miss of it (8081 for 8080). 8000 and 8080 are two habits, not a typo.

Evidence for the declared port is a probe, the container's settings, a public
image that listens there by default, or the near miss. So is a Dockerfile of the
repository that builds the image, if it makes the program listen there (see
`dockerfile-port`). A near miss that `port`
repeats is evidence only if the names are equal too: nobody makes the same typo
twice.

The base revision of a pull request, or of `--base`, is evidence too. The rule
also reports a change that moves `targetPort` or the container's port away from
the other, or removes the container's port, if the two met in the base.

Why it matters:

A wrong number is valid YAML and the pods become ready, but every request is
refused. This is the incident that portproof was made for.

Severity:

* **error**: when one declared port fits, other evidence agrees, and nothing
  else mentions the wrong number. Also when a change moves one of the two, and the
  container's settings or its image agree with the declared port. If the change
  moves `targetPort`, a probe is enough; if it moves the container's port, a probe
  by number that moves along.
* **warning**: when only part of that holds, or when `port` and `targetPort` are
  both what callers expect (443, 5432). Also for any other change that moves one
  of the two.
* **note**: when only the declaration contradicts the number, or when another
  Service, a policy or the image's Dockerfile mentions the number too. Also when `port` repeats
  the number, and another workload declares what this one does. The declaration may have been copied
  and be wrong itself. Also when a change removes all declared ports and nothing else.

Fix:

Sometimes. It sets `targetPort` to the declared port, adds it if it is absent, or
sets `containerPort` to the number. There is none when the workloads declare
different ports, or when a change removes the port.

Bad::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8081}
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
            - name: web
              image: web:1
              ports: [{name: http, containerPort: 8080}]
              readinessProbe: {httpGet: {path: /, port: http}}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}
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
            - name: web
              image: web:1
              ports: [{name: http, containerPort: 8080}]
              readinessProbe: {httpGet: {path: /, port: http}}

Not reported when:

* the pod mentions the number in a command, argument, variable, probe,
  annotation or ConfigMap: the application listens there without declaring it.
* the Service sends several numbers to ports that nobody declares.
* the pods declare no port of that protocol at all, unless a change moves the
  target and the pod still names the old number.
* other Service ports reach every declared port, and the number isn't a near
  miss.
* other Service ports reach every declared port, and `port` repeats the near
  miss.
* a public image of the pod listens on the number by default.
* the Dockerfile of an image of the pod makes the program listen on the number.
* the number and a declared port belong to one program (9200 and 9300, 15672 and
  5672, or 8443 and 8444 of Kong or Kourier).
* another port of the same Service reaches the port that the number is near to.
* well-known programs open the number without declaring it (9443, 10250, 15021).
* the number is between 9100 and 9999, and the pod has an exporter, unless it's a near
  miss of a port with the Service port's name.
* another selected workload declares the number.
* the Service is headless: clients connect to the container directly (see `service-headless-port`).
* a proxy in the pod declares no port, and the number isn't a near miss: the
  proxy may listen there for the others.
* another container of the pod is probed and declares no port, the number isn't a
  near miss, and the names differ: that container may listen there.
* the container named after the workload (`manager` of `controller-manager`)
  declares no port, a helper next to it does, and the names differ.
* only a sidecar, an exporter or another helper declares a port, the container
  next to it declares none, and the names differ.
* a declared port has no number yet.
* injection adds ports to the pods.
* a change moves `targetPort` together with the container's port.
* a change moves `targetPort` together with the container's image or settings.
* a change moves only the container's port, and its settings still name the
  target.
* a change removes the container's port, and the pod still names its number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.answers import ends
from portproof.graph.evidence import WELL_KNOWN, is_meant_to_listen
from portproof.graph.model import ContainerPort, PortGraph, Service, ServicePort, Site
from portproof.graph.phrasing import clauses, declared
from portproof.graph.referrers import container_of, renumbering
from portproof.graph.weighing import Confidence, Fact, Move, Suspect, Weighed, weigh
from portproof.rules.base import Finding, Label, Remedy, Severity, Trait, rule

_SEVERITIES = {
    Confidence.CERTAIN: Severity.ERROR,
    Confidence.LIKELY: Severity.WARNING,
    Confidence.DOUBTFUL: Severity.NOTE,
}


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each numeric target whose evidence speaks against it."""
    for service in graph.services:
        if service.headless:
            continue
        for port in service.ports:
            if not isinstance(port.target.value, int):
                continue
            found = ends(graph, service, port)
            if found.reached or found.unknown:
                continue
            verdicts = [weigh(graph, service, port, workload) for workload in found.missed]
            if all(verdict.confidence for verdict in verdicts):
                yield _finding(graph, service, port, verdicts)


def _finding(graph: PortGraph, service: Service, port: ServicePort, verdicts: list[Weighed]) -> Finding:
    first = verdicts[0]
    if first.move is not None:
        return _left_behind(graph, service, port, verdicts, first.move)
    meant = first.meant
    assert meant is not None  # noqa: S101 - likely implies it
    same = all(verdict.meant is not None and verdict.meant.value == meant.value for verdict in verdicts)
    probable = min(one.confidence for one in verdicts) >= Confidence.LIKELY
    answer = same and not _wants_a_field(port)
    return Finding(
        message=(
            f"{_reference(service, port)}, but {first.workload.key} declares {declared(first.workload.ports)}: "
            f"{_effect(port, verdicts)}. Evidence: {clauses(first.strongest)}."
        ),
        severity=_severity(verdicts),
        primary=port.target,
        expected=meant.value if answer and probable and first.suspect is not Suspect.DECLARATION else None,
        related=tuple(
            Label(verdict.meant.number, f"{verdict.workload.key} declares {verdict.meant.value} here")
            for verdict in verdicts
            if verdict.meant is not None
        ),
        remedies=_remedies(graph, port, meant, verdicts) if same else (),
    )


def _left_behind(
    graph: PortGraph, service: Service, port: ServicePort, verdicts: list[Weighed], move: Move
) -> Finding:
    """What to say of a change that moves one end of what met in the base: it stands where the end was moved."""
    if move.end is None:
        return _undeclared(service, port, verdicts, move)
    workload, end = verdicts[0].workload.key, move.end
    is_target = move.fact is Fact.TARGET_MOVED
    wanted = port.target.value
    if is_target:
        stays = Label(end.number, f"{workload} still declares {end.value} here")
        what = f"{_sends(service, port, move)}, but {workload} still declares {declared(verdicts[0].workload.ports)}"
    else:
        stays = Label(port.target, f"{service.key} still sends to {wanted} here")
        what = (
            f"This change moves the port of {workload} from {move.old} to {end.value}, but {service.key} still "
            f"sends port {port.number.value} to {wanted}"
        )
    reference = is_target and verdicts[0].suspect is Suspect.REFERENCE
    question = f" Does the program listen on {wanted if is_target else end.value} now?"
    return Finding(
        message=(
            f"{what}: {_effect(port, verdicts)}. Evidence: {clauses(verdicts[0].strongest)}."
            f"{'' if _severity(verdicts) is Severity.ERROR else question}"
        ),
        severity=_severity(verdicts),
        primary=port.target if is_target else end.number,
        expected=end.value if reference else None,
        related=(stays,),
        remedies=_remedies(graph, port, end, verdicts),
    )


def _undeclared(service: Service, port: ServicePort, verdicts: list[Weighed], move: Move) -> Finding:
    """What to say where the pods do not declare the port that the Service reached."""
    first, wanted = verdicts[0], port.target.value
    if move.fact is Fact.TARGET_MOVED:
        message = (
            f"{_sends(service, port, move)}, but {clauses(first.reasons)}, and nothing mentions {wanted}: "
            f"{_effect(port, verdicts)}."
        )
    else:
        message = (
            f"This change removes the declared port {move.old} from {first.workload.key}, but {service.key} still sends "
            f"port {port.number.value} there: requests fail if nothing listens on {move.old} now."
        )
    back = move.old if move.fact is Fact.TARGET_MOVED and isinstance(move.old, int) else None
    return Finding(
        message=message,
        severity=_severity(verdicts),
        primary=port.target,
        expected=back,
        remedies=() if back is None else (Remedy(f"set targetPort to {back}", ((port.target, back),)),),
    )


def _sends(service: Service, port: ServicePort, move: Move) -> str:
    """What a change does to the target of a port."""
    return f"This change sends port {port.number.value} of {service.key} to {port.target.value} instead of {move.old}"


def _effect(port: ServicePort, verdicts: list[Weighed]) -> str:
    """What comes of it, as far as that is sure."""
    confidence = min(one.confidence for one in verdicts)
    if confidence < Confidence.LIKELY or verdicts[0].suspect is Suspect.DECLARATION:
        return "one of the two is wrong"
    probably = "" if confidence is Confidence.CERTAIN else "probably "
    return f"requests to port {port.number.value} will {probably}fail"


def _severity(verdicts: list[Weighed]) -> Severity:
    return _SEVERITIES[min(one.confidence for one in verdicts)]


def _wants_a_field(port: ServicePort) -> bool:
    """Whether the cure is a targetPort that is not there: 80 and 443 are what callers use, and have to stay."""
    return port.implicit and isinstance(port.target.value, int) and port.target.value < WELL_KNOWN


def _reference(service: Service, port: ServicePort) -> str:
    if port.implicit:
        return f"{service.key} has no targetPort, so port {port.number.value} goes to {port.target.value}"
    return f"{service.key} sends port {port.number.value} to {port.target.value}"


def _remedies(
    graph: PortGraph, port: ServicePort, meant: ContainerPort, verdicts: list[Weighed]
) -> tuple[Remedy, ...]:
    wanted = port.target.value
    assert isinstance(wanted, int)  # noqa: S101 - check() looked
    probable = min(one.confidence for one in verdicts) >= Confidence.LIKELY
    is_odd = verdicts[0].suspect is Suspect.DECLARATION
    along = tuple(site for one in verdicts for site in _probes_left(one, wanted))
    remedies = [_at_the_service(port, meant, verdicts, along, recommended=probable)]
    if _wants_a_field(port):
        return tuple(remedies)
    if port.implicit and remedies[0].beside:
        changed = tuple((site, meant.value) for site in (port.target, *along))
        remedies.append(Remedy(f"set port to {meant.value}", changed, recommended=probable))
    changes = [
        renumbering(graph, verdict.workload, verdict.meant, wanted)
        for verdict in verdicts
        if verdict.meant is not None and not is_meant_to_listen(verdict.workload, verdict.meant.value)
    ]
    if len(changes) == len(verdicts) and all(changes):
        # What a container declares is documentation: changed alone, nothing listens elsewhere.
        at_containers = Remedy(
            f"set containerPort to {wanted}",
            tuple(change for each in changes for change in each),
            recommended=probable and is_odd,
        )
        remedies.insert(0 if is_odd else 1, at_containers)
    return tuple(remedies)


def _probes_left(verdict: Weighed, wanted: int) -> Iterator[Site]:
    """The probes that a change left on the old number of a declared port, as it left the target."""
    move = verdict.move
    if move is not None and move.end is not None and move.fact is Fact.DECLARATION_MOVED:
        checks = container_of(verdict.workload, move.end).checks
        yield from (one.port for one in checks if one.port.value == wanted)


def _at_the_service(
    port: ServicePort,
    meant: ContainerPort,
    verdicts: Sequence[Weighed],
    along: tuple[Site, ...],
    *,
    recommended: bool,
) -> Remedy:
    """Send the traffic to the declared port: by its name, where the field has to be added and the name is the only one."""
    if not port.implicit or along:
        changes = tuple((site, meant.value) for site in (port.target, *along))
        field = "port" if port.implicit else "targetPort"
        return Remedy(f"set {field} to {meant.value}", changes, recommended)
    reached = [one.workload.port(meant.name_text, port.protocol) for one in verdicts]
    named = meant.name_text and all(end is not None and end.value == meant.value for end in reached)
    new = str(meant.name_text) if named else meant.value
    site = Site(port.number.resource, (*port.path, "targetPort"), None)
    return Remedy(f"add targetPort: {new}", ((site, new),), recommended, beside=port.number)


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.REACHES_PODS])
