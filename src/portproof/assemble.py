"""What a run found out -> a part of a report: places become lines and columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct, field

from portproof import live
from portproof.combined import Combined
from portproof.compare import Introduced
from portproof.discover.kept import ids_of
from portproof.discover.model import (
    Discovery,
    HelmTarget,
    KustomizeTarget,
    ManifestTarget,
    StreamTarget,
    Target,
)
from portproof.discover.unread import Unread
from portproof.fix import Proposal
from portproof.graph.moved import Move
from portproof.located import Places
from portproof.outcome import FindingGroup, Outcome, TargetResult, fingerprint_of, unchecked_fingerprint
from portproof.parts.model import Failed, Idle, Lost, Part
from portproof.patch import unified_many
from portproof.render.inflating import OF_CHARTS
from portproof.render.model import NotRendered, RenderFailure
from portproof.replacing import replace
from portproof.report.fixes import Fixes
from portproof.report.marks import digest
from portproof.report.model import (
    Change,
    Effect,
    Fix,
    Ignored,
    Location,
    Related,
    Result,
    TargetStatus,
    TextEdit,
    ToolVersions,
)
from portproof.report.secret_lines import secret_lines
from portproof.report.summary_line import PLACED, TOOK, WITHOUT, field_of, plural
from portproof.resources import ResourceKey
from portproof.rules.base import Label, Scalar
from portproof.rules.evaluate import FindingKey, RuleSet
from portproof.rules.run import render_failed
from portproof.rules.severity import Severity
from portproof.source import Edit, RelPath, Tree
from portproof.suppressions.model import Suppression
from portproof.suppressions.unused import UnusedSuppression
from portproof.together import Edits, Exclusions
from portproof.trace.model import Proof
from portproof.yamldoc import format_path

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30})://(?:[^\s/?#\"'<>]{0,500}@)?([\w.:-]{1,260})")

UNCOMPARED = "the base could not be rendered, so no finding counts as new"
"""What there is to say of a target that was checked, and that nothing could be compared with."""

_ALIKE_SHOWN = 10


class Assignment(Struct, frozen=True):
    """What a run was to check: what was discovered under `paths` of `tree`, by which rules, rendered with which tools.

    `targets` are those of the discovery that are to be checked, by this run or by another; None stands for those that it
    did check. `exclusions` are the fixes that do not go together, where that was asked.
    """

    tree: Tree
    paths: tuple[RelPath, ...]
    discovery: Discovery
    rule_set: RuleSet
    tools: ToolVersions
    exclusions: Exclusions = field(default_factory=dict)
    targets: tuple[Target, ...] | None = None


def part(asked: Assignment, outcome: Outcome, introduced: Introduced | None = None) -> Part:
    """What a run found out, in lines and columns; what depends on other targets is left open."""
    discovery, rule_set = asked.discovery, asked.rule_set
    places = Places(asked.tree)
    fixes = _Fixes(places, _cured_by(outcome.merged), asked.exclusions)
    made = _made_elsewhere(outcome.checked)
    brought = frozenset[Suppression]() if introduced is None else introduced.brought
    given = frozenset(folder for one in discovery.unread for folder in one.folders)
    known, checked = ids_of(discovery.targets), {one.target.id for one in outcome.checked}
    wanted = known & (checked if asked.targets is None else {one.id for one in asked.targets})
    return Part(
        tools=asked.tools,
        paths=asked.paths,
        rules=tuple(one.id for one in rule_set.rules),
        severities=rule_set.severities,
        targets=tuple(_status(one, introduced) for one in outcome.checked),
        skipped=tuple(
            TargetStatus(skip.id, skip.kind, skip.path, skip.values, "skipped", skip.reason, 0, 0.0)
            for skip in discovery.skips
            if skip.counts and (introduced is None or introduced.touches(skip.path))
        ),
        results=tuple(_made_by(_result(one, fixes, introduced), made) for one in outcome.merged),
        ignored=tuple(
            Ignored(
                _result(one.merged, fixes, introduced),
                one.ignore.source,
                one.ignore.reason,
                one.ignore in brought,
            )
            for one in outcome.verdict.ignored
        ),
        failures=tuple(_failures(outcome, places, introduced, given)),
        lost=tuple(_lost(outcome, places, brought)),
        rendered=tuple(
            one.target.path
            for one in outcome.checked
            if isinstance(one.target, HelmTarget) and one.outcome is None and not one.problems
        ),
        used=tuple(sorted(outcome.verdict.used, key=str)),
        idle=tuple(_idle(one, outcome.checked, places, introduced) for one in outcome.idle),
        complete=outcome.complete,
        skips=discovery.skips,
        lines=places.lines(),
        unread=tuple(one for one in discovery.unread if introduced is None or introduced.touches(one.path)),
        absent=tuple(
            one for one in _absent(outcome.checked) if introduced is None or introduced.touches(one.path)
        ),
        base=None if introduced is None else introduced.revision,
        unaffected=len(known - wanted),
        added=tuple(sorted((checked - wanted) & known)),
    )


def _absent(checked: Iterable[TargetResult]) -> list[Unread]:
    """What charts and overlays were rendered without; which parts an overlay lacks is known before."""
    found: set[Unread] = set()
    for one in checked:
        target = one.target
        if isinstance(target, HelmTarget):
            file = f"{target.path}/Chart.yaml".removeprefix("./")
            found |= {Unread(file, "dependency", reason) for reason in one.without}
        elif isinstance(target, ManifestTarget):
            found |= {Unread(target.path, "manifest", reason) for reason in one.without}
        elif isinstance(target, KustomizeTarget):
            known = {
                *(lack.reason for lack in target.lacks if not lack.fetchable),
                *(chart.reason for chart in target.charts),
            }
            file = (*target.made_by, target.path)[0]
            for reason in {*one.without} - known:
                kind = "helm-charts" if reason.startswith(OF_CHARTS) else "generated-file"
                kind = "remote-base" if reason.startswith("remote ") else kind
                found.add(Unread(file, kind, reason))
    return sorted(found)


def _made_elsewhere(checked: Iterable[TargetResult]) -> dict[tuple[str, ResourceKey], str]:
    """Where to look for a place that no file of the tree has, by targets and their objects.

    What deployed those that came through a pipe, and the template of a chart that a registry gave.
    """
    found: dict[tuple[str, ResourceKey], str] = {}
    for each in checked:
        for one in each.evaluation.manifests.resources if each.evaluation is not None else ():
            document = one.document
            text = f"the chart {document.elsewhere}" if document.elsewhere else ""
            if isinstance(each.target, StreamTarget):
                text = live.origin(one.data, document.text)
            if text:
                found[each.target.id, one.key] = text
    return found


def _made_by(result: Result, made: Mapping[tuple[str, ResourceKey], str]) -> Result:
    ends = dict.fromkeys(one for one in (result.resource, *(end.resource for end in result.related)) if one)
    told = {
        (one, made[id_, one]): Related(f"from {made[id_, one]}", one, "", None)
        for one in ends
        for id_ in result.targets
        if (id_, one) in made
    }
    return replace(result, related=(*result.related, *told.values()))


def _idle(
    one: UnusedSuppression, checked: Iterable[TargetResult], places: Places, introduced: Introduced | None
) -> Idle:
    """An ignore that does nothing here, with its place and who reads its file."""
    span = one.ignore.span
    located = span is not None and places.text(span.path) is not None
    where = span.path if span is not None else ""
    return Idle(
        one,
        Location(where, *places.bounds(span), Proof.PROVEN.value) if span and located else None,
        tuple(sorted(each.target.id for each in checked if each.target.reads(where))),
        None if introduced is None else one.ignore in introduced.brought,
    )


def _status(one: TargetResult, introduced: Introduced | None) -> TargetStatus:
    target, outcome = one.target, one.outcome
    reason: str | None
    if isinstance(outcome, NotRendered):
        status, reason = "skipped", outcome.reason
    elif isinstance(outcome, RenderFailure):
        status, reason = "failed", outcome.message.partition("\n")[0]
    elif one.problems:
        said = [one.problems[0].message.partition("\n")[0]]
        said += [f"{PLACED}{', '.join(one.placeholders)}"] if one.placeholders else []
        status, reason = "failed", "; ".join(said)
    else:
        uncompared = introduced is not None and introduced.lacks(target)
        said = ([UNCOMPARED] if uncompared else []) + [f"{WITHOUT}{each}" for each in one.without]
        said += [f"{PLACED}{', '.join(one.placeholders)}"] if one.placeholders else []
        said += [f"{TOOK}{one.took}"] if one.took else []
        status, reason = "checked", "; ".join(said) or None
    return TargetStatus(
        target.id, target.kind, target.path, target.values, status, reason, one.resources, one.seconds
    )


def _result(one: FindingGroup, fixes: _Fixes, introduced: Introduced | None) -> Result:
    finding, first, places = one.finding, one.first, fixes.places
    primary, place = finding.primary, first.place
    location = places.location(first.origins.get(primary) if place is None else place.origin)
    # Of a chart in an archive, which no value here moves, nobody here wrote a line: what only may be wrong is upstream's.
    is_upstream = location is None and finding.severity is Severity.WARNING
    return Result(
        rule=first.found.rule.id,
        severity=Severity.NOTE if is_upstream else finding.severity,
        message=_message(one),
        resource=primary.resource,
        field=format_path(primary.path),
        value=_value(primary.value),
        expected=finding.expected,
        targets=tuple(sorted({member.target.id for each in (one, *one.alike) for member in each.members})),
        location=location,
        related=tuple(_related(one, places)),
        fix=fixes.fix(one.fix) if one.fix else None,
        alternatives=tuple(map(fixes.fix, one.alternatives)),
        fingerprint=one.fingerprint,
        introduced=None if introduced is None else introduced.finding(one.members),
        chain=first.found.chain,
        change=None if first.move is None else _change(first.move),
        when=first.when,
    )


def _message(one: FindingGroup) -> str:
    """What a finding says, with how often the same line says it, and with which values it is so."""
    parts = [one.finding.message, *([_more(one)] if one.alike else [])]
    if one.first.when:
        told = " and ".join(
            f"{key}={str(value).lower() if isinstance(value, bool) else value}"
            for key, value in one.first.when
        )
        parts.append(f"It appears with {told}.")
    return " ".join(parts)


def _related(one: FindingGroup, places: Places) -> Iterator[Related]:
    """The other ends; the field itself is one of them where the finding stands at another line of the change."""
    first, primary, place = one.first, one.finding.primary, one.first.place
    labels = list(one.finding.related)
    if place is not None:
        moved = first.move is not None and first.move.now == primary
        said = "the value comes from here now" if moved else f"the other end is {primary.resource}"
        labels = [Label(primary, said), *labels]
    for label in labels:
        if place is None or label.site != place.site or label.site == primary:
            yield Related(
                label.text,
                label.site.resource,
                format_path(label.site.path),
                places.location(first.origins.get(label.site)),
            )
    for each in one.alike[:_ALIKE_SHOWN]:
        site = each.finding.primary
        origin = each.first.origins.get(site)
        yield Related(
            f"{site.resource} is broken, too", site.resource, format_path(site.path), places.location(origin)
        )


def _more(one: FindingGroup) -> str:
    """How many more findings of the same rule the same line, or the same moved value, brings in."""
    count = len(one.alike)
    where = len({each.finding.primary.resource for each in (one, *one.alike)})
    places = {each.first.origins.get(each.finding.primary) for each in (one, *one.alike)}
    cause = "value" if one.first.when and len(places) > 1 else "line"
    return f"The same {cause} breaks {count} more of these, in {plural(where, 'object')} together."


def _change(move: Move) -> Change:
    other = move.other
    return Change(
        field_of(move.end.resource, format_path(move.end.path)),
        _value(move.before),
        _value(move.after),
        None if other is None else field_of(other.resource, format_path(other.path)),
        None if other is None else _value(other.value),
    )


def _value(value: Scalar | None) -> Scalar | None:
    """The value of a field; of addresses only schemes, hosts and ports: the rest may well be a password."""
    if not isinstance(value, str) or "://" not in value:
        return value
    return ", ".join(f"{scheme}://{host}" for scheme, host in _ADDRESS.findall(value))


_Cured: TypeAlias = Mapping[tuple[str, FindingKey], tuple[str, frozenset[tuple[str, FindingKey]]]]
"""What a finding is in one of its targets -> its fingerprint, and what it is in all of them."""


def _cured_by(groups: Iterable[FindingGroup]) -> _Cured:
    known = [(one.fingerprint, frozenset((target.id, key) for target, key in one.keys)) for one in groups]
    return {key: (name, keys) for name, keys in known for key in keys}


class _Fixes(Struct, frozen=True):
    """Turns proposals into the fixes of a report."""

    places: Places
    cured: _Cured
    exclusions: Exclusions

    def fix(self, proposal: Proposal) -> Fix:
        return Fix(
            description=proposal.description,
            edits=tuple(_text_edit(edit, self.places) for edit in proposal.edits),
            effects=tuple(
                Effect(
                    change.resource,
                    format_path(change.path),
                    change.before,
                    change.after,
                    (change.resource, change.path) in proposal.fixed,
                )
                for change in proposal.effects
            ),
            patch=patch_of(proposal.edits, self.places.tree),
            risks=tuple((one.danger.value, one.text) for one in proposal.risks),
            id=_id(proposal.edits),
            cures=tuple(sorted(self._cures(proposal))),
            excludes=tuple(sorted(map(_id, self.exclusions.get(proposal.edits, ())))),
        )

    def _cures(self, proposal: Proposal) -> set[str]:
        gone = proposal.proven.cures
        found = (self.cured[key] for key in gone if key in self.cured)
        return {name for name, keys in found if keys <= gone}


def _id(edits: Edits) -> str:
    """A name for edits: what they replace, where, in the texts that were checked."""
    parts = [f"{one.span.path}\0{one.span.start}\0{one.span.end}\0{one.new}" for one in edits]
    return digest("\0\0".join(parts), 16)


def _text_edit(edit: Edit, places: Places) -> TextEdit:
    made = TextEdit(edit.span.path, *places.bounds(edit.span), edit.old, edit.new)
    places.edited |= {(made.path, line) for line in range(made.line, made.end_line + 1)}
    return made


def patch_of(
    edits: Iterable[Edit],
    tree: Tree,
    named: Callable[[RelPath], str] = str,
) -> str:
    """The unified diff of `edits`, each file under the name that `named` gives it; what a Secret holds is no context of it."""
    edits = tuple(edits)
    after = tree.with_edits(edits)
    paths = sorted({edit.span.path for edit in edits})
    return unified_many(
        {named(path): (tree.text(path), after.text(path)) for path in paths},
        {named(path): secret_lines(tree.text(path)) for path in paths},
    )


def fixes(outcome: Outcome, combined: Combined) -> Fixes:
    """The fixes that go together, by the names that a report of the same outcome gives them.

    A fingerprint that several findings share is cured only if all of them are.
    """
    if not combined.edits:
        return Fixes()
    edits = set(combined.edits)
    proposals = [one.safe_fix for one in outcome.merged if one.safe_fix is not None]
    left = {one.fingerprint for one in outcome.merged if one not in combined.cured}
    return Fixes(
        patch_of(combined.edits, combined.tree),
        frozenset(_id(one.edits) for one in proposals if edits.issuperset(one.edits)),
        frozenset(one.fingerprint for one in combined.cured) - left,
    )


def _values_are_guessed(target: Target, failure: RenderFailure, given: Collection[RelPath]) -> bool:
    """Whether a failure may be of the values that we give to a chart, and not of those that it is deployed with."""
    if not isinstance(target, HelmTarget):
        return False
    is_evaluated = (
        "at <" in failure.message
    )  # of an expression: a template that does not parse is broken anyway
    return target.inferred or (not target.values and target.path in given and is_evaluated)


def _failures(
    outcome: Outcome, places: Places, introduced: Introduced | None, given: Collection[RelPath]
) -> Iterator[Failed]:
    """What could not be rendered. Charts in the folders `given` are deployed with values that nobody knows."""
    for one in outcome.checked:
        target = one.target
        is_made = render_failed.is_made_of_defaults(target)
        for failure in one.failures:
            ignore = outcome.verdict.excused.get(failure)
            yield Failed(
                target=target.id,
                kind=target.kind,
                path=target.path,
                values=() if is_made else target.values,
                inferred=_values_are_guessed(target, failure, given),
                installed=isinstance(target, HelmTarget) and target.install is not None and not is_made,
                remote=isinstance(target, HelmTarget) and target.remote is not None,
                message=failure.message,
                site=failure.site,
                location=places.of_failure(failure.site),
                demanded=failure.demanded,
                wants=failure.wants,
                has=failure.has,
                fingerprint=fingerprint_of(failure),
                is_old=introduced is not None and not introduced.failure([failure]),
                was_checked=introduced is not None and introduced.was_checked(target),
                ignore=ignore,
                brought=introduced is not None and ignore in introduced.brought,
            )


def _lost(outcome: Outcome, places: Places, brought: frozenset[Suppression]) -> Iterator[Lost]:
    """What is no longer checked."""
    for one in outcome.unchecked:
        ignore = outcome.verdict.accepted.get(one)
        yield Lost(
            target=one.target.id,
            path=one.path,
            line=one.line,
            reason=one.reason,
            location=places.of_path(one.path, one.line),
            fingerprint=unchecked_fingerprint(one),
            ignore=ignore,
            brought=ignore in brought,
        )
