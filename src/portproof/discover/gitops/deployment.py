"""What a description deploys from this repository: a chart with values, a kustomization, a folder of manifests."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator
from typing import TypeAlias

from msgspec import Struct, field

from portproof.config import matches
from portproof.discover.model import Cluster, Install, RemoteChart
from portproof.discover.unread import Unread
from portproof.discover.walk import EscapeError, Listing, ResolvedPath, ancestors, resolve
from portproof.source import RelPath, Tree, is_within
from portproof.yamldoc import FieldPath

UNKNOWN = re.compile(r"\$\{|\{\{|<no value>")
"""What somebody fills in later, or what a template has failed to fill in."""

_PACKED = (".tgz", ".tar.gz")

# apimachinery validation.NameIsDNSSubdomain; a target's id ends in it
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class Place(Struct, frozen=True):
    """Where descriptions are looked up: the tree, what the walk saw, and the folders that are charts."""

    tree: Tree
    listing: Listing
    charts: Collection[RelPath]


class Installed(Struct, frozen=True):
    """A chart as one description installs it: the values `files` in helm's order, then what `file` itself holds.

    `problem` says why it cannot be rendered as it is installed; empty when it can. A `remote` chart is not in the
    repository: then `chart` is `file`.
    """

    chart: RelPath
    file: RelPath
    install: Install
    files: tuple[RelPath, ...] = ()
    release: str = ""
    namespace: str = ""
    cluster: Cluster = field(default_factory=Cluster)
    problem: str = ""
    remote: RemoteChart | None = None


class Build(Struct, frozen=True):
    """A folder that a description deploys without helm; `changes` says that it changes what kustomize makes of it.

    `files` are the manifests that are deployed together where these are not simply those that lie in the folder.
    """

    folder: RelPath
    install: Install
    changes: bool = False
    files: tuple[RelPath, ...] = ()


Deployment: TypeAlias = Installed | Build | Unread


def chart_elsewhere(file: RelPath, name: str, chart: str, more: str = "") -> Unread:
    """A release whose chart nobody has here."""
    return Unread(file, "remote-chart", f"{name}: the chart {chart} is not in this repository{more}")


def packed_chart(
    listing: Listing, path: RelPath | None, file: RelPath, document: int, at: FieldPath
) -> RemoteChart | None:
    """The chart that is packed at a path of the repository, which stands at `at` of `file`; None where no archive is."""
    found = found_at(listing, path)
    if found is None or found.kind != "file" or not found.path.endswith(_PACKED):
        return None
    return RemoteChart("", found.path, "", file, document, at, (found.path,), packed=True)


def no_chart(file: RelPath, tool: str, name: str, path: str) -> Unread:
    """A release of something that is no chart."""
    return Unread(file, tool, f"{name}: there is no Chart.yaml in {path}")


def found_at(listing: Listing, path: RelPath | None) -> ResolvedPath | None:
    """What lies at a path of the repository; None for one that leads out of it."""
    if path is None:
        return None
    try:
        return resolve(listing.root, path)
    except EscapeError:
        return None


def files_of(listing: Listing) -> Iterator[RelPath]:
    """Every file that the walk saw."""
    for folder in listing.folders.values():
        for name in folder.files:
            yield folder.child(name)


def matching(listing: Listing, pattern: RelPath) -> list[RelPath]:
    """The files that a glob names, sorted: ``*`` and ``?`` within a step, ``**`` over any number of them."""
    folded = pattern.replace("[^", "[!")
    return sorted(path for path in files_of(listing) if matches(folded, path))


def is_glob(text: str) -> bool:
    """Whether a path has to be matched."""
    return any(mark in text for mark in "*?[")


def same_repository(one: str, other: str) -> bool:
    """Whether two addresses mean one repository: scheme, user, port, case and a final ``.git`` do not matter."""
    return _bare(one) == _bare(other)


def _bare(address: str) -> str:
    text = address.strip().lower().removesuffix("/").removesuffix(".git")
    text = re.sub(r"^[a-z+]+://", "", text)
    text = text.rpartition("@")[2]
    host, mark, path = re.match(r"([^:/]*)([:/]?)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    if mark == ":":
        path = re.sub(r"^\d+/", "", path)
    return posixpath.normpath(f"{host}/{path.lstrip('/')}")


def nearest(candidates: Collection[RelPath], to: RelPath) -> RelPath | None:
    """The one of several files that shares most of its folders with `to`; None when two are as near."""
    if len(candidates) < 2:
        return next(iter(candidates), None)
    for folder in ancestors(to):
        near = [path for path in candidates if is_within(path, folder)]
        if near:
            return near[0] if len(near) == 1 else None
    return None
