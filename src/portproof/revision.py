"""The other revision of a pull request: what changed since it, and its files.

Two sources know them: git, where it is there (this module), and GitHub's API
(`github`), in the action's image, which holds no git. Both give a `Comparison`:
the paths that differ between the base and the working tree, and a way to read a
path as it was.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from portproof import process
from portproof.discover.model import HelmTarget, KustomizeTarget, Target, with_parents
from portproof.errors import UsageError
from portproof.git import Git, opened
from portproof.source import RelPath, SourceError, Tree, is_within, parent

_MAX_COPY_BYTES = 32 * 1024 * 1024
# A look into a submodule would obey the submodule's configuration; which commit it is at can be seen without one.
_NAMES = ("--name-only", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty", "-z")
_FETCHABLE = re.compile(r"(?!-)[\w./-]+")
"""The name of a branch, a tag or a commit, without what counts from it (``~2``, ``^``, ``@{u}``)."""


class OldFiles(Protocol):
    """Reads files of the base revision."""

    def restore(self, paths: Iterable[RelPath], into: Path) -> None:
        """Put each of `paths` below `into` as it was in the base; a path that was not there then is left out."""


class Comparison(Struct, frozen=True):
    """The base revision (a commit's name) against the working tree: which paths differ."""

    revision: str
    changed: frozenset[RelPath]
    old: OldFiles

    def affects(self, target: Target) -> bool:
        """Whether the difference can change what `target` renders to."""
        if any(target.reads(path) for path in self.changed):
            return True
        if isinstance(target, HelmTarget):
            return False
        # A file that was removed is read by nobody any more; its folder still tells whom it concerned.
        folders = target.folders
        return any(parent(path) in folders for path in self.changed)

    def texts(self, paths: Collection[RelPath]) -> Mapping[RelPath, str]:
        """What files held in the base; those that were not there, or were no text, are left out."""
        if not paths:
            return {}
        found = {}
        with tempfile.TemporaryDirectory(prefix="portproof-old-") as folder:
            self.old.restore(sorted(paths), Path(folder))
            for path in paths:
                with suppress(SourceError):
                    found[path] = Tree(Path(folder)).text(path)
        return found

    def base_tree(self, targets: Iterable[Target], tree: Tree, into: Path, *, whole: bool = False) -> Tree:
        """Lay out below `into` what `targets` read, as it was in the base.

        Files that did not change are copied from the working tree, so that what git ignores (fetched dependencies)
        is there in both revisions. `whole` copies everything: for a base that read other folders than today.
        """
        folders = {"."} if whole else {folder for target in targets for folder in target.folders}
        for folder in sorted(folders):
            _copy(tree.on_disk(folder), into / folder, deep=whole or _is_deep(folder, targets))
        # Sorted: a link that took a folder's place goes before anything is looked for behind it.
        for path in sorted(self.changed):
            gone = into / path
            if gone.is_symlink() or gone.is_file():
                gone.unlink()
        self.old.restore(sorted(self.changed), into)
        return Tree(into)


def _is_deep(folder: RelPath, targets: Iterable[Target]) -> bool:
    return any(
        is_within(folder, mount.source)
        for target in with_parents(targets)
        if isinstance(target, HelmTarget | KustomizeTarget)
        for mount in target.mounts
    )


def _copy(source: Path, to: Path, *, deep: bool) -> None:
    """Copy the regular files of a folder; links stay links (discovery judges them), large files stay away."""
    to.mkdir(parents=True, exist_ok=True)
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.name == ".git":
                continue
            target = to / entry.name
            if entry.is_symlink():
                if not target.is_symlink():
                    target.symlink_to(Path(entry.path).readlink())
            elif entry.is_dir():
                if deep:
                    _copy(Path(entry.path), target, deep=True)
            elif entry.is_file() and entry.stat().st_size <= _MAX_COPY_BYTES:
                shutil.copyfile(entry.path, target)


class GitFiles(Struct, frozen=True):
    """Files of a commit, through git's own checkout (so that line ends and filters are those of the work tree)."""

    git: Git
    commit: str

    def restore(self, paths: Iterable[RelPath], into: Path) -> None:
        """See `OldFiles`."""
        wanted = self._there(list(paths))
        if not wanted:
            return
        with tempfile.TemporaryDirectory(prefix="portproof-index-") as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self.git.run("read-tree", self.commit, env=index)
            for chunk in _chunks(wanted):
                done = self.git.attempt(
                    "checkout-index", "--force", f"--prefix={into}/", "--", *chunk, env=index
                )
                if not done.ok:
                    raise _lacking(done)

    def _there(self, paths: Sequence[RelPath]) -> list[RelPath]:
        """Those of some paths that are files, links or submodules of the commit."""
        by_name = {"GIT_LITERAL_PATHSPECS": "1"}
        asked = ("ls-tree", "-r", "-z", "--name-only", "--full-tree", self.commit, "--")
        found = {
            one for chunk in _chunks(paths) for one in self.git.run(*asked, *chunk, env=by_name).split("\0")
        }
        return [path for path in paths if path in found]


def _chunks(paths: Sequence[RelPath]) -> Iterator[Sequence[RelPath]]:
    """Parts of a list that are well below any limit of a command line's length."""
    return (paths[start : start + 500] for start in range(0, len(paths), 500))


def compare_with(revision: str, root: Path, environ: Mapping[str, str]) -> Comparison:
    """Compare the working tree at `root` with the merge base of its HEAD and `revision`.

    Raises `UsageError` when there is no git, no such revision, or (in a shallow clone) no common commit.
    """
    git = repository(root, environ, asked="--base", otherwise=", or drop --base")
    commit = commit_named(git, revision, asked="--base")
    shared = git.attempt("merge-base", commit, "HEAD")
    if not shared.ok:
        raise UsageError(
            f"--base {revision}: no commit in common with HEAD in this clone",
            next_step="Fetch more history: `git fetch --unshallow`.",
        )
    return since(git, shared.stdout.strip())


def since(git: Git, commit: str) -> Comparison:
    """What differs between a commit and the working tree, files that git does not know included."""
    changed = git.lines("diff", *_NAMES, commit, "--")
    changed += git.lines("ls-files", "--others", "--exclude-standard", "-z")
    return Comparison(commit, frozenset(changed), GitFiles(git, commit))


def between(git: Git, old: str, new: str) -> Comparison:
    """What differs between two commits; the tree that is compared has to be that of `new`."""
    changed = git.lines("diff", *_NAMES, old, new, "--")
    return Comparison(old, frozenset(changed), GitFiles(git, old))


def repository(root: Path, environ: Mapping[str, str], *, asked: str, otherwise: str = "") -> Git:
    """The git of the repository at `root`. Raises `UsageError` without one; `asked` is the option that needs it."""
    program = shutil.which("git", path=environ.get("PATH"))
    if program is None:
        raise UsageError(f"{asked} needs git, which is not on PATH", next_step=f"Install git{otherwise}.")
    if not (root / ".git").exists():
        raise UsageError(
            f"{asked} needs a git repository, and {root} is in none",
            next_step=f"Run it inside of a clone{otherwise}.",
        )
    return opened(program, root, environ)


def commit_named(git: Git, revision: str, *, asked: str) -> str:
    """The name of the commit that a revision means. Raises `UsageError` when this clone has none."""
    found = git.commit(revision)
    if found is None:
        raise UsageError(
            f"{asked} {revision}: no such revision in this clone",
            next_step=_how_to_have(revision),
        )
    return found


def _lacking(done: process.Completed) -> UsageError:
    """A partial clone fetches files when it needs them; that would start what its configuration names."""
    words = (done.stderr.strip().splitlines() or [done.ending.value])[0]
    return UsageError(
        f"this clone lacks files of the base ({words})",
        next_step="Fetch them: `git fetch --refetch --no-filter origin`.",
    )


def _how_to_have(revision: str) -> str:
    """What to do about a revision that is not there: a branch or commit can be fetched, what counts back needs history."""
    if not _FETCHABLE.fullmatch(revision):
        return "Check how it is written; in a shallow clone run `git fetch --unshallow` first."
    return f"Fetch it first: `git fetch origin {revision.removeprefix('origin/')}`."
