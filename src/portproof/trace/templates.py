"""The action of a template that writes a field: ``{{ .Values.service.port }}`` behind ``port:``.

A value may be right and the template that reads it wrong: it puts quotes around a number, computes it, or reads the value
of another port. Then the place that a person edits is the action. It is found as every other origin is: a sentinel takes
its place, and shows up in the field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from portproof.discover.model import HelmTarget
from portproof.graph.model import Site
from portproof.graph.names import is_digits
from portproof.render.actions import TemplateAction, actions
from portproof.render.model import Renderer, Rendering
from portproof.resources import Manifests, Resource
from portproof.resources import read as read_resources
from portproof.source import Edit, RelPath, Span, Tree
from portproof.timings import Stage, timed
from portproof.trace import pieces
from portproof.trace.alignment import Alignment, same_lengths
from portproof.trace.model import Origin, Proof
from portproof.trace.sentinels import Sentinels
from portproof.yamldoc import lookup

MAX_RENDERS = 6
"""Probe renders for the actions of one target; nearly always one is enough."""

MAX_ACTIONS = 200
"""Actions of one target that are tried."""

_STATEMENT = re.compile(
    r"(?:if|else|end|with|range|define|block|template|break|continue)\b|/\*|\$\w*\s*:?=|fail\b"
)
"""What begins an action that writes nothing by itself."""


def written(manifests: Manifests, fields: Iterable[Site], tree: Tree, render: Renderer) -> dict[Site, Origin]:
    """The actions that write `fields` of a chart, each proven by a rendering; a field without one is left out."""
    with timed(Stage.TRACING, manifests.target.id):
        return _written(manifests, fields, tree, render)


def _written(
    manifests: Manifests, fields: Iterable[Site], tree: Tree, render: Renderer
) -> dict[Site, Origin]:
    target = manifests.target
    sources = {one.key: one.document.source for one in manifests.resources}
    wanted = sorted(
        {one for one in fields if one.value is not None and sources.get(one.resource)},
        key=lambda one: (one.resource, str(one.path), one.piece.start if one.piece else 0),
    )
    if not isinstance(target, HelmTarget) or not wanted:
        return {}
    places: dict[Edit, str] = {}
    for one in wanted:
        path = sources[one.resource]
        for action in _writing(one, path or "", tree):
            places.setdefault(action, str(one.value))
    search = _Search(manifests, tree, render, wanted)
    search.run(sorted(places)[:MAX_ACTIONS], places)
    return search.found


def _writing(one: Site, path: RelPath, tree: Tree) -> Iterator[Edit]:
    """The actions that stand where the template writes a field of that name, each as an edit that takes it away."""
    text = tree.text_or_none(path) or ""
    key = next((step for step in reversed(one.path) if isinstance(step, str)), "")
    before = re.compile(
        r"[:=,\"' ]$" if one.piece else rf"(?:^|[\s{{,]){re.escape(key)}[\"']?[ \t]*:[ \t]*[\"']?$"
    )
    for action in actions(text):
        start = text.rfind("\n", 0, action.start) + 1
        if before.search(text, start, action.start) and _writes(action):
            yield Edit(Span(path, action.start, action.end), text[action.start : action.end], "")


def _writes(action: TemplateAction) -> bool:
    return _STATEMENT.match(action.body) is None


class _Search:
    """The state of one search: the fields that are still open, and how many renders are left."""

    def __init__(self, before: Manifests, tree: Tree, render: Renderer, wanted: Sequence[Site]) -> None:
        self.found: dict[Site, Origin] = {}
        self._before = before
        self._tree = tree
        self._render = render
        self._wanted = wanted
        self._data = {one.key: one.data for one in before.resources}
        texts = [one.document.text for one in before.resources]
        self._sentinels = Sentinels([*texts, *_source_texts(before.resources, tree)])
        self._renders = 0

    def run(self, places: Sequence[Edit], reads: Mapping[Edit, str]) -> None:
        """Probe all `places` at once; halve them while that does not render. `reads` is what each has written."""
        stack = [list(places)]
        while stack:
            group = stack.pop()
            if not group or self._renders >= MAX_RENDERS or len(self.found) == len(self._wanted):
                continue
            if not self._probe(group, reads) and len(group) > 1:
                stack += [group[: len(group) // 2], group[len(group) // 2 :]]

    def _probe(self, group: Sequence[Edit], reads: Mapping[Edit, str]) -> bool:
        """Render with a sentinel for each action of `group`; gives whether that rendered."""
        try:
            by_sentinel = {self._sentinels.next(reads[one]): one for one in group}
        except StopIteration:
            return True
        self._renders += 1
        edits = [Edit(one.span, one.old, sentinel) for sentinel, one in by_sentinel.items()]
        answer = self._render(self._before.target, self._tree.with_edits(edits))
        if not isinstance(answer, Rendering):
            return False
        alignment = Alignment(self._before.resources, read_resources(answer).resources)
        stand_ins = {sentinel: reads[one] for sentinel, one in by_sentinel.items()}
        for one in self._wanted:
            data = alignment.data(one.resource)
            if one in self.found or data is None:
                continue
            before, held = self._data[one.resource], lookup(data, one.path)
            if one.piece is not None:
                # Without its quotes, a number that was text is none any longer.
                text = str(held) if type(held) is int else held
                held = pieces.origin_of(one.piece, lookup(before, one.path), text, stand_ins)
            place = by_sentinel.get(str(held))
            if place is not None and same_lengths(before, data, one.path):
                self.found[one] = Origin(place.span, place.old, Proof.PROVEN)
        return True


def _source_texts(resources: Iterable[Resource], tree: Tree) -> Iterator[str]:
    for path in {one.document.source for one in resources if one.document.source}:
        yield tree.text_or_none(path) or ""


def is_quoted_number(one: Site, new: str | int) -> bool:
    """Whether a field holds a number as a string, and is to hold a number, or a name, instead."""
    return one.piece is None and is_digits(one.value) and (isinstance(new, int) or not is_digits(new))
