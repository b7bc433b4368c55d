"""What a shard has to look at besides its own targets, so that it says of them what a run over all would say.

Most of what is said of a target depends on nothing but the target. The rest is found by what has been said already:

* Equal findings of several targets are one, with one proven fix. Where a finding comes from a file, everything that reads it
  is looked at, too.
* Targets that are deployed together may call each other. Who may answer a call, or make one, is asked what it offers.
* What has the name of a broken edge's ends is asked which numbers work there: that may speak against a fix.
* Where an overlay cannot be built its bases are checked, unless another overlay has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from portproof.discover.model import KustomizeTarget, Target
from portproof.edits import sites_of
from portproof.environment import Reach, is_collection, mentions
from portproof.outcome import FindingGroup, Outcome, TargetResult, TracedFinding
from portproof.pipeline import Plan
from portproof.render.model import RenderFailure
from portproof.source import RelPath
from portproof.trace.model import Origin


@dataclass(frozen=True, slots=True)
class Growth:
    """What there is for a shard: all that a run over all would check, by `plan`, and what ties it together."""

    plan: Plan
    reach: Reach | None

    @classmethod
    def of(cls, plan: Plan) -> Growth:
        """With the targets of a run over all as those of the plan."""
        guess = not is_collection(plan.everything)
        talk = guess or bool(plan.environments)
        return cls(plan, Reach(plan.environments, guess=guess) if talk else None)

    def beside(self, results: Sequence[TargetResult]) -> tuple[Target, ...]:
        """The targets that have to be asked what they offer, so that calls between them and fixes are judged right."""
        known = {one.target.id for one in results}
        others = [one for one in self.plan.everything if one.id not in known]
        names = _ends(results)
        witnesses = {one.id for one in others if mentions(one, self.plan.tree, names)}
        if self.reach is None:
            return tuple(one for one in others if one.id in witnesses)
        callers = [one.target for one in results if one.interface is not None and one.interface.calls]
        # What is in an environment that has nothing else depends on all of it.
        callers += [one.target for one in results if self.reach.is_complete(one.target, self.plan.complete)]
        if any(one.evaluation is not None and one.evaluation.found for one in results):
            # A fix may take a port away from whoever calls it, or give a caller another one to look for.
            served = [one.target for one in results if one.interface is not None and one.interface.services]
            callers += [one for one in others if any(self.reach(one, each) for each in served)]
        asked = witnesses | {one.id for one in callers} - known
        asked |= {one.id for one in others if any(self.reach(each, one) for each in callers)}
        # Where something says how a chart is installed, its defaults alone are offered to nobody.
        defaults = {one.path for one in self.plan.everything if one.id in asked | known and not one.values}
        return tuple(one for one in others if one.id in asked or (one.values and one.path in defaults))

    def needed(self, outcome: Outcome) -> frozenset[Target]:
        """The targets that belong to what an outcome says, whether they are part of it or not."""
        paths: set[RelPath] = set()
        folders: set[tuple[str, RelPath]] = set()
        for one in _traced(outcome):
            paths.update(_files(one))
            folders.add((one.target.kind, one.target.path))
        bases = {
            base.folder
            for one in outcome.checked
            if isinstance(one.outcome, RenderFailure)
            for base in self.plan.bases.get(one.target.id, ())
        }
        return frozenset(
            one
            for one in self.plan.targets
            if (one.kind, one.path) in folders
            or any(map(one.reads, paths))
            or (isinstance(one, KustomizeTarget) and not bases.isdisjoint(one.roots))
        )


def _ends(results: Iterable[TargetResult]) -> frozenset[str]:
    """The names of the objects of all edges for which a rule has a fix: what is called so elsewhere may know better."""
    return frozenset(
        site.resource.name
        for one in results
        if one.evaluation is not None
        for each in one.evaluation.found
        if each.finding.remedies
        for site in sites_of(each.finding)
    )


def _traced(outcome: Outcome) -> Iterator[TracedFinding]:
    groups: Iterable[FindingGroup] = (
        *outcome.verdict.open,
        *outcome.merged,
        *(one.merged for one in outcome.verdict.ignored),
    )
    for group in groups:
        for each in (group, *group.alike):
            yield from each.members


def _files(one: TracedFinding) -> Iterator[RelPath]:
    """The files that a finding comes from."""
    origins: list[Origin] = [*one.origins.values(), *one.written.values()]
    if one.place is not None:
        origins.append(one.place.origin)
    for origin in origins:
        yield origin.span.path
        yield from (span.path for span in origin.partners)
