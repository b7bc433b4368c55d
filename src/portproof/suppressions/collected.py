"""Everything that leaves findings out in one run, and the question whether a finding is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct, field

from portproof.discover.model import Target, inputs_of
from portproof.discover.walk import EscapeError, resolve
from portproof.resources import ResourceKey
from portproof.source import LineIndex, RelPath, Span, Tree
from portproof.suppressions import comments
from portproof.suppressions.annotations import Annotated
from portproof.suppressions.comments import Comments
from portproof.suppressions.entries import ConfiguredSuppression
from portproof.suppressions.model import Subject, Suppression, SuppressionSource

Use: TypeAlias = tuple[Suppression, str]
"""An ignore, and the rule of which it left a finding out."""


REASON = "known when the baseline was written"


class Known(Struct, frozen=True):
    """A finding of the baseline: in the targets of which kind and folder it was, what it was about, and its ignore."""

    target: str
    about: str
    ignore: Suppression


class Baseline(Struct, frozen=True):
    """The findings of a baseline by their fingerprints."""

    known: Mapping[str, Known] = field(default_factory=dict)


class SuppressionInputs(Struct, frozen=True):
    """What is known before anything is rendered. With `learn` everything else becomes known: a baseline is written."""

    entries: tuple[ConfiguredSuppression, ...] = ()
    baseline: Baseline = field(default_factory=Baseline)
    learn: bool = False

    @property
    def is_said(self) -> bool:
        """Whether something is left out by the configuration or the baseline."""
        return bool(self.entries or self.baseline.known)


class Suppressions(Struct):
    """The ignores of a run. Files are read when they are first asked for."""

    given: SuppressionInputs
    tree: Tree
    annotated: Mapping[Target, tuple[Annotated, ...]]
    files: dict[RelPath, Comments] = field(default_factory=dict)
    indexes: dict[RelPath, LineIndex] = field(default_factory=dict)

    def of(self, subject: Subject) -> tuple[Suppression, ...]:
        """All that leaves a finding out, what stands nearest to it first; empty when it counts."""
        found = [
            one
            for path, line in subject.lines
            for one in self.comments(path).by_line.get(line, ())
            if subject.rule in one.rules
        ]
        found += self._annotation(subject.target, subject.resource, subject.rule)
        found += [entry.ignore for entry in self.given.entries if entry.means(subject)]
        known = self.given.baseline.known.get(subject.fingerprint)
        if known is not None:
            found.append(known.ignore)
        elif not found and self.given.learn:
            found.append(
                Suppression(SuppressionSource.BASELINE, (subject.rule,), REASON, subject.fingerprint)
            )
        return tuple(found)

    def comments(self, path: RelPath) -> Comments:
        """The comments of a file."""
        if path not in self.files:
            self.files[path] = comments.read(
                path, "" if self._leads_out(path) else self.tree.text_or_none(path) or ""
            )
        return self.files[path]

    def comments_of(self, targets: Iterable[Target]) -> tuple[Suppression, ...]:
        """The comments of all files that are read for these targets."""
        return tuple(one for path in inputs_of(targets, self.tree) for one in self.comments(path).ignores)

    def line(self, span: Span) -> tuple[RelPath, int]:
        """The line, from 1, that a place begins on."""
        if span.path not in self.indexes:
            self.indexes[span.path] = LineIndex.of(self.tree.text_or_none(span.path) or "")
        return span.path, self.indexes[span.path].position(span.start)[0]

    def _leads_out(self, path: RelPath) -> bool:
        try:
            resolve(self.tree.root, path)
        except EscapeError:
            return True
        return False

    def _annotation(self, target: Target, resource: ResourceKey | None, rule: str) -> list[Suppression]:
        return [
            one
            for annotated in self.annotated.get(target, ())
            if annotated.site.resource == resource
            for one in annotated.ignores
            if not one.problem and rule in one.rules
        ]
