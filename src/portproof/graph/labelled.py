"""Objects of a rendering by their labels, in some namespaces or in all: a selector need not be compared with all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Generic, TypeAlias, TypeVar

from portproof.graph.model import RUNTIME_LABELS
from portproof.graph.selectors import Selector

_Item = TypeVar("_Item")
_Index: TypeAlias = "Mapping[tuple[str, str], Sequence[int]]"
"""Which objects have a label, in the order given."""


class Labelled(Generic[_Item]):
    """Objects that selectors choose from; what a selector chose is remembered, for monitors often share one."""

    def __init__(self, objects: Iterable[tuple[str, Mapping[str, str], _Item]]) -> None:
        """Take each object as its namespace, its labels, and itself."""
        self._all = tuple(objects)
        self._within: dict[str, list[int]] = defaultdict(list)
        for index, (namespace, _, _) in enumerate(self._all):
            self._within[namespace].append(index)
        self._indexes: dict[str, _Index] = {}
        self._known: dict[tuple[Selector, frozenset[str] | None], tuple[_Item, ...]] = {}

    def matching(self, selector: Selector, namespaces: frozenset[str] | None) -> tuple[_Item, ...]:
        """What `selector` selects in these namespaces (None: in all), in the order given."""
        key = (selector, namespaces)
        if key not in self._known:
            if namespaces is None:
                places = _candidates(selector, self._everywhere, range(len(self._all)))
            else:
                known = [one for one in namespaces if one in self._within]
                found = [_candidates(selector, self._index(one), self._within[one]) for one in known]
                places = found[0] if len(found) == 1 else sorted(index for one in found for index in one)
            self._known[key] = tuple(
                self._all[index][2] for index in places if selector.matches(self._all[index][1])
            )
        return self._known[key]

    def _index(self, namespace: str) -> _Index:
        if namespace not in self._indexes:
            self._indexes[namespace] = self._by_label(self._within[namespace])
        return self._indexes[namespace]

    @cached_property
    def _everywhere(self) -> _Index:
        return self._by_label(range(len(self._all)))

    def _by_label(self, places: Sequence[int]) -> _Index:
        found: dict[tuple[str, str], list[int]] = defaultdict(list)
        for index in places:
            for pair in self._all[index][1].items():
                found[pair].append(index)
        return found


def _candidates(selector: Selector, by_label: _Index, every: Sequence[int]) -> Sequence[int]:
    """The objects with the label that the fewest have, of those that the selector wants."""
    groups = [by_label.get(pair, ()) for pair in selector.labels]
    groups += [
        sorted({index for text in one.values for index in by_label.get((one.key, text), ())})
        for one in selector.requirements
        if one.operator == "In" and one.key not in RUNTIME_LABELS
    ]
    return min(groups, key=len, default=every)
