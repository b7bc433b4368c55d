"""An OpenShift Route asks for a port that its Service's pods do not serve.

`spec.port.targetPort` of a Route selects endpoints of its Services. A name is the
name of a Service port, but a number is the port of the pod. UDP ports are never
selected.

Why it matters:

The router finds no endpoint for the Route and answers 503 (openshift/router
`pkg/router/template/template_helper.go`, endpointsForAlias).

Severity:

* **error**: no endpoint has the port.
* **warning**: the number is the Service's own `port`, which other routers accept. It
  is also a warning when another backend of the Route serves the port.

Fix:

Sometimes. It changes the port of the Route. There is no fix when several ports could
be meant, or none is TCP.

Bad (the name of the container's port)::

    apiVersion: route.openshift.io/v1
    kind: Route
    metadata: {name: web}
    spec:
      to: {kind: Service, name: web}
      port: {targetPort: http-web}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: http-web}

Bad (neither port)::

    apiVersion: route.openshift.io/v1
    kind: Route
    metadata: {name: web}
    spec:
      to: {kind: Service, name: web}
      port: {targetPort: 8081}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Good::

    apiVersion: route.openshift.io/v1
    kind: Route
    metadata: {name: web}
    spec:
      to: {kind: Service, name: web}
      port: {targetPort: http}
    ---
    apiVersion: route.openshift.io/v1
    kind: Route
    metadata: {name: web-number}
    spec:
      to: {kind: Service, name: web}
      port: {targetPort: 8080}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Not reported when:

* the rendered manifests do not contain the Service.
* the Service has no selector.
* the Service is of type ExternalName.
* the number may belong to a named target port that cannot be resolved.
* the Route has no `port`.
* the backend has weight 0.
* the port is a placeholder, such as `${PORT}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.answers import endpoint_numbers, missed
from portproof.graph.evidence import is_near_miss
from portproof.graph.meant import first_unique
from portproof.graph.model import PortGraph, Relation, Service, ServiceEdge, ServicePort, Site
from portproof.graph.names import is_digits, is_near_name, is_placeholder
from portproof.graph.phrasing import listing, offered
from portproof.replacing import replace
from portproof.resources import ResourceKey
from portproof.rules.base import Finding, Label, Remedy, Scalar, Severity, rule

_DIGITS = 5


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each Route whose port no endpoint has."""
    routes: dict[ResourceKey, list[ServiceEdge]] = {}
    for edge in graph.asking(Relation.OPENSHIFT_ROUTE):
        if edge.port is not None and not edge.idle and not is_placeholder(edge.wanted):
            routes.setdefault(edge.holder, []).append(edge)
    for backends in routes.values():
        failing = [one for one in backends if not _may_serve(graph, one, _wanted(one))]
        if failing:
            yield _finding(graph, failing[0], backends, is_whole=len(failing) == len(backends))


def _wanted(edge: ServiceEdge) -> Scalar:
    """The name or number that is asked for; the router compares numbers as text, so quotes do not matter."""
    text = str(edge.wanted)
    return int(text) if is_digits(text) and len(text) <= _DIGITS else text


def _may_serve(graph: PortGraph, edge: ServiceEdge, wanted: Scalar) -> bool:
    """Whether the Service has, or may have, an endpoint with that name or number."""
    port = Site(edge.holder, edge.at, wanted)
    return not missed(graph, replace(edge, port=port))


def _numbers(graph: PortGraph, service: Service, port: ServicePort) -> frozenset[int]:
    """The numbers of the endpoints of `port`, as far as they are known."""
    return endpoint_numbers(graph, service, port) or frozenset()


def _tcp(service: Service) -> list[ServicePort]:
    return [one for one in service.ports if one.protocol == "TCP"]


def _finding(
    graph: PortGraph, edge: ServiceEdge, backends: Sequence[ServiceEdge], *, is_whole: bool
) -> Finding:
    """What to say of a Route of which one backend, or all when `is_whole`, have no such endpoint."""
    service = graph.variants(*edge.whom.place)[0]
    wanted, site = _wanted(edge), edge.port or edge.whom.site
    own = [one for one in _tcp(service) if one.number.value == wanted]
    meant = _meant(service, wanted, own)
    value = _value(graph, backends, service, meant, wanted) if meant is not None else None
    if isinstance(wanted, int):
        reached = sorted({one for port in _tcp(service) for one in _numbers(graph, service, port)})
        what = f"port {wanted}, but {service.key} reaches its pods at {listing(map(str, reached)) or 'no TCP port'}"
    else:
        what = f"port {wanted!r} of {service.key}, which has {offered(service.ports)}"
    return Finding(
        message=f"{site.resource} asks for {what}: {_why(wanted, own, service, is_whole=is_whole)}.",
        severity=Severity.WARNING if own or not is_whole else Severity.ERROR,
        primary=site,
        expected=value,
        related=tuple(
            Label(one.name or one.target, f"a port of {service.key}")
            for one in ((meant,) if meant else service.ports[:3])
        ),
        remedies=() if value is None else (Remedy(f"set the Route's port to {value}", ((site, value),)),),
    )


def _why(wanted: Scalar, own: Sequence[ServicePort], service: Service, *, is_whole: bool) -> str:
    if not is_whole:
        return "another backend of the Route serves it, but this one gets no requests"
    if own:
        return f"{wanted} is the Service port, but OpenShift's router expects the number of the pod's port"
    if any(one.target.value == wanted for one in service.ports):
        return "that is the name of a container port, so the router answers 503"
    return "no endpoint has that port, so the router answers 503"


def _meant(service: Service, wanted: Scalar, own: Sequence[ServicePort]) -> ServicePort | None:
    """The one port that the Route probably stands for."""
    ports = _tcp(service)
    aimed = [one for one in ports if one.target.value == wanted]
    near = [one for one in ports if _is_near(one, wanted)]
    return first_unique(own, aimed, near, ports)


def _is_near(port: ServicePort, wanted: Scalar) -> bool:
    if isinstance(wanted, int):
        return isinstance(port.target.value, int) and is_near_miss(port.target.value, wanted)
    return port.name is not None and is_near_name(str(port.name.value), wanted)


def _value(
    graph: PortGraph,
    backends: Sequence[ServiceEdge],
    service: Service,
    port: ServicePort,
    wanted: Scalar,
) -> Scalar | None:
    """What the Route would hold to mean `port` in all its backends: a number stays one where it can."""
    numbers = sorted(_numbers(graph, service, port))
    names = [str(port.name.value)] if port.name is not None else []
    likely: list[Scalar] = [*numbers, *names] if isinstance(wanted, int) else [*names, *numbers]
    return next((one for one in likely if all(_may_serve(graph, other, one) for other in backends)), None)


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
