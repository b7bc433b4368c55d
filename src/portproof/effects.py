"""Which fields differ between two renderings of one target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from portproof import yamldoc
from portproof.manifests import ResourceKey, objects
from portproof.render.model import RenderedDocument, Rendering
from portproof.yamldoc import FieldPath, leaves

HIDDEN = "(hidden)"
"""Stands for every value of a Secret."""


@dataclass(frozen=True, slots=True)
class Change:
    """A field whose value differs; None stands for a field that is not there."""

    resource: ResourceKey
    path: FieldPath
    before: Any
    after: Any


def differences(before: Rendering, after: Rendering, namespace: str) -> list[Change]:
    """Every field that differs, in a fixed order; compared as parsed data, and only where the text differs."""
    old_documents, new_documents = _differing(before, after)
    old = _by_key(old_documents, namespace)
    new = _by_key(new_documents, namespace)
    changes: list[Change] = []
    for key in sorted({*old, *new}):
        changes += _in_resource(key, old.get(key), new.get(key))
    return changes


def _differing(before: Rendering, after: Rendering) -> tuple[list[RenderedDocument], list[RenderedDocument]]:
    same = {one.text for one in before.documents} & {one.text for one in after.documents}
    return (
        [one for one in before.documents if one.text not in same],
        [one for one in after.documents if one.text not in same],
    )


def _by_key(documents: list[RenderedDocument], namespace: str) -> dict[ResourceKey, Any]:
    found: dict[ResourceKey, Any] = {}
    for document in documents:
        try:
            data = yamldoc.load(document.text)
        except yamldoc.YamlError:
            continue  # manifests.read reports it
        found.update({key: item for key, item, _ in objects(data, namespace, ())})
    return found


def _in_resource(key: ResourceKey, old: Any, new: Any) -> Iterator[Change]:
    before, after = dict(leaves(old)) if old is not None else {}, dict(leaves(new)) if new is not None else {}
    for path in dict.fromkeys((*before, *after)):
        one, other = before.get(path), after.get(path)
        if one != other or type(one) is not type(other):
            if key.kind == "Secret":
                yield Change(key, path, HIDDEN if one is not None else None, HIDDEN)
            else:
                yield Change(key, path, *_narrowed(one, other))


def _narrowed(before: Any, after: Any) -> tuple[Any, Any]:
    """Of two texts of several lines only the lines that differ: a configuration file is nobody's business."""
    if not (isinstance(before, str) and isinstance(after, str)) or "\n" not in before:
        return before, after
    old, new = before.split("\n"), after.split("\n")
    while len(old) > 1 and len(new) > 1 and old[0] == new[0]:
        del old[0], new[0]
    while len(old) > 1 and len(new) > 1 and old[-1] == new[-1]:
        del old[-1], new[-1]
    return "\n".join(old), "\n".join(new)
