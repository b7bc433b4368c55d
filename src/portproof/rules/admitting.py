"""What the rules about policies share: a port that is opened for nothing, beside a target that is left closed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from portproof.graph.admission import Lost, Ring, rings
from portproof.graph.evidence import is_near_miss
from portproof.graph.model import PortGraph
from portproof.graph.policies import Layer, Opening, Policy, Writing
from portproof.graph.words import declared
from portproof.rules.base import Finding, Label, Remedy, Scalar, Severity

_TEXT = (Writing.TEXT, Writing.DIGITS)
"""Numbers in quotation marks."""


def misdirected(graph: PortGraph, layer: Layer) -> Iterator[Finding]:
    """A finding for each number that policies open in vain, while the target that was meant stays closed."""
    for ring in rings(graph, layer):
        if not ring.lost:
            continue
        closed = _Closed.of(ring)
        for policy in ring.policies:
            for opening in (one for rule in policy.ingress or () for one in rule.openings):
                found = _judged(closed, policy, opening)
                if found is not None:
                    yield found


@dataclass(frozen=True, slots=True)
class _Closed:
    """What is lost in a ring, by the Service's own port and by the target."""

    ring: Ring
    by_port: Mapping[Scalar | None, Sequence[Lost]]
    by_target: Mapping[int, Sequence[Lost]]

    @classmethod
    def of(cls, ring: Ring) -> _Closed:
        by_port: dict[Scalar | None, list[Lost]] = defaultdict(list)
        by_target: dict[int, list[Lost]] = defaultdict(list)
        for one in ring.lost:
            by_port[one.port.number.value].append(one)
            by_target[one.number].append(one)
        return cls(ring, by_port, by_target)


def _judged(closed: _Closed, policy: Policy, opening: Opening) -> Finding | None:
    number, ring = opening.number, closed.ring
    if number is None or not ring.taken.lacks(opening):
        return None
    own = [one for one in closed.by_port.get(number, ()) if opening.is_for(one.port.protocol)]
    if own:
        return _service_port(ring, policy, opening, own)
    if number in closed.by_target:
        return _other_protocol(policy, opening, closed.by_target[number])
    targets = [one for one in closed.by_target if is_near_miss(number, one)]
    near = [one for target in targets for one in closed.by_target[target]]
    near = [one for one in near if one.is_declared and opening.is_for(one.port.protocol)]
    return _near_miss(ring, policy, opening, near) if len({one.number for one in near}) == 1 else None


def _service_port(ring: Ring, policy: Policy, opening: Opening, lost: Sequence[Lost]) -> Finding:
    first = lost[0]
    certain = ring.is_narrow and all(one.is_declared for one in lost)
    because = (
        f"which is the port of {first.service.key}, but policies apply to the ports of the pods: the Service sends "
        f"its traffic to {first.number}, and no policy {policy.layer.value}s that"
    )
    return _finding(policy, opening, lost, Severity.ERROR if certain else Severity.WARNING, because)


def _near_miss(ring: Ring, policy: Policy, opening: Opening, lost: Sequence[Lost]) -> Finding:
    first, workload = lost[0], ring.workloads[0]
    because = (
        f"but {workload.key} declares {declared(workload.ports)}: {opening.number} is a near miss of {first.number}, "
        f"where {first.service.key} sends traffic and which no policy {policy.layer.value}s"
    )
    return _finding(policy, opening, lost, Severity.WARNING, because)


def _other_protocol(policy: Policy, opening: Opening, lost: Sequence[Lost]) -> Finding:
    first = lost[0]
    wanted = first.port.protocol
    remedies = (
        (Remedy(f"set the protocol to {wanted}", ((opening.protocol_site, wanted),)),)
        if opening.protocol_site is not None
        else ()
    )
    assert opening.site is not None  # noqa: S101 - it has a number
    return Finding(
        message=(
            f"{policy.key} {policy.layer.value}s port {opening.number} for {opening.protocol}, but "
            f"{first.service.key} sends {wanted} there, and no policy {policy.layer.value}s it for that."
        ),
        severity=Severity.WARNING,
        primary=opening.protocol_site or opening.site,
        expected=wanted if remedies else None,
        related=(Label(first.port.number, f"{first.service.key} sends {wanted} from here"),),
        remedies=remedies,
    )


def _finding(
    policy: Policy, opening: Opening, lost: Sequence[Lost], severity: Severity, because: str
) -> Finding:
    site = opening.site
    assert site is not None  # noqa: S101 - an idle opening has one
    numbers = {one.number for one in lost}
    answer = numbers.pop() if len(numbers) == 1 else None
    value: Scalar | None = str(answer) if answer is not None and opening.writing in _TEXT else answer
    verb = policy.layer.value
    ports = [port for one in lost for port in one.declared]
    return Finding(
        message=f"{policy.key} {verb}s port {opening.number}, {because}.",
        severity=severity,
        primary=site,
        expected=value,
        related=(
            *(Label(one.port.target, f"{one.service.key} sends traffic to {one.number}") for one in lost[:2]),
            *(Label(port.number, f"declared here as {port.label}") for port in ports[:1]),
        ),
        remedies=(Remedy(f"{verb} {value} instead", ((site, value),)),) if value is not None else (),
    )
