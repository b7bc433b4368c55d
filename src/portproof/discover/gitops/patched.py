"""Which patches can change what is deployed, as far as their text tells it.

Many repositories patch every HelmRelease with the same retries, and nothing else. What a file says of a release holds then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from portproof.source import RelPath, Tree, join
from portproof.yamldoc import YamlError, load_all

_IDLE = frozenset(
    {
        "decryption",
        "deletionPolicy",
        "driftDetection",
        "install",
        "interval",
        "maxHistory",
        "prune",
        "retryInterval",
        "rollback",
        "test",
        "timeout",
        "uninstall",
        "upgrade",
        "wait",
    }
)
"""Fields of a ``spec`` of Flux that say when and how often something is tried, and not what it is."""

_PLAIN = re.compile(r"[A-Za-z]+")
"""A kind that is not a pattern, as the kind of a patch's target may be."""


def changes_descriptions(tree: Tree, folder: RelPath, patches: Any, kinds: Iterable[str]) -> bool:
    """Whether `patches` of a kustomization in `folder` can change what objects of `kinds` deploy. What is unclear can."""
    if not patches:
        return False
    return not isinstance(patches, list) or any(_changes(tree, folder, one, kinds) for one in patches)


def _changes(tree: Tree, folder: RelPath, entry: Any, kinds: Iterable[str]) -> bool:
    if not isinstance(entry, dict) or entry.get("options"):
        return True
    target = entry.get("target")
    kind = target.get("kind") if isinstance(target, dict) else None
    if _is_other(kind, kinds):
        return False
    text = entry.get("patch")
    path = entry.get("path")
    if text is None and isinstance(path, str):
        text = tree.text_or_none(join(folder, path) or "")
    if not isinstance(text, str) or "values" in text:
        return True
    try:
        documents = [one for one in load_all(text) if one is not None]
    except YamlError:
        return True
    return any(_document_changes(one, kind, kinds) for one in documents)


def _document_changes(document: Any, kind: Any, kinds: Iterable[str]) -> bool:
    if isinstance(document, list):  # RFC 6902
        return any(not _is_idle_operation(one) for one in document)
    if not isinstance(document, dict):
        return True
    # without a target a patch is for the object that it names
    return not (kind is None and _is_other(document.get("kind"), kinds)) and any(_busy(document))


def _is_other(kind: Any, kinds: Iterable[str]) -> bool:
    return isinstance(kind, str) and bool(_PLAIN.fullmatch(kind)) and kind not in kinds


def _busy(patch: Mapping[str, Any]) -> Iterator[str]:
    """What a strategic-merge patch sets besides idle fields."""
    yield from (str(key) for key in patch if key not in ("apiVersion", "kind", "metadata", "spec"))
    metadata, spec = patch.get("metadata") or {}, patch.get("spec") or {}
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        yield "spec"
        return
    yield from (str(key) for key in metadata if key not in ("name", "namespace"))
    yield from (str(key) for key in spec if key not in _IDLE)


def _is_idle_operation(operation: Any) -> bool:
    path = operation.get("path") if isinstance(operation, dict) else None
    if not isinstance(path, str) or operation.get("op") in ("move", "copy"):
        return False
    steps = path.split("/")
    return len(steps) > 2 and steps[:2] == ["", "spec"] and steps[2] in _IDLE
