"""Which files of a folder Argo CD deploys as they stand (argo-cd ``reposerver/repository``, ``findManifests``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from portproof.discover.walk import Listing
from portproof.source import RelPath, Tree, is_within

_NAMES = re.compile(r"\.(?:yaml|yml|json|jsonnet)\Z")
_LEFT_OUT = "+argocd:skip-file-rendering"
MAX_PATTERN = 256
MAX_STARS = 8


class PatternError(Exception):
    """A pattern is too long; the message completes "its directory …"."""


def selected(
    tree: Tree, listing: Listing, folder: RelPath, options: Mapping[str, Any]
) -> tuple[RelPath, ...]:
    """The files that a directory source takes, in order. Raises `PatternError`."""
    deep = options.get("recurse") is True
    include, exclude = _glob(options.get("include")), _glob(options.get("exclude"))
    found = []
    for path, here in listing.folders.items():
        if path != folder and not (deep and is_within(path, folder)):
            continue
        for name in here.files:
            file = here.child(name)
            inside = file if folder == "." else file[len(folder) + 1 :]
            taken = _NAMES.search(name) and (include is None or include(inside))
            if taken and not (exclude is not None and exclude(inside)):
                found.append(file)
    return tuple(sorted(file for file in found if _LEFT_OUT not in (tree.text_or_none(file) or "")))


def _glob(pattern: Any) -> Callable[[str], bool] | None:
    """A pattern of gobwas without separators: ``*`` crosses folders, ``{a,b}`` are alternatives; None without a pattern."""
    if not isinstance(pattern, str) or not pattern:
        return None
    if len(pattern) > MAX_PATTERN or pattern.count("*") > MAX_STARS:
        raise PatternError("has a pattern that is too long")
    words = {"{": "(?:", "}": ")", ",": "|", "?": ".", "**": ".*", "*": ".*"}
    depth, text = 0, ""
    for piece in re.findall(r"\*\*?|\[[^\]]*\]|.", pattern, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(piece, 0)
        if piece.startswith("[") and len(piece) > 1:
            text += "[" + piece[1:-1].replace("!", "^", 1).replace("\\", "") + "]"
        else:
            text += words[piece] if piece in words and (piece != "," or depth) else re.escape(piece)
    try:
        return re.compile(text + r"\Z", re.DOTALL).match  # type: ignore[return-value]
    except re.error as error:
        raise PatternError(f"has a pattern that cannot be read: {pattern}") from error
