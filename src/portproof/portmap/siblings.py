"""What a probe of one target of a chart says of the next: the same templates read the same keys.

Targets of a chart differ in their values files alone. So a field that holds the same in two of them is written at the same
place, unless the values files of one say something of it. Those are probed, as ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from portproof import yamldoc
from portproof.discover.model import HelmTarget, Target
from portproof.graph.model import Site
from portproof.replacing import replace
from portproof.source import RelPath, Tree
from portproof.trace.model import Origin, Proof
from portproof.yamldoc import FieldPath


class Siblings:
    """The places that were proven for some targets of the charts of a tree; each is a place in the chart itself."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._proven: dict[HelmTarget, dict[Site, Origin]] = {}
        self._ways: dict[RelPath, Mapping[int, FieldPath]] = {}

    def learn(self, target: Target, origins: Mapping[Site, Origin]) -> None:
        """Keep what was found for `target`, but for what stands in files that only it is given."""
        if not isinstance(target, HelmTarget) or target.install or target.sets:
            return
        known = self._proven.setdefault(_chart(target), {})
        for field, origin in origins.items():
            if origin.proof is Proof.PROVEN and origin.span.path not in target.values:
                known.setdefault(field, origin)

    def known(self, target: Target, fields: Iterable[Site]) -> dict[Site, Origin]:
        """The places of `fields` that need no probe. None of a field that the target's own values may decide."""
        if not isinstance(target, HelmTarget) or target.install or target.sets:
            return {}
        proven = self._proven.get(_chart(target), {})
        texts = [self._tree.text_or_none(path) for path in target.values]
        try:
            own = [(text, yamldoc.load(text)) for text in texts if text is not None]
        except yamldoc.YamlError:
            return {}
        return {
            field: origin
            for field in fields
            if (origin := proven.get(field))
            and not any(_names(text, field.value) or self._replaces(data, origin) for text, data in own)
        }

    def _replaces(self, values: Any, origin: Origin) -> bool:
        """Whether `values` have something in place of the text at `origin`, for the chart or one of its subcharts."""
        path = origin.span.path
        if "/templates/" in f"/{path}":
            return False
        if path not in self._ways:
            self._ways[path] = _ways(self._tree.text_or_none(path) or "")
        way = self._ways[path].get(origin.span.start)
        return way is None or _replaces(values, way)


def _chart(target: HelmTarget) -> HelmTarget:
    """What targets of one chart have in common."""
    return replace(target, values=(), inferred=False)


def _names(text: str, value: str | int | None) -> bool:
    return re.search(rf"(?<!\w){re.escape(str(value))}(?!\w)", text) is not None


def _replaces(values: Any, way: FieldPath) -> bool:
    """Whether `values`, or any mapping in them, have the key at the end of `way`, or something else in its way."""
    if not isinstance(values, dict):
        return False
    around: Any = values
    for step in way:
        if not isinstance(around, dict):
            return True
        if step not in around:
            break
        around = around[step]
    else:
        return True
    return any(_replaces(one, way) for one in values.values())


def _ways(text: str) -> Mapping[int, FieldPath]:
    """The way to each scalar of a values file, by where its text starts; none when it cannot be read."""
    try:
        documents = yamldoc.documents(text)
    except yamldoc.YamlError:
        return {}
    return {
        span.start + (1 if span.quote else 0): path for one in documents for path, span in one.spans.items()
    }
