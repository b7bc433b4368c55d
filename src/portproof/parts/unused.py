"""Which ignores do nothing in any part."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from portproof.parts.model import Idle, Part
from portproof.replacing import replace
from portproof.report.marks import digest
from portproof.report.model import Result
from portproof.rules.run import unused_ignore
from portproof.suppressions.model import Suppression, SuppressionSource
from portproof.suppressions.unused import is_seen_through, still_unused


def unused_ignores(parts: Sequence[Part]) -> Iterator[Result]:
    """The findings that an ignore does nothing, anywhere.

    One that does something in another part is left out, and so is one that may do something where nobody has looked.
    """
    rule = unused_ignore.RULE
    if rule.id not in parts[0].rules:
        return
    complete = all(one.complete for one in parts)
    used = frozenset(use for one in parts for use in one.used)
    ran = frozenset(parts[0].rules)
    several: dict[Suppression, list[Idle]] = defaultdict(list)
    for part in parts:
        for one in part.idle:
            several[_known(one.unused.ignore)].append(one)
    for ignore, facts in several.items():
        # An annotation may have come to several targets: it is shown where the last of them has it from.
        last = max(facts, key=lambda one: one.unused.holder)
        unused = replace(
            last.unused,
            rules=still_unused(ignore, used, ran),
            may_concern_more=any(one.unused.may_concern_more for one in facts),
            by_charts=any(one.unused.by_charts for one in facts),
        )
        if ignore.problem or (unused.rules and is_seen_through(unused, complete=complete)):
            targets = sorted({id_ for one in facts for id_ in one.targets})
            told = replace(last, unused=unused, targets=tuple(targets))
            severity = parts[0].severities.get(rule.id, rule.severity)
            yield replace(_result(told), severity=severity)


def _known(ignore: Suppression) -> Suppression:
    """An ignore as those know it that it leaves something out for."""
    return replace(ignore, span=None) if ignore.source is SuppressionSource.ANNOTATION else ignore


def _result(one: Idle) -> Result:
    """The finding about an ignore. Its place is the ignore itself, so it is certain."""
    rule, ignore = unused_ignore.RULE, one.unused.ignore
    where = ignore.span.path if ignore.span is not None else ""
    key = f"{rule.id}\0{where}\0{ignore.source.name}\0{ignore.text}"
    return Result(
        rule=rule.id,
        severity=rule.severity,
        message=one.unused.message,
        resource=None,
        field="",
        value=None,
        expected=None,
        targets=one.targets,
        location=one.location,
        related=(),
        fix=None,
        alternatives=(),
        fingerprint=digest(key, 32),
        introduced=one.brought,
    )
