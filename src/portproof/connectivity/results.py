"""The edges of the repository and the lines of a log, put together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct

from portproof.connectivity.log import Line, Log
from portproof.connectivity.model import Edge, Plan, Skipped


class Tested(Struct, frozen=True):
    """An edge, and what the test said of it; None when the log does not say."""

    edge: Edge
    line: Line | None


class Results(Struct, frozen=True):
    """What became of all edges.

    `silent` are environments of which the log has nothing at all: their tests did not run, and their edges are not in
    `tested`. `strange` are lines of edges that the repository does not have. `skipped` is what no test opens, and `others`
    counts the lines of the log that are not from ``connect``.
    """

    tested: tuple[Tested, ...]
    silent: tuple[str, ...]
    strange: tuple[Line, ...]
    skipped: tuple[Skipped, ...]
    others: int

    @property
    def failed(self) -> tuple[Tested, ...]:
        """Edges that do not work."""
        return tuple(one for one in self.tested if one.line and one.line.is_failure)

    @property
    def passed(self) -> int:
        """How many edges are connected."""
        return sum(one.line is not None and not one.line.is_failure for one in self.tested)

    @property
    def missing(self) -> tuple[Edge, ...]:
        """Edges of which the log says nothing, although it speaks of their environment."""
        return tuple(one.edge for one in self.tested if one.line is None)


def results(plan: Plan, often: Plan, log: Log) -> Results:
    """Join by caller and edge. The last line counts; one without a caller, from a test by hand, counts for all.

    `often` is the plan of tests that run again and again: what it leaves out need not be in the log, which may be theirs.
    """
    said: dict[tuple[str, str], Line] = {}
    for line in log.lines:
        said.pop((line.caller, line.edge), None)
        said[line.caller, line.edge] = line
    found = [Tested(one, said.get((one.caller, one.text)) or said.get(("", one.text))) for one in plan.edges]
    heard = {one.edge.environment for one in found if one.line}
    certain = {_key(one) for one in often.edges}
    optional = [one for one in found if one.line is None and _key(one.edge) not in certain]
    return Results(
        tested=tuple(one for one in found if one.edge.environment in heard and one not in optional),
        silent=tuple(dict.fromkeys(one.environment for one in plan.edges if one.environment not in heard)),
        strange=_strange(plan, said),
        skipped=(often if optional else plan).skipped,
        others=log.others,
    )


def _key(edge: Edge) -> tuple[str, str, str]:
    return edge.environment, edge.caller, edge.text


def _strange(plan: Plan, said: Mapping[tuple[str, str], Line]) -> tuple[Line, ...]:
    callers: defaultdict[str, set[str]] = defaultdict(set)
    for edge in plan.edges:
        callers[edge.text] |= {edge.caller, ""}
    return tuple(line for (caller, text), line in said.items() if caller not in callers[text])
