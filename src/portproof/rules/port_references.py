"""What the rules about edges to a Service share: what to say of one that misses its port, and what was meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from portproof.graph import alike, own
from portproof.graph.answers import answers
from portproof.graph.evidence import is_near_miss
from portproof.graph.meant import first_unique, only
from portproof.graph.model import MatchBy, PortGraph, Relation, Service, ServiceEdge, ServicePort, Site
from portproof.graph.names import digits, is_digits, is_near_name, is_placeholder, label_problem
from portproof.graph.past import redirected
from portproof.graph.phrasing import listing, offered
from portproof.graph.purpose import has_words
from portproof.replacing import replace
from portproof.resources import Resource
from portproof.rules.base import Finding, Label, Remedy, Scalar, Severity
from portproof.yamldoc import lookup

_SHORTEST = 4
"""Names of fewer letters are alike by chance."""


def finding(
    graph: PortGraph,
    edge: ServiceEdge,
    services: Sequence[Service],
    *,
    does: str,
    so: str,
) -> Finding:
    """What to say of an edge whose Service lacks the port, and the ways to cure it.

    `does` follows the resource's name (``calls``, ``sends traffic to``); `so` says what breaks, and reads well after
    "so". An idle edge breaks nothing yet, which makes it a warning.
    """
    service = services[0]
    meant = _meant(service, edge)
    value = _value(meant, edge) if meant else None
    rejected = edge.typed and edge.by is MatchBy.NUMBER and isinstance(edge.wanted, str)
    if rejected:
        so = f"the API server rejects the {edge.holder.kind}"
    elif edge.idle:
        so = "requests will fail once the backend's weight is raised from 0"
    why = _why(service, edge)
    shown = (meant,) if meant else service.ports[:3]
    found = Finding(
        message=(
            f"{edge.holder} {does} {_asked_for(edge)} of {service.key}, which has {offered(service.ports)}: "
            f"{f'{why}, so {so}' if why else so}."
        ),
        severity=Severity.WARNING if edge.idle and not rejected else Severity.ERROR,
        primary=edge.port or edge.whom.site,
        expected=value if edge.port is not None else None,
        related=tuple(Label(one.name or one.number, f"a port of {service.key}") for one in shown),
        remedies=tuple(_remedies(graph, edge, meant, value)),
    )
    return found if rejected else beyond(graph, edge, services, found)


def beyond(graph: PortGraph, edge: ServiceEdge, services: Sequence[Service], found: Finding) -> Finding:
    """The finding as it is to be told where the Services are those of other targets: what can be changed is at this end.

    That they are deployed together may be a guess, which makes a warning of an error. Where it may be one of several, nobody
    knows which port is meant.
    """
    meant = [one for one in graph.neighbours.get(edge.whom.name, ()) if one.service in services]
    if not meant:
        return found
    guessed = found.severity is Severity.ERROR and not all(one.stated for one in meant)
    places = sorted({one.target.partition(":")[2].partition("?")[0] for one in meant})
    is_known = len(places) == 1 or all(one.stated for one in meant)
    return replace(
        found,
        message=f"{found.message.removesuffix('.')} (the Service is in {listing(places[:2])}).",
        severity=Severity.WARNING if guessed else found.severity,
        related=(),
        expected=found.expected if is_known else None,
        remedies=tuple(
            one for one in found.remedies if is_known and one.changes[0][0].resource == edge.holder
        ),
    )


def clarity(service: Service, edge: ServiceEdge) -> int:
    """How clear it is what the edge means in `service`: 0 a port's target, 1 one port, 2 nothing."""
    meant = _meant(service, edge)
    return 2 if meant is None else int(meant.implicit or meant.target.value != edge.wanted)


def _asked_for(edge: ServiceEdge) -> str:
    return f"port {edge.wanted!r}" + (" (the default)" if edge.port is None else "")


def _why(service: Service, edge: ServiceEdge) -> str:
    """Why none of the ports answers, where that is not plain from their list: ``8080 is the targetPort``."""
    wanted = edge.wanted
    if wanted is None:
        return ""
    foreign = [one for one in service.ports if answers(one, wanted, edge.by)]
    if foreign:
        return f"port {foreign[0].number.value} is {foreign[0].protocol}, not {edge.protocol}"
    if edge.by is MatchBy.NUMBER and isinstance(wanted, str):
        return "the port must be a number" if edge.typed else f"{wanted!r} is not a number"
    if edge.by is MatchBy.NAME and (isinstance(wanted, int) or is_digits(wanted)):
        return "the field takes a port name, not a number"
    if edge.by is MatchBy.EITHER and is_digits(wanted):
        return "a number in quotes is a port name"
    aimed = any(not one.implicit and one.target.value == wanted for one in service.ports)
    return f"{wanted!r} is the targetPort" if aimed else ""


def _meant(service: Service, edge: ServiceEdge) -> ServicePort | None:
    """The one port that the edge probably stands for."""
    wanted = edge.wanted
    fitting = [one for one in service.ports if one.protocol == (edge.protocol or "TCP")]
    pools = [fitting] if edge.protocol else [fitting, service.ports]
    groups: list[Sequence[ServicePort]] = []
    for ports in pools:
        groups.append([one for one in ports if is_digits(wanted) and str(one.number.value) == wanted])
        groups.append([one for one in ports if not one.implicit and one.target.value == wanted])
        groups.append([one for one in ports if _is_near(one, wanted)])
        groups.append([one for one in ports if has_words(one.name_text, wanted)])
    return first_unique(*groups, *pools)


def _is_near(port: ServicePort, wanted: Scalar | None) -> bool:
    if isinstance(wanted, int):
        return isinstance(port.number.value, int) and is_near_miss(port.number.value, wanted)
    return port.name is not None and is_near_name(str(port.name.value), str(wanted))


def _value(port: ServicePort, edge: ServiceEdge) -> Scalar | None:
    """What the edge's field would hold to mean `port`; a name stays a name where the port has one."""
    name = port.name_text
    textual = isinstance(edge.wanted, str) and not is_digits(edge.wanted)
    if edge.by is MatchBy.NAME or (edge.by is MatchBy.EITHER and textual and name):
        return name
    if not edge.typed and edge.port is not None and isinstance(edge.port.value, str):
        return str(port.number.value) if is_digits(edge.port.value) else None
    return port.number.value


def _remedies(
    graph: PortGraph, edge: ServiceEdge, meant: ServicePort | None, value: Scalar | None
) -> list[Remedy]:
    if meant is None or value is None:
        return []
    remedies = []
    if edge.port is not None:
        remedies.append(Remedy(f"set the port to {value}", ((edge.port, value),), like=_like(meant, value)))
    wanted = edge.wanted
    end = _other_end(meant, edge)
    if end is not None and wanted is not None and not meant.implicit and not _is_used(graph, meant):
        field = "port" if isinstance(wanted, int) else "port name"
        remedies.append(Remedy(f"set the Service's {field} to {wanted}", ((end, wanted),)))
    return remedies


def _like(port: ServicePort, value: Scalar) -> Site:
    """The field of a Service's port that holds what is asked for."""
    return port.name if port.name is not None and port.name.value == value else port.number


def _other_end(port: ServicePort, edge: ServiceEdge) -> Site | None:
    """The Service's field that could be changed instead; None when only the edge can change."""
    wanted = edge.wanted
    if not isinstance(wanted, str):
        return port.number
    usable = edge.by is not MatchBy.NUMBER and not is_digits(wanted) and not label_problem(wanted)
    return port.name if usable else None


def absent_services(graph: PortGraph, *relations: Relation) -> Iterator[tuple[ServiceEdge, Finding]]:
    """The edges whose Service is not here, while one is that has the port: its name differs by a typo, or its namespace.

    It is an error if a change made the typo: in the base, the edge reached the Service that is here.
    """
    groups = _by_digits(graph)
    moved = redirected(graph)
    for edge in graph.asking(*relations):
        wanted = edge.wanted
        elsewhere = edge.whom.name in graph.neighbours
        if wanted is None or elsewhere or graph.service(*edge.whom.place) is not None:
            continue
        near = _typo_of(graph, groups, *edge.whom.place)
        if near is not None:
            if _has_port(near, edge):
                yield edge, _absent(edge, near, by_change=moved.get(edge) is near)
            continue
        named = None if edge.idle else alike.meant(graph, edge)
        if named is not None:
            yield edge, _absent(edge, named, by_change=False)
            continue
        other = _in_another_namespace(graph, edge)
        if not edge.idle and other is not None and _has_port(other, edge):
            yield edge, _misplaced(edge, other)
        elif not edge.idle and _is_nowhere(graph, edge):
            yield edge, _nowhere(edge)


def like(graph: PortGraph, edge: ServiceEdge) -> Service | None:
    """The one Service that has the port of an edge to one that is not here, and its name but for a typo or a word."""
    near = _typo_of(graph, _by_digits(graph), *edge.whom.place)
    if near is not None:
        return near if _has_port(near, edge) else None
    return alike.meant(graph, edge)


@lru_cache(maxsize=4)
def _by_digits(graph: PortGraph) -> Mapping[tuple[str, str], Sequence[Service]]:
    """The Services by namespace and by the digits of their names, which a typo leaves as they are."""
    groups: dict[tuple[str, str], list[Service]] = {}
    for one in graph.services:
        groups.setdefault((one.key.namespace, digits(one.key.name)), []).append(one)
    return groups


def _has_port(service: Service, edge: ServiceEdge) -> bool:
    return any(
        answers(one, edge.wanted, edge.by) and edge.protocol in ("", one.protocol) for one in service.ports
    )


def _typo_of(
    graph: PortGraph, groups: Mapping[tuple[str, str], Sequence[Service]], namespace: str, name: str
) -> Service | None:
    """The one Service whose name differs from `name` by a typo; None when there is none, or several.

    Short names are alike by chance, unless there is no other Service, and nobody else names it.
    """
    near = [one for one in groups.get((namespace, digits(name)), ()) if is_near_name(one.key.name, name)]
    found = only(near)
    if found is None or len(name) >= _SHORTEST:
        return found
    is_alone = sum(one.key.namespace == namespace for one in graph.services) == 1
    return found if is_alone and found.key.name not in {place[1] for place in graph.asked} else None


def _in_another_namespace(graph: PortGraph, edge: ServiceEdge) -> Service | None:
    """The one Service of that name, where it is in another namespace and all namespaces are written down."""
    found = only(one for one in graph.services if one.key.name == edge.whom.name)
    holder = graph.resource(edge.holder)
    if found is None or holder is None or found.key.namespace == edge.whom.namespace:
        return None
    stated = edge.whom.stated and not is_placeholder(edge.whom.namespace)
    written = stated or (not edge.whom.stated and _states_namespace(holder))
    return found if written and _states_namespace(graph.read_from[found]) else None


def _is_nowhere(graph: PortGraph, edge: ServiceEdge) -> bool:
    """Whether nothing has such a Service, in an environment of which it is stated that there is nothing else."""
    text, (namespace, name) = str(edge.whom.site.value), edge.whom.place
    outside = "." in text and ".svc" not in text  # shop.example may be a domain
    if graph.surroundings is None or outside or not text or own.may_be_made(graph, name):
        return False
    return not any(
        one.name == name and one.is_in(frozenset({namespace})) for one in graph.surroundings.services
    )


def _nowhere(edge: ServiceEdge) -> Finding:
    return Finding(
        message=(
            f"{edge.holder} sends traffic to Service/{edge.whom.name}, which nothing in this environment has, and "
            "`portproof.yaml` says that it is complete: no request gets through."
        ),
        severity=Severity.ERROR,
        primary=edge.whom.site,
    )


def _states_namespace(resource: Resource) -> bool:
    """Whether a namespace is written down: in a chart, helm's ``default`` stands in for one that nobody has said yet."""
    namespace = lookup(resource.data, ("metadata", "namespace"))
    of_chart = "/templates/" in f"/{resource.document.source or ''}"
    return bool(namespace) and not is_placeholder(namespace) and not (of_chart and namespace == "default")


def _misplaced(edge: ServiceEdge, there: Service) -> Finding:
    return Finding(
        message=(
            f"{edge.holder} sends traffic to Service/{edge.whom.name} in namespace {edge.whom.namespace!r}, but "
            f"{there.key} is in namespace {there.key.namespace!r}: no request gets through, unless both namespaces "
            "have one."
        ),
        severity=Severity.WARNING,
        primary=edge.whom.site,
        related=tuple(Label(port.number, f"a port of {there.key}") for port in there.ports[:1]),
    )


def _absent(edge: ServiceEdge, near: Service, *, by_change: bool) -> Finding:
    rest = str(edge.whom.site.value).removeprefix(edge.whom.name)  # of a host: its namespace and domain
    name, field = near.key.name + rest, "host" if rest else "Service name"
    message = (
        f"{edge.holder} sends traffic to Service/{edge.whom.name}, which does not exist here; "
        f"did you mean {near.key}, which has port {edge.wanted!r}?"
    )
    if by_change:
        message = (
            f"This change sends {edge.holder} to Service/{edge.whom.name}, which does not exist here, instead of "
            f"{near.key}, which still does: no request gets through."
        )
    return Finding(
        message=message,
        severity=Severity.ERROR if by_change else Severity.WARNING,
        primary=edge.whom.site,
        expected=name,
        related=tuple(Label(port.number, f"a port of {near.key}") for port in near.ports[:1]),
        remedies=(Remedy(f"set the {field} to {name}", ((edge.whom.site, name),)),),
    )


def _is_used(graph: PortGraph, port: ServicePort) -> bool:
    """Whether others in the rendering rely on the port as it is."""
    place = (port.number.resource.namespace, port.number.resource.name)
    number, name = port.number.value, port.name_text
    known: list[tuple[str | int, MatchBy]]
    known = [(number, by) for by in (MatchBy.EITHER, MatchBy.NUMBER) if isinstance(number, int)]
    known += [(name, by) for by in MatchBy if by is not MatchBy.NUMBER and isinstance(name, str) and name]
    # Looked up, not gone through: thousands may ask, and each of them may be reported.
    return not graph.asked.get(place, frozenset()).isdisjoint(known)
