"""Where renderings are kept from one run to the next."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from portproof import git_index
from portproof.toolchain import cache_folder


def renderings_folder(environ: Mapping[str, str], root: Path) -> Path | None:
    """`$PORTPROOF_RENDER_CACHE`, or beside the tools; None where that is set to nothing, or is no place for a cache.

    A cache can lie in the tree at `root`, where some CIs want it. But what was committed there is a stranger's.
    """
    own = environ.get("PORTPROOF_RENDER_CACHE")
    if own == "":
        return None
    folder = cache_folder(environ) / "renderings" if own is None else Path(own).absolute()
    real = Path(os.path.realpath(folder))
    inside = next(
        (real.relative_to(top) for top in {root, Path(os.path.realpath(root))} if real.is_relative_to(top)),
        None,
    )
    named = Path(os.path.normpath(folder))
    if inside is None and not named.is_relative_to(root):
        return folder
    if inside is None or named != root / inside or _is_committed(root, inside.as_posix()):
        return None
    return folder


def _is_committed(root: Path, folder: str) -> bool:
    """Whether git has anything in a folder, or in its place; also where nobody can say."""
    index = git_index.read(root)
    if index is None:
        return True
    names = b"\0" + git_index.names(index)
    steps = folder.encode().split(b"/")
    above = (b"/".join(steps[:length]) for length in range(1, len(steps) + 1))
    return b"\0" + folder.encode() + b"/" in names or any(b"\0" + one + b"\0" in names for one in above)
