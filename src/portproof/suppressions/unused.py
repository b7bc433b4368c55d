"""Ignores that do nothing: they say nothing that counts, or what they leave out is no longer there.

That something is no longer there can only be said when everything was looked at that it could be in. A target that
could not be rendered, or was not asked for, keeps all ignores quiet that may concern it.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Iterator

from msgspec import Struct

from portproof.config import IgnoreConfig, matches
from portproof.config.globs import fixed_part
from portproof.discover.model import HelmTarget, Skip, Target
from portproof.replacing import replace
from portproof.rules import find
from portproof.rules.base import Trait
from portproof.rules.run import unused_ignore
from portproof.source import RelPath, is_within
from portproof.suppressions.collected import Known, Suppressions, Use
from portproof.suppressions.model import Suppression, SuppressionSource


class Scope(Struct, frozen=True):
    """How much was looked at: targets that rendered whole, those that did not, and what was no target to begin with."""

    done: tuple[Target, ...]
    left: tuple[Target, ...]
    skips: tuple[Skip, ...]

    @property
    def complete(self) -> bool:
        """Whether everything there is was looked at."""
        return not self.left and not self.skips


class UnusedSuppression(Struct, frozen=True):
    """An ignore that does nothing; `rules` are those of which it leaves nothing out, empty when it has a problem.

    `about` says what was known, for an entry of the baseline, `holder` which target has it, for an annotation. It may do
    something yet if it `may_concern_more`. Of a comment's file: `by_charts` says that charts which were looked at read it,
    `by_overlays` that overlays may which were not.
    """

    ignore: Suppression
    rules: tuple[str, ...] = ()
    about: str = ""
    holder: str = ""
    may_concern_more: bool = False
    by_charts: bool = False
    by_overlays: bool = False

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
        rules = still_unused(ignore, used, ran)
        if ignore.problem:
            yield UnusedSuppression(ignore)
        elif rules:
            yield UnusedSuppression(ignore, rules)


def unused_given(
    suppressions: Suppressions, used: Collection[Use], ran: Collection[str], scope: Scope
) -> Iterator[UnusedSuppression]:
    """Entries of the configuration and of the baseline that no finding is about."""
    for entry in suppressions.given.entries:
        rules = still_unused(entry.ignore, used, ran)
        if rules:
            more = _may_concern_more(entry.given, scope)
            yield UnusedSuppression(entry.ignore, rules, may_concern_more=more)
    for known in suppressions.given.baseline.known.values():
        rules = still_unused(known.ignore, used, ran)
        if rules:
            about = f"{known.about} in {known.target}".strip()
            yield UnusedSuppression(known.ignore, rules, about, may_concern_more=_is_left(known, scope))


def still_unused(ignore: Suppression, used: Collection[Use], ran: Collection[str]) -> tuple[str, ...]:
    """The rules of which an ignore left nothing out; a rule that did not run says nothing."""
    return tuple(rule for rule in ignore.rules if rule in ran and (ignore, rule) not in used)


def seen_by(one: UnusedSuppression, scope: Scope) -> UnusedSuppression:
    """The comment or annotation with what is known of those that read its file."""
    if one.ignore.span is None:
        return one
    path = one.ignore.span.path
    left = any(target.reads(path) for target in scope.left)
    by_charts = any(isinstance(target, HelmTarget) and target.reads(path) for target in scope.done)
    return replace(
        one,
        may_concern_more=left or any(is_within(path, skip.path) for skip in scope.skips),
        by_charts=by_charts,
        by_overlays=any(skip.kind == "kustomize" for skip in scope.skips),
    )


def is_seen_through(one: UnusedSuppression, *, complete: bool) -> bool:
    """Whether everything was rendered that the ignore may be about; with `complete` all there is was.

    A comment and an annotation are about what reads their file, an entry says it itself.
    """
    in_file = one.ignore.source in (SuppressionSource.COMMENT, SuppressionSource.ANNOTATION)
    if spans_targets(one.rules) or (in_file and one.ignore.span is None):
        return complete
    # What a skipped overlay reads is not known, but it would not be a chart's file.
    return not one.may_concern_more and (one.by_charts or not one.by_overlays)


def _may_concern_more(given: IgnoreConfig, scope: Scope) -> bool:
    """Whether an entry of the configuration may be about something that was not looked at."""
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
    places = (*scope.left, *scope.skips)
    return any(known.target == f"{one.kind}:{one.path}" for one in places)


def spans_targets(rules: Collection[str]) -> bool:
    """Whether one of the rules looks at several targets at once: what it finds in one depends on others."""
    return any(Trait.SPANS_TARGETS in find(name).traits for name in rules)
