"""Ignores that do nothing: they say nothing that counts, or what they leave out is no longer there.

That something is no longer there can only be said when everything was looked at that it could be in. A target that
could not be rendered, or was not asked for, keeps all ignores quiet that may concern it.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from portproof.config import IgnoreConfig, matches
from portproof.config.globs import fixed_part
from portproof.discover.model import HelmTarget, Skip, Target
from portproof.rules import find
from portproof.rules.base import Trait
from portproof.rules.run import unused_ignore
from portproof.source import RelPath, is_within
from portproof.suppressions.collected import Known, Suppressions, Use
from portproof.suppressions.model import Suppression, SuppressionSource


@dataclass(frozen=True, slots=True)
class Scope:
    """How much was looked at: targets that rendered whole, those that did not, and what was no target to begin with."""

    done: tuple[Target, ...]
    left: tuple[Target, ...]
    skips: tuple[Skip, ...]

    @property
    def complete(self) -> bool:
        """Whether everything there is was looked at."""
        return not self.left and not self.skips


@dataclass(frozen=True, slots=True)
class UnusedSuppression:
    """An ignore that does nothing; `rules` are those of which it leaves nothing out, empty when it has a problem.

    `about` says what was known, for an entry of the baseline.
    """

    ignore: Suppression
    rules: tuple[str, ...] = ()
    about: str = ""

    @property
    def message(self) -> str:
        """What is wrong, and what to do."""
        ignore = self.ignore
        if ignore.problem:
            return unused_ignore.without_effect(ignore.source.noun, ignore.problem)
        if ignore.source is SuppressionSource.BASELINE:
            return unused_ignore.gone(self.about, self.rules)
        return unused_ignore.without_finding(ignore.source.noun, ignore.rules, self.rules)


def unused(
    ignores: Iterable[Suppression], used: Collection[Use], ran: Collection[str]
) -> Iterator[UnusedSuppression]:
    """Comments and annotations that do not count, or that no finding is about; see `is_seen_through`."""
    for ignore in dict.fromkeys(ignores):
        rules = _unused(ignore, used, ran)
        if ignore.problem:
            yield UnusedSuppression(ignore)
        elif rules:
            yield UnusedSuppression(ignore, rules)


def unused_given(
    suppressions: Suppressions, used: Collection[Use], ran: Collection[str], scope: Scope
) -> Iterator[UnusedSuppression]:
    """Entries of the configuration and of the baseline that no finding is about."""
    for entry in suppressions.given.entries:
        rules = _unused(entry.ignore, used, ran)
        if rules and not _may_concern_more(entry.given, rules, scope):
            yield UnusedSuppression(entry.ignore, rules)
    for known in suppressions.given.baseline.known.values():
        rules = _unused(known.ignore, used, ran)
        if rules and not _is_left(known, scope):
            yield UnusedSuppression(known.ignore, rules, f"{known.about} in {known.target}".strip())


def _unused(ignore: Suppression, used: Collection[Use], ran: Collection[str]) -> tuple[str, ...]:
    """The rules of which an ignore left nothing out; a rule that did not run says nothing."""
    return tuple(rule for rule in ignore.rules if rule in ran and (ignore, rule) not in used)


def is_seen_through(one: UnusedSuppression, scope: Scope) -> bool:
    """Whether everything was rendered that reads the file of a comment or annotation."""
    if one.ignore.span is None or _spans_targets(one.rules):
        return scope.complete
    path = one.ignore.span.path
    if any(target.reads(path) for target in scope.left):
        return False
    by_charts = any(isinstance(target, HelmTarget) and target.reads(path) for target in scope.done)
    # What a skipped overlay reads is not known, but it would not be a chart's file.
    return not any(
        is_within(path, skip.path) or (skip.kind == "kustomize" and not by_charts) for skip in scope.skips
    )


def _may_concern_more(given: IgnoreConfig, rules: Collection[str], scope: Scope) -> bool:
    """Whether an entry of the configuration may be about something that was not looked at."""
    if _spans_targets(rules):
        return not scope.complete
    return any(
        _fits(given, target.id, target.path, () if isinstance(target, HelmTarget) else target.files)
        for target in scope.left
    ) or any(_fits(given, skip.id, skip.path, ()) for skip in scope.skips)


def _fits(given: IgnoreConfig, id_: str, folder: RelPath, files: Iterable[RelPath]) -> bool:
    if given.target is not None and not fnmatch.fnmatchcase(id_, given.target):
        return False
    if given.path is None:
        return True
    inside = fixed_part(given.path)
    return (
        is_within(inside, folder)
        or is_within(folder, inside)
        or any(matches(given.path, path) for path in files)
    )


def _is_left(known: Known, scope: Scope) -> bool:
    """Whether a known finding may still be there, in a target that was not rendered."""
    if _spans_targets(known.ignore.rules):
        return not scope.complete
    places = (*scope.left, *scope.skips)
    return any(known.target == f"{one.kind}:{one.path}" for one in places)


def _spans_targets(rules: Collection[str]) -> bool:
    """Whether one of the rules looks at several targets at once: what it finds in one depends on others."""
    return any(Trait.SPANS_TARGETS in find(name).traits for name in rules)
