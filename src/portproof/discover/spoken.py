"""Which targets may mention a name, as text from one run to the next: their words are looked through when somebody asks."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from portproof.discover.model import HelmTarget, Target
from portproof.source import RelPath

MAX_CHARACTERS = 8 * 1024 * 1024
"""More words are not kept."""


def written(
    targets: Iterable[Target],
    files: Callable[[Target], Iterable[RelPath]],
    words: Callable[[RelPath], Iterable[str]],
) -> dict[str, str] | None:
    """The words of the files of targets, and the names of their releases; None for more than is kept."""
    readers: dict[RelPath, list[int]] = {}
    releases: dict[str, list[int]] = {}
    for number, target in enumerate(targets):
        for path in files(target):
            readers.setdefault(path, []).append(number)
        if isinstance(target, HelmTarget):
            releases.setdefault(target.release, []).append(number)
    lines = (f"\n{json.dumps(path)} {' '.join(sorted(words(path)))} " for path in readers)
    said = "".join(lines)
    if len(said) > MAX_CHARACTERS:
        return None
    return {"words": said, "readers": json.dumps(readers), "releases": json.dumps(releases)}


def speakers(
    texts: Mapping[str, object], names: Collection[str], doubtful: Iterable[RelPath]
) -> frozenset[int] | None:
    """The numbers of the targets that may mention any of `names`; also of those with a `doubtful` file: it reads otherwise now."""
    try:
        said, readers, releases = (
            str(texts["words"]),
            *map(json.loads, (str(texts["readers"]), str(texts["releases"]))),
        )
    except (KeyError, ValueError, RecursionError):
        return None
    files = {*doubtful, *(file for name in names for file in _files(said, name))}
    wanted = {release for name in names for release in _releases(name)}
    found: list[Sequence[int]] = [readers.get(file, ()) for file in files]
    found += [releases.get(release, ()) for release in wanted]
    return frozenset(number for some in found for number in some)


def _files(said: str, name: str) -> Iterable[RelPath]:
    """The files that have a word."""
    at = said.find(f" {name} ")
    while at >= 0:
        start = said.rfind("\n", 0, at) + 1
        yield json.JSONDecoder().raw_decode(said, start)[0]
        at = said.find(f" {name} ", max(said.find("\n", at), at + 1))


def _releases(name: str) -> Iterable[str]:
    """The releases whose objects may be called so: those of that name, and of what it begins with."""
    yield name
    yield from (name[:at] for at, sign in enumerate(name) if sign == "-")
