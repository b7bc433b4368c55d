"""Services of one workload in a mesh disagree about the protocol of one of its ports.

Istio's sidecar opens each port of a pod once, for HTTP or for plain TCP. The name of
the Service's port decides, or its `appProtocol`. A pod is known to be in a mesh by
one of these:

* The label or annotation `sidecar.istio.io/inject`.
* A rendered Namespace with `istio-injection: enabled` or `istio.io/rev`.
* A container named `istio-proxy`.

Why it matters:

Only the first Service takes effect. For clients of the other one, traffic that is not
HTTP is rejected, or rules about paths and headers do not apply. Istio requires that
all Services use the same protocol for a port of a pod (istioctl's IST0116 and
IST0137).

Severity:

* **warning**: always.

Fix:

No. Only you know which protocol the port speaks.

Bad::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web-internal}
    spec:
      selector: {app: web}
      ports:
        - {name: tcp-web, port: 8080, targetPort: 8080}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web, sidecar.istio.io/inject: "true"}}
        spec:
          containers:
            - {name: web, image: web:1, ports: [{containerPort: 8080}]}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web-internal}
    spec:
      selector: {app: web}
      ports:
        - {name: http-web, port: 8080, targetPort: 8080}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web, sidecar.istio.io/inject: "true"}}
        spec:
          containers:
            - {name: web, image: web:1, ports: [{containerPort: 8080}]}

Not reported when:

* the pods are not known to be in a mesh.
* all names mean the same protocol.
* one of the names says nothing about the protocol: Istio then looks at the traffic.
* one of the ports is for UDP.
* a named target does not lead to a declared port.
* the pods exclude ports from the sidecar.
* the pods use the host's network.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph import sites
from portproof.graph.answers import target_number
from portproof.graph.fields import labels, mapping
from portproof.graph.model import PortGraph, Service, ServicePort, Site, Workload
from portproof.resources import Resource
from portproof.rules.base import Finding, Label, Severity, rule
from portproof.yamldoc import lookup

_INJECT = "sidecar.istio.io/inject"
_HTTP = frozenset({"http", "http2", "grpc", "grpc-web", "kubernetes.io/h2c", "kubernetes.io/ws"})
_TCP = frozenset({"tcp", "tls", "https", "mongo", "mysql", "redis", "kubernetes.io/wss"})
_EXCLUDING = ("traffic.sidecar.istio.io/excludeInboundPorts", "traffic.sidecar.istio.io/includeInboundPorts")


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port of a Service that calls a pod's port HTTP where another calls it TCP."""
    reported: set[tuple[Service, object]] = set()
    known = _Known(graph)
    for workload in graph.workloads:
        fronts = graph.services_of(workload)
        if sum(len(one.ports) for one in fronts) < 2 or not known.is_in_mesh(workload):
            continue
        first: dict[int, tuple[ServicePort, Site, bool]] = {}
        for service in fronts:
            for port in service.ports:
                number, spoken = _target(port, workload), known.spoken(service, port)
                if number is None or spoken is None:
                    continue
                other, site, is_http = first.setdefault(number, (port, *spoken))
                if is_http is not spoken[1] and (service, port.path) not in reported:
                    reported.add((service, port.path))
                    yield _finding(workload, number, (other, site), (port, spoken[0]))


def _target(port: ServicePort, workload: Workload) -> int | None:
    return None if port.protocol in ("UDP", "SCTP") else target_number(port, workload)


def _judged(site: Site, word: str) -> tuple[Site, bool] | None:
    return (site, word in _HTTP) if word in _HTTP or word in _TCP else None


class _Known:
    """What a rendering says of pods in the mesh and of its Services' protocols; its objects by who they are."""

    def __init__(self, graph: PortGraph) -> None:
        self._objects = {one.key: one for one in graph.resources}
        self._injected = {one.key.name for one in graph.of_kind("Namespace", "") if _injects(one)}

    def spoken(self, service: Service, port: ServicePort) -> tuple[Site, bool] | None:
        """What says that the port is for HTTP (true) or for plain TCP; None when nothing does."""
        path = (*port.path, "appProtocol")
        stated = lookup(self._objects[service.key].data, path)
        if isinstance(stated, str) and stated:
            return _judged(Site(service.key, path, stated), stated.lower())
        if port.name is None or not isinstance(port.name.value, str):
            return None
        name = port.name.value.lower()
        return _judged(port.name, "grpc-web" if name.startswith("grpc-web") else name.partition("-")[0])

    def is_in_mesh(self, workload: Workload) -> bool:
        """Whether its pods have a sidecar of Istio that sees all their ports."""
        template = sites.pod_template(self._objects[workload.key])
        metadata = mapping(template[1].get("metadata")) if template is not None else {}
        annotations = mapping(metadata.get("annotations"))
        if workload.host_network or any(one in annotations for one in _EXCLUDING):
            return False
        said = str(workload.labels.get(_INJECT) or annotations.get(_INJECT) or "").lower()
        if said in ("true", "false"):
            return said == "true"
        named = any(one.name == "istio-proxy" for one in workload.containers)
        return named or workload.key.namespace in self._injected


def _injects(namespace: Resource) -> bool:
    found = labels(mapping(namespace.data.get("metadata")).get("labels"))
    return found.get("istio-injection") == "enabled" or (
        bool(found.get("istio.io/rev")) and found.get("istio-injection") != "disabled"
    )


def _finding(
    workload: Workload, number: int, first: tuple[ServicePort, Site], second: tuple[ServicePort, Site]
) -> Finding:
    (other, calls), (port, site) = first, second
    return Finding(
        message=(
            f"{site.resource} declares port {number} of {workload.key} as {str(site.value)!r} (its port "
            f"{port.number.value}), but {calls.resource} as {str(calls.value)!r} (its port {other.number.value}): the "
            "sidecar treats it as HTTP or TCP, never both."
        ),
        severity=Severity.WARNING,
        primary=site,
        related=(Label(calls, "the other Service"),),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
