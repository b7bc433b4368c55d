"""Files of tests that say what a cluster should hold, or should not: nobody applies them, and they are often parts of objects.

Chainsaw (kyverno.github.io/chainsaw, test-chainsaw-v1alpha1): a file that ``chainsaw-test.yaml`` names in an ``assert`` or
``error``, and in no operation that writes. Kuttl (kuttl.dev, "Test Steps"): ``00-assert.yaml`` and ``00-errors.yaml`` beside
the files of the steps.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from typing import Any

from portproof.discover.walk import Folder, Listing
from portproof.source import RelPath, Tree, join
from portproof.yamldoc import YamlError, documents

MAX_DEPTH = 20
_TESTS = ("chainsaw-test.yaml", "chainsaw-test.yml")
_STEP = re.compile(r"\d{1,4}-(?P<name>.+)\.ya?ml")
_CLAIM = re.compile(r"(?i)assert(?:ions?)?(?![a-z])|errors?(?:-\d+)?\Z")
_CLAIMING = frozenset({"assert", "error"})
_WRITING = frozenset({"apply", "create", "patch", "update"})


def assertions(tree: Tree, listing: Listing) -> frozenset[RelPath]:
    """The files of all tests of a repository that only say what is expected."""
    found: set[RelPath] = set()
    written: set[RelPath] = set()
    for path, folder in listing.folders.items():
        found |= {folder.child(name) for name in _of_steps(folder)}
        for test in (name for name in folder.files if name in _TESTS):
            for operation, file in _named(tree, folder.child(test)):
                place = join(path, file)
                if place is not None:
                    (found if operation in _CLAIMING else written).update(_matching(listing, place))
    return frozenset(found - written)


def _of_steps(folder: Folder) -> Iterator[str]:
    """The assertions of kuttl: numbered as the steps are that lie beside them."""
    steps = {name: match["name"] for name in folder.files if (match := _STEP.fullmatch(name))}
    claims = [name for name, word in steps.items() if _CLAIM.match(word)]
    if len(claims) < len(steps):
        yield from claims


def _named(tree: Tree, test: RelPath) -> Iterator[tuple[str, str]]:
    """The files that a test of Chainsaw names, each with the operation."""
    try:
        every = documents(tree.text_or_none(test) or "")
    except YamlError:
        return
    for one in every:
        yield from _operations(one.data, MAX_DEPTH)


def _operations(data: Any, depth: int) -> Iterator[tuple[str, str]]:
    if not depth:
        return
    for one in data if isinstance(data, list) else ():
        yield from _operations(one, depth - 1)
    for key, value in data.items() if isinstance(data, dict) else ():
        file = value.get("file") if isinstance(value, dict) else None
        if key in _CLAIMING | _WRITING and isinstance(file, str):
            yield key, file
        yield from _operations(value, depth - 1)


def _matching(listing: Listing, place: RelPath) -> Iterator[RelPath]:
    """The file of that name, or those of the folder that its pattern fits."""
    above, _, name = place.rpartition("/")
    folder = listing.folders.get(above or ".")
    names = folder.files if folder is not None else ()
    yield from (folder.child(one) for one in names if folder and fnmatch.fnmatchcase(one, name))
