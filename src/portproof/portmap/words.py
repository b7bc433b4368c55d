"""How the parts of a map are said, the same in every format; names come from strangers, and each writer escapes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from portproof.portmap.model import Caller, End, PortLine, ServiceMap, Verdict
from portproof.report.summary_line import listed

MANY_CALLERS = 12
"""Callers of one port that are named; the rest is counted."""

MANY_LEFT = 4
"""What is left out for the same reason is named up to this number; the rest is counted."""


def asked(port: PortLine) -> str:
    """``80/TCP (http)``; TCP is not said."""
    protocol = "" if port.protocol == "TCP" else f"/{port.protocol}"
    number = "?" if port.number is None else str(port.number)
    return f"{number}{protocol}{f' ({port.name})' if port.name else ''}"


def answers(end: End) -> str:
    """``Deployment/cart, container cart: 8080 (http)``."""
    name = f" ({end.name})" if end.name else ""
    return f"{end.workload}, container {end.container}: {end.number or '?'}{name}"


def missed(end: End, port: PortLine) -> str:
    """Why an end is none."""
    declares = f", which declares {end.reason}" if end.reason else ""
    return f"not reached: no port {port.target} in {end.workload}{declares}"


def unknown(end: End, service: ServiceMap) -> str:
    """Why nobody can say where a port leads."""
    return f"not known: {end.reason or service.note or 'nothing is known of its pods'}"


def not_opened(service: ServiceMap, port: PortLine) -> str:
    """Why it proves nothing to open a connection to a port; empty when it does."""
    if service.type == "ExternalName":
        return "an ExternalName Service is another host's name"
    if port.protocol != "TCP":
        return f"{port.protocol} cannot be checked by opening a connection"
    if service.idle:
        return f"its pods may be scaled to zero ({service.idle})"
    if not service.workloads and port.verdict is Verdict.UNKNOWN:
        return f"nothing is known of its pods ({service.note or 'no selector'})"
    return ""


def left_out(several: Iterable[tuple[str, str]], what: str) -> Iterator[str]:
    """A line for each reason, after ``not probed`` or ``not tested``: `several` are names with their reasons."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, reason in several:
        groups[reason].append(name)
    for reason, names in groups.items():
        yield f"{what}: {listed(tuple(names), MANY_LEFT)}: {reason}"


def leads_to(port: PortLine, service: ServiceMap) -> list[str]:
    """A line for each workload behind a port."""
    nothing = f"not known: {service.note or 'nothing is known of its pods'}"
    return list(dict.fromkeys(_said(end, port, service) for end in port.ends)) or [nothing]


def _said(end: End, port: PortLine, service: ServiceMap) -> str:
    match end.verdict:
        case Verdict.REACHED:
            return answers(end)
        case Verdict.MISSED:
            return missed(end, port)
        case Verdict.UNKNOWN:
            return unknown(end, service)


def caller(one: Caller) -> str:
    """``Ingress/web``, and its target where that is another."""
    return f"{one.holder}{f' of {one.target}' if one.target else ''}"


def astray(one: Caller) -> str:
    """Who asks for a port that the Service lacks."""
    return f"{caller(one)} asks for port {one.asks}, which it lacks: not reached"


def first_callers(callers: Sequence[Caller]) -> tuple[list[str], int]:
    """The callers that are named, each once, and how many are not."""
    said = list(dict.fromkeys(caller(one) for one in callers))
    return said[:MANY_CALLERS], max(0, len(said) - MANY_CALLERS)
