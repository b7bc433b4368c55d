"""A mesh is told about a port that its workload does not have, most often the Service's.

A Linkerd `Server`, the `portLevelMtls` of an Istio PeerAuthentication and an
AuthorizationPolicy that denies are about the ports of the *workload*. One that
names the Service's port has no effect: what should be guarded stays open, what
should be let in is refused, and nothing tells.

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

The rule warns when the number or the name is that of a Service's port that has
another target, when a name differs by a slip from that of one declared port, and
when a Server's port is a number in quotation marks: Linkerd takes that for a
name, which no port has.

Silent for other numbers, which the pods may listen on without declaring them;
when another resource of the kind is about the target for the same pods; when
one of the pods declares the port, mentions it in its settings, or gets it from
a Service; when no pod of the rendering is selected, or the selector names no
label; for everything in `istio-system`, which is for all namespaces, and for
policies with `targetRef` or `targetRefs`; for names that meshes add to pods,
for placeholders, and for pods whose ports are added by injection. Policies that
allow are for `authorization-policy-port`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from portproof.graph.answers import resolve, target_number
from portproof.graph.meant import only
from portproof.graph.model import ContainerPort, PortGraph, Service, ServicePort
from portproof.graph.names import is_digits, is_near_name
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
        meant = _of_a_service(graph, setting) or _slip(setting)
        if meant is not None:
            yield _finding(setting, meant)


@dataclass(frozen=True, slots=True)
class _Meant:
    """The port that was meant: what the field would hold, why, and where it stands."""

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
    return port.number.value, port.name.value if port.name is not None else None


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
    because = f"it is the port of {service.key}, which sends its traffic to {number}"
    return _Meant(value, because, hits[0] if hits else None)


def _slip(setting: MeshPort) -> _Meant | None:
    """The one declared port whose name differs by a slip; a number beside a declared one may well be listened on."""
    name = setting.opening.name
    ports = [port for workload in setting.workloads for port in workload.ports if port.protocol == "TCP"]
    near = [one for one in ports if one.name is not None and is_near_name(str(one.name.value), name)]
    label = only(one.label for one in near)
    if label is None or _is_told(setting, near):
        return None
    return _Meant(label, f"it differs from {label!r} by a slip", near[0])


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
            f"{setting.site.resource} is about {wanted} of {workload.key}, which declares "
            f"{declared(workload.ports)}: {meant.because}, and nothing comes of the setting.{advice}"
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
            f"{setting.site.resource} has the text {setting.opening.name!r} as its port, which Linkerd takes for a "
            f"name that no port has: write the number {number}."
        ),
        severity=Severity.WARNING,
        primary=setting.site,
        expected=number,
        remedies=(Remedy(f"write {number}", ((setting.site, number),)),),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
