"""Remedy + origins -> a fix, kept only when a render has proven it.

Proven means: with the edits applied, every target that reads an edited file
renders, the finding is gone from all of them, and none has a finding that it
did not have before. What else changed is listed (`Proposal.effects`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from portproof.discover.model import HelmTarget, Target
from portproof.effects import Change, differences, redacted
from portproof.graph.model import Site
from portproof.graph.names import is_digits
from portproof.render.model import Renderer, Rendering
from portproof.resources import ResourceKey
from portproof.rules.base import Remedy, Scalar
from portproof.rules.evaluate import FindingKey
from portproof.source import Edit, SourceError, Span, Tree
from portproof.trace.model import Origin, Proof
from portproof.yamldoc import FieldPath


@dataclass(frozen=True, slots=True)
class Proven:
    """What a render has shown of some edits: the fields that they change, and every finding (by target) they cure."""

    effects: tuple[Change, ...]
    cures: frozenset[tuple[str, FindingKey]]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Edits that cure a finding, and the proof; one that is not `recommended` is for people to choose."""

    description: str
    edits: tuple[Edit, ...]
    proven: Proven
    recommended: bool = True

    @property
    def effects(self) -> tuple[Change, ...]:
        """The fields of the renderings that the edits change."""
        return self.proven.effects


@dataclass(frozen=True, slots=True)
class Prover:
    """What proving needs: a renderer, all targets, and what each of them had to say before.

    `render` may remember earlier answers, `fresh` must not. `known` maps a target's id to its findings in `tree`, or to
    None when it could not be rendered; targets that are not in it are judged when a fix first concerns them. `random`
    remembers which fields of a target differ from run to run, once that was looked into.
    """

    tree: Tree
    render: Renderer
    fresh: Renderer
    targets: Sequence[Target]
    known: dict[str, frozenset[FindingKey] | None]
    judge: Callable[[Rendering], frozenset[FindingKey]]
    random: dict[str, frozenset[tuple[ResourceKey, FieldPath]]] = field(default_factory=dict)

    def prove(self, edits: Sequence[Edit], cured: frozenset[FindingKey]) -> Proven | None:
        """What `edits` do when they cure every finding of `cured`, and nothing else breaks; else None.

        The targets that have these findings are asked first: what does not cure them needs no look at all the others.
        """
        try:
            tree = self.tree.with_edits(edits)
        except (ValueError, SourceError):
            return None
        paths = {edit.span.path for edit in edits}
        readers = [target for target in self.targets if any(target.reads(path) for path in paths)]
        changes: dict[str, list[Change]] = {target.id: [] for target in readers}
        cures: set[tuple[str, FindingKey]] = set()
        for target in sorted(readers, key=lambda one: not (self.known.get(one.id) or frozenset()) & cured):
            before = self._before(target)
            if before is None:
                continue
            after = self.render(target, tree)
            if not isinstance(after, Rendering):
                return None
            keys = self.judge(after)
            if keys & cured or keys - before:
                return None
            cures.update((target.id, key) for key in before - keys)
            words = {text.strip("\"'") for edit in edits for text in (edit.old, edit.new)}
            changes[target.id] = [redacted(one, words) for one in self._effects(target, after, edits)]
        every = dict.fromkeys(one for some in changes.values() for one in some)
        return Proven(tuple(every), frozenset(cures))

    def _before(self, target: Target) -> frozenset[FindingKey] | None:
        if target.id not in self.known:
            answer = self.render(target, self.tree)
            self.known[target.id] = self.judge(answer) if isinstance(answer, Rendering) else None
        return self.known[target.id]

    def _effects(self, target: Target, after: Rendering, edits: Sequence[Edit]) -> list[Change]:
        before = self.render(target, self.tree)
        if not isinstance(before, Rendering):
            return []
        namespace = target.namespace if isinstance(target, HelmTarget) else "default"
        changes = differences(before, after, namespace)
        news = {edit.new.strip("\"'") for edit in edits}
        if all(any(new in str(change.after) for new in news) for change in changes):
            return changes
        # Something changed that does not hold the new text: a checksum, or what a chart makes at random each time.
        # A second rendering of the same tree tells them apart; it must not come from the cache.
        if target.id not in self.random:
            again = self.fresh(target, self.tree)
            differing = differences(before, again, namespace) if isinstance(again, Rendering) else []
            self.random[target.id] = frozenset((change.resource, change.path) for change in differing)
        random = self.random[target.id]
        return [change for change in changes if (change.resource, change.path) not in random]


def edits_of(remedy: Remedy, origins: Mapping[Site, Origin], tree: Tree) -> tuple[Edit, ...] | None:
    """The edits that give the remedy's fields their new values; None when a place is not proven or nothing changes."""
    edits: set[Edit] = set()
    for site, new in remedy.changes:
        origin = origins.get(site)
        if origin is None or origin.proof is not Proof.PROVEN:
            return None
        for span in (origin.span, *origin.partners):
            edit = _edit(span, origin.text, site.value, new, tree)
            if edit.old == edit.new:
                return None
            edits.add(edit)
    spans = sorted(edits)
    if any(one.span.path == two.span.path and two.span.start < one.span.end for one, two in pairwise(spans)):
        return None  # two fields come from one scalar and are to get different values
    return tuple(spans)


def _edit(span: Span, text: str, value: Scalar | None, new: Scalar, tree: Tree) -> Edit:
    """Replace exactly the scalar; quotes go when a string has to become a number, and come the other way round."""
    content = tree.text(span.path)
    before, after = content[span.start - 1 : span.start], content[span.end : span.end + 1]
    quoted = before in ("'", '"') and before == after
    if isinstance(value, str) and isinstance(new, int) and quoted:
        return Edit(Span(span.path, span.start - 1, span.end + 1), before + text + after, str(new))
    if isinstance(value, int) and is_digits(new) and not quoted:
        return Edit(span, text, f'"{new}"')
    return Edit(span, text, str(new))
