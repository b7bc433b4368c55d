"""A port has another protocol than its name says, or than its number is used with.

Two things say which protocol is meant:

* The first or the last word of the port's name is `udp` or `tcp`.
* The number belongs to a protocol that runs over UDP alone, and the name of the port says that
  protocol too: `collectd` and 25826, `statsd` and 8125, `snmp` and 161.

An `appProtocol` of `h2c` is another case. The name is `kubernetes.io/h2c`, and without its prefix
no implementation of the Gateway API takes it for HTTP/2.

Why it matters:

A port without `protocol` is for TCP. The application listens on UDP, so whatever is sent to the
Service is dropped, often without an error for the sender. With `h2c`, gRPC requests reach the
pods as HTTP/1.1, and fail.

Severity:

* **warning**: always, because a name is not what the application does.

Fix:

Sometimes. It sets the protocol where the manifest spells it out, and adds it to a Service port
that sends to a number. It sets `appProtocol` to `kubernetes.io/h2c`.

Bad (the name says UDP)::

    apiVersion: v1
    kind: Service
    metadata: {name: series}
    spec:
      selector: {app: series}
      ports:
        - {name: udp, port: 8089, targetPort: 8089}

Bad (the number is used with UDP)::

    apiVersion: v1
    kind: Service
    metadata: {name: series}
    spec:
      selector: {app: series}
      ports:
        - {name: collectd, port: 25826, targetPort: 25826}

Bad (no prefix)::

    apiVersion: v1
    kind: Service
    metadata: {name: platform}
    spec:
      selector: {app: platform}
      ports:
        - {name: grpc, port: 9000, targetPort: 9000, appProtocol: h2c}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: series}
    spec:
      selector: {app: series}
      ports:
        - {name: udp, port: 8089, targetPort: 8089, protocol: UDP}
        - {name: collectd, port: 25826, targetPort: 25826, protocol: UDP}
        - {name: grpc, port: 9000, targetPort: 9000, appProtocol: kubernetes.io/h2c}

Not reported when:

* the name says both protocols (`tcp-udp`), or is about something else (`udp-metrics`).
* another port of the Service or container has the same number and the protocol that is meant.
* the pods declare the port for the protocol that is meant: `service-target-protocol` compares the two.
* the number alone, or the name of its protocol alone, says that it is UDP.
* the Service or its pods spell out TCP, and only the number says UDP.
* the Service and its pods both spell out UDP, and a name says TCP: the name is wrong then.
* a container port that a reported Service port sends to has the same mistake: it is in that finding.
* a container port has no host port, and no Service sends to it: then it informs only.
* `appProtocol` is `h2c` beside an OpenShift Route, whose router understands it.
* the protocol is a placeholder (`${PROTOCOL}`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from portproof.graph.fields import PROTOCOLS
from portproof.graph.model import ContainerPort, PortGraph, Service, ServicePort, Site, Workload
from portproof.graph.purpose import Purpose, purpose
from portproof.resources import Resource
from portproof.rules.base import Finding, Label, Remedy, Severity, rule
from portproof.yamldoc import lookup

_OVER_UDP: Mapping[int, tuple[str, ...]] = {
    # IANA's service names; for those above 1813 the documentation of each program
    67: ("dhcp", "bootp"),
    68: ("dhcp", "bootp"),
    69: ("tftp",),
    123: ("ntp",),
    137: ("netbios", "nmb"),
    138: ("netbios", "nmb"),
    161: ("snmp",),
    162: ("snmp", "snmptrap", "trap"),
    500: ("ipsec", "ike", "isakmp"),
    4500: ("ipsec", "ike", "nat"),
    1812: ("radius",),
    1813: ("radius",),
    1900: ("ssdp",),
    2055: ("netflow",),
    4739: ("ipfix",),
    5353: ("mdns",),
    6343: ("sflow",),
    6831: ("jaeger", "compact", "thrift", "agent"),
    6832: ("jaeger", "binary", "thrift", "agent"),
    8125: ("statsd", "dogstatsd"),
    25826: ("collectd",),
    51820: ("wireguard", "wg"),
}
"""Numbers of protocols that run over UDP, each with the words that name the protocol."""

_H2C = "kubernetes.io/h2c"


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port whose protocol is very probably another."""
    covered: set[Site] = set()
    for service in graph.services:
        workloads = graph.select(service).workloads
        for port in service.ports:
            meant, reason = _meant(port, port.number.value, service.ports)
            ends = [end for one in workloads if (end := one.port(port.target.value, port.protocol))]
            if not meant or any(_declares(one, port, meant) for one in workloads):
                continue
            spelled = [port.protocol_site, *(end.protocol_site for end in ends)]
            if (reason and any(spelled)) or (meant == "TCP" and ends and all(spelled)):
                continue
            covered |= {end.number for end in ends}
            yield _of_service(service, port, meant, reason, ends)
    for workload in graph.workloads:
        for container in workload.containers:
            for declared in container.ports:
                meant, reason = _meant(declared, declared.value, container.ports)
                if meant and declared.number not in covered and _is_used(graph, workload, declared):
                    yield _of_container(graph, workload, declared, meant, reason)
    yield from _without_prefix(graph)


def _meant(
    port: ServicePort | ContainerPort, number: object, others: Sequence[ServicePort | ContainerPort]
) -> tuple[str, str]:
    """The protocol that is meant, and why if it is not the name that says so; empty when nothing says another."""
    words = re.split(r"[-_.]", str(port.name_text or "").lower())
    meant, reason = "", ""
    said = {one for one in ("udp", "tcp") if one in (words[0], words[-1])}
    if len(said) == 1 and not {"udp", "tcp"} <= set(words):
        meant = said.pop().upper()
    elif isinstance(number, int) and not said and set(words) & set(_OVER_UDP.get(number, ())):
        meant, reason = "UDP", f"{number} is used with UDP"
        if port.protocol_site is not None:
            return "", ""
    if not meant or port.protocol == meant or port.protocol not in PROTOCOLS:
        return "", ""
    if purpose("-".join(words)) is not Purpose.MAIN or "http" in words:
        return "", ""
    if any(one.protocol == meant and one.number.value == number for one in others):
        return "", ""
    return meant, reason


def _declares(workload: Workload, port: ServicePort, meant: str) -> bool:
    """Whether the pods have the port for the protocol that is meant."""
    return workload.port(port.target.value, meant) is not None


def _is_used(graph: PortGraph, workload: Workload, declared: ContainerPort) -> bool:
    """Whether the protocol that a container port has is in use: by its host port, or by a Service that does not spell it out.

    Without them a container port informs only, and a UDP Service that sends to a number asks for no declaration.
    """
    if declared.host_port is not None:
        return True
    asking = [
        port
        for service in graph.services_of(workload)
        for port in service.ports
        if port.target.value == declared.name_text
        or (port.target.value == declared.value and port.protocol == declared.protocol)
    ]
    spelled = any(
        port.protocol_site is not None and workload.port(port.target.value, port.protocol) is declared
        for port in asking
    )
    return bool(asking) and not spelled


def _said(port: ServicePort | ContainerPort) -> str:
    return port.protocol if port.protocol_site is not None else f"{port.protocol}, the default"


def _why(port: ServicePort | ContainerPort, meant: str, reason: str) -> str:
    return f"its name says {meant}" if not reason else f"its name is {port.label!r} and {reason}"


def _of_service(
    service: Service, port: ServicePort, meant: str, reason: str, ends: Sequence[ContainerPort]
) -> Finding:
    return Finding(
        message=(
            f"Port {port.label} of {service.key} is for {_said(port)}, but {_why(port, meant, reason)}: what is sent "
            f"over {meant} to {port.number.value} is dropped."
        ),
        severity=Severity.WARNING,
        primary=port.protocol_site or port.name or port.number,
        expected=meant if port.protocol_site is not None else None,
        related=tuple(Label(end.protocol_site or end.number, "the pods declare it here") for end in ends),
        remedies=_remedies(port, meant, ends),
    )


def _remedies(port: ServicePort, meant: str, ends: Sequence[ContainerPort]) -> tuple[Remedy, ...]:
    """Both ends have to have the protocol if a name leads from one to the other, or if both spell it out."""
    spelled = [one.protocol_site for one in ends if one.protocol_site is not None]
    named = not isinstance(port.target.value, int)
    if named and len(spelled) < len(ends):
        return ()
    what = f"set the protocol to {meant}"
    if port.protocol_site is not None:
        return (Remedy(what, tuple((site, meant) for site in (port.protocol_site, *spelled))),)
    if spelled or port.name is None:
        return ()
    added = Site(port.number.resource, (*port.path, "protocol"), None)
    return (Remedy(f"add protocol: {meant}", ((added, meant),), beside=port.name),)


def _of_container(
    graph: PortGraph, workload: Workload, declared: ContainerPort, meant: str, reason: str
) -> Finding:
    site = declared.protocol_site
    # A Service that reaches the port would not reach it any more.
    reached = any(
        workload.port(port.target.value, port.protocol) is declared
        for service in graph.services_of(workload)
        for port in service.ports
    )
    remedy = None if site is None or reached else Remedy(f"set the protocol to {meant}", ((site, meant),))
    return Finding(
        message=(
            f"Port {declared.label} of {workload.key} is declared for {_said(declared)}, but "
            f"{_why(declared, meant, reason)}: a Service or host port that uses it carries the wrong traffic."
        ),
        severity=Severity.WARNING,
        primary=site or declared.name or declared.number,
        expected=None if remedy is None else meant,
        remedies=() if remedy is None else (remedy,),
    )


def _without_prefix(graph: PortGraph) -> Iterator[Finding]:
    if graph.of_kind("Route", "route.openshift.io"):
        return
    for service in graph.services:
        resource: Resource = graph.read_from[service]
        for port in service.ports:
            site = Site(service.key, (*port.path, "appProtocol"), "h2c")
            if lookup(resource.data, site.path) == "h2c":
                yield Finding(
                    message=(
                        f"Port {port.label} of {service.key} has the appProtocol 'h2c', which no Gateway takes for "
                        f"HTTP/2: requests may arrive as HTTP/1.1. The name is {_H2C!r}."
                    ),
                    severity=Severity.WARNING,
                    primary=site,
                    expected=_H2C,
                    remedies=(Remedy(f"set appProtocol to {_H2C}", ((site, _H2C),)),),
                )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
