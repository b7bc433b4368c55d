"""What an earlier run has found in the tree of a commit, where this run would find the same.

What is found depends on which files there are, on what those say that are read, and on the facts of those that are only
glanced at. Git knows the difference between that tree and the work tree. If it is a few files that say something else,
none of which was read, and all facts of them are the same, then nothing else would be found. Anything else is looked at
anew, as is a tree about which git cannot say everything.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cached_property, partial
from itertools import islice
from pathlib import Path

from msgspec import Struct

from portproof import git_index
from portproof.config import Config
from portproof.discover import spoken
from portproof.discover.facts import agree, skimmed_alike
from portproof.discover.model import Discovery, HelmTarget, Target
from portproof.discover.reading import Noted
from portproof.discover.record import NotKeptError, read, written
from portproof.discover.walk import pruned
from portproof.errors import UsageError
from portproof.git import Git, opened
from portproof.git_state import edited, foreign, has_links, trees
from portproof.own_code import own_code
from portproof.renderings import renderings_folder
from portproof.replacing import replace
from portproof.revision import Comparison, GitFiles
from portproof.session.request import Request
from portproof.source import RelPath, Tree
from portproof.textstore import Entry, TextStore

FORMAT = "discovery/1"
"""Part of every key: raised when the same words mean something else."""

MAX_BACK = 50
"""As many commits before the base may have been looked at last: the default branch moves on."""

MAX_TRIED = 3
"""As many trees are compared with this one."""

MAX_EDITS = 500
"""With more edits the work is that of the change."""

NOT_ASKED = frozenset(
    {"jobs", "fail_on", "select", "ignore", "ignores", "severity", "baseline", "timeout", "what_if"}
)
"""Fields of a configuration that no target depends on."""


class Recalled(Struct, frozen=True, dict=True):  # what is found out once is kept
    """What earlier runs have found in a tree, which is kept in a `store`; `base` is the commit that it is compared with."""

    git: Git
    base: str | None
    config: Config
    store: TextStore

    def found(self) -> tuple[Discovery, Config] | None:
        """What an earlier run has found, if this one would find the same; and what git ignores of it."""
        known = (
            (tree, self.store.get(self._key(tree))) for tree in trees(self.git, self._commits, back=MAX_BACK)
        )
        for tree, entry in islice(((tree, entry) for tree, entry in known if entry), MAX_TRIED):
            edits = self._edits(tree, entry)
            if edits is None or entry.get("around") != self._around:
                continue
            try:
                ignored = frozenset(str(entry.get("ignored", "")).splitlines())
                doubtful = {*edits, *str(entry.get("edited", "")).splitlines()}
                found = read(entry, partial(self._speakers, tree, doubtful))
                return found, replace(self.config, ignored=ignored)
            except NotKeptError:
                self.store.drop(self._key(tree))
        return None

    def keep(self, found: Discovery, noted: Noted, ignored: Collection[RelPath]) -> None:
        """Keep what was found in this tree, for the commit that it is most like."""
        from portproof.environment import words_in  # noqa: PLC0415 - with the second half of the program

        around = self._around
        if around is None or any(skip.configured for skip in found.skips):
            return
        if any(map(_is_around_a_repository, found.everything)):
            return
        more = {
            "read": _lines(self._read(noted.read)),
            "skimmed": _lines(self._read(noted.skimmed)),
            "around": around,
            "ignored": "\n".join(sorted(ignored)),
        }
        for tree in trees(self.git, self._commits, back=0):
            edits = self._edits(tree, more)
            if edits is not None:
                with suppress(NotKeptError):
                    entry: Entry = {**written(found), **more, "edited": "\n".join(sorted(edits))}
                    self.store.put(self._key(tree), entry)
                    words = spoken.written(
                        found.everything, self._spoken, partial(words_in, Tree(self.git.root))
                    )
                    if words:
                        self.store.put(self._key(tree, "words"), words)
                    self.store.close()
                return

    @property
    def _commits(self) -> tuple[str, ...]:
        return (self.base, "HEAD") if self.base else ("HEAD",)

    def _speakers(
        self, tree: str, doubtful: Collection[RelPath], names: Collection[str]
    ) -> Collection[int] | None:
        """The targets that may mention some names, by their numbers."""
        entry = self.store.get(self._key(tree, "words"))
        return None if entry is None else spoken.speakers(entry, names, doubtful)

    def _edits(self, tree: str, known: Entry) -> Collection[RelPath] | None:
        """The files that read otherwise in a tree; None where one of those was read, or gives another answer now."""
        files, skimmed = _Lines(str(known.get("read", ""))), _Lines(str(known.get("skimmed", "")))
        paths = edited(self.git, tree)
        if paths is None or len(paths) > MAX_EDITS or any(path in files for path in paths):
            return None
        old = Comparison(tree, paths, GitFiles(self.git, tree)).texts(paths)
        new = Tree(self.git.root)
        agreed = all(
            path in old
            and (text := new.text_or_none(path)) is not None
            and agree(old[path], text)
            and (path not in skimmed or skimmed_alike(path, old[path], text))
            for path in paths
        )
        return paths if agreed else None

    @cached_property
    def _has_links(self) -> bool | None:
        return has_links(self.git)

    @cached_property
    def _around(self) -> str | None:
        """What lies here besides the files of a commit, and what of git's index counts; None where it cannot be said."""
        inside = os.path.relpath(os.path.realpath(self.store.folder), os.path.realpath(self.git.root))
        links = self._has_links
        others = foreign(self.git, lambda path: "" if path.startswith(f"{inside}/") else pruned(path))
        return (
            None
            if links is None or others is None
            else f"{links} {others} {self.git.settings} {git_index.read(self.git.root) is None}"
        )

    def _read(self, paths: Collection[RelPath]) -> frozenset[RelPath]:
        """The files that were read, by the names under which git has them, too."""
        root = self.git.root
        there = {path for path in paths if os.path.isfile(f"{root}/{path}")}  # noqa: PTH113 - of thousands
        return frozenset(there.union(map(self._real, there)))

    def _real(self, path: RelPath) -> RelPath:
        """The name of a file without links."""
        if not self._has_links:
            return path
        root = os.path.realpath(self.git.root)
        return os.path.relpath(os.path.realpath(f"{root}/{path}"), root)

    def _spoken(self, target: Target) -> Iterator[RelPath]:
        """The files in which a target mentions Services, by the names that an edit of them has."""
        from portproof.environment import speaking_files  # noqa: PLC0415 - as above

        return map(self._real, speaking_files(target))

    def _key(self, tree: str, what: str = "targets") -> str:
        parts = [FORMAT, own_code(), self._asked, tree, what]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()

    @cached_property
    def _asked(self) -> str:
        """What of the configuration decides what is found."""
        named = {one.name: getattr(self.config, one.name) for one in fields(self.config)}
        return repr(
            [(name, _sorted(value)) for name, value in sorted(named.items()) if name not in NOT_ASKED]
        )


def recalled(request: Request, root: Path, config: Config, comparison: Comparison | None) -> Recalled | None:
    """What earlier runs have found in the tree at `root`; None where nothing is kept, or git cannot be asked."""
    folder = None if request.flags.no_cache else renderings_folder(request.environ, root)
    if folder is None:
        return None
    git = comparison.old.git if comparison and isinstance(comparison.old, GitFiles) else _git(request, root)
    base = comparison.revision if comparison else None
    return None if git is None else Recalled(git, base, config, TextStore(folder))


def _git(request: Request, root: Path) -> Git | None:
    program = shutil.which("git", path=request.environ.get("PATH"))
    try:
        return opened(program, root, request.environ) if program and (root / ".git").exists() else None
    except UsageError:
        return None


@dataclass(frozen=True, slots=True)
class _Lines(Collection[RelPath]):
    """Paths as they are kept: one a line, with a line end before the first and after the last."""

    text: str

    def __contains__(self, path: object) -> bool:
        return f"\n{path}\n" in self.text

    def __len__(self) -> int:
        return len(self.text.split())

    def __iter__(self) -> Iterator[RelPath]:
        return iter(self.text.split("\n")[1:-1])


def _lines(paths: Collection[RelPath]) -> str:
    return "\n".join(["", *sorted(paths), ""])


def _is_around_a_repository(target: Target) -> bool:
    """Whether a ``.git`` lies in a chart that is not all of the tree: git says nothing of it."""
    return isinstance(target, HelmTarget) and target.git and all(one.source != "." for one in target.mounts)


def _sorted(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else value
