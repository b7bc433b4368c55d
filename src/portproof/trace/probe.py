"""Finds the text that decides a field: put a sentinel into every candidate, render, see which one shows up.

One render answers for all fields of a target at once, because every candidate
has a sentinel of its own. When that render fails, or a field is gone from it (a
template branches on the value), the candidates are halved and tried again,
within a budget.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from portproof.discover.model import ManifestTarget, Target
from portproof.graph.model import Site
from portproof.render.model import Renderer, Rendering
from portproof.resources import Manifests, ResourceKey
from portproof.resources import read as read_resources
from portproof.source import Edit, RelPath, Tree, is_within, parent
from portproof.timings import Stage, timed
from portproof.trace import hints, pieces, templates
from portproof.trace.alignment import Alignment, same_lengths
from portproof.trace.candidates import (
    MAX_CANDIDATES,
    Candidate,
    candidates,
    in_addresses,
    is_host,
    is_kustomize,
)
from portproof.trace.model import Origin, Proof
from portproof.trace.sentinels import Sentinels
from portproof.yamldoc import FieldPath, lookup

MAX_RENDERS = 14
"""Probe renders for one target; nearly always one or two are enough."""

MAX_PIECES = 200
"""Numbers of one text that are traced: each takes a look through the whole text."""


def origins(manifests: Manifests, fields: Iterable[Site], tree: Tree, render: Renderer) -> dict[Site, Origin]:
    """Where each of `fields` comes from; a field of which nothing is known is left out."""
    with timed(Stage.TRACING, manifests.target.id):
        return Tracing(manifests, fields, tree).origins(render)


class FirstProbe(Struct, frozen=True):
    """A tree with a sentinel in each place that is tried first, and what each sentinel stands for.

    `inputs` are the texts that the target is rendered from without sentinels. `sources` are where the fields are rendered
    from: what else comes out does not matter.
    """

    tree: Tree
    stand_ins: Mapping[str, str]
    inputs: Mapping[RelPath, str]
    sources: frozenset[RelPath | None]


class Tracing:
    """The search for `fields` of one target, so far without a render.

    Nearly always its first probe answers it. So that of many targets can be rendered together, and be given to `origins`.
    """

    def __init__(self, manifests: Manifests, fields: Iterable[Site], tree: Tree) -> None:
        self._manifests = manifests
        self._tree = tree
        here = {one.key for one in manifests.resources}
        self._wanted = _bounded(
            sorted(
                {one for one in fields if one.resource in here},  # the other end may be in another target
                key=lambda one: (one.resource, str(one.path), one.piece.start if one.piece else 0),
            )
        )
        # A field that holds nothing has no text to look for, and of an object that a chart makes twice nobody can tell
        # which of the two it is: its place can only be hinted.
        times = Counter(one.key for one in manifests.resources)
        probed = [one for one in self._wanted if one.value is not None and times[one.resource] == 1]
        by_position = isinstance(manifests.target, ManifestTarget)
        self._inputs = {} if by_position else _inputs(manifests.target, tree)
        self._candidates = _worth_trying(self._inputs, probed, manifests)
        self._probed = probed
        # No sentinel may be in what was rendered, or in what that was rendered from.
        rendered = [] if by_position else [one.document.text for one in manifests.resources]
        self._sentinels = Sentinels([*rendered, *self._inputs.values()])
        self._first: dict[Candidate, str] = {}

    def first(self) -> FirstProbe | None:
        """What `origins` renders first; None when it renders nothing. To be called once."""
        rank = min((one.rank for one in self._candidates), default=0)
        self._first = _given_out(self._sentinels, [one for one in self._candidates if one.rank == rank])
        if not self._first:
            return None
        sources = {one.key: one.document.source for one in self._manifests.resources}
        return FirstProbe(
            self._tree.with_edits(_edits(self._first)),
            {sentinel: one.text for one, sentinel in self._first.items()},
            self._inputs,
            frozenset(sources[one.resource] for one in self._probed),
        )

    def origins(self, render: Renderer, answer: Rendering | None = None) -> dict[Site, Origin]:
        """Where each field comes from. `answer` is what the first probe renders to, where that is known; to be called once."""
        manifests, tree = self._manifests, self._tree
        if isinstance(manifests.target, ManifestTarget):
            return hints.by_position(manifests, self._wanted, tree)
        data = {one.key: one.data for one in manifests.resources}
        search = _Search(
            manifests,
            tree,
            render,
            self._probed,
            data,
            self._sentinels,
            self._first if answer else {},
            answer,
        )
        search.run(self._candidates)
        # What a template computes is no text of any file; the action that does is.
        search.found |= templates.written(manifests, search.open(), tree, render)
        for one in self._wanted:
            if one not in search.found:
                hint = hints.best(manifests, one, tree)
                if hint is not None:
                    search.found[one] = hint
        return search.found


def _bounded(fields: Iterable[Site]) -> list[Site]:
    """`fields` without those that are one number too many of their text."""
    count: Counter[tuple[ResourceKey, FieldPath]] = Counter()
    kept = []
    for one in fields:
        count[one.resource, one.path] += one.piece is not None
        if one.piece is None or count[one.resource, one.path] <= MAX_PIECES:
            kept.append(one)
    return kept


def _inputs(target: Target, tree: Tree) -> dict[RelPath, str]:
    """What a target is rendered from, as far as it can be read: rendering reads it itself, and reports the rest."""
    found = ((path, tree.text_or_none(path)) for path in target.inputs(tree))
    return {path: text for path, text in found if text is not None}


def _worth_trying(
    inputs: Mapping[RelPath, str], wanted: Sequence[Site], manifests: Manifests
) -> list[Candidate]:
    """The places that may decide one of the fields; of too many only those where ports are named."""
    data = {one.key: one.data for one in manifests.resources}
    words: set[str] = set()
    addresses: set[Candidate] = set()
    for one in wanted:
        text = str(lookup(data[one.resource], one.path)) if one.piece and isinstance(one.value, str) else ""
        if one.piece and is_host(text, one.piece):
            addresses.update(in_addresses(inputs, text, one.piece))
        else:
            words.add(str(one.value))
    everything = sorted({*candidates(inputs, words), *addresses})
    if len(everything) <= MAX_CANDIDATES:
        return everything
    return [one for one in everything if one.rank == 0][:MAX_CANDIDATES]


class _Search(Struct):
    """The state of one search: what is known, and how many renders are left. `data` is what each resource held before.

    `answer` is what comes out with the sentinels of `first`, where somebody has rendered that already.
    """

    before: Manifests
    tree: Tree
    render: Renderer
    wanted: Sequence[Site]
    data: Mapping[ResourceKey, Mapping[str, Any]]
    sentinels: Sentinels
    first: Mapping[Candidate, str] = field(default_factory=dict)
    answer: Rendering | None = None
    found: dict[Site, Origin] = field(default_factory=dict)
    renders: int = 0

    def run(self, everything: Sequence[Candidate]) -> None:
        """Probe the candidates, one rank after the other."""
        for rank in sorted({one.rank for one in everything}):
            self._try([one for one in everything if one.rank == rank])

    def open(self) -> list[Site]:
        """The fields of which nothing is known yet."""
        return [one for one in self.wanted if one not in self.found]

    def _try(self, group: list[Candidate]) -> None:
        """Probe `group`; halve it while fields are lost in the rendering of the whole."""
        stack = [group]
        while stack:
            texts = {str(one.value) for one in self.open()}
            useful = [one for one in stack.pop() if one.text in texts]
            if not useful or self.renders >= MAX_RENDERS:
                continue
            troubled = self._probe(useful)
            if not troubled or len(useful) == 1:
                continue
            again = {str(one.value) for one in troubled}
            rest = [one for one in useful if one.text in again]
            # Of two halves the later is tried first: templates sort after Chart.yaml's neighbours, patches after bases.
            stack += [rest[: len(rest) // 2], rest[len(rest) // 2 :]]

    def _probe(self, group: list[Candidate]) -> list[Site]:
        """Render with a sentinel in each place of `group`; gives the fields that cannot be read there."""
        known = self.answer is not None and set(group) == set(self.first)
        sentinels = self.first if known else _given_out(self.sentinels, group)
        after = self._rendered(sentinels)
        if after is None:
            return self.open() if sentinels else []
        alignment = Alignment(self.before.resources, after.resources)
        by_sentinel = {sentinel: one for one, sentinel in sentinels.items()}
        stand_ins = {sentinel: one.text for one, sentinel in sentinels.items()}
        troubled = []
        for one in self.open():
            data = alignment.data(one.resource)
            if data is None:
                troubled.append(one)
                continue
            held = lookup(data, one.path)
            if one.piece is not None:
                held = pieces.origin_of(one.piece, lookup(self.data[one.resource], one.path), held, stand_ins)
            candidate = by_sentinel.get(str(held))
            if not same_lengths(self.data[one.resource], data, one.path):
                coupled = self._coupled(one, data, by_sentinel)
                if coupled is not None:
                    self.found[one] = coupled
                else:
                    troubled.append(one)
            elif candidate is not None:
                count = sum(each.document.text.count(str(held)) for each in after.resources)
                self.found[one] = Origin(candidate.span, candidate.text, Proof.PROVEN, shared=count > 1)
            elif lookup(data, one.path) is None:
                troubled.append(one)
        return troubled

    def _coupled(
        self, one: Site, data: Mapping[str, Any], by_sentinel: Mapping[str, Candidate]
    ) -> Origin | None:
        """A patch and its base name a list entry by the same scalar; with different ones the list grows.

        All places that show up in the grown list get one common sentinel; if the field then holds it and the list has
        its old length, they are the origin together.
        """
        if not is_kustomize(self.before.target):
            return None
        at = max(index for index, step in enumerate(one.path) if isinstance(step, int))
        items = lookup(data, one.path[:at])
        shown = [str(lookup(item, one.path[at + 1 :])) for item in items] if isinstance(items, list) else []
        together = [by_sentinel[text] for text in shown if text in by_sentinel]
        if len(together) < 2:
            return None
        common = self.sentinels.next(together[0].text)
        after = self._rendered(dict.fromkeys(together, common))
        if after is None:
            return None
        changed = Alignment(self.before.resources, after.resources).data(one.resource)
        if changed is None or not same_lengths(self.data[one.resource], changed, one.path):
            return None
        if str(lookup(changed, one.path)) != common:
            return None
        folder = self.before.target.path
        together.sort(key=lambda place: (not is_within(parent(place.span.path), folder), place.span))
        first, *rest = together
        return Origin(first.span, first.text, Proof.PROVEN, tuple(place.span for place in rest))

    def _rendered(self, sentinels: Mapping[Candidate, str]) -> Manifests | None:
        """What comes out with these sentinels; None when that does not render, or when there are none."""
        if not sentinels:
            return None
        if self.answer is not None and sentinels is self.first:
            return read_resources(self.answer)
        self.renders += 1
        result = self.render(self.before.target, self.tree.with_edits(_edits(sentinels)))
        return read_resources(result) if isinstance(result, Rendering) else None


def _given_out(sentinels: Sentinels, group: Iterable[Candidate]) -> dict[Candidate, str]:
    """A sentinel for each place; none at all where there are not enough."""
    try:
        return {one: sentinels.next(one.text) for one in group}
    except StopIteration:
        return {}


def _edits(sentinels: Mapping[Candidate, str]) -> list[Edit]:
    return [Edit(one.span, one.text, sentinel) for one, sentinel in sentinels.items()]
