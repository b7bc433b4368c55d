"""ConfigMaps and Secrets of the repository that Flux reads values from."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, field

from portproof.discover.gitops.deployment import nearest
from portproof.discover.gitops.described import objects
from portproof.discover.model import KustomizeTarget
from portproof.source import RelPath, Tree, join, parent
from portproof.yamldoc import FieldPath

_HASH = re.compile(r"-[0-9a-z]{10}\Z")
_COMPONENT = re.compile(r"^[\"']?kind[\"']?[ \t]*:[ \t]*[\"']?Component\b", re.MULTILINE)
_ENCRYPTED = re.compile(r"^ENC\[")


class Stored(Struct, frozen=True):
    """An object with data: where it is, its keys, and those of them whose values can be read."""

    file: RelPath
    document: int
    at: FieldPath
    keys: frozenset[str]
    readable: bool
    files: Mapping[str, RelPath] = field(default_factory=dict)


class Stores(Struct):
    """The ConfigMaps and Secrets in `files` (those whose text names one), read when they are first asked for."""

    tree: Tree
    files: tuple[RelPath, ...]
    known: dict[tuple[str, str], list[Stored]] | None = None

    def find(self, kind: str, name: str, asked_by: RelPath) -> Stored | None:
        """The object of that name that is nearest to the file that asks for it; None without one, or with two as near."""
        found = self._called(kind, name)
        chosen = nearest([one.file for one in found], asked_by)
        return next((one for one in found if one.file == chosen), None)

    def built(self, kind: str, name: str, key: str, target: KustomizeTarget) -> list[Stored]:
        """Where a key of an object may come from that a kustomization builds.

        An overlay and its components may each add keys to the object of their base (``behavior: merge``): the overlay comes
        after its bases, and its components after the overlay.
        """
        found = [one for one in self._called(kind, name) if key in one.keys and one.file in target.files]
        if any(_COMPONENT.search(self.tree.text_or_none(one.file) or "") for one in found):
            return found
        return [one for one in found if parent(one.file) == target.folder][:1] or found

    def _called(self, kind: str, name: str) -> list[Stored]:
        if self.known is None:
            self.known = defaultdict(list)
            for file in self.files:
                for one in objects(file, self.tree.text_or_none(file) or ""):
                    for key, stored in _stored(file, one.number, one.data):
                        self.known[key].append(stored)
        # in a rendering the name of a generated one ends in a hash of what it holds
        return self.known.get((kind, name)) or self.known.get((kind, _HASH.sub("", name)), [])


def _stored(file: RelPath, number: int, data: Mapping[str, Any]) -> Iterable[tuple[tuple[str, str], Stored]]:
    kind = data.get("kind")
    metadata = data.get("metadata")
    if kind in ("ConfigMap", "Secret") and isinstance(metadata, dict):
        part = "data" if kind == "ConfigMap" or not data.get("stringData") else "stringData"
        values = data.get(part)
        if isinstance(values, dict):
            plain = "sops" not in data and not any(_ENCRYPTED.match(str(one)) for one in values.values())
            yield (
                (str(kind), str(metadata.get("name"))),
                Stored(file, number, (part,), frozenset(map(str, values)), plain),
            )
    for made, key in (("ConfigMap", "configMapGenerator"), ("Secret", "secretGenerator")):
        generators = data.get(key)
        for index, entry in enumerate(generators if isinstance(generators, list) else ()):
            if isinstance(entry, dict):
                found = dict(_generated(parent(file), entry.get("files")))
                if found and not entry.get("literals") and not entry.get("envs"):
                    at: FieldPath = (key, index)
                    yield (
                        (made, str(entry.get("name"))),
                        Stored(file, number, at, frozenset(found), readable=True, files=found),
                    )


def _generated(folder: RelPath, files: Any) -> Iterable[tuple[str, RelPath]]:
    """The files of a generator by their keys."""
    for one in files if isinstance(files, list) else ():
        key, equals, path = str(one).partition("=")
        place = join(folder, path if equals else key)
        if place is not None:
            yield key if equals else place.rpartition("/")[2], place
