"""What a test pod has to wear to pass where its caller passes, and who else takes it for one of the caller's pods.

A policy selects pods by labels, so a test needs the caller's. But a Service, a disruption budget and an autoscaler select
by labels, too. So a pod gets the label keys that policies on its edges look at, and no other.

Sources: kubernetes ``pkg/controller/endpointslice`` (podToEndpoint: pods that are not ready are served only with
``publishNotReadyAddresses``); ``networking/v1`` NetworkPolicy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from portproof.connectivity.edges import Call
from portproof.connectivity.model import CallerTest, Placed, Skipped
from portproof.graph.workloads import MARK
from portproof.portmap.model import PodSelector, Purpose, ServiceMap, TargetMap
from portproof.replacing import replace


class Surroundings:
    """Everything in an environment that selects pods."""

    def __init__(self, targets: Sequence[TargetMap], placed: Placed) -> None:
        self._targets = {one.id: one for one in targets}
        self._selectors = tuple(
            dict.fromkeys(_placed(one, target, placed) for target in targets for one in target.selectors)
        )
        self._policies = tuple(
            one for one in self._selectors if one.purpose in (Purpose.POLICY, Purpose.IDENTITY)
        )
        self._services = tuple(
            (placed.of(target, one.namespace, settled=one.settled), one)
            for target in targets
            for one in target.services
        )

    def test(self, calls: Sequence[Call]) -> tuple[CallerTest | None, tuple[Skipped, ...]]:
        """The pod for the calls of one caller, None when it may open none, and what it does not open."""
        skipped, kept, keys = [], [], set[str]()
        for call in calls:
            around, own = tuple(self._around(call)), tuple(self._own(call))
            reason = _reason(call, around, own)
            if reason:
                skipped.append(_skipped(call, reason))
            else:
                kept.append(call)
                keys |= {key for one in around for key in one.peers} | {
                    key for one in own for key in one.keys
                }
        if not kept:
            return None, tuple(skipped)
        edge = kept[0].edge
        labels = self._labels(kept[0], keys)
        hindrance = self._hindrance(edge.namespace, labels)
        if hindrance:
            return None, (*skipped, *(_skipped(one, hindrance) for one in kept))
        return (
            CallerTest(
                edge.environment,
                edge.namespace,
                edge.caller,
                tuple(sorted(labels.items())),
                tuple({one.edge.text: one.edge for one in kept}.values()),
                tuple(self._notes(edge.namespace, labels)),
            ),
            tuple(skipped),
        )

    def _around(self, call: Call) -> Iterator[PodSelector]:
        """The policies that decide who comes in to the pods of the Service."""
        edge = call.edge
        home = edge.address.partition(":")[0].rpartition(".")[2]
        behind = [
            dict(one.labels)
            for one in self._targets[edge.target].pods
            if one.namespace == edge.service.namespace and one.workload in edge.service.workloads
        ]
        return (one for one in self._policies if one.ingress and _selects(one, home, behind))

    def _own(self, call: Call) -> Iterator[PodSelector]:
        """The policies that decide what goes out: of the caller's pods, of pods without labels, and of what portproof makes."""
        own = [{}, dict([MARK]), *([dict(call.pod.labels)] if call.pod else ())]
        return (one for one in self._policies if one.egress and _selects(one, call.edge.namespace, own))

    def _labels(self, call: Call, keys: set[str]) -> dict[str, str]:
        """The caller's labels of these keys, and those without which another policy would keep the pod from going out."""
        own = dict(call.pod.labels) if call.pod else {}
        while True:
            labels = {key: value for key, value in own.items() if key in keys}
            more = {
                key
                for one in self._policies
                if one.egress and _selects(one, call.edge.namespace, (labels,))
                for key in one.keys
            }
            if more <= keys:
                return labels
            keys |= more

    def _hindrance(self, namespace: str, labels: Mapping[str, str]) -> str:
        """Why a pod with these labels must not run."""
        for place, service in self._services:
            if place in ("", namespace) and service.unready and _chooses(service, labels):
                return f"its pod would become an endpoint of Service {service.name}, which takes pods that are not ready"
        return ""

    def _notes(self, namespace: str, labels: Mapping[str, str]) -> Iterator[str]:
        said = {
            Purpose.BUDGET: "counts the pod while it exists, and may block evictions until it is gone",
            Purpose.AUTOSCALER: "counts the pod while it runs",
            Purpose.MONITOR: "scrapes the pod while it runs",
        }
        marked = {**labels, MARK[0]: MARK[1]}
        for one in self._selectors:
            if one.purpose in said and one.selector is not None and _selects(one, namespace, (marked,)):
                yield f"{one.name} {said[one.purpose]}"


def _placed(one: PodSelector, target: TargetMap, placed: Placed) -> PodSelector:
    return replace(one, namespace=placed.of(target, one.namespace, settled=one.settled) or one.namespace)


def _selects(one: PodSelector, namespace: str, pods: Iterable[Mapping[str, str]]) -> bool:
    if one.namespace not in ("", namespace):
        return False
    return one.selector is None or any(one.selector.matches(labels) for labels in pods)


def _chooses(service: ServiceMap, labels: Mapping[str, str]) -> bool:
    marked = {**labels, MARK[0]: MARK[1]}
    return bool(service.selector) and all(marked.get(key) == value for key, value in service.selector)


def _reason(call: Call, around: Sequence[PodSelector], own: Sequence[PodSelector]) -> str:
    """Why a test of an edge would prove nothing: policies decide, and not by what is known of the caller."""
    for one in (*around, *own):
        if one.purpose is Purpose.IDENTITY:
            return f"a {one.kind} decides by the caller's identity, which a test does not have"
        if MARK[0] in one.keys | one.peers:
            return f"a {one.kind} looks at {MARK[0]}, the label of what portproof makes"
    deciding = (*own, *(() if _lets_everybody_in(call, around) else around))
    if deciding and call.pod is None:
        return f"a {deciding[0].kind} decides who may open it, and no caller is known"
    if deciding and call.shared:
        return f"a {deciding[0].kind} decides who may open it, and several workloads read {call.shared}"
    return ""


def _lets_everybody_in(call: Call, around: Sequence[PodSelector]) -> bool:
    """Whether the policies leave the port open: of several it is enough that one does."""
    port = call.edge.port
    ports = {(end.number or port.target_number, end.name) for end in port.ends}
    opened = [one for policy in around for one in policy.open]
    return all(any(each.has(*one) for each in opened) for one in ports)


def _skipped(call: Call, reason: str) -> Skipped:
    edge = call.edge
    port = edge.port.name or edge.port.number
    who = f"{call.edge.holder} to " if edge.holder else ""
    return Skipped(f"{who}{edge.service.name}:{port} ({edge.environment})", reason)
