"""A route has a port that the API server rejects.

The schemas of routes want a number from 1 to 65535, without quotes. Read are the
parents and redirects of routes of the Gateway API, the Services of Contour's
HTTPProxy and ExtensionService, the backends of an ApisixRoute and those of Kong's
TCPIngress and UDPIngress. The latter three kinds need a port for each Service.

Bad (a parent)::

    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop}
    spec:
      parentRefs:
        - {name: public, port: "443"}

Bad (a redirect)::

    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop}
    spec:
      rules:
        - filters: [{type: RequestRedirect, requestRedirect: {scheme: https, port: 0}}]

Bad (Contour)::

    apiVersion: projectcontour.io/v1
    kind: HTTPProxy
    metadata: {name: shop}
    spec:
      virtualhost: {fqdn: shop.example.org}
      routes:
        - services: [{name: shop}]

Bad (two parents)::

    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop}
    spec:
      parentRefs:
        - {name: public, sectionName: web}
        - {name: public}

Good::

    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop}
    spec:
      parentRefs:
        - {name: public, port: 80}
        - {name: public, port: 443}
      rules:
        - filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]
    ---
    apiVersion: projectcontour.io/v1
    kind: HTTPProxy
    metadata: {name: shop}
    spec:
      virtualhost: {fqdn: shop.example.org}
      routes:
        - services: [{name: shop, port: 80}]

Two parentRefs of one route that name the same parent have to differ in the
`sectionName` or the `port`, and both need the same ones of these fields.

An **error**, but a **warning** when the field is there and empty, as a template
leaves it when its value is not given, and a **note** then where a chart is
rendered with its defaults alone.

Silent when a parent or a redirect has no port, for names in an ApisixRoute, for placeholders (`${PORT}`),
and when the Service is in the rendering and lacks the port (`httpproxy-service-port` and
`controller-service-port` say so). Listeners are for `gateway-listener`, backends
for `route-backend-port`.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph, Relation
from portproof.graph.names import is_placeholder
from portproof.graph.references import GATEWAY_API
from portproof.rules.base import Finding, Label, Severity, rule
from portproof.rules.port_fields import PortField, Takes, invalid
from portproof.rules.routing.gateways import ROUTES, Parent, parents
from portproof.yamldoc import lookup

_CONTOUR = ("projectcontour.io",)
_OF_PROXIES = ("spec.routes[*].services[*]", "spec.tcpproxy.services[*]")
_FIELDS = (
    PortField((GATEWAY_API,), ROUTES, ("spec.parentRefs[*]",), "port", "parentRef", lowest=1),
    PortField(
        (GATEWAY_API,),
        ("HTTPRoute",),
        (
            "spec.rules[*].filters[*].requestRedirect",
            "spec.rules[*].backendRefs[*].filters[*].requestRedirect",
        ),
        "port",
        "redirect",
        lowest=1,
    ),
    PortField(_CONTOUR, ("HTTPProxy",), _OF_PROXIES, "port", "service", required=True, lowest=1),
    PortField(_CONTOUR, ("HTTPProxy",), _OF_PROXIES, "healthPort", "service", lowest=1),
    PortField(
        _CONTOUR, ("ExtensionService",), ("spec.services[*]",), "port", "service", required=True, lowest=1
    ),
    PortField(
        ("apisix.apache.org",),
        ("ApisixRoute",),
        ("spec.http[*].backends[*]", "spec.stream[*].backend"),
        "servicePort",
        "backend",
        takes=Takes.EITHER,
        required=True,
    ),
    PortField(
        ("configuration.konghq.com",),
        ("TCPIngress", "UDPIngress"),
        ("spec.rules[*].backend",),
        "servicePort",
        "backend",
        required=True,
        lowest=1,
    ),
)


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port of a route that is rejected."""
    yield from invalid(graph, _FIELDS, Relation.HTTP_PROXY, Relation.CONTROLLER)
    yield from _repeated(graph)


def _repeated(graph: PortGraph) -> Iterator[Finding]:
    """Parents that a route names again in a way that does not tell the two apart."""
    known: dict[tuple[object, ...], list[Parent]] = {}
    for parent in parents(graph):
        stated = lookup(parent.route.data, (*parent.path, "namespace")) or ""
        place = (parent.route, parent.group, parent.kind, stated, parent.name.value)
        earlier = known.setdefault(place, [])
        clash = next((one for one in earlier if _clash(one, parent)), None)
        if clash is not None and not any(map(is_placeholder, place)):
            yield _twice(parent, clash)
        earlier.append(parent)


def _clash(one: Parent, other: Parent) -> bool:
    """Whether the two are no different, or do not tell which part is meant by the same fields (CEL of ``parentRefs``)."""
    first, second = ([at and at.value for at in (parent.section, parent.port)] for parent in (one, other))
    if any(map(is_placeholder, (*first, *second))):
        return False
    return first == second or [at is None for at in first] != [at is None for at in second]


def _twice(parent: Parent, earlier: Parent) -> Finding:
    return Finding(
        message=(
            f"{parent.route.key} lists the parent {parent.kind}/{parent.name.value} twice, and neither sectionName nor "
            f"port tells the two apart: the API server rejects the {parent.route.key.kind}."
        ),
        severity=Severity.ERROR,
        primary=parent.name,
        related=(Label(earlier.name, "listed here first"),),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
