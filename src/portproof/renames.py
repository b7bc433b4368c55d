"""Which targets a change moved to another folder: nothing of them is new because they are called otherwise."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from msgspec import Struct

from portproof.discover.model import Target
from portproof.source import RelPath, Tree

_ALIKE = 0.5
"""The share of equal files from which on a target is another one moved; git takes the same for lines of a file."""


class Renamed(Struct, frozen=True):
    """What a target of today was in the base, and where its files were: those of today by their paths, and their old ones."""

    old: Target
    files: Mapping[RelPath, RelPath]


def renamed(today: Sequence[Target], tree: Tree, gone: Sequence[Target], old: Tree) -> dict[str, Renamed]:
    """What new targets were in the base, by their ids: the one of those that are gone whose files they mostly have.

    `today` are those of `tree` that the base, which lies in `old`, did not have.
    """
    left = {one: _texts(one, old) for one in gone}
    found: dict[str, Renamed] = {}
    for target in today if left else ():
        texts = _texts(target, tree)
        same = {one: _shared(texts, before) for one, before in left.items() if one.kind == target.kind}
        best = max(same, key=lambda one: (same[one], one.id), default=None)
        if best is not None and same[best] >= _ALIKE:
            del left[best]
            found[target.id] = Renamed(best, _paths(target, best, texts))
    return found


def _texts(target: Target, tree: Tree) -> dict[RelPath, str]:
    """The texts that a target is rendered from, by their paths as seen from its folder."""
    return {
        posixpath.relpath(path, target.path): text
        for path in target.inputs(tree)
        if (text := tree.text_or_none(path)) is not None
    }


def _shared(one: Mapping[RelPath, str], other: Mapping[RelPath, str]) -> float:
    """The share of files that are the same in both."""
    equal = sum(other.get(path) == text for path, text in one.items())
    return equal / max(len(one), len(other), 1)


def _paths(target: Target, old: Target, texts: Mapping[RelPath, str]) -> dict[RelPath, RelPath]:
    here, there = (
        [posixpath.normpath(posixpath.join(one.path, path)) for path in texts] for one in (target, old)
    )
    return dict(zip(here, there, strict=True))
