"""Targets that an earlier run has found, each made when somebody asks for it.

A run that is about a few files of many asks for the targets `near` them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import overload

from portproof.discover.model import Target
from portproof.discover.walk import ancestors
from portproof.source import RelPath


class KeptTargets(Sequence[Target]):
    """Targets in the order of their `ids`; `make` gives one by its number, and `folders` says which ones have a folder."""

    def __init__(
        self, ids: Sequence[str], folders: Mapping[RelPath, Sequence[int]], make: Callable[[int], Target]
    ) -> None:
        self.ids = frozenset(ids)
        self._count = len(ids)
        self._folders = folders
        self._make = make
        self._known: dict[int, Target] = {}

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Target: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Target]: ...
    def __getitem__(self, index: int | slice) -> Target | Sequence[Target]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        if number not in self._known:
            self._known[number] = self._make(number)
        return self._known[number]

    def at(self, folders: Iterable[RelPath]) -> list[Target]:
        """Those that have any of these folders, in their order."""
        return [self[one] for one in sorted({one for path in folders for one in self._folders.get(path, ())})]


def near(targets: Sequence[Target], paths: Iterable[RelPath]) -> Sequence[Target]:
    """Those that may read any of `paths`, or a file beside it; all, where nobody has noted their folders."""
    if not isinstance(targets, KeptTargets):
        return targets
    return targets.at({folder for path in paths for folder in (path, *ancestors(path))})


def ids_of(targets: Sequence[Target]) -> frozenset[str]:
    """The ids of targets."""
    return targets.ids if isinstance(targets, KeptTargets) else frozenset(one.id for one in targets)
