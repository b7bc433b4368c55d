"""Kustomizations without the entries that cannot be had: remote bases, charts that are not inflated."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from portproof.discover.model import KUSTOMIZATION_NAMES, Lack
from portproof.source import RelPath, SourceError, Tree, join, parent
from portproof.yamldoc import YamlError, load, load_all, lookup

_PATCHES = ("patches", "patchesStrategicMerge")
_IDLE = re.compile(r"a patch is for ([\w-]+)/([^\s,]{1,253}), which no resource there makes")
_PRESENT = {"generatorOptions": {"disableNameSuffixHash": True}}
"""Without any field kustomize rejects a kustomization as empty; this one means nothing where nothing is generated."""


def without(tree: Tree, lacks: Iterable[Lack]) -> Mapping[RelPath, str]:
    """The kustomizations that have `lacks`, without them, by their paths; one that cannot be read stays as it is."""
    by_file: dict[RelPath, list[Lack]] = defaultdict(list)
    for one in lacks:
        by_file[one.file].append(one)
    found = {}
    for path, several in by_file.items():
        try:
            data = load(tree.text(path))
        except (SourceError, YamlError):
            continue
        if isinstance(data, dict):
            left = dict(data)
            for one in several:
                left = _without(left, one)
            if not left.keys() - {"apiVersion", "kind"}:
                left |= _PRESENT
            found[path] = json.dumps(left, ensure_ascii=False, indent=1) + "\n"
    return found


def _without(data: Mapping[str, Any], lack: Lack) -> dict[str, Any]:
    names = {name.casefold() for name in lack.fields}
    left: dict[str, Any] = {}
    for key, value in data.items():
        if key.casefold() not in names:
            left[key] = value
        elif lack.text and isinstance(value, list):
            rest = [_without_file(item, lack.text) for item in value if lack.text not in _texts_of(item)]
            left |= {key: rest} if rest else {}
    return left


def _without_file(item: object, text: str) -> object:
    """An entry, without one of its ``files`` if it is a generator."""
    files = item.get("files") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(files, list):
        return item
    return {**item, "files": [one for one in files if one != text]}


def idle_patch(tree: Tree, files: Iterable[RelPath], message: str) -> Lack | None:
    """The patch of which the `message` of a failure says that it is for an object that is not there; None unless it is one for it alone."""
    sought = _IDLE.search(message)
    if sought is None:
        return None
    for path in files:
        if path.rpartition("/")[2] not in KUSTOMIZATION_NAMES:
            continue
        for data in _mappings(tree.text_or_none(path) or ""):
            for key in _PATCHES:
                entries = data.get(key)
                for text in [
                    one for item in (entries if isinstance(entries, list) else ()) for one in _texts_of(item)
                ]:
                    named = join(parent(path), text)
                    patch = _mappings((tree.text_or_none(named) if named else None) or text)
                    names = [(str(one.get("kind")), lookup(one, ("metadata", "name"))) for one in patch]
                    if names == [(sought[1], sought[2])]:
                        return Lack(path, _PATCHES, text, message)
    return None


def _texts_of(item: object) -> list[str]:
    """What an entry of a list says: a path or a text, or the path or text of a patch."""
    found = [item.get("path"), item.get("patch")] if isinstance(item, dict) else [item]
    return [one for one in found if isinstance(one, str)]


def _mappings(text: str) -> list[Mapping[str, Any]]:
    try:
        return [one for one in load_all(text) if isinstance(one, dict)]
    except YamlError:
        return []
