"""Targets that an earlier run has found, each made when somebody asks for it.

A run that is about a few files of many asks for the targets `near` them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import overload

from portproof.discover.model import Target
from portproof.discover.walk import ancestors
from portproof.source import RelPath


class KeptTargets(Sequence[Target]):
    """Targets in the order of their `ids`; `make` gives one by its number, and `folders` says which ones have a folder.

    `speakers` gives the targets that may mention some names, by their numbers, where that is known.
    """

    def __init__(
        self,
        ids: Sequence[str],
        folders: Mapping[RelPath, Sequence[int]],
        make: Callable[[int], Target],
        speakers: Callable[[Collection[str]], Collection[int] | None] = lambda _names: None,
    ) -> None:
        self.speakers = speakers
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


def speaking_of(targets: Sequence[Target], names: Collection[str]) -> Sequence[Target]:
    """Those that may mention any of `names`; all, where nobody has noted their words."""
    numbers = targets.speakers(names) if isinstance(targets, KeptTargets) and names else None
    if not names:
        return ()
    return targets if numbers is None else [targets[one] for one in sorted(numbers)]


def ids_of(targets: Sequence[Target]) -> frozenset[str]:
    """The ids of targets."""
    return targets.ids if isinstance(targets, KeptTargets) else frozenset(one.id for one in targets)
