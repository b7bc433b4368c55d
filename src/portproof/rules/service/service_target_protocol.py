"""A Service sends traffic to a port that its pods declare only for another protocol.

A named `targetPort` must match in name and protocol. A number is used as it is,
but when the container declares it only for the other protocol, one of the two
is wrong. The usual cause is a missing `protocol`, which means TCP.

Why it matters:

A name with the wrong protocol reaches nothing, so connections are refused.
Traffic to a number arrives with a protocol that the application probably does
not accept.

Severity:

* **error**: for a name, because Kubernetes then publishes no port at all.
* **warning**: for a name on a headless Service, and for a number.
* **note**: for a number when the name of either port says the Service's
  protocol (`media-udp`). The declaration is wrong then, and does no harm.

Fix:

Yes. It sets the protocol of the Service port or that of the container port.

Bad (a name)::

    apiVersion: v1
    kind: Service
    metadata: {name: dns}
    spec:
      selector: {app: dns}
      ports:
        - {port: 53, targetPort: dns, protocol: UDP}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: dns, labels: {app: dns}}
    spec:
      containers:
        - {name: dns, image: dns:1, ports: [{name: dns, containerPort: 5353}]}

Bad (a number, and the Service lacks its protocol)::

    apiVersion: v1
    kind: Service
    metadata: {name: syslog}
    spec:
      selector: {app: syslog}
      ports:
        - {port: 514, targetPort: 5514}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: syslog, labels: {app: syslog}}
    spec:
      containers:
        - {name: syslog, image: syslog:1, ports: [{containerPort: 5514, protocol: UDP}]}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: dns}
    spec:
      selector: {app: dns}
      ports:
        - {name: udp, port: 53, targetPort: dns, protocol: UDP}
        - {name: tcp, port: 53, targetPort: dns-tcp, protocol: TCP}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: dns, labels: {app: dns}}
    spec:
      containers:
        - name: dns
          image: dns:1
          ports:
            - {name: dns, containerPort: 5353, protocol: UDP}
            - {name: dns-tcp, containerPort: 5353, protocol: TCP}

Not reported when:

* a selected workload declares the port with the right protocol.
* one of the two protocols is invalid, which `port-protocol` reports.
* one of the two protocols is a placeholder (`${PROTOCOL}`).
* another Service port reaches the declared one: the application serves both
  protocols, as DNS servers do.
* a number is declared without a `protocol` and the Service spells its own out,
  because the declaration is only information.
* injection adds ports to the pods.
* the Service port has no number, which `service-port-range` reports.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.answers import ends
from portproof.graph.fields import PROTOCOLS
from portproof.graph.model import ContainerPort, PortGraph, Service, ServicePort, Workload
from portproof.graph.referrers import reached_by_others
from portproof.rules.base import Finding, Label, Remedy, Severity, Trait, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each target that the pods declare only under another protocol."""
    for service in graph.services:
        workloads = graph.select(service).workloads
        if not workloads or any(one.opaque for one in workloads):
            continue
        for port in service.ports:
            # Without a target there is nothing to compare; `service-port-range` says that the number is absent.
            if (
                port.target.value is None
                or port.protocol not in PROTOCOLS
                or ends(graph, service, port).reached
            ):
                continue
            for workload in workloads:
                other = _other_protocol(port, workload)
                if other is not None and not _both_in_use(graph, service, port, workload, other):
                    yield _finding(service, port, workload, other)
                    break


def _other_protocol(port: ServicePort, workload: Workload) -> ContainerPort | None:
    """The declared port that would be reached if the protocol were equal."""
    target = port.target.value
    for declared in workload.ports:
        name = None if declared.name is None else declared.name.value
        if target == (declared.value if isinstance(target, int) else name):
            return declared if declared.protocol in PROTOCOLS else None
    return None


def _both_in_use(
    graph: PortGraph, service: Service, port: ServicePort, workload: Workload, declared: ContainerPort
) -> bool:
    if not isinstance(port.target.value, int):
        return False
    if port.protocol_site is not None and declared.protocol_site is None:
        return True
    return any(one is declared for one in reached_by_others(graph, service, port, workload))


def _is_in_name(port: ServicePort, declared: ContainerPort) -> bool:
    """Whether the name of one of the two ports says the protocol of the Service's: ``media-udp``."""
    names = [str(one.name.value).lower() for one in (port, declared) if one.name is not None]
    return any(port.protocol.lower() in name.split("-") for name in names)


def _wrong_declaration(
    service: Service, port: ServicePort, workload: Workload, declared: ContainerPort
) -> Finding:
    site = declared.protocol_site
    change = f"set the container port's protocol to {port.protocol}"
    return Finding(
        message=(
            f"{workload.key} declares {declared.value} only for {_said(declared)}, but {service.key} sends "
            f"{port.protocol} there, as the port's name says: the declaration is wrong."
        ),
        severity=Severity.NOTE,
        primary=site or declared.number,
        related=(Label(port.protocol_site or port.target, f"{service.key} sends to it here"),),
        remedies=(Remedy(change, ((site, port.protocol),)),) if site is not None else (),
    )


def _finding(service: Service, port: ServicePort, workload: Workload, declared: ContainerPort) -> Finding:
    if isinstance(port.target.value, int) and _is_in_name(port, declared):
        return _wrong_declaration(service, port, workload, declared)
    target = port.target.value
    named = not isinstance(target, int)
    what = f"port {str(target)!r}" if named else str(target)
    effect = (
        f"Kubernetes compares both, so nothing answers on port {port.number.value}"
        if named
        else f"nothing suggests that the pods accept {port.protocol} there"
    )
    remedies = []
    if port.protocol_site is not None:
        remedies.append(
            Remedy(f"set protocol to {declared.protocol}", ((port.protocol_site, declared.protocol),))
        )
    if declared.protocol_site is not None:
        remedies.append(
            Remedy(
                f"set the container port's protocol to {port.protocol}",
                ((declared.protocol_site, port.protocol),),
            )
        )
    return Finding(
        message=(
            f"{service.key} sends port {port.number.value} to {what} over {_said(port)}, but {workload.key} declares "
            f"it only for {_said(declared)}: {effect}."
        ),
        severity=Severity.ERROR if named and not service.headless else Severity.WARNING,
        primary=port.protocol_site or port.target,
        related=(Label(declared.protocol_site or declared.number, f"{workload.key} declares it here"),),
        remedies=tuple(remedies),
    )


def _said(port: ServicePort | ContainerPort) -> str:
    return port.protocol if port.protocol_site is not None else f"{port.protocol} (the default)"


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.REACHES_PODS])
