"""Workloads that are asked for a port together: whether one of those that a selector chose has it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from portproof.graph.answers import answer
from portproof.graph.model import Answer, Missed, PodEdge, Pods, PortGraph, Reached, Unknown, Workload
from portproof.replacing import replace


class PodGroup:
    """Workloads that one selector chose, for edges that mean any of their pods.

    Thousands may be chosen, and asked for thousands of ports. So only those are asked that declare or mention what is
    asked for, and one that stands for all others.
    """

    def __init__(self, graph: PortGraph, workloads: Sequence[Workload]) -> None:
        """Look up what each workload declares or mentions."""
        self.workloads = tuple(workloads)
        self._graph = graph
        self._naming: dict[str | int | None, list[Workload]] = defaultdict(list)
        for workload in workloads:
            for value in set(_named(workload)):
                self._naming[value].append(workload)
        self._others = tuple(one for one in workloads if one.opaque)[:1] or self.workloads[:1]

    def answer(self, edge: PodEdge) -> Answer:
        """What the pods answer together, one that has the port being enough; `edge` is that to one of the workloads."""
        ranged = edge.last is not None
        asked = self.workloads if ranged else (*self._naming.get(edge.wanted, ()), *self._others)
        unknown: Unknown | None = None
        for one in asked:
            found = answer(self._graph, replace(edge, whom=Pods(one)))
            if isinstance(found, Reached):
                return found
            unknown = found if isinstance(found, Unknown) else unknown
        return unknown or Missed(self.workloads)


def _named(workload: Workload) -> Iterator[str | int | None]:
    yield from workload.annotation_numbers
    for container in workload.containers:
        for port in container.ports:
            yield port.value
            yield port.name_text
