"""Which commit brought a finding: the one that has it while none of its parents does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from portproof.postmortem.history import History
from portproof.postmortem.model import Cause, Commit, NotFound, Tried, Trigger, Uncommitted
from portproof.postmortem.seen import Commits
from portproof.rules.evaluate import RuleFinding
from portproof.source import RelPath

MAX_CANDIDATES = 8
"""Commits that are rendered, each with its parents, before the search ends."""


class Search:
    """One search in a history, for a finding that the tree of `commits` has.

    It goes back from `_has`, the oldest commit that is known to have the finding; `_lack` are commits that do not.
    """

    def __init__(self, history: History, commits: Commits, found: RuleFinding) -> None:
        self._history = history
        self._commits = commits
        self._found = found
        self._seen = commits.now()
        self._has = history.end
        self._lack: list[str] = []
        self._tried: list[Tried] = []

    def cause(self, candidates: Iterable[Sequence[str]], paths: Sequence[RelPath]) -> Cause:
        """What brought the finding. `candidates` are names of commits, the most likely groups first, each newest first.

        `paths` are the files whose difference the answer shows.
        """
        if not self._takes(self._history.end):
            head = self._commits.at(self._history.end)
            if head.failed:
                return NotFound(f"Commit {self._history.end[:8]} could not be rendered.")
            if self._history.start is not None:
                return NotFound("It is about two targets together, and none of them has it alone.")
            return Uncommitted(self._history.commit(self._history.end))
        for name in islice(self._open(candidates), MAX_CANDIDATES):
            commit = self._history.commit(name)
            why = self._why_not(commit)
            if not why:
                return self._trigger(commit, paths)
            self._tried.append(Tried(commit, why))
        return NotFound(self._reason(), tuple(self._tried))

    def _open(self, candidates: Iterable[Sequence[str]]) -> Iterator[str]:
        """The commits that may have brought the finding, by what is known of others when each is asked for."""
        seen: set[str] = set()
        for group in candidates:
            for name in group:
                if name in seen:
                    continue
                seen.add(name)
                behind = any(self._history.is_ancestor(name, one) for one in self._lack)
                if not behind and self._history.is_ancestor(name, self._has):
                    yield name

    def _why_not(self, commit: Commit) -> str:
        """Why a commit did not bring the finding, as the end of "it ..."; empty when it did."""
        if not self._takes(commit.hash):
            if self._commits.at(commit.hash).failed:
                return "could not be rendered"
            self._lack.append(commit.hash)
            return "does not have the finding"
        if not commit.parents and self._history.is_shallow:
            return "has the finding, and this clone has nothing older"
        found, seen = self._found, self._seen
        if any(self._takes(parent) for parent in commit.parents):
            return "has the finding, and so has its parent"
        self._found, self._seen, self._has = found, seen, commit.hash
        if any(self._commits.at(parent).failed for parent in commit.parents):
            return "has the finding, and its parent could not be rendered"
        return ""

    def _takes(self, commit: str) -> bool:
        """Whether a commit has the finding; from there on the search goes back from it."""
        seen = self._commits.at(commit)
        found = self._commits.earlier(self._found, self._seen, seen)
        if found is None:
            return False
        self._found, self._seen, self._has = found, seen, commit
        return True

    def _trigger(self, commit: Commit, paths: Sequence[RelPath]) -> Trigger:
        parents = tuple(map(self._history.commit, commit.parents))
        first = parents[0].hash if parents else None
        return Trigger(commit, parents, self._history.difference(first, commit.hash, paths))

    def _reason(self) -> str:
        if len(self._tried) >= MAX_CANDIDATES:
            return f"The search ended after {MAX_CANDIDATES} commits."
        if self._history.is_shallow:
            return "This clone is shallow: it does not have the commits before."
        if not self._tried:
            return "No commit touched these files."
        return "None of the commits that touched these files is proven to have brought it."
