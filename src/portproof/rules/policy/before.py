"""What policies opened in the base revision, and where Services sent their traffic there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from portproof.graph.answers import endpoint_numbers
from portproof.graph.meant import only
from portproof.graph.model import PortGraph
from portproof.graph.past import port_before, service_before
from portproof.resources import ResourceKey
from portproof.rules.policy.ingress import BlockedTarget
from portproof.rules.policy.policies import Layer, Policy, PolicyRule, read


def opened_before(graph: PortGraph, policy: Policy, *, outward: bool) -> frozenset[int]:
    """The single numbers that a policy opened in the base, for one direction; empty without a base."""
    base, key = graph.base, graph.before.keys.get(policy.key)
    if base is None or key is None:
        return frozenset()
    same = _policies(base, policy.layer).get(key, ())
    rules = (rule for one in same for rule in _rules(one, outward=outward))
    return frozenset(
        opening.number for rule in rules for opening in rule.openings if opening.number is not None
    )


@lru_cache(maxsize=4)
def _policies(graph: PortGraph, layer: Layer) -> Mapping[ResourceKey, tuple[Policy, ...]]:
    """Those of an object; it may hold several."""
    found: dict[ResourceKey, tuple[Policy, ...]] = {}
    for one in read(graph, layer):
        found[one.key] = (*found.get(one.key, ()), one)
    return found


def _rules(policy: Policy, *, outward: bool) -> Iterator[PolicyRule]:
    yield from (policy.egress if outward else policy.ingress) or ()


def target_before(graph: PortGraph, target: BlockedTarget) -> int | None:
    """The one number at which the pods behind a Service's port were reached in the base; None when it is not known."""
    port, service = port_before(graph, target.service, target.port), service_before(graph, target.service)
    if graph.base is None or port is None or service is None:
        return None
    return only(endpoint_numbers(graph.base, service, port) or ())
