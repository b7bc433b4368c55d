"""Which path a reference to something missing was probably meant for.

It is a typo, a renamed file, a ``../`` too few or too many, or a file that has moved into a folder below.
"""

from __future__ import annotations

import difflib
import os
import posixpath
import re
from itertools import islice

from portproof.discover.walk import ancestors, names_in
from portproof.graph.names import is_near_name
from portproof.render.generated import further_down
from portproof.source import RelPath, Tree, below, join, parent

MAX_BESIDE = 500
"""As many names of a folder are held against a missing one."""

_ALIKE = 0.85
"""How much two names are alike when one may be a typo of the other (`difflib`)."""
_VERSION = re.compile(r"v\d+(?:(?:alpha|beta)\d+)?")
_DIGITS = re.compile(r"\d+")
_ENDING = re.compile(r"\.(?:ya?ml|json)\Z")


def meant(path: RelPath, kustomization: RelPath, tree: Tree) -> RelPath:
    """What is there and was probably meant by `path`, which is not; empty where nothing is like it.

    What the kustomization lists by its own name is meant by that.
    """
    return (
        _beside(path, tree.text_or_none(kustomization) or "", tree)
        or _elsewhere(path, parent(kustomization), tree)
        or further_down(path, tree)
    )


def _beside(path: RelPath, listed: str, tree: Tree) -> RelPath:
    folder, name = parent(path), path.rpartition("/")[2]
    beside = [one for one in islice(names_in(tree.root, folder), MAX_BESIDE) if not _names(listed, one)]
    is_file = _ENDING.search(name) is not None
    alike = [one for one in beside if is_file == (_ENDING.search(one) is not None) and _is_alike(name, one)]
    best = difflib.get_close_matches(name, alike, 1, 0)
    return below(folder, best[0]) if best else ""


def _names(listed: str, name: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", listed) is not None


def _is_alike(one: str, other: str) -> bool:
    """Whether two names differ by a typo, by the version of an API, or by how their ending is written."""
    one, other = (_VERSION.sub("v", _ENDING.sub("", each)) for each in (one, other))
    if one == other:
        return True
    # What is counted is meant to differ: volume-1, volume-2.
    is_counted = _DIGITS.findall(one) != _DIGITS.findall(other)
    is_similar = difflib.SequenceMatcher(None, one, other).ratio() >= _ALIKE
    return is_near_name(one, other) or (is_similar and not is_counted)


def _elsewhere(path: RelPath, folder: RelPath, tree: Tree) -> RelPath:
    """The same path seen from another folder above: of a reference with too few or too many ``../``."""
    written = posixpath.relpath(path, folder)
    tail = written.lstrip("./")
    if not written.startswith("../") or not tail:
        return ""
    for above in ancestors(folder):
        found = join(above, tail)
        if found is None or found == path or not os.path.lexists(tree.on_disk(found)):
            continue
        # A single file may have its name in common with any other.
        if "/" in tail or os.path.isdir(tree.on_disk(found)):  # noqa: PTH112
            return found
    return ""
