"""What the rules about policies share: a port that is opened for nothing, beside a target that is left closed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from portproof.graph.evidence import is_near_miss
from portproof.graph.meant import only
from portproof.graph.model import PortGraph
from portproof.graph.phrasing import declared, sentence
from portproof.replacing import replace
from portproof.rules.base import Finding, Label, Remedy, Scalar, Severity
from portproof.rules.policy.before import opened_before, target_before
from portproof.rules.policy.ingress import BlockedTarget, PolicyScope
from portproof.rules.policy.policies import Encoding, Layer, Opening, Policy

_TEXT = (Encoding.TEXT, Encoding.DIGITS)
"""Numbers in quotation marks."""


def misdirected(graph: PortGraph, found: Iterable[PolicyScope]) -> Iterator[Finding]:
    """A finding for each number that policies open in vain, while the target that was meant stays closed."""
    for scope in found:
        if not scope.blocked:
            continue
        closed = _Closed.of(scope)
        for policy, rule in scope.rules:
            for opening in rule.openings:
                finding = _judged(closed, policy, opening) or _left_behind(graph, scope, policy, opening)
                if finding is not None:
                    yield finding


def opens(scope: PolicyScope, policy: Policy) -> str:
    """What a policy does to ports of the scope: ``opens``, ``allows``, ``allows traffic to``."""
    return "allows traffic to" if scope.is_outward else f"{policy.layer.value}s"


def closed(scope: PolicyScope, policy: Policy, lost: BlockedTarget, what: str = "that port") -> str:
    """That no policy lets the traffic of a Service through, and how that looks: ``no policy opens it, so …``."""
    if scope.is_outward:
        return f"no policy allows {what}, so most network plugins block it"
    if policy.layer is Layer.MESH:
        return f"no policy allows {what}, so every request is denied"
    harm = "connections time out" if lost.port.protocol == "TCP" else "the traffic is dropped"
    return f"no policy opens {what}, so {harm}"


def worst(scope: PolicyScope, severity: Severity) -> Severity:
    """`severity`, but a warning on the way out: some plugins look there before a Service translates its port."""
    return Severity.WARNING if scope.is_outward else severity


class _Closed(Struct, frozen=True):
    """What is lost in a scope, by the Service's own port and by the target."""

    scope: PolicyScope
    by_port: Mapping[Scalar | None, Sequence[BlockedTarget]]
    by_target: Mapping[int, Sequence[BlockedTarget]]

    @classmethod
    def of(cls, scope: PolicyScope) -> _Closed:
        by_port: dict[Scalar | None, list[BlockedTarget]] = defaultdict(list)
        by_target: dict[int, list[BlockedTarget]] = defaultdict(list)
        for one in scope.blocked:
            by_port[one.port.number.value].append(one)
            by_target[one.number].append(one)
        return cls(scope, by_port, by_target)


def _judged(closed: _Closed, policy: Policy, opening: Opening) -> Finding | None:
    number, scope = opening.number, closed.scope
    if number is None or not scope.pods.lacks(opening):
        return None
    own = [one for one in closed.by_port.get(number, ()) if opening.is_for(one.port.protocol)]
    if own:
        return _service_port(scope, policy, opening, own)
    if number in closed.by_target:
        return _other_protocol(scope, policy, opening, closed.by_target[number])
    targets = [one for one in closed.by_target if is_near_miss(number, one)]
    near = [one for target in targets for one in closed.by_target[target]]
    near = [one for one in near if one.is_declared and opening.is_for(one.port.protocol)]
    return None if only(one.number for one in near) is None else _near_miss(scope, policy, opening, near)


def _service_port(
    scope: PolicyScope, policy: Policy, opening: Opening, lost: Sequence[BlockedTarget]
) -> Finding:
    first = lost[0]
    certain = scope.is_narrow and all(one.is_declared for one in lost)
    because = (
        f"which is the port of {first.service.key}, but policies apply to the pods' ports. "
        f"The Service sends its traffic to {first.number}, and {closed(scope, policy, first)}"
    )
    return _finding(scope, policy, opening, (lost, because), Severity.ERROR if certain else Severity.WARNING)


def _near_miss(
    scope: PolicyScope, policy: Policy, opening: Opening, lost: Sequence[BlockedTarget]
) -> Finding:
    first, workload = lost[0], scope.workloads[0]
    because = (
        f"but {workload.key} declares {declared(workload.ports)}: {opening.number} is a near miss of {first.number}. "
        f"{first.service.key} sends its traffic there, and {closed(scope, policy, first)}"
    )
    return _finding(scope, policy, opening, (lost, because), Severity.WARNING)


def _left_behind(graph: PortGraph, scope: PolicyScope, policy: Policy, opening: Opening) -> Finding | None:
    """What to say of a policy that opened a target in the base, where a change moved one of the two away from the other."""
    number = opening.number
    if graph.base is None or number is None or not scope.pods.lacks(opening):
        return None
    before = opened_before(graph, policy, outward=scope.is_outward)
    was = {one: old for one in scope.blocked if (old := target_before(graph, one)) in before}
    stayed = [one for one in was if was[one] == number]
    lost = [one for one in stayed or was if opening.is_for(one.port.protocol)]
    if only(one.number for one in lost) is None or (number in before and not stayed):
        return None
    first = lost[0]
    port = f"port {first.port.number.value} of {first.service.key}"
    what = f"This change moves {policy.key} from {was[first]} to {number}, but {port} still goes to {first.number}"
    if stayed:
        what = f"This change sends {port} to {first.number} instead of {number}, but {policy.key} still {opens(scope, policy)} {number}"
    return replace(
        _finding(scope, policy, opening, (lost, ""), Severity.WARNING),
        message=f"{what}. {sentence(closed(scope, policy, first, str(first.number)))}.",
    )


def _other_protocol(
    scope: PolicyScope, policy: Policy, opening: Opening, lost: Sequence[BlockedTarget]
) -> Finding:
    first = lost[0]
    wanted = first.port.protocol
    return for_protocol(
        opening,
        wanted,
        f"{policy.key} {opens(scope, policy)} port {opening.number} for {opening.protocol}, but "
        f"{first.service.key} sends {wanted} there: {closed(scope, policy, first, f'it for {wanted}')}.",
        Label(first.port.number, f"{first.service.key} sends {wanted} from here"),
    )


def for_protocol(opening: Opening, wanted: str, message: str, related: Label) -> Finding:
    """What to say of a port that is opened for another protocol than the one that is `wanted`."""
    site, field = opening.site, opening.protocol_site
    assert site is not None  # noqa: S101 - it has a name or a number
    return Finding(
        message=message,
        severity=Severity.WARNING,
        primary=field or site,
        expected=wanted if field is not None else None,
        related=(related,),
        remedies=(Remedy(f"set the protocol to {wanted}", ((field, wanted),)),) if field is not None else (),
    )


def _finding(
    scope: PolicyScope,
    policy: Policy,
    opening: Opening,
    reason: tuple[Sequence[BlockedTarget], str],
    severity: Severity,
) -> Finding:
    lost, because = reason
    site = opening.site
    assert site is not None  # noqa: S101 - an idle opening has one
    answer = only(one.number for one in lost)
    value: Scalar | None = str(answer) if answer is not None and opening.writing in _TEXT else answer
    ports = [port for one in lost for port in one.declared]
    return Finding(
        message=f"{policy.key} {opens(scope, policy)} port {opening.number}, {because}.",
        severity=worst(scope, severity),
        primary=site,
        expected=value,
        related=(
            *(Label(one.port.target, f"{one.service.key} sends traffic to {one.number}") for one in lost[:2]),
            *(Label(port.number, f"declared here as {port.label}") for port in ports[:1]),
        ),
        remedies=(
            Remedy(
                f"{'allow' if scope.is_outward else policy.layer.value} {value} instead", ((site, value),)
            ),
        )
        if value is not None
        else (),
    )
