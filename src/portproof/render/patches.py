"""Lists of ports in which a patch has several entries of one number.

kustomize merges lists of ports by their number (the ``patchMergeKey`` of Kubernetes' types), and by their protocol only
where each entry states it, so that one of several entries may be all that is left: kubernetes/kubernetes#39188.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from portproof.discover.model import KUSTOMIZATION_NAMES, KustomizeTarget
from portproof.source import RelPath, Tree, join, parent
from portproof.yamldoc import YamlError, load_all, lookup

_NUMBER = re.compile(r"""(?m)\b(?:p|containerP)ort["']?:[ \t]*(\d{1,5})\b""")
_PATCHES = ("patches", "patchesStrategicMerge")


class PatchedPort(Struct, frozen=True):
    """An entry of a list of ports, as a patch gives it."""

    name: str
    number: int
    protocol: str


class Crowded(Struct, frozen=True):
    """Entries of one number in a list of ports of a patch: the object's kind and name, and for pods the container's."""

    kind: str
    name: str
    container: str
    ports: tuple[PatchedPort, ...]


def crowded(target: KustomizeTarget, tree: Tree) -> tuple[Crowded, ...]:
    """What the patches of a kustomization, and of those that it builds on, give several entries of one number."""
    found: dict[Crowded, None] = {}
    for text in _patches(target, tree):
        counts = Counter(_NUMBER.findall(text))
        if any(count > 1 for count in counts.values()):
            found |= dict.fromkeys(in_patch(text))
    return tuple(found)


def _patches(target: KustomizeTarget, tree: Tree) -> Iterator[str]:
    for file in target.files:
        text = tree.text_or_none(file) or ""
        if file.rpartition("/")[2] not in KUSTOMIZATION_NAMES or "patches" not in text:
            continue
        for data in _mappings(text):
            for key in _PATCHES:
                entries = data.get(key)
                for entry in entries if isinstance(entries, list) else ():
                    yield from _texts(tree, parent(file), entry)


def _texts(tree: Tree, folder: RelPath, entry: Any) -> Iterator[str]:
    """The text of a patch: written there, or in the file that is named."""
    several = (entry.get("path"), entry.get("patch")) if isinstance(entry, dict) else (entry,)
    for one in several:
        if isinstance(one, str) and "\n" in one:
            yield one
        elif isinstance(one, str) and (path := join(folder, one)) is not None:
            yield tree.text_or_none(path) or ""


def _mappings(text: str) -> Iterator[dict[str, Any]]:
    try:
        yield from (one for one in load_all(text) if isinstance(one, dict))
    except YamlError:
        return


def in_patch(text: str) -> Iterator[Crowded]:
    """What a strategic-merge patch gives several entries of one number."""
    for data in _mappings(text):
        kind, name = str(data.get("kind")), str(lookup(data, ("metadata", "name")) or "")
        if kind == "Service":
            ports = lookup(data, ("spec", "ports"))
            yield from (Crowded(kind, name, "", group) for group in _groups(ports, "port"))
            continue
        containers = lookup(data, ("spec", "template", "spec", "containers"))
        for one in containers if isinstance(containers, list) else ():
            if isinstance(one, dict):
                groups = _groups(one.get("ports"), "containerPort")
                yield from (Crowded(kind, name, str(one.get("name")), group) for group in groups)


def _groups(ports: Any, field: str) -> Iterator[tuple[PatchedPort, ...]]:
    """The entries that share their number."""
    entries = [one for one in ports if isinstance(one, dict)] if isinstance(ports, list) else []
    by_number: dict[int, list[PatchedPort]] = {}
    for one in entries:
        number = one.get(field)
        if isinstance(number, int) and "$patch" not in one:
            port = PatchedPort(str(one.get("name") or ""), number, str(one.get("protocol") or "TCP"))
            by_number.setdefault(number, []).append(port)
    return (tuple(group) for group in by_number.values() if len(group) > 1)
