"""Which resource of one rendering of a target is which of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from portproof.resources import Resource, ResourceKey
from portproof.yamldoc import FieldPath, lookup


class Alignment:
    """Matches the resources of two renderings of one target; random names are matched by their order."""

    def __init__(self, before: Sequence[Resource], after: Sequence[Resource]) -> None:
        by_key = {one.key: one for one in after}
        self._pairs: dict[ResourceKey, Resource] = {
            one.key: by_key[one.key] for one in before if one.key in by_key
        }
        lost = [one for one in before if one.key not in by_key]
        known = {one.key for one in before}
        new = [one for one in after if one.key not in known]
        for kind in {one.key.kind for one in lost}:
            left = [one for one in lost if one.key.kind == kind]
            right = [one for one in new if one.key.kind == kind]
            if len(left) == len(right):
                self._pairs.update({one.key: other for one, other in zip(left, right, strict=True)})

    def data(self, key: ResourceKey) -> Mapping[str, Any] | None:
        """What became of a resource of the first rendering."""
        found = self._pairs.get(key)
        return None if found is None else found.data


def same_lengths(before: Any, after: Any, path: FieldPath) -> bool:
    """Whether every list on the way to `path` has as many entries as before."""
    for index, step in enumerate(path):
        if isinstance(step, int):
            old, new = lookup(before, path[:index]), lookup(after, path[:index])
            if not isinstance(old, list) or not isinstance(new, list) or len(old) != len(new):
                return False
    return True
