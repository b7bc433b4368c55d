"""What a chart's own values show that its defaults do not: findings, traced and proven like all others.

A finding that appears with other values only is looked for (`search`), then found again with the fewest values that show
it, as one more target: the same chart with one more values file, which only the overlay of a tree has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from msgspec import Struct

from portproof import pipeline
from portproof.discover.model import HelmTarget, Target
from portproof.fix import Proposal, Prover
from portproof.outcome import FindingGroup, Outcome, TargetResult, TracedFinding, keys_of
from portproof.pipeline import Plan, Survey
from portproof.render.model import Renderer
from portproof.replacing import replace
from portproof.report.marks import digest
from portproof.rules.base import Finding, Scalar, Severity, Trait
from portproof.rules.evaluate import FindingKey, RuleSet
from portproof.source import RelPath, Span, Tree
from portproof.trace.model import Origin
from portproof.trace.templates import written
from portproof.whatif.causes import by_line, by_value, line_of
from portproof.whatif.documented import falls_back
from portproof.whatif.programs import is_of_service, is_users
from portproof.whatif.scope import Scope, known_before
from portproof.whatif.search import Search, Shown
from portproof.whatif.values import Values, own_file, parts_of, variant, when

_WORD = re.compile(r"[\w-]+")


class _Variant(Struct, frozen=True):
    """A chart with values that show something: the target as it is, and as it is looked at.

    `still` is what it is compared with: the same parts switched on, and no port moved.
    """

    plain: HelmTarget
    target: HelmTarget
    still: HelmTarget
    file: RelPath
    shown: Shown
    values: Values
    before: frozenset[FindingKey] | None


def explored(plan: Plan, survey: Survey, rule_set: RuleSet, outcome: Outcome, scope: Scope) -> Outcome:
    """The outcome with what appears when the charts of the `scope` get other values; `rule_set` is asked of those."""
    variants: list[_Variant] = []
    texts: dict[RelPath, str] = {}
    charts = [one for one in _charts(survey.results) if scope.takes(one[0])]
    some, limit = scope.limited(charts)
    with ThreadPoolExecutor(max_workers=plan.jobs) as pool:
        searched = pool.map(partial(_searched, plan, rule_set, scope, limit), some)
        for search, shown, before in (found for each in searched for found in each):
            plain, values = search.target, search.values
            name = _name(plain, sum(one.plain == plain for one in variants))
            target, path, text = variant(plain, values, shown.settings, name)
            texts[path] = text
            still = plain
            if parts := parts_of(shown.settings):
                still, unmoved, text = variant(plain, values, parts, f"{name}-still")
                texts[unmoved] = text
            variants.append(_Variant(plain, target, still, path, shown, values, before))
    if not variants:
        return outcome
    tree = replace(plan.tree, overlay={**plan.tree.overlay, **texts})
    tried, prover = _again(plan, rule_set, tree, variants)
    moves = {one.target.id: one.shown.numbers for one in variants}
    tried = replace(
        tried, merged=tuple(_at_actions(moves, one, tried, tree, plan.fresh) for one in tried.merged)
    )
    return _joined(outcome, tried, variants, prover, plan.tree)


def _name(chart: HelmTarget, number: int) -> str:
    """The name of a file of values for a chart, the same whatever other charts there are."""
    return f"portproof-what-if-{digest(chart.id, 16)}-{number:03}"


def _charts(results: Sequence[TargetResult]) -> list[tuple[HelmTarget, frozenset[FindingKey]]]:
    """One target for each chart that renders, with its own values where it does; with all findings of the chart."""
    known: dict[str, frozenset[FindingKey]] = {}
    chosen: dict[str, HelmTarget] = {}
    for one in sorted(results, key=lambda one: (bool(one.problems), one.target.id.count("?"), one.target.id)):
        target = one.target
        if not isinstance(target, HelmTarget) or target.remote is not None:
            continue
        if one.outcome is None:
            chart = target.chart
            known[chart] = known.get(chart, frozenset()) | (keys_of(one) or frozenset())
            if target.install is None:
                chosen.setdefault(chart, target)
    return [(target, known[chart]) for chart, target in chosen.items()]


def _searched(
    plan: Plan, rule_set: RuleSet, scope: Scope, limit: int, chart: tuple[HelmTarget, frozenset[FindingKey]]
) -> list[tuple[Search, Shown, frozenset[FindingKey] | None]]:
    """What a chart shows with other values, and what of it the base shows with the same."""
    target, known = chart
    values = Values.of(target, plan.tree)
    if values is None:
        return []
    search = Search(plan, rule_set, target, values, known, limit, scope.is_by_itself)
    found = []
    for shown in search.run():
        before = known_before(scope, search, shown)
        if scope.is_by_itself:  # nobody has asked: only what the change brings in is worth a word
            new = frozenset[FindingKey]() if before is None else shown.keys - before
            if new:
                found.append((search, replace(shown, keys=new), before))
        else:
            found.append((search, shown, before))
    return found


def _again(plan: Plan, rule_set: RuleSet, tree: Tree, variants: Sequence[_Variant]) -> tuple[Outcome, Prover]:
    """The findings of the variants, each by itself, with their places and fixes; and what has proven those."""
    targets = tuple(one.target for one in variants)
    moved: dict[str, Target] = {one.target.id: one.still for one in variants if one.shown.moves}
    asked = replace(
        plan,
        tree=tree,
        targets=targets,
        everything=(*plan.everything, *targets),
        rule_set=rule_set,
        neighbours=(),
        whole=None,
        witness=lambda _target: None,
        kept=lambda _target: frozenset(),
        past=None,
        defaults={**plan.defaults, **moved},
    )
    seen = pipeline.survey(asked)
    wanted = {one.target.id: one.shown for one in variants}
    results = tuple(_only(one, wanted[one.target.id]) for one in seen.results)
    prover = pipeline.prover_of(asked, seen)
    return pipeline.finish(asked, replace(seen, results=results), prover), prover


def _at_actions(
    moved: Mapping[str, frozenset[Scalar]], group: FindingGroup, tried: Outcome, tree: Tree, render: Renderer
) -> FindingGroup:
    """What takes a value that is for another port stands at the action that takes it: no value is wrong.

    `moved` are the numbers that ports are moved to, by the target. A number that stays is right or wrong where it is.
    """
    first, primary = group.first, group.finding.primary
    # A webhook that leaves its port out, and what asks for a Service by another name than its own.
    is_called = primary.path[-1:] == ("name",) and primary.path[-2:-1] != ("port",)
    if primary.value not in moved[first.target.id] and not is_called:
        return group
    known = {one.target.id: one.evaluation for one in tried.checked}
    evaluation = known[first.target.id]
    assert evaluation is not None  # noqa: S101 - it has the finding
    actions = written(evaluation.manifests, [primary], tree, render)
    members = tuple(replace(one, origins={**one.origins, **actions}) for one in group.members)
    return replace(group, members=members)


def _only(one: TargetResult, shown: Shown) -> TargetResult:
    """The findings that are shown. Where another part of the chart has what is asked for, no error: people set both.

    Nor where ports move: the defaults work.
    """
    if one.evaluation is None:
        return one
    found = tuple(each for each in one.evaluation.found if each.key in shown.keys)
    if shown.depends or shown.moves:
        found = tuple(replace(each, finding=_at_most_warning(each.finding)) for each in found)
    return replace(one, evaluation=replace(one.evaluation, found=found))


def _at_most_warning(finding: Finding) -> Finding:
    return replace(finding, severity=Severity.WARNING) if finding.severity is Severity.ERROR else finding


def _joined(
    outcome: Outcome, tried: Outcome, variants: Iterable[_Variant], prover: Prover, tree: Tree
) -> Outcome:
    """What was found with other values beside what was found anyway.

    A port that a part puts before others gives each of them another index: what is wrong there anyway stands at its line.
    """
    known = {one.target.id: one for one in variants}
    said = {line_of(one) for one in outcome.merged}
    named = (group for one in tried.merged if (group := _named(one, known, tree)) is not None)
    groups = by_value(by_line([one for one in named if line_of(one) not in said]), prover)
    verdict = replace(
        outcome.verdict,
        open=(*outcome.verdict.open, *groups),
        ignored=(*outcome.verdict.ignored, *tried.verdict.ignored),
        used=outcome.verdict.used | tried.verdict.used,
    )
    return replace(outcome, merged=(*outcome.merged, *groups), verdict=verdict)


def _named(group: FindingGroup, known: Mapping[str, _Variant], tree: Tree) -> FindingGroup | None:
    """A finding of variants as one of the charts; None where a place does not bear it out."""
    members = tuple(_member(one, known[one.target.id]) for one in group.members)
    first = known[group.first.target.id]
    if first.shown.moves and not _is_written(members[0], first.values):
        return None
    if first.shown.moves and _is_of_users_program(members[0], first, tree):
        return None
    names = {one.target.id: one.plain.id for one in known.values()}
    cures = () if first.shown.depends else group.proposals  # another part has what is asked for
    proposals = tuple(_renamed(one, names) for one in cures if not _is_of_try(one, known.values()))
    return replace(group, members=members, proposals=proposals)


def _member(one: TracedFinding, tried: _Variant) -> TracedFinding:
    origins = {site: _placed(origin, tried) for site, origin in one.origins.items()}
    kept = {site: origin for site, origin in origins.items() if origin is not None}
    before = None if tried.before is None else one.found.key in tried.before
    return replace(one, target=tried.plain, origins=kept, when=when(tried.shown.settings), before=before)


def _placed(origin: Origin, tried: _Variant) -> Origin | None:
    """A place in the values that were tried is the same key of the chart's own file."""
    if origin.span.path != tried.file:
        return origin
    setting = next((one for one in tried.shown.settings if str(one.value) == origin.text), None)
    span = None if setting is None else tried.values.spans.get(setting.path)
    if setting is None or span is None:
        return None
    return replace(origin, span=Span(own_file(tried.plain), span.start, span.end), partners=())


def _is_written(one: TracedFinding, values: Values) -> bool:
    """Whether the field is a matter of a template: what stands in values, or may stand there, can be moved along."""
    origin = one.origins.get(one.found.finding.primary)
    is_template = origin is not None and "/templates/" in f"/{origin.span.path}"
    return origin is not None and is_template and not falls_back(origin.text, values.data)


def _is_of_users_program(one: TracedFinding, tried: _Variant, tree: Tree) -> bool:
    """Whether a value says where a program listens that whoever uses the chart tells so: the chart passes it on everywhere."""
    site = one.found.finding.primary
    setting = next((each for each in tried.shown.settings if each.number == site.value), None)
    origin = one.origins.get(site)
    if Trait.VALUES not in one.found.rule.traits or setting is None or origin is None:
        return False
    told = one.found.finding.related[1:]  # the template itself says the other number
    text = tree.text_or_none(origin.span.path) or ""
    is_own = is_of_service(setting.path, tried.values.data)
    return not told and not is_own and is_users(text, origin.span.start)


def _is_of_try(proposal: Proposal, tried: Iterable[_Variant]) -> bool:
    """Whether a fix is about the values that were tried, not about the chart."""
    tries = [*tried]
    files = {one.file for one in tries}
    moved = frozenset[object]().union(*(one.shown.numbers for one in tries))
    return any(
        edit.span.path in files or not moved.isdisjoint(_WORD.findall(edit.new)) for edit in proposal.edits
    )


def _renamed(proposal: Proposal, names: Mapping[str, str]) -> Proposal:
    cures = frozenset((names.get(id_, id_), key) for id_, key in proposal.proven.cures)
    return replace(proposal, proven=replace(proposal.proven, cures=cures))
