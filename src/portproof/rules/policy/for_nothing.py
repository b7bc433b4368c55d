"""Rules that let traffic out to ports which the pods at the other end do not have, and to no port that they have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portproof.graph.meant import only
from portproof.graph.model import ContainerPort, PortGraph, Workload
from portproof.graph.phrasing import declared
from portproof.rules.base import Finding, Label, Remedy, Scalar, Severity
from portproof.rules.policy.ingress import PolicyScope
from portproof.rules.policy.policies import Encoding, Opening, Policy


def for_nothing(graph: PortGraph, found: Iterable[PolicyScope]) -> Iterator[Finding]:
    """A finding for each number of a rule that opens nothing, where no other rule opens what the pods declare."""
    for scope in found:
        if not scope.is_shut:
            continue
        for policy, rule in scope.rules:
            numbers = [one for one in rule.openings if _is_nowhere(scope, one)]
            if len(numbers) == len(rule.openings) and scope.pods.get_nothing(rule):
                yield from (_finding(graph, scope, policy, one, len(numbers)) for one in numbers)


def _is_nowhere(scope: PolicyScope, opening: Opening) -> bool:
    """Whether it is about one number, and the pods do not have that for another protocol either."""
    number = opening.number
    return number is not None and all(port.value != number for one in scope.workloads for port in one.ports)


def _finding(
    graph: PortGraph, scope: PolicyScope, policy: Policy, opening: Opening, openings: int
) -> Finding:
    site, number = opening.site, opening.number
    assert site is not None  # noqa: S101 - it is about a port
    ports = list(dict.fromkeys(port for one in scope.workloads for port in one.ports))
    wanted = only(one.number for one in scope.blocked) or only(port.value for port in ports)
    value: Scalar | None = wanted
    if wanted is not None and opening.writing in (Encoding.TEXT, Encoding.DIGITS):
        value = str(wanted)
    owner = _declaring(graph, scope, number)
    also = f" {number} is a port of {owner.key}." if owner is not None else ""
    remedy = (
        Remedy(f"allow {value} instead", ((site, value),)) if value is not None and openings == 1 else None
    )
    return Finding(
        message=(
            f"{policy.key} allows traffic to port {number}, but {_who(scope)} declares {_unique(ports)}: no policy "
            f"allows that, so most network plugins block it.{also}"
        ),
        severity=Severity.WARNING,
        primary=site,
        expected=value if remedy is not None else None,
        related=tuple(Label(port.number, f"declared here as {port.label}") for port in ports[:1]),
        remedies=(remedy,) if remedy is not None else (),
    )


def _declaring(graph: PortGraph, scope: PolicyScope, number: int | None) -> Workload | None:
    """The one workload of the namespace that declares the number, which the rule was probably written for."""
    here = {one.key.namespace for one in scope.workloads}
    found = [
        one
        for one in graph.workloads
        if one.key.namespace in here and any(port.value == number for port in one.ports)
    ]
    return found[0] if len(found) == 1 else None


def _who(scope: PolicyScope) -> str:
    first, *others = scope.workloads
    return f"{first.key} (and {len(others)} more)" if others else str(first.key)


def _unique(ports: Iterable[ContainerPort]) -> str:
    return declared({(one.label, one.value, one.protocol): one for one in ports}.values())
