"""Where a program listens, as far as anything says so: what a container declares moves nothing by itself."""

from __future__ import annotations

from collections.abc import Iterator

from portproof.effects import Change
from portproof.graph.answers import ends
from portproof.graph.evidence import (
    USUAL_PORTS,
    is_in_pod_spec,
    is_meant_to_listen,
    is_near_miss,
    running,
    silent_server,
)
from portproof.graph.model import (
    Container,
    ContainerPort,
    Edge,
    Pods,
    PortCheck,
    PortGraph,
    Reached,
    Relation,
    Service,
    ServiceName,
    ServicePort,
    Workload,
)
from portproof.graph.names import is_digits
from portproof.graph.numbers import numbers_in
from portproof.graph.past import program_changed, reached_before, workload_before
from portproof.graph.weighing import repeats_what_callers_expect
from portproof.rules.edges import every
from portproof.safety import elsewhere
from portproof.safety.model import Danger, Field, Risk, TargetEffects

_WORKS_UNDECLARED = frozenset({Relation.PROBE, Relation.HOOK, Relation.SCRAPE, Relation.POLICY})
"""References to pods by number that reach whatever listens there, declared or not."""


def of_declaration(
    after: PortGraph, workload: Workload, port: ContainerPort, change: Change
) -> Iterator[Risk]:
    """Whether the program follows a declared number: its own settings, its files or its image have to say so."""
    now = _same(after, workload) or workload
    container = next((one for one in now.containers if one.name == port.container), None)
    if container is None or not _is_told(after, now, container, change):
        yield Risk(
            Danger.PROGRAM,
            f"nothing tells the program of {workload.key} to listen on {change.after} instead of {change.before}: "
            "the declared port alone moves nothing",
        )


def of_restored(graph: PortGraph, workload: Workload, port: ContainerPort, change: Change) -> Iterator[Risk]:
    """Whether the program has moved along with the declaration that is to be taken back."""
    new = change.before
    if not isinstance(new, int):
        return
    past = workload_before(graph, workload)
    if past is None or (is_meant_to_listen(workload, new) and not is_meant_to_listen(past, new)):
        yield Risk(Danger.CHANGE, f"the change tells the program of {workload.key} to listen on {new}, too")
    elif program_changed(graph, workload, port.container):
        text = f"the image or settings of {workload.key} change, too: its program may listen on {new} now"
        yield Risk(Danger.CHANGE, text)


def reached(
    after: PortGraph, service: Service, port: ServicePort
) -> tuple[tuple[Workload, ContainerPort], ...]:
    """The ports of pods that a Service's port leads to with the edits; none where the edits take the Service away."""
    now = next((one for one in after.services if one.key == service.key), None)
    if now is None:
        return ()
    entry = next((one for one in now.ports if one.path == port.path), port)
    return tuple(ends(after, now, entry).reached)


def of_target(
    effects: TargetEffects,
    service: Service,
    port: ServicePort,
    change: Change,
    found: tuple[Workload, ContainerPort],
) -> Iterator[Risk]:
    """Whether the program listens where a Service's port is to send to."""
    workload, end = found
    before, here = effects.before, _same(effects.before, workload) or workload
    was = port.target.value if change.before is None else change.before
    silent = silent_server(workload, end)
    if _moved_alone(before, service, port, workload, end):
        text = f"this change moved the port of {workload.key} to {end.value}, and nothing says that its program follows"
    elif silent is not None:
        text = f"container {silent.name} of {workload.key} declares no port and may be the one that is meant"
    elif abroad := elsewhere.contradiction(effects, here, end, was):
        text = abroad
    elif (
        not isinstance(was, int)
        or end.value == port.number.value
        or (not is_near_miss(was, end.value) and repeats_what_callers_expect(port))
        or _is_vouched(here, end, was)
    ):
        return
    else:
        text = _only_declared(workload, end, was)
    yield Risk(Danger.PROGRAM, text)


def of_references(effects: TargetEffects, change: Change) -> Iterator[Risk]:
    """Whether the program listens where probes, policies and scrapers are to look for it."""
    before = effects.before
    if not isinstance(change.before, int) and not is_digits(change.before):
        return
    was = int(change.before)
    for edge, reply in every(effects.after):
        if edge.relation in _WORKS_UNDECLARED and _is_at(edge, change) and isinstance(reply, Reached):
            workload = edge.whom.workload if isinstance(edge.whom, Pods) else None
            here = None if workload is None else _same(before, workload)
            for end in reply.ports if here is not None else ():
                if not isinstance(end, ContainerPort) or here is None:
                    continue
                if abroad := elsewhere.contradiction(effects, here, end, was):
                    yield Risk(Danger.PROGRAM, abroad)
                    continue
                sent = {one.target.value for each in before.services_of(here) for one in each.ports}
                if end.value not in sent and not _is_vouched(
                    here, end, was, besides=(change.resource, change.path)
                ):
                    yield Risk(Danger.PROGRAM, _only_declared(here, end, was))


def of_setting(after: PortGraph, change: Change) -> Iterator[Risk]:
    """What a program is told: whatever else speaks of the old number has to go along."""
    gone = numbers_in(change.before) - numbers_in(change.after)
    for workload in after.workloads:
        key = change.resource
        if workload.key != key and not (key.kind == "ConfigMap" and key.name in workload.configs):
            continue
        probed = {check.port.value for one in running(workload) for check in one.checks}
        said = frozenset().union(*(one.mentions for one in running(workload)))
        still = gone & (probed | said | workload.config_numbers | workload.annotation_numbers)
        if still:
            number = min(int(str(one)) for one in still)
            yield Risk(Danger.PROGRAM, f"something else of {workload.key} still says {number}")
        for service in after.services_of(workload):
            sent = sorted(gone & {one.target.value for one in service.ports})
            if sent:
                yield Risk(Danger.PROGRAM, f"{service.key} still sends to {sent[0]}")


def _same(graph: PortGraph, workload: Workload) -> Workload | None:
    return next((one for one in graph.workloads if one.key == workload.key), None)


def _is_at(edge: Edge[ServiceName | Pods], change: Change) -> bool:
    return edge.port is not None and edge.port.resource == change.resource and edge.port.path == change.path


def _is_told(after: PortGraph, workload: Workload, container: Container, change: Change) -> bool:
    """Whether the container's own settings, its files or its image say the new number, and nothing of it the old one."""
    called = {edge.wanted for edge in after.asking(Relation.CALLER) if edge.holder == workload.key}
    settings = (container.mentions | workload.config_numbers) - called
    default = change.after in container.default_ports and not settings & set(container.default_ports)
    built = change.after == container.built_port
    return (change.after in settings or default or built) and change.before not in settings


def _moved_alone(
    graph: PortGraph, service: Service, port: ServicePort, workload: Workload, end: ContainerPort
) -> bool:
    """Whether the change moved the declaration that the Service is to follow, while nothing tells the program."""
    here = _same(graph, workload)
    past = None if here is None else reached_before(graph, service, port, here)
    if past is None or here is None or past.value == end.value:
        return False
    return not is_meant_to_listen(here, end.value) and not program_changed(graph, here, end.container)


def _is_vouched(workload: Workload, end: ContainerPort, was: int, *, besides: Field | None = None) -> bool:
    """Whether more than the declaration says that the program listens there, as things are without the edits.

    A probe, the settings or the image do; or the old number is a typo of a usual one. What stands at `besides` says nothing.
    """
    number = end.value
    if any(_probes(check, end) for check in _checks(workload, end, besides)):
        return True
    if is_meant_to_listen(workload, number) or (besides is None and is_in_pod_spec(workload, number)):
        return True
    return is_near_miss(was, number) and number in USUAL_PORTS and was not in USUAL_PORTS


def _checks(workload: Workload, end: ContainerPort, besides: Field | None) -> Iterator[PortCheck]:
    for one in running(workload):
        if one.name == end.container:
            yield from (
                check
                for check in one.checks
                if not check.is_hook and (check.port.resource, check.port.path) != besides
            )


def _probes(check: PortCheck, end: ContainerPort) -> bool:
    return check.port.value in (end.value, end.name_text)


def _only_declared(workload: Workload, end: ContainerPort, was: int) -> str:
    return f"only its declaration says that the program of {workload.key} listens on {end.value}, and not on {was}"
