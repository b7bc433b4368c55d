"""Who asks for a port by the number or name that a fix moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.effects import Change
from portproof.graph.answers import answer, answers, endpoint_numbers
from portproof.graph.model import (
    Edge,
    Missed,
    Pods,
    PortGraph,
    Reached,
    Relation,
    Service,
    ServiceEdge,
    ServiceName,
    ServicePort,
    Workload,
)
from portproof.graph.phrasing import listing
from portproof.rules.edges import edges
from portproof.safety.model import Danger, Risk

_NAMES_SHOWN = 3
_SEVERAL = 2
"""So many who ask for another number or name are evidence that what is there is wrong; one may be wrong itself."""


def of_service(graph: PortGraph, service: Service, port: ServicePort, change: Change) -> Iterator[Risk]:
    """Who uses the number or name of a Service's port: known callers, and those that nobody has rendered.

    That it is wrong is certain when nobody who is known uses it and several ask for the new one, or one who has no
    number of its own to change (the default of a webhook).
    """
    what = f"{'the name' if isinstance(change.before, str) else 'port'} {change.before} of {service.key}"
    if service.type in ("LoadBalancer", "NodePort"):
        yield Risk(Danger.CALLERS, f"clients outside of the cluster use {what} ({service.type})")
        return
    if service.headless and change.after in (endpoint_numbers(graph, service, port) or ()):
        return  # its clients reach the pods themselves, at the pods' own port
    asking = [one for one in graph.asking(*Relation) if one.whom.place == _place(service)]
    found = [(one, answer(graph, one)) for one in asking]
    users = [one for one, reply in found if isinstance(reply, Reached) and _uses(one, port, change.before)]
    asks = [one for one, reply in found if isinstance(reply, Missed) and one.wanted == change.after]
    if users:
        yield Risk(Danger.CALLERS, f"{_holders(users)} {_verb(users, 'use')} {what}")
    elif len({one.holder for one in asks}) < _SEVERAL and not any(one.port is None for one in asks):
        yield Risk(Danger.CALLERS, f"callers that are not in this rendering may use {what}")


def of_name(graph: PortGraph, workload: Workload, change: Change) -> Iterator[Risk]:
    """Who knows a container's port by its name. That the name is wrong is certain when several ask for the new one."""
    asks = {
        (edge.holder, edge.at)
        for edge in edges(graph)
        if isinstance(edge.whom, Pods)
        and edge.whom.workload is workload
        and edge.wanted == change.after
        and isinstance(answer(graph, edge), Missed)
    }
    if len(asks) < _SEVERAL:
        text = f"Services, monitors and policies that are not in this rendering may use the name {change.before} of {workload.key}"
        yield Risk(Danger.CALLERS, text)


def lost(before: PortGraph, after: PortGraph) -> Iterator[Risk]:
    """Edges that reached their port without the edits, and miss it with them."""
    now = {_identity(edge): edge for edge in edges(after)}
    for edge in edges(before):
        other = now.get(_identity(edge))
        if other is None or not isinstance(answer(before, edge), Reached):
            continue
        if isinstance(answer(after, other), Missed):
            text = f"{edge.holder} ({edge.relation.value}) reaches its port today and would miss it"
            yield Risk(Danger.CALLERS, text)


def _place(service: Service) -> tuple[str, str]:
    return service.key.namespace, service.key.name


def _uses(edge: ServiceEdge, port: ServicePort, value: object) -> bool:
    return edge.wanted == value and answers(port, edge.wanted, edge.by)


def _holders(several: Sequence[ServiceEdge]) -> str:
    names = list(dict.fromkeys(str(one.holder) for one in several))
    more = [f"{len(names) - _NAMES_SHOWN} more"] if len(names) > _NAMES_SHOWN else []
    return listing([*names[:_NAMES_SHOWN], *more])


def _verb(several: Sequence[ServiceEdge], verb: str) -> str:
    return f"{verb}s" if len({one.holder for one in several}) == 1 else verb


def _identity(edge: Edge[ServiceName | Pods]) -> tuple[object, ...]:
    pods = edge.whom.workload if isinstance(edge.whom, Pods) else None
    return edge.relation, edge.holder, edge.at, None if pods is None else pods.key
