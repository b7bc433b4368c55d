"""The base of a pull request through the API, for the action's image, which holds no git."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from portproof.diff import Changes, file_diff_of
from portproof.github.client import Client
from portproof.github.model import ChangedFiles, GithubError, Pull
from portproof.revision import Comparison
from portproof.source import RelPath

_MAX_FILES = 300
"""Changed files that are fetched one by one; a pull request with more is not compared this way."""

_MAX_UNLISTED = 20
"""Files without a listed patch that are fetched to look for their lines."""


class ApiFiles:
    """Files of a commit, each fetched when it is first asked for (see `revision.OldFiles`)."""

    def __init__(self, client: Client, commit: str, absent: frozenset[RelPath]) -> None:
        self._client = client
        self._commit = commit
        self._known: dict[RelPath, bytes | None] = dict.fromkeys(absent)

    def restore(self, paths: Iterable[RelPath], into: Path) -> None:
        """Put each of `paths` below `into` as it was in the base; a path that was not there then is left out."""
        for path in paths:
            if path not in self._known:
                self._known[path] = self._client.content(path, self._commit)
            data = self._known[path]
            if data is not None:
                _put(into, path, data)


def comparison(client: Client, pull: Pull, files: ChangedFiles, checked_out: str) -> Comparison:
    """Compare the checkout with its base: that of the merge commit, or the commit at which the head left it.

    Raises `GithubError` when the checkout is neither the head nor its merge commit, or the pull request is too large.
    """
    listed = len(files.changes)
    if listed < pull.changed_files:
        raise GithubError(f"GitHub lists only {listed} of {pull.changed_files} changed files")
    base = base_of(client, pull, checked_out)
    old = [one for one in files.changes.values() if one.status != "added"]
    if len(old) > _MAX_FILES:
        raise GithubError(f"{len(old)} files changed, more than the {_MAX_FILES} that are fetched one by one")
    absent = frozenset(
        path for path, one in files.changes.items() if one.status in ("added", "renamed", "copied")
    )
    return Comparison(base, files.touched, ApiFiles(client, base, absent - files.moved))


def mapped(client: Client, pull: Pull, changes: Changes, texts: Mapping[RelPath, str]) -> Changes:
    """The changed files, with the hunks of those whose patch GitHub leaves out of its list, as it does for large ones.

    `texts` are those of the head. A file that was there before is fetched from the commit at which the head left the base.
    """
    found = dict(changes)
    base = ""
    for path, text in sorted(texts.items())[:_MAX_UNLISTED]:
        one = changes[path]
        before: bytes | None = b""
        if one.status != "added":
            base = base or client.merge_base(pull.base, pull.head)
            before = client.content(one.previous or path, base)
        if before is not None:
            found[path] = file_diff_of(one, before.decode("utf-8", "replace"), text)
    return found


def base_of(client: Client, pull: Pull, checked_out: str) -> str:
    """The commit that the checkout is held against. Raises `GithubError` as `comparison` does."""
    if checked_out == pull.head:
        return client.merge_base(pull.base, pull.head)
    parents = client.parents(checked_out)
    if len(parents) != 2 or parents[1] != pull.head:
        raise GithubError(
            f"the checkout ({checked_out[:10]}) is neither the pull request's head nor its merge commit"
        )
    return parents[0]


def _put(into: Path, path: RelPath, data: bytes) -> None:
    """Write a file below a folder of ours, past links: what the checkout links to is not ours."""
    target = into
    for step in path.split("/")[:-1]:
        target /= step
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            target.unlink()
        target.mkdir(exist_ok=True)
    target /= path.rpartition("/")[2]
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    elif os.path.lexists(target):
        target.unlink()
    target.write_bytes(data)
