"""Puts edited files back into the user's tree: the only place that writes there, and only for ``fix --write``."""

from __future__ import annotations

import stat
from collections.abc import Iterable

from portproof import files
from portproof.errors import ConflictError
from portproof.source import Edit, RelPath, SourceError, Tree, read_text


def write(edits: Iterable[Edit], tree: Tree) -> list[RelPath]:
    """Apply `edits` to the files of `tree` on disk, each file atomically; gives the paths that were written.

    Raises `ConflictError`, before anything is written, when a file no longer reads as it did when it was checked.
    """
    edits = tuple(edits)
    edited = tree.with_edits(edits)
    paths = sorted({edit.span.path for edit in edits})
    for path in paths:
        _refuse_changed(tree, path)
    for path in paths:
        _refuse_changed(tree, path)  # again, as late as can be
        file = tree.on_disk(path)
        files.replace(
            file, edited.text(path).encode("utf-8"), mode=stat.S_IMODE(file.stat().st_mode), durable=True
        )
    return paths


def _refuse_changed(tree: Tree, path: RelPath) -> None:
    file = tree.on_disk(path)
    if file.is_symlink() or not file.is_file():
        raise ConflictError(f"{path} is not a regular file", next_step="Edit the file it points to by hand.")
    try:
        now = read_text(file, path)
    except SourceError as error:
        raise ConflictError(str(error), next_step="Run portproof again.") from error
    if now != tree.text(path):
        raise ConflictError(f"{path} changed while portproof was working", next_step="Run portproof again.")
