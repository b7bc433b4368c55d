"""Remote parts of an overlay, fetched and put beside its kustomizations, which then refer to files: kustomize sees no address."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from portproof.discover.model import Lack, Skip
from portproof.discover.overlays import kustomization_at
from portproof.discover.remote_bases import RemoteBase, remote_base
from portproof.render.fetch import Fetcher, FetchError
from portproof.replacing import replace
from portproof.source import RelPath, SourceError, Tree, parent
from portproof.yamldoc import YamlError, load

MAX_FILES = 2000
"""Files of one remote part that a build reads."""


class Attached(Struct):
    """Kustomizations and files as the build gets them, and what still cannot be had, with the reason."""

    changed: dict[RelPath, str] = field(default_factory=dict)
    lacks: list[Lack] = field(default_factory=list)


def attach(lacks: Iterable[Lack], tree: Tree, fetcher: Fetcher) -> Attached:
    """Fetch what can be fetched of `lacks`."""
    found = Attached()
    for number, lack in enumerate(lacks):
        meant = remote_base(lack.text) if lack.fetchable else None
        if meant is None:
            found.lacks.append(lack)
            continue
        here = Tree(tree.root, {**tree.overlay, **found.changed})
        try:
            entry, files = _beside(lack, meant, number, fetcher)
            found.changed |= {**files, lack.file: _with_entry(here, lack, entry)}
        except FetchError as error:
            reason = lack.reason.replace(": not fetched", f": not fetched: {error}", 1)
            found.lacks.append(replace(lack, reason=reason))
    return found


def _beside(
    lack: Lack, meant: RemoteBase, number: int, fetcher: Fetcher
) -> tuple[str, Mapping[RelPath, str]]:
    """What stands for an entry, relative to its kustomization, and the files that this is. Raises `FetchError`."""
    folder = parent(lack.file)
    prefix = "" if folder == "." else f"{folder}/"
    name = f"portproof-remote-{number}"
    if not meant.ref:
        return f"{name}.yaml", {f"{prefix}{name}.yaml": fetcher.remote_file(meant)}
    fetched = fetcher.remote_tree(meant)
    target = kustomization_at(fetched, meant.path)
    if isinstance(target, Skip):
        raise FetchError(f"{meant.path} in it: {target.reason}")
    if not target.files or target.lacks or target.charts:
        lacking = next((one.reason for one in target.lacks), "it has helmCharts")
        raise FetchError(f"{meant.path} in it: {lacking if target.files else 'there is no kustomization'}")
    if len(target.files) > MAX_FILES:
        raise FetchError(f"it reads more than {MAX_FILES:,} files")
    texts = dict(_texts(fetched, target.files))
    entry = name if meant.path == "." else f"{name}/{meant.path}"
    return entry, {f"{prefix}{name}/{path}": text for path, text in texts.items()}


def _texts(tree: Tree, files: Iterable[RelPath]) -> Iterator[tuple[RelPath, str]]:
    for path in files:
        try:
            yield path, tree.text(path)
        except SourceError as error:
            raise FetchError(f"{path} in it: {error.reason}") from error


def _with_entry(tree: Tree, lack: Lack, entry: str) -> str:
    """The kustomization with another entry in place of the remote one."""
    try:
        data: Any = load(tree.text(lack.file))
    except (SourceError, YamlError) as error:
        raise FetchError("its kustomization cannot be read") from error
    names = {name.casefold() for name in lack.fields}
    changed = {
        key: [entry if one == lack.text else one for one in value]
        if str(key).casefold() in names and isinstance(value, list)
        else value
        for key, value in (data if isinstance(data, dict) else {}).items()
    }
    return json.dumps(changed, ensure_ascii=False, indent=1) + "\n"
