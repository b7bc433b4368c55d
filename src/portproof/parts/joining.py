"""Parts -> the report: what depends on other targets is judged here, whether it comes from one run or from several."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

from portproof.discover.model import HelmTarget
from portproof.parts.model import Failed, Lost, Part
from portproof.parts.unused import unused_ignores
from portproof.render.model import FailureSite
from portproof.replacing import replace
from portproof.report.model import Fix, Ignored, Report, Result, TargetStatus, ToolVersions
from portproof.report.safe import discreet
from portproof.rules import find
from portproof.rules.base import Rule
from portproof.rules.run import render_failed, target_unchecked
from portproof.rules.severity import Severity
from portproof.source import RelPath
from portproof.suppressions.model import Suppression, SuppressionSource

_Fact = TypeVar("_Fact")
_Whole: TypeAlias = tuple[Result, Failed | Lost]
"""A finding about targets as a whole, and one of the facts that it was made of."""


def joined(parts: Sequence[Part], rules: Sequence[Rule] | None = None) -> Report:
    """The report that the parts of one run come to together; `rules` are those that ran, where they are at hand.

    The parts agree in what is about the whole tree. What several of them say is said once.
    """
    first = parts[0]
    parts = _with_all_exclusions(parts)
    results = [*_each(parts, lambda one: one.results, _about), *unused_ignores(parts)]
    ignored = _each(parts, lambda one: one.ignored, lambda one: _about(one.result))
    whole = [*_lost(parts), *_failures(parts)]
    results += [result for result, fact in whole if fact.ignore is None]
    ignored += [
        Ignored(result, fact.ignore.source, fact.ignore.reason, fact.brought)
        for result, fact in whole
        if fact.ignore is not None
    ]
    return Report(
        tools=_tools(parts),
        paths=first.paths,
        rules=tuple(rules if rules is not None else map(find, first.rules)),
        targets=tuple(sorted((*_targets(parts), *first.skipped), key=lambda one: one.id)),
        results=tuple(sorted(results, key=_order)),
        skips=first.skips,
        lines=_lines(parts),
        base=first.base,
        unaffected=first.unaffected - len({id_ for one in parts for id_ in one.added}),
        ignored=tuple(
            sorted(ignored, key=lambda one: (list(SuppressionSource).index(one.how), _order(one.result)))
        ),
        left_out=len(ignored),
        unread=(*first.unread, *sorted({one for part in parts for one in part.absent})),
    )


def _with_all_exclusions(parts: Sequence[Part]) -> Sequence[Part]:
    """The parts with what each of them knows of fixes that do not go together: one may have met more of them."""
    known: dict[str, set[str]] = defaultdict(set)
    for fix in (fix for part in parts for one in part.results for fix in _fixes(one)):
        known[fix.id].update(fix.excludes)
    if len(parts) == 1 or not any(known.values()):
        return parts

    def complete(fix: Fix) -> Fix:
        return replace(fix, excludes=tuple(sorted(known[fix.id])))

    def whole(one: Result) -> Result:
        own = None if one.fix is None else complete(one.fix)
        return replace(one, fix=own, alternatives=tuple(map(complete, one.alternatives)))

    return [replace(part, results=tuple(map(whole, part.results))) for part in parts]


def _fixes(one: Result) -> tuple[Fix, ...]:
    return (*((one.fix,) if one.fix else ()), *one.alternatives)


def _order(result: Result) -> tuple[object, ...]:
    """The order of findings: worst first, then by place, then by what they are about."""
    at = result.location
    return (
        result.severity.rank,
        (at.path, at.line, at.column) if at else ("\U0010ffff", 0, 0),
        result.rule,
        str(result.resource),
        result.field,
        result.targets,
    )


def _about(result: Result) -> Hashable:
    return result.fingerprint, result.targets, result.field


def _each(
    parts: Sequence[Part], get: Callable[[Part], Sequence[_Fact]], about: Callable[[_Fact], Hashable]
) -> list[_Fact]:
    """What the parts say, without what an earlier part has said; `about` is the same of what may be the same."""
    said: dict[Hashable, list[_Fact]] = defaultdict(list)
    found: list[_Fact] = []
    for part in parts:
        new = [one for one in get(part) if one not in said[about(one)]]
        found += new
        for one in new:
            said[about(one)].append(one)
    return found


def _targets(parts: Sequence[Part]) -> list[TargetStatus]:
    known: dict[str, TargetStatus] = {}
    for part in parts:
        for one in part.targets:
            known.setdefault(one.id, one)
    return list(known.values())


def _tools(parts: Sequence[Part]) -> ToolVersions:
    """The tools: a part without charts has asked for no helm."""
    every = [one.tools for one in parts]
    helm = next((one.helm for one in every if one.helm), None)
    return ToolVersions(
        every[0].portproof, helm, next((one.kustomize for one in every if one.kustomize), None)
    )


def _lines(parts: Sequence[Part]) -> Mapping[RelPath, Mapping[int, str]]:
    found: dict[RelPath, dict[int, str]] = defaultdict(dict)
    for part in parts:
        for path, rows in part.lines.items():
            found[path] |= rows
    return {path: dict(sorted(found[path].items())) for path in sorted(found)}


def _failures(parts: Sequence[Part]) -> Iterator[_Whole]:
    """One finding for each different failure, with all targets that have it."""
    rule, compared = render_failed.RULE, parts[0].base is not None
    if rule.id not in parts[0].rules:
        return
    facts = sorted(
        _each(parts, lambda one: one.failures, lambda one: (one.target, one.message)),
        key=lambda one: one.target,
    )
    groups: dict[tuple[str, FailureSite | None, Suppression | None], list[Failed]] = defaultdict(list)
    for fact in facts:
        groups[(fact.message, fact.site, fact.ignore)].append(fact)
    rendered = sorted({path for part in parts for path in part.rendered})
    others = render_failed.other_targets(map(HelmTarget, rendered), (one.failure for one in facts))
    for several in groups.values():
        first = several[0]
        severity = render_failed.severity(
            [one.failure for one in several],
            others,
            compared=compared,
            is_first=compared and not any(one.was_checked for one in several),
        )
        severity = parts[0].severities.get(rule.id, severity)
        # A tool may quote what it cannot read.
        found = _about_targets(rule, severity, discreet(first.message), several)
        yield replace(found, introduced=not any(one.is_old for one in several) if compared else None), first


def _lost(parts: Sequence[Part]) -> Iterator[_Whole]:
    """One finding for each place and reason, with all targets that are no longer checked."""
    rule = target_unchecked.RULE
    if rule.id not in parts[0].rules:
        return
    groups: dict[tuple[RelPath, int, str, Suppression | None], list[Lost]] = defaultdict(list)
    for fact in _each(parts, lambda one: one.lost, lambda one: (one.target, one.path)):
        groups[(fact.path, fact.line, fact.reason, fact.ignore)].append(fact)
    for several in groups.values():
        several.sort(key=lambda one: one.target)
        message = target_unchecked.message([one.target for one in several], several[0].reason)
        severity = parts[0].severities.get(rule.id, rule.severity)
        found = _about_targets(rule, severity, discreet(message), several)
        yield replace(found, introduced=True), several[0]


def _about_targets(
    rule: Rule, severity: Severity, message: str, several: Sequence[Failed] | Sequence[Lost]
) -> Result:
    return Result(
        rule=rule.id,
        severity=severity,
        message=message,
        resource=None,
        field="",
        value=None,
        expected=None,
        targets=tuple(sorted({one.target for one in several})),
        location=several[0].location,
        related=(),
        fix=None,
        alternatives=(),
        fingerprint=several[0].fingerprint,
    )
