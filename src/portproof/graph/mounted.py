"""The files that a container sees, as far as ConfigMaps of the rendering hold them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import normpath
from typing import Any

from msgspec import Struct

from portproof.graph.fields import indexed, mapping
from portproof.graph.model import Site
from portproof.resources import Resource

Maps = Mapping[tuple[str, str], Resource]


class MountedFile(Struct, frozen=True):
    """A file at `path` in a container. `site` is the entry of the ConfigMap that holds its `text`."""

    path: str
    site: Site
    text: str


class Mounts(Struct, frozen=True):
    """What a container has mounted: the `files` whose text is known, and where (`unread`) other volumes are.

    `folders` are those whose files are all known.
    """

    files: tuple[MountedFile, ...]
    unread: tuple[str, ...]
    folders: frozenset[str]

    def hides(self, path: str) -> bool:
        """Whether a volume that cannot be read may hold the file at `path`, or what is in place of it."""
        return any(path == one or path.startswith(one.rstrip("/") + "/") for one in self.unread)


def mounts(namespace: str, pod: Mapping[str, Any], container: Mapping[str, Any], maps: Maps) -> Mounts:
    """What is mounted in `container` of the pod whose spec is `pod`."""
    volumes = {str(one.get("name")): one for _, one in indexed(pod.get("volumes"))}
    files: list[MountedFile] = []
    unread: list[str] = []
    folders: set[str] = set()
    for _, mount in indexed(container.get("volumeMounts")):
        place = normpath(str(mount.get("mountPath") or "/"))
        found = None
        if not mount.get("subPathExpr"):
            found = _entries(namespace, volumes.get(str(mount.get("name")), {}), maps)
        if found is None:
            unread.append(place)
        else:
            files += _placed(place, str(mount.get("subPath") or ""), found)
            folders |= set() if mount.get("subPath") else {place}
    return Mounts(tuple(files), tuple(unread), frozenset(folders))


def _entries(namespace: str, volume: Mapping[str, Any], maps: Maps) -> list[MountedFile] | None:
    """The files of a volume by their paths in it; None when it holds others than the rendering shows."""
    config = mapping(volume.get("configMap"))
    if config:
        return _of_map(namespace, config, maps)
    sources = [one for _, one in indexed(mapping(volume.get("projected")).get("sources"))]
    if not sources:
        return None
    found: list[MountedFile] = []
    for source in sources:
        files = _of_map(namespace, mapping(source.get("configMap")), maps)
        if files is None:
            return None
        found += files
    return found


def _of_map(namespace: str, reference: Mapping[str, Any], maps: Maps) -> list[MountedFile] | None:
    config = maps.get((namespace, str(reference.get("name") or "")))
    if config is None or config.data.get("binaryData"):
        return None
    data = mapping(config.data.get("data"))
    chosen = [(str(one.get("key")), str(one.get("path"))) for _, one in indexed(reference.get("items"))]
    return [
        MountedFile(path, Site(config.key, ("data", entry), None), str(data[entry]))
        for entry, path in chosen or [(str(entry), str(entry)) for entry in data]
        if entry in data
    ]


def _placed(place: str, sub_path: str, files: list[MountedFile]) -> Iterator[MountedFile]:
    inside = normpath(sub_path) if sub_path else ""
    for one in files:
        path = normpath(one.path)
        if not inside:
            yield MountedFile(normpath(f"{place}/{path}"), one.site, one.text)
        elif path == inside:
            yield MountedFile(place, one.site, one.text)
        elif path.startswith(f"{inside}/"):
            yield MountedFile(normpath(f"{place}/{path[len(inside) + 1 :]}"), one.site, one.text)
