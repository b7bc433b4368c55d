"""Which findings a change brings in: the base revision is rendered as one more tree, and asked the same rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from msgspec import Struct

from portproof import pipeline
from portproof.across import Abroad, Part, broken_between, mentions_any
from portproof.base_revision import Base, BaseRevision, is_new, past_of, stale_failures
from portproof.config import Config
from portproof.discover.model import Discovery, Target
from portproof.environment import is_collection, mentioning, together
from portproof.outcome import Outcome, TracedFinding, keys_of
from portproof.parallel import Progress
from portproof.pipeline import Plan, Survey
from portproof.render.model import NotRendered, RenderFailure, Rendering
from portproof.replacing import replace
from portproof.revision import Comparison
from portproof.rules.evaluate import FindingKey
from portproof.rules.run.target_unchecked import UncheckedTarget
from portproof.source import RelPath, Tree, is_within
from portproof.suppressions.model import Suppression, SuppressionSource
from portproof.unchecked import Excludes, Head, may_hide
from portproof.unchecked import excluded as find_excluded
from portproof.unchecked import unchecked as find_unchecked


class Introduced(Struct, frozen=True):
    """What a change brings in, by what the targets of the base had to say.

    `revision` is the base's commit, `changed` are the paths that differ from it. `stale` are the failures to render
    that the base has too, `brought` ignores that it does not have.
    """

    revision: str
    changed: frozenset[RelPath]
    base: Base
    stale: frozenset[RenderFailure]
    brought: frozenset[Suppression]

    def finding(self, members: Sequence[TracedFinding]) -> bool | None:
        """Whether a finding, by what it is in each of its targets, is new: the base had it in none of them.

        None when that cannot be known: the base could not be rendered, if need be with the values that show it.
        """
        if any(one.when for one in members):
            known = {one.before for one in members}
            return None if None in known else True not in known
        if not all(is_new(self.base, one.target, one.was, one.move) for one in members):
            return False
        return None if any(self.lacks(one.target) for one in members) else True

    def lacks(self, target: Target) -> bool:
        """Whether the base had the target, or its kin, and could not be rendered."""
        past = past_of(target, self.base)
        return bool(past) and all(self.base.keys[id_] is None for id_ in past)

    def failure(self, failures: Iterable[RenderFailure]) -> bool:
        """Whether a failure to render, as each of its targets has it, is new: the base had it in none of them."""
        return self.stale.isdisjoint(failures)

    def was_checked(self, target: Target) -> bool:
        """Whether the base could render the target, or its kin: then a change that ends this loses something."""
        past = past_of(target, self.base)
        # A chart with placeholders was looked at, and was none that anybody could install.
        whole = [id_ for id_ in past if target.kind != "helm" or id_ not in self.base.failures]
        return any(self.base.keys[id_] is not None for id_ in whole)

    def touches(self, path: RelPath) -> bool:
        """Whether something at or below `path` changed."""
        return any(is_within(changed, path) for changed in self.changed)


@dataclass(frozen=True, slots=True)
class Compared:
    """A plan, perhaps with more targets than it began with, what they have to say, and what the base had to say.

    `abroad` is what the change broke between two targets.
    """

    comparison: Comparison
    plan: Plan
    survey: Survey
    base: Base
    abroad: tuple[Abroad, ...]
    revision: BaseRevision = field(compare=False, repr=False)


def survey(comparison: Comparison, plan: Plan, config: Config, folder: Path, progress: Progress) -> Compared:
    """Ask what the difference concerns, in both revisions; nothing is traced or proven yet.

    The base is laid out below `folder`, which has to stay as long as the plan's `witness` may be asked. That a Service
    lost a port concerns its callers too, wherever they are: then they are asked as well.
    """
    revision = BaseRevision(comparison, config, folder, plan)
    plan = replace(plan, witness=revision.witness, kept=revision.kept)
    head = pipeline.survey(plan, progress)
    base = revision.survey(_with_instead(plan, head), head)
    abroad = _abroad(revision, plan, head)
    more = _callers_of_lost_ports(base, head, plan)
    more |= {one.target for one in abroad if one.target.id not in {each.id for each in plan.targets}}
    if more:
        together = sorted((*plan.targets, *more), key=lambda one: one.id)
        plan = replace(plan, targets=tuple(together))
        head = pipeline.survey(plan, progress)
        base = revision.survey(_with_instead(plan, head), head)
    plan = replace(plan, past=revision.past(base))
    return Compared(comparison, plan, head, base, abroad, revision)


def _with_instead(plan: Plan, head: Survey) -> Plan:
    """The plan with the bases that were checked instead of overlays: the base has to say what is no news of them, too."""
    together = sorted((*plan.targets, *head.instead), key=lambda one: one.id)
    return replace(plan, targets=tuple(together)) if head.instead else plan


def unchecked(
    compared: Compared, discovery: Discovery, paths: Sequence[RelPath], excludes: Excludes | None = None
) -> tuple[UncheckedTarget, ...]:
    """What the difference takes out of the check below `paths`, in the order of the base's targets.

    `discovery` is that of today, `excludes` is what the configuration leaves out where the difference concerns that. Only
    while the folder of the base is there.
    """
    return (*_hidden(compared, discovery, paths), *_excluded(compared, paths, excludes))


def _excluded(
    compared: Compared, paths: Sequence[RelPath], excludes: Excludes | None
) -> Iterator[UncheckedTarget]:
    """What new globs of the configuration leave out."""
    if excludes is None or not excludes.grew:
        return iter(())
    plan, revision = compared.plan, compared.revision
    own = tuple(glob for glob, _ in excludes.lines)
    head = revision.excluding(plan.tree, paths, excludes.before), revision.excluding(plan.tree, paths, own)
    base = revision.excluding(revision.whole, paths, excludes.before).targets
    return find_excluded(
        excludes,
        head,
        base,
        plan.tree,
        lambda target: isinstance(plan.render(target, revision.whole), Rendering),
    )


def _hidden(
    compared: Compared, discovery: Discovery, paths: Sequence[RelPath]
) -> tuple[UncheckedTarget, ...]:
    """What cannot be rendered any longer, or is not found."""
    plan = compared.plan
    left = [one for one in compared.survey.results if isinstance(one.outcome, NotRendered)]
    skipped = {one.target.id: one.outcome.reason for one in left if isinstance(one.outcome, NotRendered)}
    head = Head(compared.comparison, plan.tree, discovery, skipped)
    if not may_hide(head) and not any(plan.witness(one.target) for one in left):
        return ()
    old = compared.revision.whole
    base = [one for one in compared.revision.discovered(paths) if compared.comparison.affects(one)]
    return find_unchecked(head, base, old, lambda target: isinstance(plan.render(target, old), Rendering))


def introduced(compared: Compared, outcome: Outcome) -> Introduced:
    """Which of what was found the difference brings in."""
    comparison, tree = compared.comparison, compared.plan.tree
    return Introduced(
        comparison.revision,
        comparison.changed,
        compared.base,
        frozenset(stale_failures(compared.base, outcome.checked, tree)),
        _brought(comparison, tree, outcome),
    )


def _brought(comparison: Comparison, tree: Tree, outcome: Outcome) -> frozenset[Suppression]:
    """The ignores whose words no file has had in the base that holds them now."""
    seen = {ignore: holders for ignore, holders in _holders(comparison, tree, outcome) if holders}
    old = comparison.texts({path for holders in seen.values() for path in holders})
    return frozenset(
        ignore
        for ignore, holders in seen.items()
        if not any(ignore.text in old.get(path, "") for path in holders)
    )


def _holders(
    comparison: Comparison, tree: Tree, outcome: Outcome
) -> Iterator[tuple[Suppression, frozenset[RelPath]]]:
    """Each ignore with the changed files that it stands in; an annotation may be in any file of its targets."""
    for ignore in {*(one for one, _ in outcome.verdict.used), *(one.ignore for one in outcome.idle)}:
        if ignore.span is not None:
            yield ignore, frozenset({ignore.span.path} & comparison.changed)
        elif ignore.source is SuppressionSource.ANNOTATION:
            targets = [
                one.target for one in outcome.checked for note in one.annotated if ignore in note.ignores
            ]
            read = {path for path in comparison.changed if any(target.reads(path) for target in targets)}
            yield ignore, frozenset(path for path in read if ignore.text in (tree.text_or_none(path) or ""))


def _callers_of_lost_ports(base: Base, head: Survey, plan: Plan) -> set[Target]:
    """Targets that the difference concerns only through a Service: it lost a port, and they may call it."""
    names = head.environment.lost_since(base.interfaces)
    known = {target.id for target in plan.targets}
    return {one for one in mentioning(plan.everything, plan.tree, names) if one.id not in known}


def _abroad(revision: BaseRevision, plan: Plan, head: Survey) -> tuple[Abroad, ...]:
    """What the change broke between targets that are deployed together."""
    guess = not is_collection(plan.everything)
    every = chain(plan.everything, revision.gone)
    known = {one.target.id: keys_of(one) or frozenset() for one in head.results}
    read: dict[RelPath, frozenset[str]] = {}
    found: dict[tuple[str, FindingKey], Abroad] = {}
    parts: dict[Target, Part | None] = {}

    def part_of(target: Target) -> Part | None:
        if target not in parts:
            parts[target] = revision.part(target, known.get(target.id, frozenset()))
        return parts[target]

    for group in together(every, plan.environments, guess=guess):
        changed = [one for one in group.targets if one in revision.gone or revision.affects(one)]
        moved = [part for one in changed if (part := part_of(one)) is not None and part.words]
        words = frozenset[str]().union(*(one.words for one in moved))
        others = (one for one in group.targets if one not in revision.gone)
        named = (one for one in others if words and mentions_any(one, plan.tree, words, read))
        beside = [part for one in named if (part := part_of(one)) is not None and part not in moved]
        if len(moved) + len(beside) > 1:
            concerned = [*moved, *beside]
            for broken in broken_between(
                concerned, plan.rule_set, revision.added_services, stated=group.stated
            ):
                found.setdefault(broken.key, broken)
    return tuple(found[key] for key in sorted(found, key=str))
