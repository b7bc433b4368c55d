"""Who lets traffic in: policies over pods, and the targets of Services that no policy lets through.

Policies are additive: what one of them lets through, no other takes away (kubernetes/api ``networking/v1/types.go``
NetworkPolicySpec). So a target is lost only when policies select its pods and none of them opens it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from portproof.graph.answers import endpoint_numbers, resolve, target_number
from portproof.graph.evidence import numbers_in_pod_spec
from portproof.graph.fields import PROTOCOLS
from portproof.graph.labelled import Labelled
from portproof.graph.meant import only
from portproof.graph.model import (
    ContainerPort,
    Edge,
    MatchBy,
    Missed,
    Piece,
    PodEdge,
    Pods,
    PortGraph,
    Relation,
    Service,
    ServicePort,
    Workload,
)
from portproof.graph.pod_groups import PodGroup
from portproof.graph.selectors import Selector
from portproof.replacing import replace
from portproof.rules.policy.policies import Layer, Opening, Policy, PolicyRule, read

TUNNELS = (4143, 15008)
"""Ports of the proxies of Linkerd and of Istio's ambient mesh: behind them the connection has another port."""


class BlockedTarget(Struct, frozen=True):
    """A port of a Service whose target, `number` in its pods, no policy lets in.

    `declared` are the container ports that it would reach, `is_declared` whether each workload has one.
    """

    service: Service
    port: ServicePort
    number: int
    declared: tuple[ContainerPort, ...]
    is_declared: bool


class AllowedPorts:
    """What a number of rules let through, together."""

    def __init__(self, rules: Iterable[PolicyRule]) -> None:
        openings = [opening for rule in rules for opening in rule.openings]
        self._names = {(one.name, one.protocol) for one in openings if one.name}
        self._numbers = {(one.number, one.protocol) for one in openings if one.number is not None}
        self._ranges = {
            (one.first, one.last, one.protocol) for one in openings if not one.name and one.number is None
        }

    def lets(self, workload: Workload, number: int, protocol: str) -> bool:
        """Whether it opens this port of the pods, by number, range or name."""
        names = [
            one.name.value
            for one in workload.ports
            if one.value == number and one.name is not None
            if one.protocol == protocol or one.protocol not in PROTOCOLS
        ]
        return any(
            (number, known) in self._numbers
            or any((name, known) in self._names for name in names)
            or any(first <= number <= last and known == of for first, last, of in self._ranges)
            for known in (protocol, "")
        ) or any((tunnel, known) in self._numbers for tunnel in TUNNELS for known in ("TCP", ""))


def opening_edge(opening: Opening, pods: Pods) -> PodEdge:
    """A policy that opens a port asks for one of those pods. `opening` is about a port, not about all of them."""
    site = opening.site
    assert site is not None  # noqa: S101 - it is about a port
    wanted: str | int = opening.name or opening.first
    first, colon, _ = str(site.value).partition(":")
    if colon and not opening.name:  # Calico's ranges
        site = replace(site, value=opening.first, piece=Piece(0, len(first), "port"))
    return Edge(
        relation=Relation.POLICY,
        holder=site.resource,
        at=opening.at,
        whom=pods,
        port=None if opening.is_key else site,
        by=MatchBy.NAME if opening.name else MatchBy.NUMBER,
        default=wanted if opening.is_key else None,
        protocol=opening.protocol,
        typed=False,
        last=None if opening.name or opening.last == opening.first else opening.last,
    )


class ScopePods:
    """The pods that some rules are about, and whether they lack what is opened.

    Many rules may be about the same ports of them, so what they answered is remembered; nothing is looked up before.
    """

    def __init__(self, graph: PortGraph, workloads: Sequence[Workload]) -> None:
        """Take the `workloads` that the rules select."""
        self.workloads = tuple(workloads)
        self._graph = graph
        self._known: dict[tuple[str | int, str], bool] = {}
        # By who the rule is, which lives as long: comparing the ports of two takes long.
        self._idle: dict[int, bool] = {}

    def lacks(self, opening: Opening) -> bool:
        """Whether it is known that nothing is behind the one port which is opened."""
        wanted = opening.name or opening.number
        if not self.workloads or opening.site is None or wanted is None:
            return False
        question = (wanted, opening.protocol)
        if question not in self._known:
            said = self._group.answer(opening_edge(opening, Pods(self.workloads[0])))
            self._known[question] = isinstance(said, Missed) and not self._is_served(opening)
        return self._known[question]

    def get_nothing(self, rule: PolicyRule) -> bool:
        """Whether it is known that there is nothing behind any port that `rule` opens."""
        if id(rule) not in self._idle:
            self._idle[id(rule)] = all(self.lacks(one) for one in rule.openings)
        return self._idle[id(rule)]

    def _is_served(self, opening: Opening) -> bool:
        """Whether something says that pods listen on the number, declared or not."""
        number = opening.number
        return number in self._mentioned or any(
            have == number and (opening.is_for(of) or of not in PROTOCOLS) for have, of in self._targets
        )

    @cached_property
    def _group(self) -> PodGroup:
        return PodGroup(self._graph, self.workloads)

    @cached_property
    def _targets(self) -> frozenset[tuple[int, str]]:
        """Where Services send traffic in the pods."""
        return frozenset(
            (number, port.protocol)
            for one in self.workloads
            for service in self._graph.services_of(one)
            for port in service.ports
            if (number := target_number(port, one)) is not None
        )

    @cached_property
    def _mentioned(self) -> frozenset[int]:
        """What the pods speak of, but for those that end: a Job, or a chart's test, that names a port calls it."""
        return frozenset[int]().union(*(numbers_in_pod_spec(one) for one in self.workloads if one.serves))


class PolicyScope(Struct, frozen=True, eq=False):
    """The rules that are about the same pods, each with its policy, and what they leave closed there.

    `blocked` are the targets in those pods that no policy opens, of this scope or another. `is_narrow` tells whether the
    selector names labels, so that the pods of the rendering are all it means, `is_outward` whether the rules are about
    the traffic that leaves other pods for these. `is_shut` says of those that no policy opens any port which they declare.
    """

    rules: tuple[tuple[Policy, PolicyRule], ...]
    pods: ScopePods
    is_narrow: bool
    blocked: tuple[BlockedTarget, ...] = ()
    is_outward: bool = False
    is_shut: bool = False

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """The workloads whose pods the rules are about."""
        return self.pods.workloads


def policy_scopes(graph: PortGraph, layer: Layer) -> tuple[PolicyScope, ...]:
    """The rules for incoming traffic by the pods that their policies select, with the targets that are lost.

    Policies of which it is not known whom they select close nothing here, but what they open is open everywhere.
    """
    pods = workloads_by_label(graph)
    groups: dict[tuple[str, Selector], list[tuple[Policy, PolicyRule]]] = defaultdict(list)
    vague: list[PolicyRule] = []
    for policy in read(graph, layer):
        if policy.selector is None or not policy.selector.is_exact:
            vague += policy.ingress or ()
        elif policy.ingress is not None:
            groups[policy.namespace, policy.selector] += [(policy, rule) for rule in policy.ingress]
    found = []
    for (namespace, selector), rules in groups.items():
        workloads = pods.matching(selector, frozenset({namespace}) if namespace else None)
        narrow = selector.is_narrow and bool(namespace)
        found.append(PolicyScope(tuple(rules), ScopePods(graph, workloads), narrow))
    lost = _lost(graph, found, AllowedPorts(vague))
    return tuple(replace(scope, blocked=tuple(lost[scope])) for scope in found)


def workloads_by_label(graph: PortGraph) -> Labelled[Workload]:
    """The workloads of the rendering, for selectors to choose from."""
    return Labelled((one.key.namespace, one.labels, one) for one in graph.workloads)


def _lost(
    graph: PortGraph, found: Sequence[PolicyScope], everywhere: AllowedPorts
) -> Mapping[PolicyScope, Sequence[BlockedTarget]]:
    around: dict[Workload, list[PolicyScope]] = defaultdict(list)
    for scope in found:
        for workload in scope.workloads:
            around[workload].append(scope)
    gates = {scope: AllowedPorts(rule for _, rule in scope.rules) for scope in found}
    lost: dict[PolicyScope, list[BlockedTarget]] = {scope: [] for scope in found}
    for service in graph.services:
        workloads = graph.select(service).workloads
        if not all(one in around for one in workloads):
            continue
        concerned = dict.fromkeys(scope for one in workloads for scope in around[one])
        for one in closed_targets(graph, service, [everywhere, *(gates[scope] for scope in concerned)]):
            for scope in concerned:
                lost[scope].append(one)
    return lost


def closed_targets(
    graph: PortGraph, service: Service, gates: Sequence[AllowedPorts]
) -> Iterator[BlockedTarget]:
    """The targets of a Service that none of the gates lets through to its pods.

    None of a headless Service, whose clients take the port of the pods, of pods on the node's network, to which no
    policy applies, and of pods whose ports are not known.
    """
    workloads = graph.select(service).workloads
    if service.headless or any(one.host_network or one.opaque for one in workloads):
        return
    for port in service.ports:
        number = only(endpoint_numbers(graph, service, port) or ())
        if number is None or port.protocol not in PROTOCOLS:
            continue
        if any(gate.lets(one, number, port.protocol) for gate in gates for one in workloads):
            continue
        declared = tuple(hit for one in workloads if (hit := resolve(port, one)) is not None)
        yield BlockedTarget(service, port, number, declared, len(declared) == len(workloads))
