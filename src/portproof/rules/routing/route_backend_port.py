"""A Gateway API route sends traffic to a port that the Service does not have.

The `port` of a backendRef must be the number of a Service port, never a name or a
container port. It is required when the backend is a Service.

The rule checks HTTPRoute, GRPCRoute, TLSRoute, TCPRoute and UDPRoute in all versions.
It also checks the backends of RequestMirror and ExternalAuth filters, on a rule or on
one backendRef.

Why it matters:

If the Service lacks the port, the rule has no backend, and HTTP clients get status
500. The API server rejects a backendRef to a Service with no port, a string as its
port, or a number outside 1 to 65535.

If only the protocol differs, Envoy Gateway rejects the backend. Other controllers
send traffic that nothing listens for.

Severity:

* **error**: the Service has no such port, or the API server rejects the route.
* **warning**: the Service has the port, but with another protocol. A UDPRoute needs a
  UDP port, and all other routes need a TCP port. It is also a warning when the weight
  is 0: nothing is sent there until it is raised. It is also a warning when the
  Service is in another target, and nothing but names says that the two are deployed
  together.

Fix:

Sometimes. It changes the port of the backendRef, or the port or protocol of the
Service. There is no fix when several ports could be meant.

Bad (the target port)::

    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop}
    spec:
      parentRefs: [{name: public}]
      rules:
        - backendRefs:
            - {name: shop, port: 8080}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: shop}
    spec:
      selector: {app: shop}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Bad (no port)::

    apiVersion: gateway.networking.k8s.io/v1
    kind: GRPCRoute
    metadata: {name: shop}
    spec:
      parentRefs: [{name: public}]
      rules:
        - backendRefs:
            - {name: shop}

Bad (a name)::

    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop}
    spec:
      parentRefs: [{name: public}]
      rules:
        - backendRefs:
            - {name: shop, port: http}

Good::

    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop}
    spec:
      parentRefs: [{name: public}]
      rules:
        - backendRefs:
            - {name: shop, port: 80}
          filters:
            - type: RequestMirror
              requestMirror:
                backendRef: {name: shop, port: 9090}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: shop}
    spec:
      selector: {app: shop}
      ports:
        - {name: http, port: 80, targetPort: 8080}
        - {name: trial, port: 9090}

Not reported when:

* no target that is deployed together with this one has the Service in that namespace,
  and the API server accepts the route.
* the Service is of type ExternalName.
* the backend is of another kind or group, such as ServiceImport, InferencePool or a
  custom one.
* the port is a placeholder, such as `${PORT}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.answers import answers, has, missed
from portproof.graph.meant import only
from portproof.graph.model import PortGraph, Relation, Service, ServiceEdge, ServicePort, Site
from portproof.graph.names import is_digits, is_placeholder
from portproof.graph.phrasing import offered
from portproof.replacing import replace
from portproof.rules.base import Finding, Label, Remedy, Severity, Trait, rule
from portproof.rules.port_references import beyond, finding


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each backendRef whose port is rejected, missing, or of another protocol."""
    for edge in graph.asking(Relation.ROUTE):
        refusal = _rejection(graph, edge)
        if refusal is not None:
            yield refusal
            continue
        services = missed(graph, edge)
        port, wanted = edge.port, edge.wanted
        if not services or port is None or wanted is None:
            continue
        there = [one for one in services[0].ports if answers(one, wanted, edge.by)]
        if there:
            yield beyond(graph, edge, services, _other_protocol(edge, port, services[0], there[0]))
        elif not any(has(one, wanted, edge.by) for one in services):
            yield finding(graph, edge, services, does=_does(edge), so=_lost(edge))


def _does(edge: ServiceEdge) -> str:
    if "requestMirror" in edge.at:
        return "mirrors requests to"
    return "sends authorization requests to" if "externalAuth" in edge.at else "sends traffic to"


def _lost(edge: ServiceEdge) -> str:
    if "requestMirror" in edge.at:
        return "no mirrored request arrives"
    return "every request is denied" if "externalAuth" in edge.at else "no traffic gets through"


def _rejection(graph: PortGraph, edge: ServiceEdge) -> Finding | None:
    """What the API server rejects, whatever the Service has."""
    services = graph.variants(edge.whom.namespace, edge.whom.name)
    route, port = edge.holder, edge.port
    does, service = f"{route} {_does(edge)}", f"Service/{edge.whom.site.value}"
    if port is None:
        has_them = f" {services[0].key} has {offered(services[0].ports)}." if services else ""
        return _rejected(edge.whom.site, f"{does} {service} without a port", has_them)
    if is_placeholder(port.value):
        return None
    if isinstance(port.value, str):
        number = _number(port.value, services)
        found = _rejected(port, f"{does} port {port.value!r} of {service}, but the port must be a number")
        if number is None or (services and not any(has(one, number) for one in services)):
            return found
        how = "remove the quotes" if port.value == str(number) else f"set the port to {number}"
        fix = Remedy(how, ((port, number),))
        return replace(found, expected=number, remedies=(fix,))
    if not 1 <= int(port.value or 0) <= 65535:
        return _rejected(
            port, f"{does} port {port.value} of {service}, but a port must be between 1 and 65535"
        )
    return None


def _number(text: str, services: Sequence[Service]) -> int | None:
    """The port number that a text stands for: its digits, or the number of the Service's port of that name."""
    if is_digits(text):
        return int(text) if len(text) <= 5 and 1 <= int(text) <= 65535 else None
    number = only(
        port.number.value
        for one in services
        for port in one.ports
        if port.name is not None and port.name.value == text
    )
    return number if isinstance(number, int) else None


def _rejected(site: Site, what: str, more: str = "") -> Finding:
    return Finding(
        message=f"{what}: the API server rejects the {site.resource.kind}.{more}",
        severity=Severity.ERROR,
        primary=site,
    )


def _other_protocol(edge: ServiceEdge, port: Site, service: Service, there: ServicePort) -> Finding:
    needed = edge.protocol
    fitting = [one.number.value for one in service.ports if one.protocol == needed]
    number = fitting[0] if len(fitting) == 1 and isinstance(fitting[0], int) else None
    remedies = []
    if number is not None:
        remedies.append(Remedy(f"set the port to {number}", ((port, number),)))
    if there.protocol_site is not None:
        remedies.append(
            Remedy(f"set the Service port's protocol to {needed}", ((there.protocol_site, needed),))
        )
    return Finding(
        message=(
            f"{port.resource} {_does(edge)} port {port.value} of {service.key}, which is {there.protocol}: "
            f"{port.resource.kind}s need {needed}, and Envoy Gateway rejects the backend."
        ),
        severity=Severity.WARNING,
        primary=port,
        expected=number,
        related=(Label(there.protocol_site or there.number, f"a port of {service.key}"),),
        remedies=tuple(remedies),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.SPANS_TARGETS])
