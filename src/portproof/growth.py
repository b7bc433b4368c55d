"""What a shard has to look at besides its own targets, so that it says of them what a run over all would say.

Most of what is said of a target depends on nothing but the target. The rest is found by what has been said already:

* Equal findings of several targets are one, with one proven fix. Where a finding comes from a file, everything that reads it
  is looked at, too.
* Targets that are deployed together may call each other. Who may answer a call, or make one, is asked what it offers:
  whatever has all words of the Service's name somewhere in what it is rendered from. Names are put together, of the
  release's and others, but hardly ever of parts of words.
* What has the name of a broken edge's ends, or runs the same image, is asked which numbers work there: that may speak against
  a fix.
* Where an overlay cannot be built its bases are checked, unless another overlay has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from portproof.discover.model import HelmTarget, KustomizeTarget, Target
from portproof.edits import sites_of
from portproof.environment import Reach, is_collection, mentions
from portproof.graph.fields import indexed, mapping
from portproof.graph.images import name_of
from portproof.graph.sites import pod_template
from portproof.outcome import FindingGroup, Outcome, TargetResult, TracedFinding
from portproof.pipeline import Plan
from portproof.render.model import RenderFailure
from portproof.resources import Resource
from portproof.source import RelPath, Tree
from portproof.trace.model import Origin

_WORD = re.compile(r"(?![0-9]{1,2}(?![a-z0-9]))[a-z0-9]+")


class Growth(Struct, frozen=True):
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
        # What is in an environment that has nothing else depends on all of it.
        complete = [one.target for one in results if self.reach.is_complete(one.target, self.plan.complete)]
        asked = witnesses | {one.id for one in others if any(self.reach(each, one) for each in complete)}
        asked |= {one.id for one in _speaking(others, self.plan.tree, names | _spoken(results))}
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


def _spoken(results: Iterable[TargetResult]) -> frozenset[str]:
    """The names of the Services that targets call and do not have; and if a fix may be tried, of those that they have.

    It may take a port away from whoever calls one, or give a caller another one to look for. Then images count as well: what
    is known of a program speaks for all that run it.
    """
    several = list(results)
    interfaces = [one.interface for one in several if one.interface is not None]
    found = {call.whom.name for one in interfaces for call in one.calls}
    evaluated = [one.evaluation for one in several if one.evaluation is not None and one.evaluation.found]
    if evaluated:
        found |= {each.service.key.name for one in interfaces for each in one.services}
    for one in evaluated:
        texts = (
            container.get("image") for each in one.manifests.resources for container in _containers(each)
        )
        found |= {name_of(text) for text in texts if isinstance(text, str)}
    return frozenset(found)


def _containers(resource: Resource) -> Iterator[Mapping[str, Any]]:
    _, template = pod_template(resource) or ((), {})
    for name in ("containers", "initContainers"):
        yield from (each for _, each in indexed(mapping(template.get("spec")).get(name)))


def _speaking(targets: Iterable[Target], tree: Tree, names: Iterable[str]) -> Iterator[Target]:
    """Those of `targets` that may render to any of these names."""
    several = [*map(_words_of, names)]
    wanted = frozenset().union(*several)
    files: dict[RelPath, frozenset[str]] = {}
    for target in targets if several else ():
        own = _own_text(target)
        said = set() if own is None else wanted & _words_of(own)
        for path in () if own is None else target.inputs(tree):
            if path not in files:
                files[path] = wanted & _words_of(tree.text_or_none(path) or "")
            said |= files[path]
        if own is None or any(one <= said for one in several):
            yield target


def _own_text(target: Target) -> str | None:
    """What a target is rendered from besides its files; None where those are not all at hand, as text."""
    if not isinstance(target, HelmTarget | KustomizeTarget):
        return ""
    if target.install is not None and target.install.parent is not None:
        return None
    if isinstance(target, KustomizeTarget):
        is_all_here = not target.charts and not any(one.fetchable for one in target.lacks)
        return target.folder if is_all_here else None
    if target.remote or target.archives or target.missing:
        return None
    return " ".join((target.release, target.namespace, target.chart, *target.sets))


def _words_of(text: str) -> frozenset[str]:
    """The words of a text or a name, but for numbers that something may count."""
    return frozenset(_WORD.findall(text.lower()))


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
