"""What policies let through to which pods: a table of kinds.

All of them mean the ports of the pods, for they are applied after a Service has translated its own port. Sources:
kubernetes/api ``networking/v1/types.go``; cilium ``pkg/policy/api`` (a port is text, 0 stands for all of them);
calico ``api/pkg/apis/projectcalico/v3`` (``first:last`` is a range); istio ``security/v1beta1`` (ports of the workload).
A new kind is a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, TypeAlias

from msgspec import Struct

from portproof.graph import selectors, sites
from portproof.graph.fields import PROTOCOLS, indexed, mapping, optional, scalar
from portproof.graph.model import PortGraph, Site
from portproof.graph.names import is_digits, is_placeholder
from portproof.graph.selectors import Selector
from portproof.resources import Resource, ResourceKey
from portproof.yamldoc import FieldPath

Body: TypeAlias = Mapping[str, Any]

MESH_ROOT = "istio-system"
"""The namespace whose Istio policies apply to all others, unless an installation has chosen another."""


class Layer(Enum):
    """Who enforces: traffic has to be let through by each layer, and within one by any policy.

    The value is the verb for what a policy of the layer does to a port.
    """

    NETWORK = "open"
    MESH = "allow"


class Encoding(Enum):
    """How a port is written: a number or a name (PLAIN), text with either (TEXT), digits as text, or in a way of its own."""

    PLAIN = "plain"
    TEXT = "text"
    DIGITS = "digits"
    OWN = "own"


class PortEntry(Struct, frozen=True):
    """An entry of a list of ports as it is written, at `at`; each field is None when it is absent."""

    writing: Encoding
    at: FieldPath
    port: Site | None
    end: Site | None
    protocol: Site | None


class Opening(Struct, frozen=True):
    """An entry of a policy's list of ports: the numbers from `first` to `last`, or a `name`.

    `site` is None when the policy lists no port, and so all are meant; else `at` is the entry that has it. An empty
    `protocol` stands for any; `protocol_site` is None when the field is absent, and `writing` tells how a number has to
    be written. With `is_key` the port is the key `at`, which is no value: `site` is then the first value below it.
    """

    writing: Encoding
    site: Site | None
    first: int
    last: int
    name: str
    protocol: str
    protocol_site: Site | None = None
    at: FieldPath = ()
    is_key: bool = False

    @property
    def number(self) -> int | None:
        """The one number that is meant; None for ranges and names."""
        return self.first if not self.name and self.first == self.last else None

    def is_for(self, protocol: str) -> bool:
        """Whether it is about this protocol."""
        return self.protocol in ("", protocol)


class PolicyRule(Struct, frozen=True):
    """What one rule lets through, and where to: `peers` is None when that is not pods of its own namespace only."""

    openings: tuple[Opening, ...]
    peers: tuple[Selector, ...] | None = None


class Policy(Struct, frozen=True, eq=False):
    """A policy that closes the pods it selects, but for what its rules let through.

    `namespace` is empty when it applies to all; `selector` is None when it is not known which pods are meant.
    `ingress` and `egress` are None when the policy leaves that direction alone.
    """

    key: ResourceKey
    layer: Layer
    namespace: str
    selector: Selector | None
    ingress: tuple[PolicyRule, ...] | None
    egress: tuple[PolicyRule, ...] | None


class PolicyKind(Struct, frozen=True):
    """Where the policies of some kinds say whom they select and which ports they open.

    `bodies` are JSONPaths of the policies in an object; `selector`, `ingress` and `egress` fields of such a body, and
    `holders` a JSONPath, from a rule, of the objects whose ``ports`` are meant. `closes` says which directions a body
    closes; none when it has no say. `protocol` is that of a port which names none, and `peers` tells where an egress
    rule leads.
    """

    layer: Layer
    groups: tuple[str, ...]
    kinds: tuple[str, ...]
    selector: str
    select: Callable[[Any], Selector | None]
    closes: Callable[[Resource, Body], frozenset[str]]
    writing: Encoding
    holders: str
    bodies: tuple[str, ...] = ("spec",)
    ingress: str = "ingress"
    egress: str = "egress"
    protocol: str = ""
    peers: Callable[[Body], tuple[Selector, ...] | None] = lambda _: None
    everywhere: bool = False


def _kubernetes_closes(_resource: Resource, body: Body) -> frozenset[str]:
    """Without ``policyTypes``: ingress always, egress if there are rules for it."""
    types = body.get("policyTypes")
    if isinstance(types, list) and types:
        return frozenset(str(one).lower() for one in types)
    return frozenset({"ingress", "egress"} if body.get("egress") else {"ingress"})


def _kubernetes_peers(rule: Body) -> tuple[Selector, ...] | None:
    return _all_known(
        selectors.kubernetes(one.get("podSelector")) if set(one) == {"podSelector"} else None
        for _, one in indexed(rule.get("to"))
    )


def _cilium_closes(_resource: Resource, body: Body) -> frozenset[str]:
    default = mapping(body.get("enableDefaultDeny"))
    return frozenset(
        one
        for one in ("ingress", "egress")
        if (body.get(one) or body.get(f"{one}Deny")) and default.get(one) is not False
    )


def _cilium_peers(rule: Body) -> tuple[Selector, ...] | None:
    if set(rule) - {"toEndpoints", "toPorts"}:
        return None
    return _all_known(selectors.cilium(one) for _, one in indexed(rule.get("toEndpoints")))


def _calico_closes(_resource: Resource, body: Body) -> frozenset[str]:
    types = body.get("types")
    if isinstance(types, list) and types:
        return frozenset(str(one).lower() for one in types)
    found = frozenset(one for one in ("ingress", "egress") if body.get(one))
    return found or frozenset({"ingress"})


def _istio_closes(resource: Resource, body: Body) -> frozenset[str]:
    """Only ALLOW closes. A policy that targets a gateway or a Service is enforced elsewhere; a dry run is not."""
    annotations = mapping(mapping(resource.data.get("metadata")).get("annotations"))
    if str(annotations.get("istio.io/dry-run")).lower() == "true" or {"targetRef", "targetRefs"} & set(body):
        return frozenset()
    return frozenset({"ingress"} if body.get("action") in (None, "", "ALLOW") else ())


def _all_known(found: Iterator[Selector | None]) -> tuple[Selector, ...] | None:
    known = tuple(found)
    complete = tuple(one for one in known if one is not None)
    return complete if complete and len(complete) == len(known) else None


_CALICO = ("projectcalico.org", "crd.projectcalico.org")

ROWS = (
    PolicyKind(
        Layer.NETWORK,
        ("networking.k8s.io", "extensions"),
        ("NetworkPolicy",),
        "podSelector",
        selectors.kubernetes,
        _kubernetes_closes,
        Encoding.PLAIN,
        holders="$",
        protocol="TCP",
        peers=_kubernetes_peers,
    ),
    PolicyKind(
        Layer.NETWORK,
        ("cilium.io",),
        ("CiliumNetworkPolicy",),
        "endpointSelector",
        selectors.cilium,
        _cilium_closes,
        Encoding.TEXT,
        holders="toPorts[*]",
        bodies=("spec", "specs[*]"),
        peers=_cilium_peers,
    ),
    PolicyKind(
        Layer.NETWORK,
        ("cilium.io",),
        ("CiliumClusterwideNetworkPolicy",),
        "endpointSelector",
        selectors.cilium,
        _cilium_closes,
        Encoding.TEXT,
        holders="toPorts[*]",
        bodies=("spec", "specs[*]"),
        everywhere=True,
    ),
    PolicyKind(
        Layer.NETWORK,
        _CALICO,
        ("NetworkPolicy",),
        "selector",
        selectors.calico,
        _calico_closes,
        Encoding.OWN,
        holders="destination",
    ),
    PolicyKind(
        Layer.NETWORK,
        _CALICO,
        ("GlobalNetworkPolicy",),
        "selector",
        selectors.calico,
        _calico_closes,
        Encoding.OWN,
        holders="destination",
        everywhere=True,
    ),
    PolicyKind(
        Layer.MESH,
        ("security.istio.io",),
        ("AuthorizationPolicy",),
        "selector",
        selectors.kubernetes,
        _istio_closes,
        Encoding.DIGITS,
        holders="to[*].operation",
        ingress="rules",
        egress="",
        protocol="TCP",
    ),
)


def read(graph: PortGraph, layer: Layer) -> tuple[Policy, ...]:
    """The policies of a layer, in printed order within a kind."""
    return tuple(
        _policy(row, resource, path, body, closed)
        for row in ROWS
        if row.layer is layer
        for resource, path, body in _bodies(graph, row)
        if (closed := row.closes(resource, body))
    )


def entries(graph: PortGraph) -> Iterator[PortEntry]:
    """Every port that policies of any layer list, for either direction."""
    for row in ROWS:
        for resource, path, body in _bodies(graph, row):
            for field in filter(None, (row.ingress, row.egress)):
                for index, rule in indexed(body.get(field)):
                    for where, holder in _holders(row, rule):
                        place = (*path, field, index, *where, "ports")
                        for number, item in enumerate(_items(holder)):
                            yield _entry(row, resource.key, (*place, number), item)


def _bodies(graph: PortGraph, row: PolicyKind) -> Iterator[tuple[Resource, FieldPath, Body]]:
    for kind in row.kinds:
        for resource in graph.of_kind(kind, *row.groups):
            for text in row.bodies:
                for path, body in sites.find(text, resource.data):
                    if isinstance(body, dict):
                        yield resource, path, body


def _policy(
    row: PolicyKind, resource: Resource, path: FieldPath, body: Body, closed: frozenset[str]
) -> Policy:
    namespace = resource.key.namespace
    if row.everywhere or (row.layer is Layer.MESH and namespace == MESH_ROOT):
        namespace = ""
    known = not any(body.get(one) for one in ("namespaceSelector", "serviceAccountSelector", "nodeSelector"))
    return Policy(
        key=resource.key,
        layer=row.layer,
        namespace=namespace,
        selector=row.select(body.get(row.selector)) if known else None,
        ingress=_rules(row, resource.key, path, body, row.ingress) if "ingress" in closed else None,
        egress=_rules(row, resource.key, path, body, row.egress) if "egress" in closed else None,
    )


def _rules(
    row: PolicyKind, key: ResourceKey, path: FieldPath, body: Body, field: str
) -> tuple[PolicyRule, ...]:
    found = []
    for index, rule in indexed(body.get(field)):
        action = rule.get("action")  # Calico's alone
        if action in (None, "Allow"):
            openings = tuple(_openings(row, key, (*path, field, index), rule))
            found.append(PolicyRule(openings, row.peers(rule)))
        elif action == "Pass":  # the next tier or the profiles decide
            found.append(PolicyRule((_all_ports(row.writing),)))
    return tuple(found)


def _openings(row: PolicyKind, key: ResourceKey, path: FieldPath, rule: Body) -> Iterator[Opening]:
    """The ports of a rule; a rule, or a part of it, that lists none opens all."""
    protocol = str(rule.get("protocol") or row.protocol)
    holders = list(_holders(row, rule))
    if not all(_items(holder) for _, holder in holders) or not holders:
        yield _all_ports(row.writing)
    for where, holder in holders:
        for index, item in enumerate(_items(holder)):
            yield _opening(_entry(row, key, (*path, *where, "ports", index), item), protocol)


def _holders(row: PolicyKind, rule: Body) -> Iterator[tuple[FieldPath, Body]]:
    for where, holder in sites.find(row.holders, rule):
        if isinstance(holder, dict):
            yield where, holder


def _items(holder: Body) -> Sequence[Any]:
    ports = holder.get("ports")
    return ports if isinstance(ports, list) else ()


def _entry(row: PolicyKind, key: ResourceKey, path: FieldPath, item: Any) -> PortEntry:
    if not isinstance(item, dict):
        return PortEntry(row.writing, path, optional(key, path, item), None, None)
    read_field = _as_it_stands if row.writing is Encoding.PLAIN else optional
    return PortEntry(
        row.writing,
        path,
        *(read_field(key, (*path, field), item.get(field)) for field in ("port", "endPort", "protocol")),
    )


def _as_it_stands(key: ResourceKey, path: FieldPath, value: Any) -> Site | None:
    """A site for a field that may be absent; empty text is not, as the API server sees it in a NetworkPolicy."""
    return None if value is None else Site(key, path, scalar(value))


def _is_any(entry: PortEntry) -> bool:
    """Whether the protocol may be any: so it says, it is filled in later, or it is none that Kubernetes takes."""
    value = entry.protocol and entry.protocol.value
    unknown = entry.writing is Encoding.PLAIN and value not in PROTOCOLS
    return value == "ANY" or is_placeholder(value) or unknown


def _opening(entry: PortEntry, protocol: str) -> Opening:
    """What an entry opens; one that is filled in later, or not understood, may open anything."""
    if entry.protocol is not None:
        protocol = "" if _is_any(entry) else str(entry.protocol.value)
    site, writing = entry.port, entry.writing
    found, end = site and site.value, entry.end and entry.end.value
    if isinstance(found, str):
        first, colon, last = found.partition(":")  # Calico's ranges
        if is_digits(first) and (not colon or is_digits(last)):
            found, end = int(first), int(last) if colon else end
    if not found or is_placeholder(found):
        return _all_ports(writing, protocol)
    if isinstance(found, str):
        return Opening(writing, site, 0, 0, found, protocol, entry.protocol, entry.at)
    return Opening(
        writing, site, found, end if isinstance(end, int) else found, "", protocol, entry.protocol, entry.at
    )


def _all_ports(writing: Encoding, protocol: str = "") -> Opening:
    return Opening(writing, None, 0, 65535, "", protocol)
