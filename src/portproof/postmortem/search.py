"""Which commit brought a finding: the one that has it while none of its parents does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from portproof.postmortem.history import History
from portproof.postmortem.model import Cause, Commit, NotFound, Tried, Trigger, Uncommitted
from portproof.postmortem.seen import Question
from portproof.source import RelPath

MAX_CANDIDATES = 8
"""Commits that are rendered, each with its parents, before the search ends."""


class Search:
    """One search in a history, for something that the tree of `asked` has.

    It goes back from `_has`, the oldest commit that is known to have it; `_lack` are commits that do not. `_left` are those
    between them, one of which has brought it.
    """

    def __init__(self, history: History, asked: Question) -> None:
        self._history = history
        self._asked = asked
        self._has = history.end
        self._lack: list[str] = []
        self._left: frozenset[str] = frozenset()
        self._tried: list[Tried] = []

    def cause(self, candidates: Iterable[Sequence[str]], files: Sequence[Sequence[RelPath]]) -> Cause:
        """What brought it. `candidates` are names of commits, the most likely groups first, each newest first.

        `files` are groups of files; the difference of the first group that has one is part of the answer.
        """
        end = self._history.end
        if not self._takes(end):
            if self._asked.fails(end):
                return NotFound(f"Commit {end[:8]} could not be rendered.")
            if self._history.start is not None:
                return NotFound("It shows only in the difference between the two revisions as a whole.")
            return Uncommitted(self._history.commit(end))
        for name in islice(self._open(candidates), MAX_CANDIDATES):
            commit = self._history.commit(name)
            why = self._why_not(commit)
            if not why:
                return self._trigger(commit, files)
            self._tried.append(Tried(commit, why))
        return NotFound(self._reason(), tuple(self._tried))

    def _open(self, candidates: Iterable[Sequence[str]]) -> Iterator[str]:
        """The commits that may have brought the finding, by what is known of others when each is asked for."""
        seen: set[str] = set()
        for name in (name for group in candidates for name in group):
            if name not in seen and name in self._left:
                yield name
            seen.add(name)

    def _why_not(self, commit: Commit) -> str:
        """Why a commit is not proven to have brought it, as the end of "it ..."; empty when it is."""
        if not self._takes(commit.hash):
            if self._asked.fails(commit.hash):
                return "could not be rendered"
            self._lack.append(commit.hash)
            self._left = self._history.between(self._lack, self._has)
            return "does not have the finding"
        if not commit.parents and self._history.is_shallow:
            return "has the finding, and this clone has nothing older"
        if any(map(self._takes, commit.parents)):
            return "has the finding, and so has its parent"
        if any(map(self._asked.fails, commit.parents)):
            return "has the finding, and its parent could not be rendered"
        return ""

    def _takes(self, commit: str) -> bool:
        """Whether a commit has it; from there on the search goes back from it."""
        if not self._asked.takes(commit):
            return False
        self._has = commit
        self._left = self._history.between(self._lack, commit)
        return True

    def _trigger(self, commit: Commit, files: Sequence[Sequence[RelPath]]) -> Trigger:
        parents = tuple(map(self._history.commit, commit.parents))
        first = parents[0].hash if parents else None
        shown = (self._history.difference(first, commit.hash, paths) for paths in files)
        return Trigger(commit, parents, next(filter(None, shown), ""))

    def _reason(self) -> str:
        if len(self._tried) >= MAX_CANDIDATES:
            return f"The search ended after {MAX_CANDIDATES} commits."
        if self._history.is_shallow:
            return "This clone is shallow: it does not have the commits before."
        if not self._tried:
            return "No commit touched these files."
        return "None of the commits that touched these files is proven to have brought it."
