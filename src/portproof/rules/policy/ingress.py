"""Who lets traffic in: policies over pods, and the targets of Services that no policy lets through.

Policies are additive: what one of them lets through, no other takes away (kubernetes/api ``networking/v1/types.go``
NetworkPolicySpec). So a target is lost only when policies select its pods and none of them opens it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from portproof.graph.answers import endpoint_numbers, resolve, target_number
from portproof.graph.evidence import numbers_in_pod_spec
from portproof.graph.fields import PROTOCOLS
from portproof.graph.labelled import Labelled
from portproof.graph.meant import only
from portproof.graph.model import ContainerPort, PortGraph, Service, ServicePort, Workload
from portproof.graph.selectors import Selector
from portproof.rules.policy.policies import Layer, Opening, Policy, PolicyRule, read

TUNNELS = (4143, 15008)
"""Ports of the proxies of Linkerd and of Istio's ambient mesh: behind them the connection has another port."""


@dataclass(frozen=True, slots=True)
class BlockedTarget:
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


@dataclass(frozen=True, slots=True)
class PodPorts:
    """What some pods have that a policy may open: ports by number and by name, and numbers that they speak of.

    `is_all` is False when it is not known: there are no pods, or they get their ports later.
    """

    numbers: frozenset[tuple[int, str]]
    names: frozenset[tuple[str, str]]
    mentioned: frozenset[int]
    is_all: bool

    def lacks(self, opening: Opening) -> bool:
        """Whether it is known that nothing is behind the one port which is opened."""
        if not self.is_all or opening.site is None:
            return False
        if opening.name:
            return not any(name == opening.name and _fits(opening, of) for name, of in self.names)
        number = opening.number
        if number is None or number in self.mentioned:
            return False
        return not any(have == number and _fits(opening, of) for have, of in self.numbers)


def _fits(opening: Opening, protocol: str) -> bool:
    """Whether an opening is about the protocol, or may be: one that Kubernetes does not know is mended first."""
    return opening.is_for(protocol) or protocol not in PROTOCOLS


@dataclass(frozen=True, slots=True, eq=False)
class PolicyScope:
    """The rules that are about the same pods, each with its policy, and what they leave closed there.

    `blocked` are the targets in those pods that no policy opens, of this scope or another. `is_narrow` tells whether the
    selector names labels, so that the pods of the rendering are all it means, `is_outward` whether the rules are about
    the traffic that leaves other pods for these.
    """

    rules: tuple[tuple[Policy, PolicyRule], ...]
    workloads: tuple[Workload, ...]
    ports: PodPorts
    is_narrow: bool
    blocked: tuple[BlockedTarget, ...] = ()
    is_outward: bool = False


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
        found.append(PolicyScope(tuple(rules), workloads, pod_ports(graph, workloads), narrow))
    lost = _lost(graph, found, AllowedPorts(vague))
    return tuple(replace(scope, blocked=tuple(lost[scope])) for scope in found)


def workloads_by_label(graph: PortGraph) -> Labelled[Workload]:
    """The workloads of the rendering, for selectors to choose from."""
    return Labelled((one.key.namespace, one.labels, one) for one in graph.workloads)


def pod_ports(graph: PortGraph, workloads: Sequence[Workload]) -> PodPorts:
    """What the pods of `workloads` have: what they declare or mention, and where Services send traffic."""
    ports = [port for one in workloads for container in one.containers for port in container.ports]
    targets = [
        (number, port.protocol)
        for one in workloads
        for service in graph.services_of(one)
        for port in service.ports
        if (number := target_number(port, one)) is not None
    ]
    return PodPorts(
        numbers=frozenset([*((one.value, one.protocol) for one in ports), *targets]),
        names=frozenset((str(one.name.value), one.protocol) for one in ports if one.name is not None),
        # A Job, or a chart's test, that names a port calls it.
        mentioned=frozenset().union(*(numbers_in_pod_spec(one) for one in workloads if one.serves)),
        is_all=bool(workloads) and not any(one.opaque for one in workloads),
    )


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
