"""Who asks for the Service that a finding is about, as far as manifests say it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from portproof.environment import Environment, TargetInterface
from portproof.graph.model import PortGraph
from portproof.graph.workloads import is_test
from portproof.portmap.survey import CALLS


def callers(
    graph: PortGraph,
    names: Collection[str],
    targets: Collection[str],
    interfaces: Iterable[TargetInterface],
    environment: Environment,
) -> tuple[str, ...]:
    """The objects that ask for a Service of these `names`: of the graph, then of other targets, with their ids.

    `targets` are the ids of those that have the Service.
    """
    tests = {one.key for one in graph.resources if is_test(one)}  # they are there for a minute
    asking = graph.asking(*sorted(CALLS, key=str))
    own = (str(one.holder) for one in asking if one.whom.name in names and one.holder not in tests)
    return tuple(dict.fromkeys((*own, *_from_elsewhere(names, targets, interfaces, environment))))


def _from_elsewhere(
    names: Collection[str],
    targets: Collection[str],
    interfaces: Iterable[TargetInterface],
    environment: Environment,
) -> Iterator[str]:
    for one in interfaces:
        called = {call.whom.name: call for call in one.calls if call.whom.name in names}
        if one.target.id in targets or not called:
            continue
        around = environment.around(one.target)
        for name, call in called.items():
            if any(each.target in targets for each in around.get(name, ())):
                yield f"{call.holder} ({one.target.id})"
