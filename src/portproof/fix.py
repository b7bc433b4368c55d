"""Remedy + origins -> a fix, kept only when a render has proven it.

Proven means: with the edits applied, every target that reads an edited file
renders, the finding is gone from all of them, and none has a finding that it
did not have before. What else changed is listed (`Proposal.effects`), and `safety` says whether somebody relies on it.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct

from portproof.discover.kept import near
from portproof.discover.model import HelmTarget, Target
from portproof.edits import Attempt, Follows
from portproof.effects import Change, differences, redacted
from portproof.graph.meetings import Meeting
from portproof.graph.model import PortGraph, Site
from portproof.render.model import Renderer, Rendering
from portproof.resources import ResourceKey
from portproof.resources import read as read_resources
from portproof.rules.base import Remedy
from portproof.rules.evaluate import FindingKey
from portproof.safety.decision import risks
from portproof.safety.model import Danger, Field, Risk, TargetEffects
from portproof.source import Edit, SourceError, Span, Tree
from portproof.timings import Stage, timed
from portproof.trace.alignment import Alignment
from portproof.trace.sentinels import Sentinels
from portproof.yamldoc import FieldPath, lookup

_Fact = TypeVar("_Fact")

Ends: TypeAlias = Callable[[Target, FindingKey], frozenset[Field]]
"""The fields of the edge that a finding of a target is about."""

Had: TypeAlias = Callable[[Target, FindingKey], bool]
"""Whether the base had a finding of a target."""


class Proven(Struct, frozen=True):
    """What a render has shown of some edits: the fields that they change, and every finding (by target) they cure."""

    effects: tuple[Change, ...]
    cures: frozenset[tuple[str, FindingKey]]


class Proposal(Struct, frozen=True):
    """Edits that cure a finding, and the proof; one that is not `recommended` is for people to choose.

    `risks` say why it is unsafe. `fixed` are the fields that it is about: what else changes comes along. `at` are the
    places to look at.
    """

    description: str
    edits: tuple[Edit, ...]
    proven: Proven
    recommended: bool = True
    risks: tuple[Risk, ...] = ()
    fixed: frozenset[Field] = frozenset()
    at: frozenset[Span] = frozenset()

    @property
    def is_safe(self) -> bool:
        """Whether it can be applied without a second look."""
        return not self.risks

    @property
    def is_contradicted(self) -> bool:
        """Whether it is right for some environments only, and the others read the same text: not worth offering."""
        return any(one.danger is Danger.CONTRADICTED for one in self.risks)

    @property
    def effects(self) -> tuple[Change, ...]:
        """The fields of the renderings that the edits change."""
        return self.proven.effects


class Trial(Struct, frozen=True):
    """What the edits have done to one target: its renderings without and with them, the fields that differ, what is cured."""

    target: Target
    before: Rendering
    after: Rendering
    changes: tuple[Change, ...]
    cures: frozenset[FindingKey]


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


class _Graphs:
    """The graphs of the last few renderings: all proofs of a target begin with the same one."""

    def __init__(self, build: Callable[[Rendering], PortGraph]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._known: deque[tuple[Rendering, PortGraph]] = deque(maxlen=4)

    def of(self, rendering: Rendering) -> PortGraph:
        """The graph of this very rendering."""
        with self._lock:
            for known, graph in self._known:
                if known is rendering:
                    return graph
        graph = self._build(rendering)
        with self._lock:
            self._known.append((rendering, graph))
        return graph


class Prover:
    """Proves edits of one tree by rendering it with them. Any number of threads may ask at once.

    `render` may remember earlier answers, `fresh` must not. `known` maps a target's id to its findings in `tree`, or to
    None when it could not be rendered; what of `targets` is not in it is judged when a fix first concerns it. `abroad` gives
    where a number works in the targets beside one.
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
        graph: Callable[[Rendering], PortGraph],
        abroad: Callable[[Target, int], Sequence[Meeting]] = lambda _target, _number: (),
    ) -> None:
        self.tree = tree
        self._render = render
        self._fresh = fresh
        self._targets = targets
        self._judge = judge
        self._graph = graph
        self._graphs = _Graphs(graph)
        self._abroad = abroad
        self._before = Learnt(known)
        self._random: Learnt[frozenset[tuple[ResourceKey, FieldPath]]] = Learnt({})

    def prove(
        self, edits: Sequence[Edit], cured: frozenset[FindingKey], pinned: Tree | None = None
    ) -> Proven | None:
        """What `edits` do when they cure every finding of `cured`, and nothing else breaks; else None.

        `pinned` is the same tree with some of its texts held, whatever becomes of the files. The targets that have these
        findings are asked first: what does not cure them needs no look at all the others.
        """
        trials = self._try(edits, cured, pinned)
        return None if trials is None else _summed_up(trials, edits)

    def propose(
        self,
        remedy: Remedy,
        attempt: Attempt,
        cured: frozenset[FindingKey],
        ends: Ends,
        *,
        had: Had = lambda _target, _key: False,
    ) -> Proposal | None:
        """The edits as a proposal, with what makes them unsafe; None when they do not stand the proof.

        `ends` gives the fields of the edge that a finding of a target is about. What is to follow a value is proven with
        that value moved, too. `had` says which findings come back with what is taken back: those break nothing.
        """
        edits = attempt.edits
        trials = self._try(edits, cured, had=had)
        # What no rendering by itself shows, as a call between two targets, none can prove to be gone.
        if trials is None or not any(one.cures & cured for one in trials):
            return None
        if attempt.follows and not self._follow(attempt.follows, edits, cured, trials):
            return None
        effects = [
            TargetEffects(
                one.target.id,
                frozenset[Field]().union(*(ends(one.target, key) for key in one.cures)),
                one.changes,
                self._graphs.of(one.before),
                self._graph(one.after),
                partial(self._abroad, one.target),
            )
            for one in trials
        ]
        found = risks(effects, guess=not remedy.recommended, follows=bool(attempt.follows))
        fixed = frozenset(
            (change.resource, change.path)
            for one in effects
            for change in one.changes
            if one.is_end(change)
            and (not remedy.changes or any(_alike(change, site) for site, _ in remedy.changes))
        )
        values = {str(value) for site, new in remedy.changes for value in (site.value, new)}
        proven = _summed_up(trials, edits, values)
        return Proposal(
            attempt.description, tuple(edits), proven, remedy.recommended, found, fixed, attempt.at
        )

    def _try(
        self,
        edits: Sequence[Edit],
        cured: frozenset[FindingKey],
        pinned: Tree | None = None,
        *,
        had: Had = lambda _target, _key: False,
    ) -> list[Trial] | None:
        with timed(Stage.PROOF):
            return self._tried(edits, cured, pinned, had)

    def _tried(
        self, edits: Sequence[Edit], cured: frozenset[FindingKey], pinned: Tree | None, had: Had
    ) -> list[Trial] | None:
        try:
            tree = (pinned or self.tree).with_edits(edits)
        except (ValueError, SourceError):
            return None
        paths = {edit.span.path for edit in edits}
        readers = [
            target for target in near(self._targets, paths) if any(target.reads(path) for path in paths)
        ]
        trials: dict[str, Trial] = {}
        for target in sorted(readers, key=lambda one: not (self._before.known(one) or frozenset()) & cured):
            before = self._before.get(target, partial(self._findings, target))
            if before is None:
                continue
            old, new = self._render(target, self.tree), self._render(target, tree)
            if not isinstance(new, Rendering):
                return None
            keys = self._judge(new)
            if keys & cured or not all(had(target, key) for key in keys - before):
                return None
            if isinstance(old, Rendering):
                changes = tuple(self._effects(target, old, new, edits))
                trials[target.id] = Trial(target, old, new, changes, before - keys)
        return [trials[target.id] for target in readers if target.id in trials]

    def _follow(
        self, follows: Follows, edits: Sequence[Edit], cured: frozenset[FindingKey], trials: Sequence[Trial]
    ) -> bool:
        """Whether both ends hold another text together once their value has that, and the edge still meets."""
        source = follows.source
        mended = next((one for one in trials if one.cures & cured), None)
        if mended is None:
            return False
        texts = [one.text for one in mended.after.documents]
        moved = Sentinels([*texts, self.tree.text(source.span.path)]).next(source.text)
        try:
            tree = self.tree.with_edits((*edits, Edit(source.span, source.text, moved)))
        except ValueError:
            return False
        answer = self._render(mended.target, tree)
        if not isinstance(answer, Rendering) or self._judge(answer) & cured:
            return False
        resources = [read_resources(one).resources for one in (mended.before, answer)]
        alignment = Alignment(*resources)
        held = [lookup(alignment.data(one.resource) or {}, one.path) for one in follows.sites]
        return all(moved in re.findall(r"[\w-]+", str(one)) for one in held)

    def _findings(self, target: Target) -> frozenset[FindingKey] | None:
        answer = self._render(target, self.tree)
        return self._judge(answer) if isinstance(answer, Rendering) else None

    def _effects(
        self, target: Target, before: Rendering, after: Rendering, edits: Sequence[Edit]
    ) -> list[Change]:
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


def _alike(change: Change, site: Site) -> bool:
    """Whether a changed field is the one at `site`, in whichever target: names and list positions differ."""
    steps = [[step for step in path if isinstance(step, str)] for path in (change.path, site.path)]
    return change.resource.kind == site.resource.kind and steps[0] == steps[1]


def _summed_up(
    trials: Sequence[Trial], edits: Sequence[Edit], values: Collection[str] = frozenset()
) -> Proven:
    """What the trials have shown; `values` are those that the edits write where their texts do not say them."""
    words = {text.strip("\"'") for edit in edits for text in (edit.old, edit.new)} | set(values)
    effects = dict.fromkeys(redacted(change, words) for one in trials for change in one.changes)
    return Proven(tuple(effects), frozenset((one.target.id, key) for one in trials for key in one.cures))


def _namespace(target: Target) -> str:
    return target.namespace if isinstance(target, HelmTarget) else "default"
