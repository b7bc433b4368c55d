"""A port has a protocol that Kubernetes does not know.

Ports of Services and containers are for `TCP`, `UDP` or `SCTP`, in capital
letters; the API server refuses any other text. What is spoken over the
connection (HTTP, gRPC) is no protocol in this sense: that is `appProtocol`, or
the beginning of the port's name.

Bad (an application's protocol)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080, protocol: HTTP}

Bad (small letters)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{containerPort: 8080, protocol: tcp}]}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080, protocol: TCP, appProtocol: http}

(k/k `pkg/apis/core/validation/validation.go`, supportedPortProtocols)

Silent when the protocol is absent or empty (it is `TCP` then), for placeholders
(`${PROTOCOL}`), and about NetworkPolicies (`policy-port-invalid`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from portproof.graph.fields import PROTOCOLS
from portproof.graph.model import PortGraph, Site
from portproof.graph.names import is_placeholder
from portproof.graph.phrasing import rejected
from portproof.rules.base import Finding, Remedy, Severity, rule

_OVER_TCP = frozenset({"HTTP", "HTTPS", "HTTP2", "GRPC", "TLS"})


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each protocol that the API server refuses."""
    for service in graph.services:
        for port in service.ports:
            if _is_refused(port.protocol_site):
                yield _finding(f"Port {port.label} of {service.key}", port.protocol_site)
    for workload in graph.workloads:
        for container in workload.containers:
            for declared in container.ports:
                if _is_refused(declared.protocol_site):
                    name = f"Port {declared.label} of container {container.name!r} of {workload.key}"
                    yield _finding(name, declared.protocol_site, rejected(workload))


def _is_refused(site: Site | None) -> TypeGuard[Site]:
    if site is None or site.value in (None, "") or is_placeholder(site.value):
        return False
    return site.value not in PROTOCOLS


def _finding(what: str, site: Site, so: str = "the API server refuses it") -> Finding:
    text = str(site.value).strip().upper()
    meant = text if text in PROTOCOLS else "TCP" if text in _OVER_TCP else None
    return Finding(
        message=f"{what} has the protocol {site.value!r}, and there are TCP, UDP and SCTP: {so}.",
        severity=Severity.ERROR,
        primary=site,
        expected=meant,
        remedies=() if meant is None else (Remedy(f"set the protocol to {meant}", ((site, meant),)),),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
