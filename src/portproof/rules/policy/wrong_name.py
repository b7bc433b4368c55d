"""What the rules about policies share: a name that none of the pods has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from portproof.graph.evidence import ADDED_PORT_NAMES
from portproof.graph.model import ContainerPort
from portproof.graph.names import is_near_name, port_name_problem
from portproof.graph.phrasing import declared
from portproof.rules.base import Finding, Label, Remedy, Scalar, Severity
from portproof.rules.policy.ingress import Lost, Ring
from portproof.rules.policy.policies import Opening, Policy, PolicyRule, Writing
from portproof.rules.policy.wrong_port import opens, worst


def misnamed(found: Iterable[Ring]) -> Iterator[Finding]:
    """A finding for each name that opens nothing, where something was meant."""
    for ring in found:
        for policy, one in ring.rules if ring.is_narrow else ():
            for opening in one.openings:
                if _is_judged(opening) and ring.taken.lacks(opening):
                    yield from _findings(ring, policy, one, opening)


def _is_judged(opening: Opening) -> bool:
    name = opening.name
    return bool(name) and not port_name_problem(name) and not name.startswith(ADDED_PORT_NAMES)


def _findings(ring: Ring, policy: Policy, of: PolicyRule, opening: Opening) -> Iterator[Finding]:
    ports = [port for workload in ring.workloads for port in workload.ports]
    same = [one for one in ports if one.name is not None and one.name.value == opening.name]
    if same:
        yield _other_protocol(ring, policy, opening, same[0])
        return
    meant = _meant(ring, of, opening, ports)
    if meant is not None:
        yield _finding(ring, policy, opening, meant)


@dataclass(frozen=True, slots=True)
class _Meant:
    """The ports that one of is meant, how certain that is, and why."""

    ports: Sequence[ContainerPort]
    severity: Severity
    because: str


def _meant(ring: Ring, of: PolicyRule, opening: Opening, ports: Sequence[ContainerPort]) -> _Meant | None:
    name = opening.name
    own = [one for one in ring.lost if one.port.name is not None and one.port.name.value == name]
    if own:
        severity = Severity.ERROR if own[0].is_declared else Severity.WARNING
        port = f"port {own[0].port.number.value} of {own[0].service.key}"
        return _Meant(
            own[0].declared, severity, f"{name!r} is the name of {port}, and no policy opens its target"
        )
    near = [one for one in ports if one.name is not None and is_near_name(str(one.name.value), name)]
    near = [one for one in near if opening.is_for(one.protocol)]
    if len({one.label for one in near}) == 1:
        lost = [one for one in ring.lost if one.is_declared and set(one.declared) & set(near)]
        if lost:
            return _Meant(near, Severity.ERROR, _closed(lost[0], near[0].label))
        return _Meant(near, Severity.WARNING, f"it differs from {near[0].label!r} by a slip")
    if not ring.lost or not _opens_nothing(ring, of):
        return None
    first = ring.lost[0]
    if all(one.number == first.number for one in ring.lost):
        because = f"the rule opens nothing, and {_closed(first, first.number)}"
        return _Meant(first.declared, Severity.WARNING, because)
    if all(_opens_nothing(ring, one) for _, one in ring.rules):
        service = first.service.key
        because = f"nothing is open for these pods, not even {first.number}, to which {service} sends traffic"
        return _Meant((), Severity.WARNING, because)
    return None


def _closed(lost: Lost, target: Scalar) -> str:
    return f"no policy opens {target!r}, to which {lost.service.key} sends traffic"


def _opens_nothing(ring: Ring, of: PolicyRule) -> bool:
    return all(ring.taken.lacks(one) for one in of.openings)


def _finding(ring: Ring, policy: Policy, opening: Opening, meant: _Meant) -> Finding:
    site = opening.site
    assert site is not None  # noqa: S101 - it has a name
    workload = ring.workloads[0]
    answers = {_answer(one) for one in meant.ports}
    answer = answers.pop() if len(answers) == 1 else None
    value: Scalar | None = str(answer) if answer and opening.writing is Writing.TEXT else answer
    return Finding(
        message=(
            f"{policy.key} {opens(ring, policy)} the port named {opening.name!r}, but {workload.key} declares "
            f"{declared(workload.ports)}: {meant.because}."
        ),
        severity=worst(ring, meant.severity),
        primary=site,
        expected=value,
        related=tuple(Label(one.name or one.number, "declared here") for one in meant.ports[:1]),
        remedies=(Remedy(f"open {value} instead", ((site, value),)),) if value is not None else (),
    )


def _answer(port: ContainerPort) -> Scalar:
    return str(port.name.value) if port.name is not None else port.value


def _other_protocol(ring: Ring, policy: Policy, opening: Opening, port: ContainerPort) -> Finding:
    site, field = opening.site, opening.protocol_site
    assert site is not None  # noqa: S101 - it has a name
    wanted = port.protocol
    return Finding(
        message=(
            f"{policy.key} {opens(ring, policy)} the port named {opening.name!r} for {opening.protocol}, but it is declared for "
            f"{wanted}: nothing is open by this name."
        ),
        severity=Severity.WARNING,
        primary=field or site,
        expected=wanted if field is not None else None,
        related=(Label(port.protocol_site or port.number, "declared here"),),
        remedies=(Remedy(f"set the protocol to {wanted}", ((field, wanted),)),) if field is not None else (),
    )
