"""A port has a protocol that Kubernetes does not support.

The `protocol` of a Service or container port must be `TCP`, `UDP` or `SCTP`, in
capital letters. What runs over the connection, such as HTTP or gRPC, belongs in
`appProtocol` or at the beginning of the port's name. An `appProtocol` is a
name, or a name with a domain before it (`kubernetes.io/h2c`).

Why it matters:

The API server rejects the Service or the workload (k/k
`pkg/apis/core/validation/validation.go`, supportedPortProtocols). A Rollout is
rejected by its controller.

Severity:

* **error**: for every value except an empty `appProtocol`.
* **warning**: for an empty `appProtocol`, as a template leaves it when its
  value isn't set.
* **note**: for an empty `appProtocol` when a chart is rendered with its
  defaults alone, because users set the value when they install it.

Fix:

Sometimes. It sets the protocol when the text is a protocol in the wrong case,
or the name of one that runs over TCP.

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

Bad (a name that cannot be)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080, appProtocol: "http 1.1"}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080, protocol: TCP, appProtocol: http}

Not reported when:

* `protocol` is absent or empty: it is `TCP` then.
* `appProtocol` is absent, or any valid name.
* the value is a placeholder (`${PROTOCOL}`).
* the port is in a NetworkPolicy, which `policy-port-invalid` checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from portproof.graph.fields import PROTOCOLS, scalar
from portproof.graph.model import PortGraph, ServicePort, Site
from portproof.graph.names import is_placeholder, qualified_problem
from portproof.graph.phrasing import rejected
from portproof.resources import Resource
from portproof.rules.base import Finding, Remedy, Severity, rule
from portproof.yamldoc import lookup

_OVER_TCP = frozenset({"HTTP", "HTTPS", "HTTP2", "GRPC", "TLS"})


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each protocol that the API server rejects."""
    specs = [one for one in graph.kinds.get("Service", ()) if one.key.api_version == "v1"]
    for service, resource in zip(graph.services, specs, strict=True):
        for port in service.ports:
            yield from _application(port, resource)
            if _is_rejected(port.protocol_site):
                yield _finding(f"Port {port.label} of {service.key}", port.protocol_site)
    for workload in graph.workloads:
        for container in workload.containers:
            for declared in container.ports:
                if _is_rejected(declared.protocol_site):
                    name = f"Port {declared.label} of container {container.name!r} of {workload.key}"
                    yield _finding(name, declared.protocol_site, rejected(workload))


def _application(port: ServicePort, resource: Resource) -> Iterator[Finding]:
    """What is wrong with the ``appProtocol``."""
    path = (*port.path, "appProtocol")
    value = lookup(resource.data, path)
    problem = qualified_problem(value) if isinstance(value, str) else "must be a string"
    if value is not None and problem:
        yield Finding(
            message=(
                f"Port {port.label} of {resource.key} has an invalid appProtocol {value!r}: it {problem}. "
                "The API server rejects the Service."
            ),
            severity=Severity.WARNING if value == "" else Severity.ERROR,
            unset=value == "",
            primary=Site(resource.key, path, scalar(value)),
        )


def _is_rejected(site: Site | None) -> TypeGuard[Site]:
    if site is None or site.value in (None, "") or is_placeholder(site.value):
        return False
    return site.value not in PROTOCOLS


def _finding(what: str, site: Site, so: str = "the API server rejects the Service") -> Finding:
    text = str(site.value).strip().upper()
    meant = text if text in PROTOCOLS else "TCP" if text in _OVER_TCP else None
    return Finding(
        message=f"{what} has protocol {site.value!r}, but Kubernetes supports only TCP, UDP and SCTP: {so}.",
        severity=Severity.ERROR,
        primary=site,
        expected=meant,
        remedies=() if meant is None else (Remedy(f"set the protocol to {meant}", ((site, meant),)),),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
