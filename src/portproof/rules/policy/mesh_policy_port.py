"""A mesh policy is for a port that its workload does not have, most often the Service's.

A Linkerd `Server`, `portLevelMtls` of an Istio PeerAuthentication and an
AuthorizationPolicy that denies apply to the ports of the *workload*.

The rule reports the number or name of a Service's port that has another target. It also
reports a name that is a typo of one declared port. A Server's port that is a number in
quotes is reported, too: Linkerd reads it as a name, and no port has that name.

The base revision of a pull request, or of `--base`, is evidence too. If the two met there,
the rule reports a change that moves only the pods' port.

Why it matters:

The setting has no effect, and nothing reports that. What should be guarded stays open,
and what should be let in is rejected.

Severity:

* **warning**: always.

Fix:

Sometimes. It sets the port to the target of the Service, or to the declared port. There
is none where the port is a key, as in `portLevelMtls`.

Bad (Linkerd)::

    apiVersion: policy.linkerd.io/v1beta3
    kind: Server
    metadata: {name: web}
    spec:
      podSelector: {matchLabels: {app: web}}
      port: 80
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: http}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: http, containerPort: 8080}]}

Bad (Istio)::

    apiVersion: security.istio.io/v1
    kind: PeerAuthentication
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      mtls: {mode: STRICT}
      portLevelMtls: {"80": {mode: DISABLE}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: http}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: http, containerPort: 8080}]}

Good::

    apiVersion: policy.linkerd.io/v1beta3
    kind: Server
    metadata: {name: web}
    spec:
      podSelector: {matchLabels: {app: web}}
      port: http
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: http}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: http, containerPort: 8080}]}

Not reported when:

* no Service has the number: the pods may listen on it without declaring it.
* another resource of the kind is for the target and the same pods.
* one of the pods declares the port.
* one of the pods mentions the port in its settings.
* a Service sends traffic to the port.
* the selector matches no pod in the rendered manifests.
* the selector names no label.
* the resource is in `istio-system`, where it applies to all namespaces.
* the policy has `targetRef` or `targetRefs`.
* the name is one that meshes add to pods.
* the value is a placeholder (`${PORT}`).
* injection adds ports to the pods.
* the policy allows: `authorization-policy-port` checks those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from portproof.graph.answers import resolve, target_number
from portproof.graph.meant import only
from portproof.graph.model import ContainerPort, PortGraph, Service, ServicePort
from portproof.graph.names import is_digits, is_near_name
from portproof.graph.past import declared_before
from portproof.graph.phrasing import declared
from portproof.rules.base import Finding, Label, Remedy, Scalar, Severity, rule
from portproof.rules.policy.mesh_ports import MeshPort, settings
from portproof.rules.policy.policies import Encoding


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that no pod has, where another was meant."""
    for setting in settings(graph):
        if setting.opening.writing is Encoding.PLAIN and is_digits(setting.opening.name):
            yield _quoted(setting)
            continue
        if not setting.pods.lacks(setting.opening):
            continue
        meant = _of_a_service(graph, setting) or _typo(setting) or _moved(graph, setting)
        if meant is not None:
            yield _finding(setting, meant)


class _Meant(Struct, frozen=True):
    """The port that was meant: what the field would hold, how the message says so, and where it is declared."""

    value: Scalar
    because: str
    at: ContainerPort | None


def _of_a_service(graph: PortGraph, setting: MeshPort) -> _Meant | None:
    """The target of the one Service port that is named, unless something else is about it."""
    wanted = setting.opening.name or setting.opening.first
    found = dict.fromkeys(
        (service, port)
        for workload in setting.workloads
        for service in graph.services_of(workload)
        for port in service.ports
        if port.protocol == "TCP" and not service.headless and wanted in _called(port)
    )
    target = only(number for _, port in found for number in _targets(setting, port))
    if target is None:
        return None
    service, port = next(iter(found))
    return _aimed(setting, service, port, target)


def _called(port: ServicePort) -> tuple[Scalar | None, Scalar | None]:
    return port.number.value, port.name_text


def _targets(setting: MeshPort, port: ServicePort) -> Iterator[int]:
    for workload in setting.workloads:
        number = target_number(port, workload)
        if number is not None:
            yield number


def _aimed(setting: MeshPort, service: Service, port: ServicePort, number: int) -> _Meant | None:
    hits = [hit for one in setting.workloads if (hit := resolve(port, one)) is not None]
    names = {str(one.name.value) for one in hits if one.name is not None}
    if {number, *names} & setting.others:
        return None
    value: Scalar = (only(names) if setting.opening.name else None) or number
    wanted = setting.opening.name or setting.opening.first
    because = f". Port {wanted!r} belongs to {service.key}, which sends its traffic to {number}."
    return _Meant(value, because, hits[0] if hits else None)


def _typo(setting: MeshPort) -> _Meant | None:
    """The one declared port whose name differs by a typo; a number beside a declared one may well be listened on."""
    name = setting.opening.name
    ports = [port for workload in setting.workloads for port in workload.ports if port.protocol == "TCP"]
    near = [one for one in ports if one.name is not None and is_near_name(str(one.name.value), name)]
    label = only(one.label for one in near)
    if label is None or _is_told(setting, near):
        return None
    return _Meant(label, f": did you mean {label!r}?", near[0])


def _moved(graph: PortGraph, setting: MeshPort) -> _Meant | None:
    """The declared port that had the number or name in the base, and that a change has moved."""
    wanted = setting.opening.name or setting.opening.first
    pairs = [pair for one in setting.workloads for pair in declared_before(graph, one).items()]
    ports = [new for new, old in pairs if wanted in (old.value, old.name_text)]
    value = only(one.name_text if setting.opening.name else one.value for one in ports)
    if value is None or _is_told(setting, ports):
        return None
    return _Meant(value, f": this change moves that port to {value!r}.", ports[0])


def _is_told(setting: MeshPort, ports: Sequence[ContainerPort]) -> bool:
    return any(
        one.value in setting.others or (one.name is not None and one.name.value in setting.others)
        for one in ports
    )


def _finding(setting: MeshPort, meant: _Meant) -> Finding:
    opening, workload = setting.opening, setting.workloads[0]
    wanted = f"the port named {opening.name!r}" if opening.name else f"port {opening.first}"
    value: Scalar = str(meant.value) if opening.writing is Encoding.DIGITS else meant.value
    advice = f" Write {meant.value} instead." if setting.opening.is_key else ""
    remedies = (
        ()
        if setting.opening.is_key
        else (Remedy(f"set the port to {meant.value}", ((setting.site, value),)),)
    )
    return Finding(
        message=(
            f"{setting.site.resource} targets {wanted} of {workload.key}, which declares {declared(workload.ports)}, "
            f"so the setting has no effect{meant.because}{advice}"
        ),
        severity=Severity.WARNING,
        primary=setting.site,
        expected=None if setting.opening.is_key else value,
        related=(Label(meant.at.name or meant.at.number, "declared here"),) if meant.at is not None else (),
        remedies=remedies,
    )


def _quoted(setting: MeshPort) -> Finding:
    number = int(setting.opening.name)
    return Finding(
        message=(
            f"{setting.site.resource} has port {setting.opening.name!r} in quotes, which Linkerd reads as a name that "
            "no port has, so the setting has no effect."
        ),
        severity=Severity.WARNING,
        primary=setting.site,
        expected=number,
        remedies=(Remedy(f"write {number} without quotes", ((setting.site, number),)),),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
