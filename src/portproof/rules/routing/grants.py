"""ReferenceGrants: which routes may send traffic to a Service of another namespace.

Meaning: gateway-api ``apis/v1/referencegrant_types.go``. A grant is in the namespace of the Service; each pair of
an entry of its ``from`` and one of its ``to`` allows something.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct

from portproof.graph.fields import indexed, mapping, scalar
from portproof.graph.model import PortGraph, Relation, Service, ServiceEdge, Site
from portproof.graph.names import digits, is_placeholder
from portproof.graph.references import GATEWAY_API
from portproof.resources import Resource, ResourceKey
from portproof.rules.routing.gateways import ROUTES, is_settled, parents

Terms: TypeAlias = tuple[str, ...]
"""What a pair allows, or a route needs: the values of `FIELDS`. An empty last one allows every name."""

FIELDS = ("namespace", "from.group", "from.kind", "from.namespace", "to.group", "to.kind", "to.name")

_NAME = len(FIELDS) - 1
_NAMES = (FIELDS.index("from.namespace"), _NAME)
_ANY = ""


class Pair(Struct, frozen=True):
    """What one entry of ``from`` and one of ``to`` allow together; `sites` are the fields that say so."""

    grant: ResourceKey
    terms: Terms
    sites: tuple[Site, ...]


class Crossing(Struct, frozen=True):
    """A backendRef to a Service of another namespace that no grant of the rendering allows.

    `near` are the pairs that differ from what it needs in one field and that nothing here makes use of, each with
    that field's place in `FIELDS`. Names that differ in their digits are meant to differ.
    """

    edge: ServiceEdge
    service: Service
    needs: Terms
    near: tuple[tuple[Pair, int], ...]


def ungranted(graph: PortGraph, relation: Relation) -> Iterator[Crossing]:
    """The edges of `relation` that cross into another namespace without a grant, where both are known for sure.

    Those of a route that is attached to a Service need none: a mesh lets callers shape their own requests
    (gateway-api ``conformance/tests/mesh/mesh-consumer-route.yaml``).
    """
    meshed = {one.route.key for one in parents(graph) if one.is_service}
    routes = {
        one.key
        for kind in ROUTES
        for one in graph.of_kind(kind, GATEWAY_API)
        if is_settled(one) and one.key not in meshed
    }
    needed = [
        (one, _needs(one)) for one in graph.asking(relation) if one.whom.namespace != one.holder.namespace
    ]
    if not needed:
        return
    allowed = _Allowed(graph, frozenset(terms for _, terms in needed))
    for edge, terms in needed:
        service = graph.service(*edge.whom.place)
        settled = edge.holder in routes and edge.whom.namespace != "default"
        if service is not None and settled and not allowed.covers(terms):
            yield Crossing(edge, service, terms, tuple(allowed.near(terms)))


def _needs(edge: ServiceEdge) -> Terms:
    route = edge.holder
    return (
        edge.whom.namespace, GATEWAY_API, route.kind, route.namespace, "", "Service", edge.whom.name
    )  # fmt: skip


class _Allowed:
    """The pairs of all grants, found by what they allow and by all of it but one field."""

    def __init__(self, graph: PortGraph, needed: frozenset[Terms]) -> None:
        self._used = needed | {_without(one, _NAME) for one in needed}
        self._pairs: Mapping[Terms, list[Pair]] = defaultdict(list)
        self._but_one: Mapping[tuple[int, Terms], list[Pair]] = defaultdict(list)
        self._unknown = False
        for resource in (
            *graph.of_kind("ReferenceGrant", GATEWAY_API),
            *graph.of_kind("ReferencePolicy", GATEWAY_API),
        ):
            for pair in _pairs(resource):
                self._pairs[pair.terms].append(pair)
                self._unknown = self._unknown or any(is_placeholder(one) for one in pair.terms)
                for index in range(len(FIELDS)):
                    self._but_one[index, _like(pair.terms, index)].append(pair)

    def covers(self, terms: Terms) -> bool:
        """Whether a pair allows it, or may when a template fills in its words later."""
        return self._unknown or terms in self._pairs or _without(terms, _NAME) in self._pairs

    def near(self, terms: Terms) -> Iterator[tuple[Pair, int]]:
        """The pairs that differ in one field and that nothing makes use of, with that field's index."""
        for index in range(len(FIELDS)):
            for key in dict.fromkeys((_like(terms, index), _like(_without(terms, _NAME), index))):
                for pair in self._but_one.get((index, key), ()):
                    differs = pair.terms[index] != terms[index] and (index, pair.terms[index]) != (
                        _NAME,
                        _ANY,
                    )
                    if differs and pair.terms not in self._used:
                        yield pair, index


def _without(terms: Terms, index: int) -> Terms:
    return (*terms[:index], _ANY, *terms[index + 1 :])


def _like(terms: Terms, index: int) -> Terms:
    """`terms` with what a typo in the field of that index leaves: nothing, or the digits of a name."""
    left = digits(terms[index]) if index in _NAMES else _ANY
    return (*terms[:index], left, *terms[index + 1 :])


def _pairs(resource: Resource) -> Iterator[Pair]:
    key, spec = resource.key, mapping(resource.data.get("spec"))
    own = Site(key, ("metadata", "namespace"), key.namespace)
    for first, origin in indexed(spec.get("from")):
        for second, target in indexed(spec.get("to")):
            sites = (
                own,
                *(Site(key, ("spec", "from", first, name), scalar(origin.get(name)))
                  for name in ("group", "kind", "namespace")),
                *(Site(key, ("spec", "to", second, name), scalar(target.get(name)))
                  for name in ("group", "kind", "name")),
            )  # fmt: skip
            yield Pair(key, tuple("" if one.value is None else str(one.value) for one in sites), sites)
