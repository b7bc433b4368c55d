"""What the rules about policies share: a name that none of the pods has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from portproof.graph.meant import only
from portproof.graph.model import ContainerPort
from portproof.graph.names import is_near_name, port_name_problem
from portproof.graph.phrasing import declared
from portproof.rules.base import Finding, Label, Remedy, Scalar, Severity
from portproof.rules.policy.ingress import BlockedTarget, PolicyScope
from portproof.rules.policy.policies import Encoding, Opening, Policy, PolicyRule
from portproof.rules.policy.wrong_port import closed, for_protocol, opens, worst


def misnamed(found: Iterable[PolicyScope]) -> Iterator[Finding]:
    """A finding for each name that opens nothing, where something was meant."""
    for scope in found:
        for policy, one in scope.rules if scope.is_narrow else ():
            for opening in one.openings:
                if _is_judged(opening) and scope.pods.lacks(opening):
                    yield from _findings(scope, policy, one, opening)


def _is_judged(opening: Opening) -> bool:
    return bool(opening.name) and not port_name_problem(opening.name)


def _findings(scope: PolicyScope, policy: Policy, of: PolicyRule, opening: Opening) -> Iterator[Finding]:
    ports = [port for workload in scope.workloads for port in workload.ports]
    same = [one for one in ports if one.name is not None and one.name.value == opening.name]
    if same:
        yield _other_protocol(scope, policy, opening, same[0])
        return
    meant = _meant(scope, policy, of, opening, ports)
    if meant is not None:
        yield _finding(scope, policy, opening, meant)


class _Meant(Struct, frozen=True):
    """The ports of which one is meant, how certain that is, and how the message goes on."""

    ports: Sequence[ContainerPort]
    severity: Severity
    because: str


def _meant(
    scope: PolicyScope,
    policy: Policy,
    of: PolicyRule,
    opening: Opening,
    ports: Sequence[ContainerPort],
) -> _Meant | None:
    name = opening.name
    own = [one for one in scope.blocked if one.port.name is not None and one.port.name.value == name]
    if own:
        severity = Severity.ERROR if own[0].is_declared else Severity.WARNING
        port = f"port {own[0].port.number.value} of {own[0].service.key}"
        because = f": {name!r} is the name of {port}. {_closed(scope, policy, own[0])}"
        return _Meant(own[0].declared, severity, because)
    near = [one for one in ports if one.name is not None and is_near_name(str(one.name.value), name)]
    near = [one for one in near if opening.is_for(one.protocol)]
    if only(one.label for one in near) is not None:
        lost = [one for one in scope.blocked if one.is_declared and set(one.declared) & set(near)]
        if lost:
            because = f": did you mean {near[0].label!r}? {_closed(scope, policy, lost[0])}"
            return _Meant(near, Severity.ERROR, because)
        return _Meant(near, Severity.WARNING, f": did you mean {near[0].label!r}?")
    if not scope.blocked or not scope.pods.get_nothing(of):
        return None
    first = scope.blocked[0]
    if all(one.number == first.number for one in scope.blocked):
        because = f", so the rule opens nothing. {_closed(scope, policy, first)}"
        return _Meant(first.declared, Severity.WARNING, because)
    if all(scope.pods.get_nothing(one) for _, one in scope.rules):
        because = f", and no rule opens anything for these pods. {_closed(scope, policy, first)}"
        return _Meant((), Severity.WARNING, because)
    return None


def _closed(scope: PolicyScope, policy: Policy, lost: BlockedTarget) -> str:
    return f"{lost.service.key} sends its traffic to {lost.number}, and {closed(scope, policy, lost)}."


def _finding(scope: PolicyScope, policy: Policy, opening: Opening, meant: _Meant) -> Finding:
    site = opening.site
    assert site is not None  # noqa: S101 - it has a name
    workload = scope.workloads[0]
    answer = only(_answer(one) for one in meant.ports)
    value: Scalar | None = str(answer) if answer and opening.writing is Encoding.TEXT else answer
    return Finding(
        message=(
            f"{policy.key} {opens(scope, policy)} the port named {opening.name!r}, but {workload.key} declares "
            f"{declared(workload.ports)}{meant.because}"
        ),
        severity=worst(scope, meant.severity),
        primary=site,
        expected=value,
        related=tuple(Label(one.name or one.number, "declared here") for one in meant.ports[:1]),
        remedies=(Remedy(f"open {value} instead", ((site, value),)),) if value is not None else (),
    )


def _answer(port: ContainerPort) -> Scalar:
    return str(port.name.value) if port.name is not None else port.value


def _other_protocol(scope: PolicyScope, policy: Policy, opening: Opening, port: ContainerPort) -> Finding:
    return for_protocol(
        opening,
        port.protocol,
        f"{policy.key} {opens(scope, policy)} the port named {opening.name!r} for {opening.protocol}, but it is "
        f"declared for {port.protocol}, so nothing is open by that name.",
        Label(port.protocol_site or port.number, "declared here"),
    )
