"""The program: render, check, trace, prove, report. Everything it does, in the order it does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import accumulate

from msgspec import Struct, field

from portproof import judge
from portproof.across import Abroad
from portproof.discover.kept import ids_of, near
from portproof.discover.model import Discovery, HelmTarget, KustomizeTarget, Target
from portproof.edits import Attempt, Sources, in_question, requoted, sites_of
from portproof.environment import (
    Environment,
    TargetInterface,
    interface_of,
    is_collection,
    mentioning,
    missing_services,
)
from portproof.fix import Ends, Prover
from portproof.graph.model import PortGraph
from portproof.graph.moved import Move, Moves
from portproof.on_purpose import on_purpose
from portproof.outcome import (
    FindingGroup,
    Outcome,
    TargetResult,
    TracedFinding,
    drop_mismatched_alternatives,
    joined,
    keys_of,
)
from portproof.parallel import Progress, each, silent
from portproof.placing import Asked, Past, places
from portproof.propose import propose, votes, with_way_back
from portproof.render.model import NotRendered, Renderer, RenderFailure, Rendering
from portproof.render.releases import renamed, switched_off, whole
from portproof.replacing import replace
from portproof.resources import read as read_resources
from portproof.rules.base import Remedy, Trait
from portproof.rules.edges import edges
from portproof.rules.evaluate import (
    Evaluation,
    FindingKey,
    RuleFinding,
    RuleSet,
    Witnesses,
    compared,
    evaluate,
    graph_of,
    warm_up,
)
from portproof.rules.run.target_unchecked import UncheckedTarget
from portproof.source import Edit, Tree
from portproof.suppressions.annotations import annotated_in
from portproof.suppressions.collected import SuppressionInputs, Suppressions
from portproof.take_back import taken_back
from portproof.trace.probe import origins
from portproof.trace.templates import written as actions

MAX_JUDGED = 250_000
"""Findings that all proofs together look through: each asks all rules again. 500 of one target can all have a fix; of a
text that was made to have ten thousand, the first few."""

MAX_READ = 30_000
"""Resources of one target that all proofs of its findings together look through: 100 of 300 resources can all have a fix."""

_BACK = Remedy("take this part of the change back", ())


def certain(_failure: RenderFailure, _tree: Tree) -> str:
    """No doubt about any failure."""
    return ""


class Plan(Struct, frozen=True):
    """What a run is to do: check `targets` of `tree`; `everything` are all targets that a fix must not break.

    `neighbours` are what other targets offer to these; None when that is yet to be found out. `ignores` leave findings out.
    `whole` tells all that there is in the repository, whatever was asked for; without it nobody can tell which ignores
    are no longer needed. `environments` are globs of targets that are deployed together, by name; those in `complete` have nothing else. `render` may remember
    what it has rendered, `fresh` must not. `witness` gives what a target rendered to in the base, where a change concerns it;
    `kept` are the Services that it has lost to files that others read. `defaults` are the targets that a chart with other
    values is compared with, by the id of the one that has them. `past` is what else is known of the base, once that was
    asked. `bases` are checked instead of a target that cannot be rendered, by its id. `elsewhere` are the ids of targets
    that another run checks, and `beside` tells which of those have to be asked what they offer, by what these say.
    `doubt` says why a failure to render is perhaps nobody's mistake.
    """

    tree: Tree
    targets: tuple[Target, ...]
    everything: Sequence[Target]
    rule_set: RuleSet
    render: Renderer
    fresh: Renderer
    jobs: int
    neighbours: tuple[TargetInterface, ...] | None = None
    ignores: SuppressionInputs = field(default_factory=SuppressionInputs)
    whole: Callable[[], Discovery] | None = None
    environments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    complete: frozenset[str] = frozenset()
    witness: Callable[[Target], Rendering | None] = lambda _target: None
    kept: Callable[[Target], frozenset[str]] = lambda _target: frozenset()
    past: Past | None = None
    defaults: Mapping[str, Target] = field(default_factory=dict)
    bases: Mapping[str, tuple[KustomizeTarget, ...]] = field(default_factory=dict)
    elsewhere: frozenset[str] = frozenset()
    beside: Callable[[Sequence[TargetResult]], Sequence[Target]] | None = None
    doubt: Callable[[RenderFailure, Tree], str] = certain

    def default(self, target: Target) -> Rendering | None:
        """What the chart of a target renders to with its own values alone; None where nothing is compared with it."""
        plain = self.defaults.get(target.id)
        answer = None if plain is None else self.render(plain, self.tree)
        return answer if isinstance(answer, Rendering) else None


class Survey(Struct, frozen=True):
    """What every target of a plan has to say, and what ties them; nothing is traced or proven yet.

    `neighbours` are what targets offer to these that are not of the plan. `instead` are targets of the results that are not
    of the plan: the bases of those that could not be rendered.
    """

    results: tuple[TargetResult, ...]
    environment: Environment
    neighbours: tuple[TargetInterface, ...]
    instead: tuple[Target, ...] = ()


def survey(plan: Plan, progress: Progress = silent) -> Survey:
    """Check every target of the plan by itself; then those whose calls nobody answers, with what is around them.

    The answer does not depend on `plan.jobs`: each step maps over a sorted list and keeps its order.
    """
    with ThreadPoolExecutor(max_workers=plan.jobs) as pool:
        if plan.targets:
            pool.submit(warm_up)
        results = each(pool, partial(_check_one, plan, None), plan.targets, partial(progress, "rendered"))
        more = _instead(pool, plan, results)
        results += more
        own = [one.interface for one in results if one.interface is not None]
        neighbours: tuple[TargetInterface, ...] = ()
        guess = not is_collection(plan.everything)
        tie = partial(Environment, stated=plan.environments, guess=guess, complete=plan.complete)
        if not any(Trait.SPANS_TARGETS in one.traits for one in plan.rule_set.rules):
            environment = tie(own)
        else:
            neighbours = _neighbours(pool, plan, results) if plan.neighbours is None else plan.neighbours
            # Who runs them together or apart, they are in one order.
            environment = tie(sorted((*own, *neighbours), key=lambda one: one.target.id))
            again = {target.id for target in environment.callers()}
            again |= {one.target.id for one in results if one.evaluation and one.evaluation.depends}
            lonely = [
                one.target for one in results if one.target.id in again and environment.around(one.target)
            ]
            lonely += [one.target for one in results if environment.surroundings(one.target) is not None]
            second = each(pool, partial(_check_one, plan, environment), list(dict.fromkeys(lonely)))
            by_id = {one.target.id: one for one in second}
            results = [by_id.get(one.target.id, one) for one in results]
    return Survey(tuple(results), environment, neighbours, tuple(one.target for one in more))


def _instead(pool: ThreadPoolExecutor, plan: Plan, results: Sequence[TargetResult]) -> list[TargetResult]:
    """What the bases of overlays that could not be rendered have to say, unless an overlay that could has them, too.

    One that cannot be rendered either is not deployed by itself: what is wrong is said of the overlay.
    """
    found: list[TargetResult] = []
    latest = list(results)
    if not any(one.outcome is not None for one in latest):
        return []
    seen = {*ids_of(plan.everything)}
    plan = replace(plan, doubt=certain)
    while failed := [one.target for one in latest if one.outcome is not None]:
        rendered = [one.target for one in (*results, *found) if one.outcome is None]
        reached = {root for one in rendered if isinstance(one, KustomizeTarget) for root in one.roots}
        able = {base.id: base for one in failed for base in plan.bases.get(one.id, ())}
        able = {id_: base for id_, base in able.items() if id_ not in seen and base.folder not in reached}
        seen |= able.keys()
        latest = each(pool, partial(_check_one, plan, None), sorted(able.values(), key=lambda one: one.id))
        found += [one for one in latest if not isinstance(one.outcome, RenderFailure)]
    return found


def prover_of(plan: Plan, survey: Survey) -> Prover:
    """What proves fixes for what the survey of the plan has found."""
    return Prover(
        tree=plan.tree,
        render=plan.render,
        fresh=plan.fresh,
        targets=(*plan.everything, *survey.instead) if survey.instead else plan.everything,
        known={one.target.id: keys_of(one) for one in survey.results},
        judge=partial(_judge, plan, survey.environment),
        graph=partial(_graph, plan, survey.environment),
        abroad=survey.environment.meetings,
    )


class Further(Struct, frozen=True):
    """What a change did besides: targets of the base that it takes out of the check, and what it broke between two targets."""

    unchecked: tuple[UncheckedTarget, ...] = ()
    abroad: tuple[Abroad, ...] = ()


NOTHING_FURTHER = Further()


def finish(
    plan: Plan,
    survey: Survey,
    prover: Prover,
    further: Further = NOTHING_FURTHER,
    progress: Progress = silent,
) -> Outcome:
    """Trace what the survey has found, judge what counts of it, and prove fixes for that."""
    results = survey.results
    with ThreadPoolExecutor(max_workers=plan.jobs) as pool:
        certain = drop_mismatched_alternatives(results, plan.everything)
        sizes = [len(one.evaluation.found) for one in certain if one.evaluation is not None]
        told = partial(_told_of, progress, [0, *accumulate(sizes)])
        traced = each(pool, partial(_trace_one, plan, survey.environment), certain, told)
        traced = _with_abroad(plan, traced, further.abroad)
        suppressions = Suppressions(
            plan.ignores, plan.tree, {one.target: one.annotated for one in results if one.annotated}
        )
        verdict = judge.judge(
            plan.rule_set, suppressions, results, [one for some in traced for one in some], further.unchecked
        )
        some, left = _affordable(verdict.open, results)
        ends = _ends([one for group in traced for one in group])
        prove = partial(propose, prover, votes(verdict.open), ends)
        proved = each(pool, prove, some, partial(progress, "proved"))
        proved = each(pool, partial(_take_back, plan, prover, ends), proved)
        merged = joined((*proved, *left))
    looked_at = judge.LookedAt(plan.tree, plan.fresh, plan.rule_set, plan.whole, plan.elsewhere)
    idle = judge.idle(looked_at, suppressions, results, verdict.used)
    return Outcome(results, merged, verdict, idle.unused, further.unchecked, idle.complete)


def _told_of(progress: Progress, findings: Sequence[int], targets: int, _total: int) -> None:
    """Say how many findings are traced, by how many of the `targets` are; `findings` has the number of the first so many."""
    progress("traced", findings[targets], findings[-1])


def _neighbours(
    pool: ThreadPoolExecutor, plan: Plan, results: Sequence[TargetResult]
) -> tuple[TargetInterface, ...]:
    """What targets that are not to be checked offer to those that are."""
    if plan.beside is None:
        names = missing_services(one.interface for one in results if one.interface is not None)
        known = {target.id for target in plan.targets}
        others = [one for one in mentioning(plan.everything, plan.tree, names) if one.id not in known]
    else:
        others = list(plan.beside(results))
    found = each(pool, partial(_check_one, plan, None), others)
    return tuple(one.interface for one in found if one.interface is not None)


def _judge(plan: Plan, environment: Environment, rendering: Rendering) -> frozenset[FindingKey]:
    """What the rules say of a rendering, and of the calls that other targets make to it."""
    evaluation = _evaluated(plan, environment, rendering)
    return evaluation.keys | environment.deserted(rendering.target, evaluation)


def _graph(plan: Plan, environment: Environment, rendering: Rendering) -> PortGraph:
    target = rendering.target
    return graph_of(
        rendering, plan.rule_set, environment.around(target), plan.witness(target), plan.kept(target)
    )


def _evaluated(plan: Plan, environment: Environment | None, rendering: Rendering) -> Evaluation:
    target = rendering.target
    around = {} if environment is None else environment.around(target)
    found = evaluate(rendering, plan.rule_set, around, _witnesses(plan, environment, target))
    plain = plan.default(target)
    return found if plain is None else compared(found, rendering, plan.rule_set, plain, around)


def _witnesses(plan: Plan, environment: Environment | None, target: Target) -> Witnesses:
    surroundings = None if environment is None else environment.surroundings(target)
    other = partial(_renamed, plan, target)
    off = partial(_switched_off, plan, target)
    on = partial(_whole, plan, target)
    return Witnesses(plan.witness(target), plan.kept(target), other, off, on, surroundings)


def _renamed(plan: Plan, target: Target) -> Rendering | None:
    return renamed(plan.render, target, plan.tree) if isinstance(target, HelmTarget) else None


def _whole(plan: Plan, target: Target) -> Rendering | None:
    return whole(plan.render, target, plan.tree) if isinstance(target, HelmTarget) else None


def _switched_off(plan: Plan, target: Target) -> frozenset[str]:
    return switched_off(target, plan.tree) if isinstance(target, HelmTarget) else frozenset()


def _check_one(plan: Plan, environment: Environment | None, target: Target) -> TargetResult:
    """What a target has to say, with what the others of its environment have where that is known."""
    answer = plan.render(target, plan.tree)
    if isinstance(answer, RenderFailure):
        return TargetResult(target, _doubted(plan, answer), (), 0, answer.seconds, None)
    if isinstance(answer, NotRendered):
        return TargetResult(target, answer, (), 0, 0.0, None)
    evaluation = _evaluated(plan, environment, answer)
    annotated = annotated_in(evaluation.manifests)
    doubted = {one: _doubted(plan, one) for one in evaluation.manifests.problems}
    unsure = (
        {}
        if isinstance(target, HelmTarget)
        else dict.fromkeys(one.reason for one in doubted.values() if isinstance(one, NotRendered))
    )
    return TargetResult(
        target,
        None,
        tuple(one for one in doubted.values() if isinstance(one, RenderFailure)),
        len(answer.documents),
        answer.seconds,
        evaluation if evaluation.found or annotated else None,
        interface_of(target, evaluation, offers=bool(plan.complete)),
        annotated,
        tuple(dict.fromkeys((*answer.without, *unsure))),
        answer.took,
        answer.placeholders,
    )


def _doubted(plan: Plan, failure: RenderFailure) -> RenderFailure | NotRendered:
    """A failure, unless it may be nobody's mistake. What rendered in the base is broken by the change, whatever it is."""
    if plan.witness(failure.target) is not None:
        return failure
    reason = plan.doubt(failure, plan.tree)
    return NotRendered(failure.target, reason) if reason else failure


def _trace_one(plan: Plan, environment: Environment, one: TargetResult) -> list[TracedFinding]:
    """Trace all ends of all findings of a target at once: they share the probe renders."""
    evaluation = one.evaluation
    assert evaluation is not None  # noqa: S101 - check() picked those that have one
    moves = _moves(plan, environment, one.target)
    changes = [_change(moves, found) for found in evaluation.found]
    fields = [
        dict.fromkeys((*sites_of(found.finding), *(move.here if move else ())))
        for found, (move, _) in zip(evaluation.found, changes, strict=True)
    ]
    known = origins(evaluation.manifests, {site for some in fields for site in some}, plan.tree, plan.fresh)
    asked = {site for found in evaluation.found for site in in_question(found.finding, known)}
    written = actions(evaluation.manifests, asked, plan.tree, plan.fresh)
    traced = []
    for found, some, (move, was) in zip(evaluation.found, fields, changes, strict=True):
        own = Sources(*({site: each[site] for site in some if site in each} for each in (known, written)))
        own = requoted(found.finding, own)
        told = TracedFinding(one.target, found, own.origins, own.written, move, was=was)
        traced.append(on_purpose(told, plan.tree, plan.rule_set))
    return _placed(plan, one.target, traced)


def _moves(plan: Plan, environment: Environment, target: Target) -> Moves | None:
    """What the change did to the edges of a target; None where it has no base."""
    rendering = plan.render(target, plan.tree)
    if plan.witness(target) is None or not isinstance(rendering, Rendering):
        return None
    return Moves(_graph(plan, environment, rendering), edges)


def _change(moves: Moves | None, found: RuleFinding) -> tuple[Move | None, FindingKey | None]:
    """What the change did to the edge of a finding, and what that would have been in the base."""
    primary = found.finding.primary
    if moves is None:
        return None, found.key
    was = moves.was(primary)
    move = moves.of(primary, [label.site for label in found.finding.related])
    return move, None if was is None else (found.rule.id, *was)


def _with_abroad(
    plan: Plan, traced: Sequence[list[TracedFinding]], abroad: Iterable[Abroad]
) -> list[list[TracedFinding]]:
    """The findings with those about two targets; one that its target has by itself learns what moved in the other."""
    several = {(one.target.id, one.found.key): one for some in traced for one in some}
    for one in abroad:
        key = one.target.id, one.found.key
        own = several.get(key)
        if own is None and not one.is_own:
            several[key] = _trace_abroad(plan, one, TracedFinding(one.target, one.found, {}))
        elif own is not None and own.move is None and own.place is None and one.move is not None:
            several[key] = _trace_abroad(plan, one, own)
    return [list(several.values())]


def _trace_abroad(plan: Plan, one: Abroad, traced: TracedFinding) -> TracedFinding:
    """Trace each end of a finding in the target that has it, as far as that is not done."""
    known = dict(traced.origins)
    for target in dict.fromkeys(part.target for part in one.owners.values()):
        fields = [site for site, part in one.owners.items() if part.target is target and site not in known]
        rendering = plan.render(target, plan.tree) if fields else None
        if isinstance(rendering, Rendering):
            known |= origins(read_resources(rendering), fields, plan.tree, plan.fresh)
    found = replace(traced, origins=known, move=one.move, was=traced.found.key)
    if plan.past is None or one.move is None:
        return found
    moved = one.owners.get(one.move.end)
    where = one.target if moved is None else moved.target
    (place,) = places(plan.past, where, [Asked(where, traced.found.finding, one.move, known)])
    return replace(found, place=place)


def _placed(plan: Plan, target: Target, traced: Sequence[TracedFinding]) -> list[TracedFinding]:
    """The findings with the places at which the change touched those that are new."""
    past = plan.past
    if past is None:
        return list(traced)
    new = [one for one in traced if past.is_new(one.target, one.was, one.move)]
    asked = [Asked(target, one.found.finding, one.move, one.origins) for one in new]
    placed = dict(zip(map(id, new), places(past, target, asked), strict=True))
    return [replace(one, place=placed.get(id(one))) for one in traced]


def _affordable(
    groups: Sequence[FindingGroup], results: Sequence[TargetResult]
) -> tuple[list[FindingGroup], list[FindingGroup]]:
    """The groups for which fixes are proven, within `MAX_JUDGED` and `MAX_READ`, and the others."""
    if not groups:
        return [], []
    findings = {one.target.id: len(keys_of(one) or ()) for one in results}
    resources = {one.target.id: one.resources for one in results}
    some: list[FindingGroup] = []
    left: list[FindingGroup] = []
    judged, read = 0, Counter[str]()
    for group in groups:
        ids = {member.target.id for member in group.members}
        judged += sum(findings.get(one, 0) for one in ids)
        read.update({one: resources.get(one, 0) for one in ids})
        able = judged <= MAX_JUDGED and all(read[one] <= max(MAX_READ, resources.get(one, 0)) for one in ids)
        (some if able else left).append(group)
    return some, left


def _ends(traced: Iterable[TracedFinding]) -> Ends:
    """The fields that each finding speaks about: all of them are of the edge that is broken."""
    known = {
        (one.target.id, one.found.key): frozenset(
            (site.resource, site.path) for site in sites_of(one.found.finding)
        )
        for one in traced
    }
    return lambda target, key: known.get((target.id, key)) or frozenset({(key[1], key[2])})


def _take_back(plan: Plan, prover: Prover, ends: Ends, group: FindingGroup) -> FindingGroup:
    """With a base, the way back for what a change brings in: the text that it replaced, to the letter."""
    first, past = group.first, plan.past
    if past is None or not past.is_new(first.target, first.was, first.move):
        return group
    origin = first.origins.get(group.finding.primary) if first.place is None else first.place.origin
    cured = frozenset(member.found.key for member in group.members)
    known = [prover.tree.with_edits(one.edits).overlay for one in group.proposals]
    for edits in () if origin is None else taken_back(past.lines, origin.span):
        back = prover.tree.with_edits(edits).overlay
        if back in known:  # a rule has found it
            found = group.proposals[known.index(back)]
            if found.is_safe or not _is_as_before(plan, edits):
                return group
            others = tuple(one for one in group.proposals if one is not found)
            return replace(group, proposals=with_way_back(others, replace(found, risks=())))
        attempt = Attempt(_BACK.description, edits)
        proposal = prover.propose(
            _BACK, attempt, cured, ends, had=lambda target, key: not past.is_new(target, key, None)
        )
        if proposal is not None and (proposal.is_safe or _is_as_before(plan, edits)):
            return replace(group, proposals=with_way_back(group.proposals, replace(proposal, risks=())))
    return group


def _is_as_before(plan: Plan, edits: Sequence[Edit]) -> bool:
    """Whether every target that reads the edited files renders to what it was in the base: nothing of the change is left."""
    tree, paths = plan.tree.with_edits(edits), {edit.span.path for edit in edits}
    for target in near(plan.everything, paths):
        if any(map(target.reads, paths)):
            before, after = plan.witness(target), plan.render(target, tree)
            if before is None or not isinstance(after, Rendering) or _texts(before) != _texts(after):
                return False
    return True


def _texts(rendering: Rendering) -> list[str]:
    return sorted(one.text for one in rendering.documents)
