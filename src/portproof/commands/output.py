"""What commands write beside standard output."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from portproof import files
from portproof.errors import UsageError
from portproof.source import RelPath


def write_text(file: Path, text: str) -> None:
    """Write a file, whole or not at all; a link gives way to it. Raises `UsageError` when that fails."""
    data = text.encode("utf-8")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists() and not (file.is_file() or file.is_dir()):  # a pipe or a terminal
            file.write_bytes(data)
        else:
            files.replace(file, data)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}", next_step="Name another file.") from error


def seen_from_here(root: Path) -> Callable[[RelPath], str]:
    """How paths of the tree are written in the current folder, when that and the root lie in each other."""
    here, root = Path.cwd().resolve(), root.resolve()
    if here == root or not (here.is_relative_to(root) or root.is_relative_to(here)):
        return str
    return lambda path: os.path.relpath(root / path, here)
