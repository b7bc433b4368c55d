"""Where traffic may leave for: policies on outgoing traffic, and the targets of Services that they leave closed.

What counts for pods is the sum of the policies that select them, and a rule opens its ports in the pods that it leads
to. Whether a plugin looks before or after a Service translates its port is its own affair (kubernetes/website
``network-policies.md``, on addresses that are rewritten); most look after.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from portproof.graph.labelled import Labelled
from portproof.graph.model import PortGraph, Workload
from portproof.graph.selectors import Selector
from portproof.replacing import replace
from portproof.rules.policy.ingress import (
    AllowedPorts,
    PolicyScope,
    ScopePods,
    closed_targets,
    workloads_by_label,
)
from portproof.rules.policy.policies import Layer, Policy, PolicyRule, read


def egress_scopes(graph: PortGraph) -> Iterator[PolicyScope]:
    """The rules that lead to known pods of the rendering, by those who leave and where they go.

    Without a known source every policy of the namespace counts, whoever it is for.
    """
    policies = [one for one in read(graph, Layer.NETWORK) if one.egress is not None]
    if not any(rule.peers for policy in policies for rule in policy.egress or ()):
        return
    pods = workloads_by_label(graph)
    sources = _Sources(policies, pods)
    ends = Ends(graph, pods)
    for policy in policies:
        for rule in policy.egress or ():
            end = ends.of(policy, rule)
            if end is None or not any(end.pods.lacks(opening) for opening in rule.openings):
                continue
            gate = AllowedPorts(one for one in sources.rules(policy) if leads(one, end.workloads))
            services = dict.fromkeys(service for one in end.workloads for service in graph.services_of(one))
            lost = [one for service in services for one in closed_targets(graph, service, [gate])]
            shut = _is_shut(gate, end.workloads)
            yield replace(end, rules=((policy, rule),), blocked=tuple(lost), is_shut=shut)


class Ends:
    """The pods that rules lead to: known when all of their selectors name labels, and match something here."""

    def __init__(self, graph: PortGraph, pods: Labelled[Workload]) -> None:
        self._graph = graph
        self._pods = pods
        self._known: dict[tuple[str, tuple[Selector, ...]], PolicyScope | None] = {}

    def of(self, policy: Policy, rule: PolicyRule) -> PolicyScope | None:
        """What stands where `rule` leads, as a scope of no rules yet; None when others may be meant, too."""
        key = (policy.namespace, rule.peers or ())
        if key not in self._known:
            self._known[key] = self._end(*key)
        return self._known[key]

    def _end(self, namespace: str, peers: tuple[Selector, ...]) -> PolicyScope | None:
        if not peers or not all(one.is_narrow and one.is_exact for one in peers):
            return None
        groups = [self._pods.matching(one, frozenset({namespace})) for one in peers]
        workloads = tuple(dict.fromkeys(one for group in groups for one in group))
        if not all(groups):
            return None
        return PolicyScope((), ScopePods(self._graph, workloads), is_narrow=True, is_outward=True)


class _Sources:
    """Which policies apply to the pods that a policy is for."""

    def __init__(self, policies: Sequence[Policy], pods: Labelled[Workload]) -> None:
        self._pods = pods
        self._vague = [one for one in policies if one.selector is None]
        self._around: dict[Workload, list[Policy]] = defaultdict(list)
        self._within: dict[str, list[Policy]] = defaultdict(list)
        for policy in policies:
            self._within[policy.namespace].append(policy)
            for workload in self._selected(policy):
                self._around[workload].append(policy)

    def rules(self, policy: Policy) -> Iterable[PolicyRule]:
        """The rules of all policies that may apply to the same pods as `policy`."""
        selected = self._selected(policy)
        known = dict.fromkeys(one for workload in selected for one in self._around[workload])
        others = known or [*self._within[policy.namespace], *self._within[""]]
        for one in (*others, *self._vague):
            yield from one.egress or ()

    def _selected(self, policy: Policy) -> tuple[Workload, ...]:
        if policy.selector is None:
            return ()
        return self._pods.matching(
            policy.selector, frozenset({policy.namespace}) if policy.namespace else None
        )


def _is_shut(gate: AllowedPorts, workloads: Sequence[Workload]) -> bool:
    """Whether it is known which ports these pods have, and that the gate lets none of them through."""
    known = all(one.ports and not one.host_network and not one.opaque for one in workloads)
    return known and not any(
        gate.lets(one, port.value, port.protocol) for one in workloads for port in one.ports
    )


def leads(rule: PolicyRule, workloads: Sequence[Workload]) -> bool:
    """Whether a rule may lead to one of these pods."""
    return rule.peers is None or any(peer.matches(one.labels) for peer in rule.peers for one in workloads)
