"""Which of several is meant: the one that is alone, or the one that several agree on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

_Item = TypeVar("_Item", bound=Hashable)


def only(items: Iterable[_Item]) -> _Item | None:
    """What all items are; None when there is none, or when they differ."""
    distinct = list(dict.fromkeys(items))
    return distinct[0] if len(distinct) == 1 else None


def first_unique(*groups: Iterable[_Item], by: Callable[[_Item], Hashable] = lambda one: one) -> _Item | None:
    """The first item of the first group whose items are all the same, as far as `by` tells; None when none is so."""
    for group in groups:
        items = list(group)
        if len({by(one) for one in items}) == 1:
            return items[0]
    return None
