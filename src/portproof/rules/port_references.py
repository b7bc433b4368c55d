"""What the rules about references to a Service share: whether the Service has the port, and what was meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from portproof.graph.evidence import is_near_miss
from portproof.graph.model import (
    Address,
    MatchBy,
    Neighbour,
    PortGraph,
    Service,
    ServicePort,
    ServiceReference,
    Site,
)
from portproof.graph.names import digits, is_digits, is_near_name, is_placeholder, label_problem
from portproof.graph.phrasing import offered
from portproof.rules.base import Finding, Label, Remedy, Scalar, Severity

_SHORTEST = 4
"""Names of fewer letters are alike by chance."""

_PROTOCOLS = frozenset({"TCP", "UDP", "SCTP"})
"""Those of Kubernetes: any other one is refused, whatever refers to the port."""


def missed(graph: PortGraph, reference: ServiceReference) -> tuple[Service, ...]:
    """The variants of the Service when none of them has the port that `reference` wants; empty when all is well.

    It is well, too, when the Service is not in the rendering, when it is an ExternalName, and when a template fills
    in a name or a number later.
    """
    services = graph.variants(reference.namespace, reference.name)
    if reference.wanted is None or any(
        has(one, reference.wanted, reference.by, reference.protocol) for one in services
    ):
        return ()
    return services


def has(service: Service, wanted: Scalar, by: MatchBy = MatchBy.EITHER, protocol: str = "") -> bool:
    """Whether the Service has, or may have, a port of that number or name (and protocol, where one is given)."""
    if service.type == "ExternalName" or is_placeholder(wanted) or _is_open(service):
        return True
    others = _PROTOCOLS - {protocol} if protocol else frozenset[str]()
    return any(answers(one, wanted, by) and one.protocol not in others for one in service.ports)


def answers(port: ServicePort, wanted: Scalar, by: MatchBy = MatchBy.EITHER) -> bool:
    """Whether `wanted` is this port's number or name, whichever `by` lets it be."""
    number = isinstance(wanted, int) and by is not MatchBy.NAME and port.number.value == wanted
    name = isinstance(wanted, str) and by is not MatchBy.NUMBER and port.name and port.name.value == wanted
    return bool(number or name)


def unanswered(address: Address, neighbours: Sequence[Neighbour]) -> tuple[Service, ...]:
    """The Services of other targets that a call means and that lack its port; empty when one has it, or there is none.

    The namespace of a release is not known before it is installed, so it fits any. Callers of a headless Service
    reach the pods themselves, whatever ports it lists.
    """
    meant = [one for one in neighbours if _may_mean(address, one)]
    services = tuple(one.service for one in meant)
    if any(one.headless or has(one, address.number, MatchBy.NUMBER) for one in services):
        return ()
    return services


def _may_mean(address: Address, neighbour: Neighbour) -> bool:
    namespace = neighbour.service.key.namespace
    if not neighbour.settled:
        return True
    return (
        namespace == address.elsewhere if address.elsewhere else address.namespace in (namespace, "default")
    )


def _is_open(service: Service) -> bool:
    """Whether its ports are not known: filled in later, or not listed at all (a headless Service, a fragment of one)."""
    return not service.ports or any(
        is_placeholder(one.number.value) or (one.name is not None and is_placeholder(one.name.value))
        for one in service.ports
    )


def finding(
    graph: PortGraph,
    reference: ServiceReference,
    services: Sequence[Service],
    *,
    does: str,
    so: str,
) -> Finding:
    """What to say of a reference whose Service lacks the port, and the ways to cure it.

    `does` follows the resource's name (``calls``, ``sends traffic to``); `so` is what comes of it. An idle reference
    loses nothing yet, which makes it a warning.
    """
    service, wanted = services[0], reference.wanted
    meant = _meant(service, reference)
    value = _value(meant, reference) if meant else None
    refused = reference.by is MatchBy.NUMBER and isinstance(wanted, str)
    if refused:
        so = "the API server refuses it"
    elif reference.idle:
        so = "its weight is 0, so it will matter when that is raised"
    tail = f": {so}."
    if meant is not None and not meant.implicit and meant.target.value == wanted:
        tail = f": {wanted} is its targetPort; {so}."
    foreign = wanted is not None and [one for one in service.ports if answers(one, wanted, reference.by)]
    if foreign:
        tail = f": {foreign[0].number.value} is for {foreign[0].protocol}, not {reference.protocol}; {so}."
    shown = (meant,) if meant else service.ports[:3]
    return Finding(
        message=f"{reference.service.resource} {does} {_asked_for(reference)} of {service.key}, which has {offered(service.ports)}{tail}",
        severity=Severity.WARNING if reference.idle and not refused else Severity.ERROR,
        primary=reference.port or reference.service,
        expected=value if reference.port is not None else None,
        related=tuple(Label(one.name or one.number, f"{service.key} has it here") for one in shown),
        remedies=tuple(_remedies(graph, reference, meant, value)),
    )


def clarity(service: Service, reference: ServiceReference) -> int:
    """How clear it is what the reference means in `service`: 0 a port's target, 1 one port, 2 nothing."""
    meant = _meant(service, reference)
    return 2 if meant is None else int(meant.implicit or meant.target.value != reference.wanted)


def _asked_for(reference: ServiceReference) -> str:
    wanted = reference.wanted
    if reference.port is None:
        return f"port {wanted} (the default)"
    if isinstance(wanted, int):
        return f"port {wanted}"
    if reference.by is MatchBy.NUMBER:
        return f"port {wanted!r}, text where a number has to stand,"
    quoted = reference.by is MatchBy.EITHER and is_digits(wanted)
    return f"the port named {wanted!r}" + (" (in quotes it is a name)" if quoted else "")


def _meant(service: Service, reference: ServiceReference) -> ServicePort | None:
    """The one port that the reference probably stands for."""
    wanted = reference.wanted
    fitting = [one for one in service.ports if one.protocol == (reference.protocol or "TCP")]
    pools = [fitting] if reference.protocol else [fitting, service.ports]
    groups: list[Sequence[ServicePort]] = []
    for ports in pools:
        groups.append([one for one in ports if is_digits(wanted) and str(one.number.value) == wanted])
        groups.append([one for one in ports if not one.implicit and one.target.value == wanted])
        groups.append([one for one in ports if _is_near(one, wanted)])
    return next((group[0] for group in (*groups, *pools) if len(group) == 1), None)


def _is_near(port: ServicePort, wanted: Scalar | None) -> bool:
    if isinstance(wanted, int):
        return isinstance(port.number.value, int) and is_near_miss(port.number.value, wanted)
    return port.name is not None and is_near_name(str(port.name.value), str(wanted))


def _value(port: ServicePort, reference: ServiceReference) -> Scalar | None:
    """What the reference's field would hold to mean `port`; a name stays a name where the port has one."""
    name = port.name.value if port.name is not None else None
    textual = isinstance(reference.wanted, str) and not is_digits(reference.wanted)
    if reference.by is MatchBy.NAME or (reference.by is MatchBy.EITHER and textual and name):
        return name
    return port.number.value


def _remedies(
    graph: PortGraph, reference: ServiceReference, meant: ServicePort | None, value: Scalar | None
) -> list[Remedy]:
    if meant is None or value is None:
        return []
    remedies = []
    if reference.port is not None:
        remedies.append(Remedy(f"set the port to {value}", ((reference.port, value),)))
    wanted = reference.wanted
    end = _other_end(meant, reference)
    if end is not None and wanted is not None and not meant.implicit and not _is_used(graph, meant):
        field = "port" if isinstance(wanted, int) else "port name"
        remedies.append(Remedy(f"set the Service's {field} to {wanted}", ((end, wanted),)))
    return remedies


def _other_end(port: ServicePort, reference: ServiceReference) -> Site | None:
    """The Service's field that could be changed instead; None when only the reference can change."""
    wanted = reference.wanted
    if not isinstance(wanted, str):
        return port.number
    usable = reference.by is not MatchBy.NUMBER and not is_digits(wanted) and not label_problem(wanted)
    return port.name if usable else None


def by_digits(graph: PortGraph) -> Mapping[tuple[str, str], Sequence[Service]]:
    """The Services by namespace and the digits of their names, for `slip_of`."""
    groups: dict[tuple[str, str], list[Service]] = {}
    for one in graph.services:
        groups.setdefault((one.key.namespace, digits(one.key.name)), []).append(one)
    return groups


def slip_of(groups: Mapping[tuple[str, str], Sequence[Service]], namespace: str, name: str) -> Service | None:
    """The one Service whose name differs from `name` by a slip of the hand; None when there is none, or several."""
    if len(name) < _SHORTEST:
        return None
    near = [one for one in groups.get((namespace, digits(name)), ()) if is_near_name(one.key.name, name)]
    return near[0] if len(near) == 1 else None


def _is_used(graph: PortGraph, port: ServicePort) -> bool:
    """Whether others in the rendering rely on the port as it is."""
    place = (port.number.resource.namespace, port.number.resource.name)
    number, name = port.number.value, port.name.value if port.name else None
    known: list[tuple[str | int, MatchBy]]
    known = [(number, by) for by in (MatchBy.EITHER, MatchBy.NUMBER) if isinstance(number, int)]
    known += [(name, by) for by in (MatchBy.EITHER, MatchBy.NAME) if isinstance(name, str) and name]
    # Looked up, not gone through: thousands may ask, and each of them may be told so.
    return not graph.asked.get(place, frozenset()).isdisjoint(known)
