"""A discovery as text, from one run to the next."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields
from typing import Any

from portproof.discover.gitops.filling import Fill, Part
from portproof.discover.kept import KeptTargets
from portproof.discover.model import (
    Cluster,
    Dependency,
    Discovery,
    HelmTarget,
    Inflation,
    Install,
    KustomizeTarget,
    Lack,
    ManifestTarget,
    Mount,
    RemoteChart,
    Skip,
    Target,
)
from portproof.discover.unread import Unread
from portproof.source import RelPath, is_inside, parent

_TYPES = {
    one.__name__: one
    for one in (
        *(HelmTarget, KustomizeTarget, ManifestTarget, Skip, Unread),
        *(Mount, Dependency, RemoteChart, Cluster, Install, Fill, Part, Lack, Inflation),
    )
}
"""What a discovery is made of. What hangs on a rendering (`Parent`) is not kept."""


_OTHERS = tuple(
    one.name
    for one in fields(Discovery)
    if one.name not in ("targets", "everything", "skips", "unread", "bases", "learnt")
)
"""What else there is is small, and read at once."""


class NotKeptError(Exception):
    """A discovery has something that text cannot hold, or a text has no discovery."""


def written(found: Discovery) -> dict[str, str]:
    """A discovery of a whole tree as texts; what only `portproof targets` shows (`learnt`) is left out.

    Raises `NotKeptError`.
    """
    targets = found.everything
    ids = [one.id for one in targets]
    if any("\n" in one for one in ids) or len(found.targets) != len(targets):
        raise NotKeptError
    folders: dict[RelPath, list[int]] = defaultdict(list)
    for number, one in enumerate(targets):
        for folder in sorted(_folders(one)):
            folders[folder].append(number)
    return {
        "targets": "\n".join(map(_line, targets)),
        "ids": "\n".join(ids),
        "folders": json.dumps(folders),
        "skips": "\n".join(map(_line, found.skips)),
        "unread": "\n".join(map(_line, found.unread)),
        "bases": json.dumps({id_: _line(several) for id_, several in found.bases.items()}),
        **{name: _line(getattr(found, name)) for name in _OTHERS},
    }


def read(
    texts: Mapping[str, object],
    speakers: Callable[[Collection[str]], Collection[int] | None] = lambda _names: None,
) -> Discovery:
    """The discovery that was `written`. Raises `NotKeptError`."""
    try:
        lines = {
            name: str(texts[name]).split("\n") if texts[name] else []
            for name in ("targets", "ids", "skips", "unread")
        }
        folders, bases = (json.loads(str(texts[name])) for name in ("folders", "bases"))
        others = {name: _value(json.loads(str(texts[name]))) for name in _OTHERS}
        skips, unread = ([_value(json.loads(one)) for one in lines[name]] for name in ("skips", "unread"))
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise NotKeptError from error
    if (
        len(lines["targets"]) != len(lines["ids"])
        or not isinstance(folders, dict)
        or not isinstance(bases, dict)
    ):
        raise NotKeptError
    made, ids = lines["targets"], lines["ids"]
    targets = KeptTargets(ids, folders, lambda number: _target(made[number], ids[number]), speakers)
    kept: dict[str, Any] = {
        "targets": targets,
        "everything": targets,
        "skips": tuple(skips),
        "unread": tuple(unread),
    }
    return Discovery(**kept, **others, bases=_Bases(bases))


class _Bases(Mapping[str, tuple[KustomizeTarget, ...]]):
    def __init__(self, lines: Mapping[str, str]) -> None:
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __getitem__(self, key: str) -> tuple[KustomizeTarget, ...]:
        found: tuple[KustomizeTarget, ...] = _value(json.loads(self._lines[key]))
        return found


def _folders(target: Target) -> set[RelPath]:
    """The folders of a target, and those of the description that installs it."""
    install = target.install if isinstance(target, HelmTarget | KustomizeTarget) else None
    by = (install.file, *install.also) if install else ()
    return {*target.folders, *map(parent, by)}


def _line(value: object) -> str:
    return json.dumps(_plain(value), ensure_ascii=True, separators=(",", ":"))


def _plain(value: Any) -> object:
    kind = type(value)
    if _TYPES.get(kind.__name__) is kind:
        return {kind.__name__: [_plain(getattr(value, name)) for name in kind.__match_args__]}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, str | int):
        return value
    raise NotKeptError


def _value(data: Any) -> Any:
    if isinstance(data, list):
        return tuple(map(_value, data))
    if isinstance(data, dict):
        ((name, values),) = data.items()
        return _TYPES[name](*map(_value, values))
    return data


def _target(line: str, id_: str) -> Target:
    """A target as it was written. Raises `NotKeptError` for one that is none, or would lead out of the tree."""
    try:
        target = _value(json.loads(line))
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise NotKeptError from error
    if not isinstance(target, HelmTarget | KustomizeTarget | ManifestTarget) or target.id != id_:
        raise NotKeptError
    if not all(map(is_inside, (*_folders(target), *target.made_by))):
        raise NotKeptError
    return target
