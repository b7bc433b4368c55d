"""Which ports of which pods policies speak of: an edge for each port and each workload that it is a port of.

A policy that lets traffic in opens ports of the pods that it selects, one that lets traffic out those of the pods where
it leads to; a mesh is told about single ports. What opens all ports asks for none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portproof.graph.labelled import Labelled
from portproof.graph.model import PodEdge, Pods, PortGraph, Workload
from portproof.rules.policy import mesh_ports
from portproof.rules.policy.egress import Ends
from portproof.rules.policy.ingress import opening_edge, workloads_by_label
from portproof.rules.policy.policies import Layer, Opening, Policy, read


def edges(graph: PortGraph) -> Iterator[PodEdge]:
    """What all policies of a rendering, and settings of a mesh for single ports, ask for."""
    workloads = workloads_by_label(graph)
    ends = Ends(graph, workloads)
    for layer in Layer:
        for policy in read(graph, layer):
            selected = _selected(policy, workloads)
            for rule in policy.ingress or ():
                yield from _to(rule.openings, selected)
            for rule in policy.egress or ():
                end = ends.of(policy, rule)
                unknown = Pods(None, "it is not known which pods it leads to")
                yield from _to(rule.openings, (unknown,) if end is None else map(Pods, end.workloads))
    for setting in mesh_ports.settings(graph):
        unknown = Pods(None, "it is not known which pods it is about")
        yield from _to((setting.opening,), [Pods(one) for one in setting.workloads] or [unknown])


def _selected(policy: Policy, workloads: Labelled[Workload]) -> tuple[Pods, ...]:
    """The pods that a policy is for, or one that says why they are not known."""
    selector = policy.selector
    if selector is None or not selector.is_exact:
        return (Pods(None, "it is not known which pods it selects"),)
    found = workloads.matching(selector, frozenset({policy.namespace}) if policy.namespace else None)
    return tuple(map(Pods, found)) or (Pods(None, "no workload here has the labels that it selects"),)


def _to(openings: Iterable[Opening], meant: Iterable[Pods]) -> Iterator[PodEdge]:
    pods = tuple(meant)
    for opening in openings:
        if opening.site is not None:
            yield from (opening_edge(opening, one) for one in pods)
