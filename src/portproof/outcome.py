"""What a run finds out: what became of each target, its findings with their places and fixes, and what is left out."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct, field

from portproof.discover.kept import near
from portproof.discover.model import HelmTarget, ManifestTarget, Target
from portproof.edits import Sources
from portproof.environment import TargetInterface
from portproof.fix import Proposal
from portproof.graph.model import Site
from portproof.graph.moved import Move
from portproof.placing import Place
from portproof.render.model import FailureSite, NotRendered, RenderFailure
from portproof.replacing import replace
from portproof.resources import ResourceKey
from portproof.rules.base import Finding, Trait
from portproof.rules.evaluate import Evaluation, FindingKey, RuleFinding
from portproof.rules.run import render_failed, target_unchecked
from portproof.rules.run.target_unchecked import UncheckedTarget
from portproof.source import RelPath, Tree, parent
from portproof.suppressions.annotations import Annotated
from portproof.suppressions.collected import Use
from portproof.suppressions.model import Subject, Suppression, fingerprint
from portproof.suppressions.unused import UnusedSuppression
from portproof.trace.model import Origin, Proof
from portproof.yamldoc import format_path

FailureKey: TypeAlias = tuple[RelPath, tuple[str, ...], str]
"""What makes a failure to render the same in another revision (see `failure_key`)."""

_POSITION = re.compile(r"\b(line|column) \d{1,9}\b|(\.\w{1,10})(?::\d{1,9}){1,2}\b")
"""A place in the words of a tool: ``line 12``, ``templates/all.yaml:12:7``."""


class TargetResult(Struct, frozen=True):
    """What became of one target, and what ties it to others.

    `evaluation` is kept only when there is something to say: memory stays flat. `without` is what it was rendered without,
    `took` the version of a chart that is written nowhere, `placeholders` the values that were made up for it.
    """

    target: Target
    outcome: RenderFailure | NotRendered | None
    problems: tuple[RenderFailure, ...]
    resources: int
    seconds: float
    evaluation: Evaluation | None
    interface: TargetInterface | None = None
    annotated: tuple[Annotated, ...] = ()
    without: tuple[str, ...] = ()
    took: str = ""
    placeholders: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[RenderFailure, ...]:
        """What could not be rendered of it."""
        own = (self.outcome,) if isinstance(self.outcome, RenderFailure) else ()
        return (*own, *self.problems)

    @property
    def is_whole(self) -> bool:
        """Whether all of it was rendered."""
        return self.outcome is None and not self.problems and not self.without


class TracedFinding(Struct, frozen=True):
    """One finding of one target, with the origins of its ends; `written` are actions of templates that write them.

    With a base, `move` is what the change did to its edge, `place` where the change touched that, unless it is the origin
    of the field itself, and `was` what the finding would have been there: None for one about a new entry of a list. Of one that appears `when` a
    chart has other values, `before` says whether the base has it with the same; None where that is not known.
    """

    target: Target
    found: RuleFinding
    origins: Mapping[Site, Origin]
    written: Mapping[Site, Origin] = field(default_factory=dict)
    move: Move | None = None
    place: Place | None = None
    was: FindingKey | None = None
    when: tuple[tuple[str, bool | int | str], ...] = ()
    before: bool | None = None

    @property
    def sources(self) -> Sources:
        """Where its fields come from."""
        return Sources(self.origins, self.written)

    @property
    def fingerprint(self) -> str:
        """The same when lines move or messages are reworded: target, rule, resource, field."""
        site = self.found.finding.primary
        key = site.resource
        who = (self.found.rule.id, key.group, key.kind, key.namespace, key.name)
        return fingerprint(self.target, *who, format_path(site.identity))


class FindingGroup(Struct, frozen=True):
    """Equal findings of several targets; the first stands for all. `proposals` are proven, best first.

    `alike` are further findings that the same line of a change brings in, where there are too many to say each (`joined`).
    """

    members: tuple[TracedFinding, ...]
    proposals: tuple[Proposal, ...] = ()
    alike: tuple[FindingGroup, ...] = ()

    @property
    def fix(self) -> Proposal | None:
        """The best proposal, when something speaks for it."""
        return next((one for one in self.proposals[:1] if one.recommended), None)

    @property
    def safe_fix(self) -> Proposal | None:
        """The best of the safe proposals."""
        return next((one for one in self.proposals if one.is_safe), None)

    @property
    def alternatives(self) -> tuple[Proposal, ...]:
        """The other proposals."""
        return self.proposals[1:] if self.fix else self.proposals

    @property
    def first(self) -> TracedFinding:
        """The member that stands for all."""
        return self.members[0]

    @property
    def finding(self) -> Finding:
        """The finding."""
        return self.first.found.finding

    @property
    def keys(self) -> tuple[tuple[Target, FindingKey], ...]:
        """What the finding is in each of its targets."""
        return tuple((member.target, member.found.key) for member in self.members)

    @property
    def fingerprint(self) -> str:
        """That of the member that stands for all."""
        return self.first.fingerprint


class Suppressed(Struct, frozen=True):
    """A finding that is left out, and what leaves it out."""

    merged: FindingGroup
    ignore: Suppression


class Verdict(Struct, frozen=True):
    """Which findings count and which are left out, equal ones merged.

    `excused` are failures to render that are left out, `accepted` targets whose check a change ends, `used` what leaves
    something out and of which rule. `known` are the findings that a baseline leaves out, or would once it is written.
    """

    open: tuple[FindingGroup, ...]
    ignored: tuple[Suppressed, ...] = ()
    excused: Mapping[RenderFailure, Suppression] = field(default_factory=dict)
    accepted: Mapping[UncheckedTarget, Suppression] = field(default_factory=dict)
    used: frozenset[Use] = frozenset()
    known: tuple[Subject, ...] = ()


class Outcome(Struct, frozen=True):
    """All that a run found out, targets and findings each in their defined order.

    `verdict` tells which findings are left out, `idle` what leaves nothing out: as far as this run looked, and to all
    that there is if it is `complete`. `unchecked` are targets of the base that the change takes out of the check.
    """

    checked: tuple[TargetResult, ...]
    merged: tuple[FindingGroup, ...]
    verdict: Verdict
    idle: tuple[UnusedSuppression, ...]
    unchecked: tuple[UncheckedTarget, ...] = ()
    complete: bool = False


_NO_KEYS: frozenset[FindingKey] = frozenset()
"""One for all: each empty set takes 200 bytes."""


def keys_of(one: TargetResult) -> frozenset[FindingKey] | None:
    """The identities of a target's findings; None when it could not be rendered."""
    if one.outcome is not None:
        return None
    return one.evaluation.keys if one.evaluation is not None else _NO_KEYS


def drop_mismatched_alternatives(
    checked: Iterable[TargetResult], everything: Sequence[Target]
) -> list[TargetResult]:
    """Those with findings, without what is wrong of a file only beside some of the alternatives of its folder.

    Which of them such a file is applied with nobody knows; where it fits one, it is meant for that one.
    """
    with_findings = [one for one in checked if one.evaluation is not None and one.evaluation.found]
    keys = {one.target.id: keys_of(one) or frozenset() for one in with_findings}
    rivals: dict[RelPath, list[ManifestTarget]] = defaultdict(list)
    folders = {one.target.path for one in with_findings if isinstance(one.target, ManifestTarget)}
    for target in near(everything, folders) if folders else ():
        if isinstance(target, ManifestTarget) and target.is_alternative:
            rivals[parent(target.folder)].append(target)
    return [_without_chance(one, keys, rivals) for one in with_findings]


def _without_chance(
    one: TargetResult,
    keys: Mapping[str, frozenset[FindingKey]],
    rivals: Mapping[RelPath, list[ManifestTarget]],
) -> TargetResult:
    target, evaluation = one.target, one.evaluation
    if evaluation is None or not isinstance(target, ManifestTarget) or not target.is_alternative:
        return one
    others = rivals[parent(target.folder)]
    shared = frozenset.intersection(*(frozenset(other.files) for other in others))
    own = {found.key for found in evaluation.manifests.resources if found.document.source not in shared}
    kept = tuple(
        found
        for found in evaluation.found
        if _is_of(found, own) or all(found.key in keys.get(other.id, frozenset()) for other in others)
    )
    return replace(one, evaluation=replace(evaluation, found=kept))


def _is_of(one: RuleFinding, own: Collection[ResourceKey]) -> bool:
    """Whether a finding is about resources of a file; that both ends met in the base tells that they belong together."""
    primary = one.finding.primary.resource in own
    return primary or (
        Trait.COMPARES in one.rule.traits and any(label.site.resource in own for label in one.finding.related)
    )


def fingerprint_of(failure: RenderFailure) -> str:
    """The same when lines move or messages are reworded: target, rule, file."""
    where = failure.site.path if failure.site else ""
    return fingerprint(failure.target, render_failed.RULE.id, where)


def unchecked_fingerprint(one: UncheckedTarget) -> str:
    """The same when messages are reworded: target, rule, file."""
    return fingerprint(one.target, target_unchecked.RULE.id, one.path)


def failure_key(failure: RenderFailure, tree: Tree) -> FailureKey:
    """The same in another revision when lines move: the file, what the tool says, and the line that it blames.

    The words are those without positions, in no order: helm lists what breaks a schema in any. A site in the first
    column of the first line names a file and no line. A chart that demands a value on purpose is not checked, whichever
    it asks for first.
    """
    if failure.demanded:
        return "", ("demands a value",), ""
    words = tuple(sorted(_POSITION.sub(r"\1\2", failure.message).split("\n")))
    site = failure.site
    if site is None:
        return "", words, ""
    return site.path, words, "" if (site.line, site.column) == (1, 1) else _line(tree, site)


def _line(tree: Tree, site: FailureSite) -> str:
    lines = (tree.text_or_none(site.path) or "").split("\n")
    return lines[site.line - 1].strip() if site.line <= len(lines) else ""


def merge(traced: Iterable[TracedFinding]) -> list[FindingGroup]:
    """Merge findings that are one to the reader: the same rule, field, value, place and answer in several targets.

    Where the place is proven, the resource may lie in another namespace in each overlay, and the field may be at another
    index of its list. The resource may have another name, too, when no target has two findings at that place; else it may
    be named after another release of its chart. Two findings of one target are never merged.
    """
    every = list(traced)
    at_place = Counter((_key(one, named=False), one.target.id) for one in every)
    crowded = {key for (key, _), count in at_place.items() if count > 1}
    groups: dict[object, list[TracedFinding]] = defaultdict(list)
    for one in every:
        key = _key(one, named=False)
        if key in crowded:
            key = _key(one, named=True)
        ordinal = sum(other.target is one.target for other in groups[key])
        groups[(key, ordinal) if ordinal else key].append(one)
    return [
        FindingGroup(tuple(sorted(group, key=lambda one: one.target.id)))
        for group in groups.values()
        if group
    ]


MAX_ALIKE = 30
"""Edges of one kind that one line of a change may break before they become one finding."""


def joined(groups: Sequence[FindingGroup]) -> tuple[FindingGroup, ...]:
    """The findings, those of one rule that one line of a change brings in as one where they are more than `MAX_ALIKE`.

    The first stands for all, with the proposals that cure them all.
    """
    causes: dict[Hashable, list[FindingGroup]] = defaultdict(list)
    for one in groups:
        causes[_cause(one)].append(one)
    found = []
    for one in groups:
        several = causes[_cause(one)]
        if len(several) <= MAX_ALIKE:
            found.append(one)
        elif one is several[0]:
            keys = {(member.target.id, member.found.key) for each in several for member in each.members}
            cures = tuple(each for each in one.proposals if keys <= each.proven.cures)
            found.append(replace(one, proposals=cures, alike=tuple(several[1:])))
    return tuple(found)


def _cause(one: FindingGroup) -> Hashable:
    """What findings that one line of a change brings in have in common; of any other finding itself."""
    first = one.first
    origin = first.origins.get(one.finding.primary) if first.place is None else first.place.origin
    if first.move is None or origin is None:
        return id(one)
    return first.found.rule.id, one.finding.severity, origin.span


def _key(one: TracedFinding, *, named: bool) -> Hashable:
    """What findings have in common that are one to the reader; `named` where the name has to tell them apart."""
    finding = one.found.finding
    origin = one.origins.get(finding.primary)
    resource = finding.primary.resource
    place: Hashable
    if origin is not None and origin.proof is Proof.PROVEN:
        steps = tuple(step for step in finding.primary.identity if isinstance(step, str))
        name = _unreleased(resource.name, one.target) if named else ""
        place = (origin.span, resource.group, resource.kind, name, steps)
    else:
        place = (one.target.path, resource, finding.primary.identity)
    changed = None if one.place is None else one.place.origin.span
    return (one.found.rule.id, finding.primary.value, finding.expected, finding.severity, place, changed)


def _unreleased(name: str, target: Target) -> str:
    """A resource's name with ``*`` where it begins or ends with that of the release."""
    if not isinstance(target, HelmTarget):
        return name
    release = target.release
    if name == release or name.startswith(f"{release}-"):
        return f"*{name[len(release) :]}"
    return f"{name[: -len(release)]}*" if name.endswith(f"-{release}") else name
