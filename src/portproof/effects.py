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
            hide = key.kind == "Secret"
            yield Change(key, path, HIDDEN if hide and one is not None else one, HIDDEN if hide else other)
