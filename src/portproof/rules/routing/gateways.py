"""Gateways, their listeners, and the parents that routes of the Gateway API attach to.

Meanings: gateway-api ``apis/v1/gateway_types.go`` (Listener, AllowedRoutes) and ``apis/v1/shared_types.go``
(ParentReference); which kinds a protocol takes when a listener does not say: its documentation of ProtocolType.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from portproof.graph import sites
from portproof.graph.fields import indexed, mapping, optional, scalar
from portproof.graph.model import PortGraph, Site
from portproof.graph.names import is_placeholder
from portproof.graph.references import GATEWAY_API
from portproof.resources import Resource, ResourceKey
from portproof.yamldoc import FieldPath

ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")

LISTENING = {
    "Gateway": GATEWAY_API,
    "ListenerSet": GATEWAY_API,
    "XListenerSet": "gateway.networking.x-k8s.io",
}
"""Kinds with listeners, and the API group of each."""

_KINDS: Mapping[str, frozenset[str]] = {
    "HTTP": frozenset({"HTTPRoute", "GRPCRoute"}),
    "HTTPS": frozenset({"HTTPRoute", "GRPCRoute"}),
    "TLS": frozenset({"TLSRoute", "TCPRoute"}),
    "TCP": frozenset({"TCPRoute"}),
    "UDP": frozenset({"UDPRoute"}),
}

_NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""The one label that every namespace has: its own name."""


class Listener(Struct, frozen=True):
    """An entry of a Gateway's or ListenerSet's ``listeners``.

    `data` is that entry; `number` and `name` are None when absent.
    """

    name: Site | None
    number: Site | None
    protocol: str
    hostname: str
    path: FieldPath
    data: Mapping[str, Any]
    is_of_set: bool = False

    @property
    def label(self) -> str:
        """``https (port 443)``."""
        name = self.name.value if self.name else "unnamed"
        return f"{name} (port {self.number.value})" if self.number else str(name)

    @property
    def stated_kinds(self) -> tuple[str, ...]:
        """The kinds of this group that ``allowedRoutes.kinds`` names; empty when it leaves that to the protocol."""
        kinds = mapping(self.data.get("allowedRoutes")).get("kinds")
        return tuple(
            str(one.get("kind") or "")
            for _, one in indexed(kinds)
            if one.get("group") in (None, GATEWAY_API) or is_placeholder(one.get("group"))
        )

    def takes_kind(self, kind: str) -> bool:
        """Whether routes of that kind may attach, or may for all that is known."""
        if mapping(self.data.get("allowedRoutes")).get("kinds"):
            stated = self.stated_kinds
            return kind in stated or any(is_placeholder(one) for one in stated)
        return self.protocol not in _KINDS or kind in _KINDS[self.protocol]

    def takes_namespace(self, own: str, other: str) -> bool:
        """Whether routes in namespace `other` may attach to this listener in `own`, or may for all that is known."""
        namespaces = mapping(mapping(self.data.get("allowedRoutes")).get("namespaces"))
        origin = namespaces.get("from") or "Same"
        if origin == "Same":
            return own == other
        if origin == "Selector":
            return _may_select(mapping(namespaces.get("selector")), other)
        return True


class Parent(Struct, frozen=True):
    """An entry of a route's ``parentRefs``; `section` and `port` are None when absent."""

    route: Resource
    group: str
    kind: str
    namespace: str
    name: Site
    section: Site | None
    port: Site | None
    path: FieldPath

    @property
    def is_service(self) -> bool:
        """Whether a Service is meant, as in a mesh; its group has to be written out, as the empty text."""
        return (self.group, self.kind) == ("", "Service")

    @property
    def has_listeners(self) -> bool:
        """Whether a Gateway or a ListenerSet is meant."""
        return LISTENING.get(self.kind) == self.group


def listeners(resource: Resource) -> tuple[Listener, ...]:
    """The listeners of a Gateway or ListenerSet."""
    return tuple(
        _listener(resource.key, path, data)
        for path, data in sites.find("spec.listeners[*]", resource.data)
        if isinstance(data, dict)
    )


def _listener(key: ResourceKey, path: FieldPath, data: Mapping[str, Any]) -> Listener:
    return Listener(
        name=optional(key, (*path, "name"), data.get("name")),
        number=optional(key, (*path, "port"), data.get("port")),
        protocol=str(data.get("protocol") or ""),
        hostname=str(data.get("hostname") or ""),
        path=path,
        data=data,
        is_of_set=key.kind != "Gateway",
    )


def parents(graph: PortGraph) -> Iterator[Parent]:
    """Every parent of every route, in printed order of each kind."""
    for kind in ROUTES:
        for resource in graph.of_kind(kind, GATEWAY_API):
            for path, data in sites.find("spec.parentRefs[*]", resource.data):
                if isinstance(data, dict) and scalar(data.get("name")) not in (None, ""):
                    yield _parent(resource, path, data)


def _parent(route: Resource, path: FieldPath, data: Mapping[str, Any]) -> Parent:
    group, kind = data.get("group"), data.get("kind")
    return Parent(
        route=route,
        group=GATEWAY_API if group is None else str(group),
        kind="Gateway" if kind is None else str(kind),
        namespace=str(data.get("namespace") or route.key.namespace),
        name=Site(route.key, (*path, "name"), scalar(data.get("name"))),
        section=optional(route.key, (*path, "sectionName"), data.get("sectionName")),
        port=optional(route.key, (*path, "port"), data.get("port")),
        path=path,
    )


def is_settled(resource: Resource) -> bool:
    """Whether its namespace is known for sure: it is set, and not to the one that may become any.

    What says none goes to the namespace that is current when it is applied, and ``default`` is what a release's
    namespace renders to until it is installed.
    """
    stated = mapping(resource.data.get("metadata")).get("namespace")
    return bool(stated) and stated != "default" and not is_placeholder(stated)


def _may_select(selector: Mapping[str, Any], namespace: str) -> bool:
    """Whether a label selector may take a namespace, of whose labels only the one with its name is known."""
    wanted = mapping(selector.get("matchLabels")).get(_NAMESPACE_NAME)
    if wanted is not None and wanted != namespace and not is_placeholder(wanted):
        return False
    for _, one in indexed(selector.get("matchExpressions")):
        values = one.get("values")
        if one.get("key") != _NAMESPACE_NAME or not isinstance(values, list):
            continue
        if any(is_placeholder(value) for value in values):
            continue
        if one.get("operator") == "In" and namespace not in values:
            return False
        if one.get("operator") == "NotIn" and namespace in values:
            return False
    return True
