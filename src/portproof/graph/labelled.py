"""Objects of a rendering by their labels, in some namespaces or in all: a selector need not be compared with all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from portproof.graph.model import RUNTIME_LABELS
from portproof.graph.selectors import Selector

_Item = TypeVar("_Item")


class Labelled(Generic[_Item]):
    """Objects that selectors choose from; what a selector chose is remembered, for monitors often share one."""

    def __init__(self, objects: Iterable[tuple[str, Mapping[str, str], _Item]]) -> None:
        """Take each object as its namespace, its labels, and itself."""
        self._all = tuple(objects)
        self._by_label: dict[tuple[str, str], list[int]] = defaultdict(list)
        for index, (_, labels, _) in enumerate(self._all):
            for pair in labels.items():
                self._by_label[pair].append(index)
        self._known: dict[tuple[Selector, frozenset[str] | None], tuple[_Item, ...]] = {}

    def matching(self, selector: Selector, namespaces: frozenset[str] | None) -> tuple[_Item, ...]:
        """What `selector` selects in these namespaces (None: in all), in the order given."""
        key = (selector, namespaces)
        if key not in self._known:
            candidates = (self._all[index] for index in self._candidates(selector))
            self._known[key] = tuple(
                item
                for namespace, labels, item in candidates
                if (namespaces is None or namespace in namespaces) and selector.matches(labels)
            )
        return self._known[key]

    def _candidates(self, selector: Selector) -> Sequence[int]:
        """The objects with the label that the fewest have, of those that the selector wants."""
        groups = [self._by_label.get(pair, ()) for pair in selector.labels]
        groups += [
            sorted({index for text in one.values for index in self._by_label.get((one.key, text), ())})
            for one in selector.requirements
            if one.operator == "In" and one.key not in RUNTIME_LABELS
        ]
        return min(groups, key=len, default=range(len(self._all)))
