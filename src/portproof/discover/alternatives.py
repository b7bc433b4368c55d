"""Manifests that stand side by side but are alternatives: ``install.yaml`` and ``namespace-install.yaml``.

Nobody applies both, for they differ about the same objects. Each of them makes a target of its own, together with the files
that clash with nothing. Files that clash with the same one, and not with each other, are one side of it: ``all.yaml`` holds
what ``web.yaml``, ``api.yaml`` and ``db.yaml`` hold as well.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import permutations
from typing import Any, TypeAlias

from portproof.discover.facts import kinds_named, kinds_of
from portproof.discover.kinds import WITH_PORTS
from portproof.discover.reading import facts
from portproof.source import RelPath, Tree
from portproof.yamldoc import YamlError, load, split

_Identity: TypeAlias = tuple[str, str, str]
"""Kind, namespace and name."""


def alternatives(
    tree: Tree, folder: RelPath, files: Iterable[RelPath]
) -> Mapping[RelPath, tuple[RelPath, ...]]:
    """The targets of a folder: path -> files. One for the folder, unless files of it differ about the same object.

    Only objects of kinds with ports count: two files may well have the same Namespace.
    """
    files = tuple(sorted(files))
    whole = {folder: files}
    if len(files) < 2 or not _may_clash(tree, files):
        return whole
    holders: dict[_Identity, dict[RelPath, Any]] = defaultdict(dict)
    for path in files:
        for identity, data in _objects(tree.text_or_none(path) or ""):
            holders[identity][path] = data
    clashes: dict[RelPath, set[RelPath]] = defaultdict(set)
    for copies in holders.values():
        for path, other in permutations(copies, 2):
            if copies[path] != copies[other]:
                clashes[path].add(other)
    if not clashes:
        return whole
    shared = [path for path in files if path not in clashes]
    return {path: tuple(sorted({*side, *shared})) for path, side in _sides(clashes).items()}


def _sides(clashes: Mapping[RelPath, set[RelPath]]) -> Mapping[RelPath, frozenset[RelPath]]:
    """The files that are applied together, of those that clash with others; by the first of each side.

    Of two files that clash with each other and not with a third nobody knows which one goes with it.
    """
    found: dict[frozenset[RelPath], RelPath] = {}
    for path in sorted(clashes):
        beside = clashes.keys() - clashes[path] - {path}
        found.setdefault(frozenset({path, *(one for one in beside if not clashes[one] & beside)}), path)
    return {path: side for side, path in found.items() if not any(side < other for other in found)}


def _may_clash(tree: Tree, files: Iterable[RelPath]) -> bool:
    """Whether two files have a first name and a kind in common; cheap, so that hardly any folder is parsed for it."""
    seen: Counter[tuple[str, str]] = Counter()
    for path in files:
        seen.update(facts(tree, path).names)
    return any(count > 1 for count in seen.values())


def _objects(text: str) -> list[tuple[_Identity, Any]]:
    parts = [part for _, part in split(text) if _may_have_ports(part)]
    try:
        documents = [load(part) for part in parts]
    except YamlError:
        return []
    return [(identity, one) for data in documents for identity, one in _of(data) if identity[0] in WITH_PORTS]


def _may_have_ports(part: str) -> bool:
    """Whether a document may be of a kind with ports: the schema of a CustomResourceDefinition only speaks of some."""
    if WITH_PORTS.isdisjoint(kinds_named(part)):
        return False
    kinds = kinds_of(part)
    return not kinds or not WITH_PORTS.isdisjoint(kinds)


def _of(data: Any) -> list[tuple[_Identity, Any]]:
    if not isinstance(data, dict):
        return []
    items = data.get("items")
    if str(data.get("kind", "")).endswith("List") and isinstance(items, list):
        return [identity for item in items for identity in _of(item)]
    metadata = data.get("metadata")
    if not isinstance(metadata, dict):
        return []
    namespace = str(metadata.get("namespace") or "default")
    return [((str(data.get("kind")), namespace, str(metadata.get("name"))), data)]
