"""Findings and failures -> those that count and those that are left out; and the ignores that do nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from portproof.discover.model import Discovery
from portproof.outcome import (
    Suppressed,
    TargetResult,
    TracedFinding,
    Verdict,
    fingerprint_of,
    merge,
    unchecked_fingerprint,
)
from portproof.render.model import Renderer, RenderFailure
from portproof.replacing import replace
from portproof.rules.evaluate import RuleSet
from portproof.rules.run import render_failed, target_unchecked, unused_ignore
from portproof.rules.run.target_unchecked import UncheckedTarget
from portproof.source import Span, Tree
from portproof.suppressions import unused as idling
from portproof.suppressions.annotations import Annotated
from portproof.suppressions.collected import Suppressions, Use
from portproof.suppressions.model import Subject, Suppression, SuppressionSource
from portproof.suppressions.unused import Scope, UnusedSuppression
from portproof.trace.probe import origins
from portproof.yamldoc import format_path


class _Judged(Struct, frozen=True):
    """What is asked of one finding, failure to render or lost target, and what suppresses it: nearest first, empty if nothing."""

    subject: Subject
    by: tuple[Suppression, ...]


def judge(
    asked: RuleSet,
    suppressions: Suppressions,
    checked: Iterable[TargetResult],
    traced: Iterable[TracedFinding],
    unchecked: Iterable[UncheckedTarget] = (),
) -> Verdict:
    """Ask of each finding of each target whether it is suppressed."""
    findings = [(one, _judged(_subject(one, suppressions), suppressions)) for one in traced]
    failures = [
        (failure, _judged(_failed(failure), suppressions))
        for one in checked
        for failure in one.failures
        if asked.has(render_failed.RULE.id)
    ]
    lost = [
        (one, _judged(_lost(one), suppressions)) for one in unchecked if asked.has(target_unchecked.RULE.id)
    ]
    every = [judged for _, judged in (*findings, *failures, *lost) if judged.by]
    return Verdict(
        open=tuple(merge(one for one, judged in findings if not judged.by)),
        ignored=tuple(_suppressed(findings)),
        excused={failure: judged.by[0] for failure, judged in failures if judged.by},
        accepted={one: judged.by[0] for one, judged in lost if judged.by},
        used=frozenset((ignore, judged.subject.rule) for judged in every for ignore in judged.by),
        known=tuple(one.subject for one in every if one.by[0].source is SuppressionSource.BASELINE),
    )


def _judged(subject: Subject, suppressions: Suppressions) -> _Judged:
    return _Judged(subject, tuple(suppressions.of(subject)))


def _suppressed(findings: Sequence[tuple[TracedFinding, _Judged]]) -> Iterator[Suppressed]:
    """The suppressed findings, those of one source after another, equal ones merged."""
    nearest = {id(one): judged.by[0] for one, judged in findings if judged.by}
    groups: dict[SuppressionSource, list[TracedFinding]] = defaultdict(list)
    for one, judged in findings:
        if judged.by:
            groups[judged.by[0].source].append(one)
    for source in SuppressionSource:
        for group in merge(groups[source]):
            yield Suppressed(group, nearest[id(group.first)])


def _subject(one: TracedFinding, suppressions: Suppressions) -> Subject:
    primary = one.found.finding.primary
    changed = None if one.place is None else one.place.origin
    found = (changed, one.origins.get(primary), one.written.get(primary))
    spans = [span for origin in found if origin is not None for span in (origin.span, *origin.partners)]
    lines = tuple(dict.fromkeys(map(suppressions.line, spans)))
    rule, field = one.found.rule.id, format_path(primary.identity)
    return Subject(rule, one.target, primary.resource, field, lines, one.fingerprint)


def _failed(failure: RenderFailure) -> Subject:
    rule, site = render_failed.RULE.id, failure.site
    lines = () if site is None else ((site.path, site.line),)
    return Subject(rule, failure.target, None, "", lines, fingerprint_of(failure))


def _lost(one: UncheckedTarget) -> Subject:
    # Nothing of the file is wrong: a comment speaks for it on its first line, or alone on that.
    lines = ((one.path, one.line), *([(one.path, 2)] if one.line == 1 else []))
    return Subject(target_unchecked.RULE.id, one.target, None, "", lines, unchecked_fingerprint(one))


class LookedAt(Struct, frozen=True):
    """What a run has asked of which tree; `whole` tells all that it could have looked at, if it was to look at that.

    `elsewhere` are the ids of targets that others look at.
    """

    tree: Tree
    render: Renderer
    rule_set: RuleSet
    whole: Callable[[], Discovery] | None
    elsewhere: frozenset[str] = frozenset()


class Idle(Struct, frozen=True):
    """The ignores that do nothing here, as far as this run can tell; `complete` says that nothing was left out."""

    unused: tuple[UnusedSuppression, ...] = ()
    complete: bool = False


def idle(
    run: LookedAt, suppressions: Suppressions, checked: Sequence[TargetResult], used: frozenset[Use]
) -> Idle:
    """The ignores that do nothing in what was checked, each with what is known of those that it may be about."""
    if not run.rule_set.has(unused_ignore.RULE.id):
        return Idle()
    ran = frozenset(rule.id for rule in run.rule_set.rules)
    comments = suppressions.comments_of(one.target for one in checked)
    notes = {ignore: (one, note) for one in checked for note in one.annotated for ignore in note.ignores}
    found = list(idling.unused((*comments, *notes), used, ran))
    placed = [
        replace(
            one, ignore=_placed(run, one.ignore, *notes[one.ignore]), holder=notes[one.ignore][0].target.id
        )
        if one.ignore in notes
        else one
        for one in found
        if one.ignore.problem or run.whole is not None
    ]
    wrong = [one for one in placed if one.ignore.problem]
    if run.whole is None or not (len(placed) > len(wrong) or suppressions.given.is_said):
        return Idle(tuple(wrong))
    scope = _scope(run.whole(), checked, run.elsewhere)
    unused = [idling.seen_by(one, scope) for one in placed if not one.ignore.problem]
    given = idling.unused_given(suppressions, used, ran, scope)
    return Idle((*wrong, *unused, *given), scope.complete)


def _scope(whole: Discovery, checked: Iterable[TargetResult], elsewhere: frozenset[str]) -> Scope:
    done = {one.target.id: one.target for one in checked if one.is_whole}
    return Scope(
        tuple(done.values()),
        tuple(one for one in whole.targets if one.id not in done and one.id not in elsewhere),
        tuple(skip for skip in whole.skips if skip.counts),
    )


def _placed(run: LookedAt, ignore: Suppression, checked: TargetResult, annotated: Annotated) -> Suppression:
    """The ignore of an annotation with the place that it comes from, as far as that can be known."""
    if checked.evaluation is None:
        return ignore
    known = origins(checked.evaluation.manifests, [annotated.site], run.tree, run.render)
    if annotated.site not in known:
        return ignore
    span = known[annotated.site].span
    start = run.tree.text(span.path).find(ignore.text, span.start, span.end) if ignore.text else -1
    return replace(ignore, span=Span(span.path, start, start + len(ignore.text)) if start >= 0 else span)
