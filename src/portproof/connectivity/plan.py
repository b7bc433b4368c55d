"""All tests of a map: the edges of each environment by their callers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from portproof.connectivity.disguise import Surroundings
from portproof.connectivity.edges import Call, calls
from portproof.connectivity.model import CallerTest, Placed, Plan, Skipped
from portproof.portmap.model import PortMap
from portproof.portmap.selection import selected
from portproof.replacing import replace


def plan(port_map: PortMap, placed: Placed, *, repeated: bool = False) -> Plan:
    """One test for each caller and environment, in their order; `repeated` says that they run again and again.

    Raises `UsageError` for an environment that is not on the map.
    """
    meant = selected(port_map, placed.environment, only_broken=False)
    pods: list[CallerTest] = []
    skipped: list[Skipped] = []
    for environment in sorted({one.environment for one in meant.targets}):
        found = list(calls(port_map, environment, placed, repeated=repeated))
        skipped += [one for one in found if isinstance(one, Skipped)]
        made = [one for one in found if isinstance(one, Call)]
        concerned = {one.home for one in made}
        around = Surroundings(
            [one for one in port_map.targets if one.environment == environment or one.id in concerned], placed
        )
        for several in _by_caller(made):
            pod, left = around.test(several)
            pods += [pod] if pod else []
            skipped += left
    return Plan(tuple(pods), tuple(dict.fromkeys(skipped)))


def _by_caller(found: Sequence[Call]) -> Iterable[Sequence[Call]]:
    """The calls by who calls. Two workloads that share a name are told apart by their kinds."""
    holders = defaultdict(set)
    for one in found:
        holders[one.edge.caller].add(one.edge.holder)
    groups = defaultdict(list)
    for one in found:
        edge = one.edge
        if len(holders[edge.caller]) > 1 and edge.holder:
            edge = replace(edge, caller=f"{edge.namespace}/{edge.holder.lower()}")
        groups[edge.caller].append(replace(one, edge=edge))
    return [groups[caller] for caller in sorted(groups)]
