"""Remedy + origins -> a fix, kept only when a render has proven it.

Proven means: with the edits applied, every target that reads an edited file
renders, the finding is gone from all of them, and none has a finding that it
did not have before. What else changed is listed (`Proposal.effects`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Generic, TypeVar

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

_Fact = TypeVar("_Fact")


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


class Learnt(Generic[_Fact]):
    """A fact about each target, by its id, found out when it is first asked for.

    Two threads may find out the same at once; then all go by the answer that came first.
    """

    def __init__(self, known: Mapping[str, _Fact]) -> None:
        self._lock = threading.Lock()
        self._known = dict(known)

    def known(self, target: Target) -> _Fact | None:
        """The fact, where it is known."""
        with self._lock:
            return self._known.get(target.id)

    def get(self, target: Target, find_out: Callable[[], _Fact]) -> _Fact:
        """The fact, found out where it is not known yet."""
        with self._lock:
            if target.id in self._known:
                return self._known[target.id]
        fact = find_out()
        with self._lock:
            return self._known.setdefault(target.id, fact)


class Prover:
    """Proves edits of one tree by rendering it with them. Any number of threads may ask at once.

    `render` may remember earlier answers, `fresh` must not. `known` maps a target's id to its findings in `tree`, or to
    None when it could not be rendered; what of `targets` is not in it is judged when a fix first concerns it.
    """

    def __init__(  # noqa: PLR0913 - one argument for each thing that a proof rests on
        self,
        *,
        tree: Tree,
        render: Renderer,
        fresh: Renderer,
        targets: Sequence[Target],
        known: Mapping[str, frozenset[FindingKey] | None],
        judge: Callable[[Rendering], frozenset[FindingKey]],
    ) -> None:
        self.tree = tree
        self._render = render
        self._fresh = fresh
        self._targets = targets
        self._judge = judge
        self._before = Learnt(known)
        self._random: Learnt[frozenset[tuple[ResourceKey, FieldPath]]] = Learnt({})

    def prove(
        self, edits: Sequence[Edit], cured: frozenset[FindingKey], pinned: Tree | None = None
    ) -> Proven | None:
        """What `edits` do when they cure every finding of `cured`, and nothing else breaks; else None.

        `pinned` is the same tree with some of its texts held, whatever becomes of the files. The targets that have these
        findings are asked first: what does not cure them needs no look at all the others.
        """
        try:
            tree = (pinned or self.tree).with_edits(edits)
        except (ValueError, SourceError):
            return None
        paths = {edit.span.path for edit in edits}
        readers = [target for target in self._targets if any(target.reads(path) for path in paths)]
        changes: dict[str, list[Change]] = {target.id: [] for target in readers}
        cures: set[tuple[str, FindingKey]] = set()
        for target in sorted(readers, key=lambda one: not (self._before.known(one) or frozenset()) & cured):
            before = self._before.get(target, partial(self._findings, target))
            if before is None:
                continue
            after = self._render(target, tree)
            if not isinstance(after, Rendering):
                return None
            keys = self._judge(after)
            if keys & cured or keys - before:
                return None
            cures.update((target.id, key) for key in before - keys)
            words = {text.strip("\"'") for edit in edits for text in (edit.old, edit.new)}
            changes[target.id] = [redacted(one, words) for one in self._effects(target, after, edits)]
        every = dict.fromkeys(one for some in changes.values() for one in some)
        return Proven(tuple(every), frozenset(cures))

    def _findings(self, target: Target) -> frozenset[FindingKey] | None:
        answer = self._render(target, self.tree)
        return self._judge(answer) if isinstance(answer, Rendering) else None

    def _effects(self, target: Target, after: Rendering, edits: Sequence[Edit]) -> list[Change]:
        before = self._render(target, self.tree)
        if not isinstance(before, Rendering):
            return []
        changes = differences(before, after, _namespace(target))
        news = {edit.new.strip("\"'") for edit in edits}
        if all(any(new in str(change.after) for new in news) for change in changes):
            return changes
        # Something changed that does not hold the new text: a checksum, or what a chart makes at random each time.
        random = self._random.get(target, partial(self._random_fields, target, before))
        return [change for change in changes if (change.resource, change.path) not in random]

    def _random_fields(self, target: Target, before: Rendering) -> frozenset[tuple[ResourceKey, FieldPath]]:
        """The fields that differ in a second rendering of the same tree, which must not come from the cache."""
        again = self._fresh(target, self.tree)
        if not isinstance(again, Rendering):
            return frozenset()
        return frozenset((one.resource, one.path) for one in differences(before, again, _namespace(target)))


def _namespace(target: Target) -> str:
    return target.namespace if isinstance(target, HelmTarget) else "default"


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
