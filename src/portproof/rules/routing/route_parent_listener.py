"""A route refers to a listener that its Gateway does not have, or that does not accept it.

In a parentRef, `sectionName` is the name of a listener and `port` is its port. If
both are set, one listener must have both. One of the listeners that match must accept
the route's kind and namespace.

A listener accepts the kinds in `allowedRoutes.kinds`. If there are none, its protocol
decides:

* HTTP and HTTPS accept HTTPRoute and GRPCRoute.
* TLS accepts TLSRoute and TCPRoute.
* TCP accepts TCPRoute.
* UDP accepts UDPRoute.

A listener accepts routes from the namespace of the Gateway, unless
`allowedRoutes.namespaces` says `All` or selects others.

A ListenerSet can be a parent like a Gateway, and has only its own listeners. A route
whose parent is the Gateway does not get those.

If the parent is a Service (with `group: ""`), `port` is the number of a Service port,
and `sectionName` is the name of one.

With the base revision of a pull request, or of `--base`, the rule also reports a change
that takes a route and its Gateway apart.

Why it matters:

The route is detached (NoMatchingParent, NotAllowedByListeners), and no request
reaches it.

Severity:

* **error**: when the Gateway is here and has no such listener. Also when a change
  renames or moves the Gateway, or makes a typo in its name.
* **warning**: when a change removes the Gateway, or names another one that is not here.
  It may belong to another release.

Fix:

Sometimes. It sets `sectionName` or `port` if only one listener could be meant, or the
name of the Gateway after a change. It never changes the Gateway.

Bad (no such listener)::

    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop}
    spec:
      parentRefs:
        - {name: public, sectionName: https}
    ---
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {name: public}
    spec:
      gatewayClassName: example
      listeners:
        - {name: web, port: 80, protocol: HTTP}

Bad (the port of another listener)::

    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop}
    spec:
      parentRefs:
        - {name: public, sectionName: web, port: 8080}
    ---
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {name: public}
    spec:
      gatewayClassName: example
      listeners:
        - {name: web, port: 80, protocol: HTTP}
        - {name: admin, port: 8080, protocol: HTTP}

Bad (a Service as the parent, in a mesh)::

    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop}
    spec:
      parentRefs:
        - {group: "", kind: Service, name: shop, port: 8080}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: shop}
    spec:
      selector: {app: shop}
      ports:
        - {port: 80, targetPort: 8080}

Good::

    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop}
    spec:
      parentRefs:
        - {name: public, sectionName: web, port: 80}
    ---
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {name: public}
    spec:
      gatewayClassName: example
      listeners:
        - {name: web, port: 80, protocol: HTTP}
        - {name: admin, port: 8080, protocol: HTTP}

Not reported when:

* the rendered manifests do not contain the Gateway or the Service, unless a change
  takes them apart.
* the Service is of type ExternalName.
* the parent is of another kind.
* the port is not a number: `route-port-invalid` reports that.
* the listener's protocol is a controller's custom one.
* a name or port is a placeholder, such as `${PORT}`.
* namespaces are selected by labels other than their name.
* a namespace is not set, or is `default`: the real one may only be known when the
  release is installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from portproof.graph.answers import missed
from portproof.graph.evidence import is_near_miss
from portproof.graph.model import PortGraph, Site
from portproof.graph.names import is_near_name, is_placeholder
from portproof.graph.phrasing import listing
from portproof.resources import Resource, ResourceKey
from portproof.rules.base import Finding, Label, Remedy, Scalar, Severity, rule
from portproof.rules.port_references import finding
from portproof.rules.routing.edges import parent_edges
from portproof.rules.routing.gateways import LISTENING, Listener, Parent, is_settled, listeners, parents
from portproof.rules.routing.lost_parents import LostParents, place

_SHOWN = 5


class _Gateway(Struct, frozen=True):
    resource: Resource
    listeners: tuple[Listener, ...]


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each parent that does not take its route."""
    gateways: dict[tuple[str, str, str], list[_Gateway]] = {}
    for kind, group in LISTENING.items():
        for one in graph.of_kind(kind, group):
            variants = gateways.setdefault((kind, one.key.namespace, one.key.name), [])
            variants.append(_Gateway(one, listeners(one)))
    every = tuple(parents(graph))
    lost = LostParents.of(graph)
    beside: dict[ResourceKey, set[tuple[str, str, str]]] = {}
    for parent in every:
        beside.setdefault(parent.route.key, set()).add(place(parent))
    for parent in every:
        if parent.port is not None and not isinstance(parent.port.value, int):
            continue
        if parent.is_service:
            yield from _of_service(graph, parent)
        elif parent.has_listeners:
            found = [_judged(parent, one) for one in gateways.get(place(parent), ())]
            if not found:
                gone = lost.finding(parent, beside[parent.route.key])
                found = [] if gone is None else [gone]
            missing = [one for one in found if one is not None]
            if missing and len(missing) == len(found):
                yield missing[0]


def _of_service(graph: PortGraph, parent: Parent) -> Iterator[Finding]:
    for edge in parent_edges(parent):
        services = missed(graph, edge)
        if services:
            yield finding(graph, edge, services, does="refers to", so="the route applies to no traffic")
            return


def _judged(parent: Parent, gateway: _Gateway) -> Finding | None:
    """What keeps the route from the Gateway; None when nothing does, or that is not known."""
    if not gateway.listeners or _has_placeholders(parent, gateway.listeners):
        return None
    meant = [one for one in gateway.listeners if _is_meant(parent, one)]
    if not meant:
        return _absent(parent, gateway)
    kind, own = parent.route.key.kind, gateway.resource.key.namespace
    fitting = [one for one in meant if one.takes_kind(kind)]
    if not fitting:
        return _other_kind(parent, gateway, meant)
    settled = is_settled(parent.route) and is_settled(gateway.resource)
    if settled and not any(one.takes_namespace(own, parent.route.key.namespace) for one in fitting):
        return _other_namespace(parent, gateway, fitting)
    return None


def _has_placeholders(parent: Parent, found: Sequence[Listener]) -> bool:
    sites = [parent.section, parent.port, *(site for one in found for site in (one.name, one.number))]
    return any(site is not None and is_placeholder(site.value) for site in sites)


def _is_meant(parent: Parent, listener: Listener) -> bool:
    return _has_name(listener, parent.section) and _has_port(listener, parent.port)


def _has_name(listener: Listener, section: Site | None) -> bool:
    return section is None or (listener.name is not None and listener.name.value == section.value)


def _has_port(listener: Listener, port: Site | None) -> bool:
    """Whether the listener has the port; one without a port of its own, in an XListenerSet, gets any."""
    own = None if listener.number is None else listener.number.value
    return port is None or own == port.value or (own in (None, 0) and listener.is_of_set)


def _absent(parent: Parent, gateway: _Gateway) -> Finding:
    fitting = [one for one in gateway.listeners if one.takes_kind(parent.route.key.kind)]
    named = [one for one in gateway.listeners if _has_name(one, parent.section)]
    site = parent.port if parent.section is None or named else parent.section
    if parent.section is None:
        remedies = _ports(parent, _near_port(fitting, parent.port))
    elif named and parent.port is not None:
        remedies = [
            *_ports(parent, named),
            *_names(parent, [one for one in fitting if _has_port(one, parent.port)]),
        ]
    else:
        candidates = [one for one in fitting if _has_port(one, parent.port)]
        remedies = _names(parent, candidates if parent.port else _near_name(candidates, parent.section))
    return _detached(
        parent,
        f"{_wanted(parent)} of {gateway.resource.key}, which has {_shown(gateway.listeners)}. The route does not "
        "attach and gets no requests",
        site or parent.name,
        remedies,
        gateway.listeners[:3],
    )


def _near_name(found: Sequence[Listener], section: Site) -> Sequence[Listener]:
    return [
        one for one in found if one.name is not None and is_near_name(str(one.name.value), str(section.value))
    ]


def _near_port(found: Sequence[Listener], port: Site | None) -> Sequence[Listener]:
    return [
        one
        for one in found
        if one.number is not None and port is not None and _is_near(one.number.value, port.value)
    ]


def _is_near(one: Scalar | None, other: Scalar | None) -> bool:
    """Whether the numbers differ by a typo."""
    return isinstance(one, int) and isinstance(other, int) and is_near_miss(one, other)


def _names(parent: Parent, found: Sequence[Listener]) -> list[Remedy]:
    """Setting the sectionName to the one listener that was meant."""
    values = {one.name.value for one in found if one.name is not None and one.name.value is not None}
    return _one(parent.section, "sectionName", values)


def _ports(parent: Parent, found: Sequence[Listener]) -> list[Remedy]:
    """Setting the port to that of the listeners that were meant."""
    values = {one.number.value for one in found if one.number is not None and one.number.value is not None}
    return _one(parent.port, "port", values)


def _one(site: Site | None, field: str, values: set[Scalar]) -> list[Remedy]:
    if site is None or len(values) != 1:
        return []
    value = values.pop()
    return [Remedy(f"set the {field} to {value}", ((site, value),))]


def _other_kind(parent: Parent, gateway: _Gateway, meant: Sequence[Listener]) -> Finding:
    kind = parent.route.key.kind
    others = [
        one
        for one in gateway.listeners
        if one.takes_kind(kind) and (parent.section is None or _has_port(one, parent.port))
    ]
    remedies = _names(parent, others) if parent.section else _ports(parent, others)
    why = listing(f"{one.name.value if one.name else 'one'} is for {_taken(one)}" for one in meant[:_SHOWN])
    return _detached(
        parent,
        f"{_wanted(parent)} of {gateway.resource.key}, which accepts no {kind} ({why}): the route gets no traffic",
        parent.section or parent.port or parent.name,
        remedies,
        meant[:3],
    )


def _taken(listener: Listener) -> str:
    stated = listener.stated_kinds
    return f"{listing(stated)} only" if stated else listener.protocol


def _other_namespace(parent: Parent, gateway: _Gateway, fitting: Sequence[Listener]) -> Finding:
    own, other = gateway.resource.key, parent.route.key.namespace
    return _detached(
        parent,
        f"{_wanted(parent)} of {own} in namespace {own.namespace!r}, which accepts no routes from namespace {other!r} "
        "(allowedRoutes.namespaces): the route gets no traffic",
        parent.name,
        [],
        fitting[:3],
    )


def _detached(
    parent: Parent, what: str, site: Site, remedies: list[Remedy], shown: Sequence[Listener]
) -> Finding:
    own = [value for one in remedies for place, value in one.changes if place == site]
    return Finding(
        message=f"{parent.route.key} refers to {what}.",
        severity=Severity.ERROR,
        primary=site,
        expected=own[0] if own else None,
        related=tuple(
            Label(one.name, f"a listener of {one.name.resource}") for one in shown if one.name is not None
        ),
        remedies=tuple(remedies),
    )


def _wanted(parent: Parent) -> str:
    if parent.section is None:
        return f"port {parent.port.value!r}" if parent.port else "the listeners"
    at = f" on port {parent.port.value!r}" if parent.port else ""
    return f"listener {str(parent.section.value)!r}{at}"


def _shown(found: Sequence[Listener]) -> str:
    more = [f"{len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    only = "only " if len(found) == 1 else ""
    return only + listing([*(one.label for one in found[:_SHOWN]), *more])


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
