"""A route has a port that the API server rejects.

Ports of routes must be numbers from 1 to 65535, without quotes. The rule checks:

* The parents and redirects of Gateway API routes.
* The Services of Contour's HTTPProxy and ExtensionService.
* The backends of an ApisixRoute.
* The backends of Kong's TCPIngress and UDPIngress.

All of these except Gateway API routes need a port for each Service. Two parentRefs of
one route that name the same parent must differ in `sectionName` or `port`. Both must
set the same ones of these fields.

Why it matters:

The API server rejects the whole route, so `helm upgrade` or `kubectl apply` fails.

Severity:

* **error**: the API server rejects the route.
* **warning**: a required field is present but empty, as a template renders it without
  a value.
* **note**: a field is empty, and the chart is rendered with its default values alone.

Fix:

Sometimes. It removes the quotes from a number.

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

Not reported when:

* a parent or a redirect has no port.
* an ApisixRoute uses a port name.
* the port is a placeholder, such as `${PORT}`.
* the Service is rendered and lacks the port: `httpproxy-service-port` or
  `controller-service-port` reports that.
* the port belongs to a listener: `gateway-listener` checks it.
* the port belongs to a backend of a Gateway API route: `route-backend-port` checks
  it.
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
        stated = str(lookup(parent.route.data, (*parent.path, "namespace")) or "")
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
