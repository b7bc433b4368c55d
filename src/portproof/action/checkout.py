"""What lies in the workspace: the work tree that is checked, and the commit that it is of, read without git."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from portproof.action.inputs import inside
from portproof.source import normalise, work_tree

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


class Checkout(Struct, frozen=True):
    """The work tree of a run, as it was when the run began.

    `root` is the workspace itself where that is no work tree. `commit` is the commit that is checked out, None where
    that cannot be read; `event_commit` is the one that started the run (``GITHUB_SHA``), empty where there is none.
    `is_merge` says that it is the merge commit of a pull request.
    """

    workspace: Path
    root: Path
    commit: str | None
    event_commit: str
    is_merge: bool

    @property
    def here(self) -> str:
        """The commit that is checked out; the one that started the run where git's files do not say."""
        return self.commit or self.event_commit


def read(workspace: Path, roots: tuple[Path, ...], environ: Mapping[str, str], head: str) -> Checkout:
    """Read the first of `roots` (see `work_trees`); `head` is that of the pull request, empty where there is none."""
    root = roots[0] if roots else workspace
    commit = commit_at(root)
    event_commit = environ.get("GITHUB_SHA", "")
    here = commit or event_commit
    return Checkout(workspace, root, commit, event_commit, here not in (head, "") and here == event_commit)


def work_trees(workspace: Path, paths: Iterable[str]) -> tuple[Path, ...]:
    """The work trees that the paths lie in, without repeats; empty when one of them lies in none.

    Raises `UsageError` for a path that leads out of the workspace.
    """
    found: dict[Path, None] = {}
    for text in paths:
        tree = work_tree(inside(workspace, "path", text).resolve())
        if tree is None or not tree.is_relative_to(workspace):
            return ()
        found[tree] = None
    return tuple(found)


def commit_at(root: Path) -> str | None:
    """The commit that is checked out at `root`; None when that cannot be told."""
    head = _line(root / ".git" / "HEAD")
    if head.startswith("ref: "):
        name = head.removeprefix("ref: ")
        if normalise(name) != name or not name.startswith("refs/"):
            return None
        head = _line(root / ".git" / name) or _packed(root, name)
    return head if is_commit(head) else None


def is_commit(text: str) -> bool:
    """Whether `text` is a commit's full name."""
    return bool(_SHA.match(text))


def _line(file: Path) -> str:
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > 1_000:
            return ""
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _packed(root: Path, name: str) -> str:
    try:
        text = (root / ".git" / "packed-refs").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return next((line.split(" ")[0] for line in text.split("\n") if line.endswith(f" {name}")), "")
