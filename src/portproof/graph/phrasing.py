"""Words that the messages of several rules share."""

from __future__ import annotations

from collections.abc import Iterable

from portproof.graph.model import ContainerPort, ServicePort, Workload


def listing(items: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``; empty for none."""
    *rest, last = [*items] or [""]
    return f"{', '.join(rest)} and {last}" if rest else last


def sentence(clause: str) -> str:
    """A clause as a sentence, without its period: ``The API server rejects the Deployment``."""
    return clause[:1].upper() + clause[1:]


def clauses(reasons: Iterable[str]) -> str:
    """Reasons one after the other. Not as a list with commas: between numbers those read like one more number."""
    return "; ".join(reasons)


def declared(ports: Iterable[ContainerPort]) -> str:
    """What a pod declares, after "declares": ``only 8080 (http)``, ``8080 (http) and 53 UDP``, ``no port``."""
    return _ports([_port(one.number.value, one.name and one.name.value, one.protocol) for one in ports])


def offered(ports: Iterable[ServicePort]) -> str:
    """What a Service has, after "has": ``only port 80 (http)``, ``ports 80 (http) and 443 (https)``, ``no port``."""
    found = [_port(one.number.value, one.name and one.name.value, one.protocol) for one in ports]
    if len(found) == 1:
        return f"only port {found[0]}"
    return f"ports {listing(found)}" if found else "no port"


def rejected(workload: Workload, *, mistyped: bool = False) -> str:
    """Who rejects a workload with a value that no pod can have: ``the API server rejects the Deployment``.

    Of a Rollout the API server checks the types alone (`mistyped`); its controller validates the template as the API
    server does that of a Deployment (argo-rollouts ``pkg/apis/rollouts/validation/validation.go``).
    """
    if workload.is_custom and not mistyped:
        return f"its controller rejects the {workload.key.kind} (InvalidSpec)"
    return f"the API server rejects the {workload.key.kind}"


def _ports(found: list[str]) -> str:
    found = list(dict.fromkeys(found))
    if not found:
        return "no port"
    return ("only " if len(found) == 1 else "") + listing(found)


def _port(number: object, name: object, protocol: str) -> str:
    text = str(number) if protocol == "TCP" else f"{number} {protocol}"
    return f"{text} ({name})" if name else text
