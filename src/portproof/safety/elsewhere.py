"""What another target of the repository says of the same program: there, the old number works."""

from __future__ import annotations

from portproof.graph.evidence import image_listening, numbers_in_settings, running
from portproof.graph.meetings import Meeting, image_of
from portproof.graph.model import ContainerPort, PortGraph, Relation, Workload
from portproof.safety.model import TargetEffects


def contradiction(effects: TargetEffects, workload: Workload, end: ContainerPort, was: object) -> str:
    """Where the old number works for the same program, unless its own settings or image say the new one; or empty.

    Declared ports and probes say nothing here: a chart often makes all of them of one value, or of its author's habit.
    """
    if not isinstance(was, int) or was == end.value or _is_told(effects.before, workload, end.value):
        return ""
    old, new = (
        [one for one in effects.abroad(number) if _is_same(effects.before, one, workload, end)]
        for number in (was, end.value)
    )
    both = {one.target for one in new}  # there the program listens on the new number as well
    found = next((one for one in old if one.target not in both), None)
    return "" if found is None else _said(found)


def _is_told(graph: PortGraph, workload: Workload, number: int) -> bool:
    called = {edge.wanted for edge in graph.asking(Relation.CALLER) if edge.holder == workload.key}
    return number in numbers_in_settings(workload) - called or bool(image_listening(workload, number))


def _is_same(graph: PortGraph, met: Meeting, workload: Workload, end: ContainerPort) -> bool:
    """Whether it is the same program: the workload or its Service is called alike, or the image is the same."""
    images = {image_of(workload, one) for one in running(workload) if one.name == end.container} - {""}
    services = {one.key.name for one in graph.services_of(workload)}
    return met.workload.name == workload.key.name or met.service.name in services or met.image in images


def _said(met: Meeting) -> str:
    where = f" ({met.file})" if met.file else ""
    how = f"is told to listen on {met.number}" if met.told else f"declares {met.number}"
    return (
        f"in {met.target}, {met.service} sends to {met.number}{where} and {met.workload} {how}: "
        "the program may listen there, not on what is declared here"
    )
