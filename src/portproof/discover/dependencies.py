"""What a chart is made of: its folder, linked folders, subcharts, ``file://`` dependencies, and what is missing.

Nothing is fetched or unpacked here, and no dependency is taken from outside the tree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field

from portproof.discover.mention import mention
from portproof.discover.model import Dependency, Mount
from portproof.discover.reading import skim
from portproof.discover.versions import satisfies
from portproof.discover.walk import EscapeError, Folder, Listing, ResolvedPath, ancestors, resolve
from portproof.source import RelPath, SourceError, Tree, below, is_within, join
from portproof.yamldoc import YamlError, load

MAX_FOLDERS = 20_000
"""A chart with more folders, counting what links lead to, is refused: links can multiply folders without end."""

MAX_MOUNTS = 100
MAX_DEPTH = 100
_IGNORED = ("_", ".")
"""What helm does not load from ``charts/`` starts so."""


class RefusedError(Exception):
    """The chart cannot be rendered safely or at all; the message is the reason to show."""


class Wanted(Struct, frozen=True):
    """One entry of the list of dependencies of a chart."""

    name: str
    version: str
    repository: str
    alias: str = ""


class ChartFile(Struct, frozen=True):
    """What discovery wants to know of a ``Chart.yaml``; a broken one gives empty fields, helm says what is wrong."""

    name: str = ""
    library: bool = False
    dependencies: tuple[Wanted, ...] = ()
    version: str = ""


class Parts(Struct):
    """The fields of `HelmTarget` that say what a chart is made of."""

    mounts: list[Mount] = field(default_factory=list)
    missing: list[Dependency] = field(default_factory=list)
    archives: list[RelPath] = field(default_factory=list)
    git: bool = False


class ChartFiles(Struct, frozen=True):
    """Reads each ``Chart.yaml`` of a tree once, however many charts depend on it."""

    tree: Tree
    known: dict[RelPath, ChartFile] = field(default_factory=dict)
    named: dict[str, list[RelPath]] = field(default_factory=dict)

    def read(self, folder: RelPath) -> ChartFile:
        """What the ``Chart.yaml`` in `folder` and the files beside it say."""
        if folder not in self.known:
            self.known[folder] = _read_chart(self.tree, folder)
        return self.known[folder]

    def library(self, listing: Listing, wanted: Wanted) -> RelPath | None:
        """The chart of the repository that stands in for one of a registry; None unless exactly one can.

        It only holds templates for other charts, and has the name and a version that is asked for: the registry may not
        have yet what a change brings.
        """
        if not self.named:
            charts = {path for path, folder in listing.folders.items() if _has_chart(folder)}
            for path in sorted(charts):
                if not any(
                    other in charts for other in ancestors(path)
                ):  # no copy that another one has vendored
                    self.named.setdefault(self.read(path).name, []).append(path)
        named = self.named.get(wanted.name, ())
        for path in named:
            self.tree.text_or_none(below(path, "Chart.yaml"))  # its version counts
        found = [
            path
            for path in named
            if satisfies(self.read(path).version, wanted.version)
            and (self.read(path).library or _only_helpers(listing, path))
        ]
        return found[0] if len(found) == 1 else None


def assemble(files: ChartFiles, listing: Listing, chart: RelPath) -> Parts:
    """Find out what `chart` is made of. Raises `RefusedError`."""
    assembler = _Assembler(files, listing, Parts())
    assembler.add(".", chart, (chart,), vendored=False)
    return assembler.parts


def _read_chart(tree: Tree, folder: RelPath) -> ChartFile:
    """Read ``Chart.yaml`` and, as helm does for either apiVersion, ``requirements.yaml`` in its place.

    Versions are those of ``Chart.lock`` or ``requirements.lock`` where they name the dependency.
    """
    data = _mapping(tree, folder, "Chart.yaml")
    entries = data.get("dependencies")
    older = _mapping(tree, folder, "requirements.yaml")
    if "dependencies" in older:
        entries = older["dependencies"]
    locked: dict[str, str] = {}
    for lock in ("requirements.lock", "Chart.lock"):
        for item in _items(_mapping(tree, folder, lock).get("dependencies")):
            locked[_text(item.get("name"))] = _text(item.get("version"))
    wanted = []
    for item in _items(entries):
        name = _text(item.get("name"))
        version = locked.get(name) or _text(item.get("version"))
        wanted.append(Wanted(name, version, _text(item.get("repository")), _text(item.get("alias"))))
    library = data.get("type") == "library"
    return ChartFile(_text(data.get("name")), library, tuple(wanted), _text(data.get("version")))


class _Assembler(Struct):
    files: ChartFiles
    listing: Listing
    parts: Parts
    folders: int = 0

    def add(self, at: RelPath, source: RelPath, trail: tuple[RelPath, ...], *, vendored: bool) -> None:
        """Put the chart in `source` at `at`; `trail` are the ``file://`` steps that led here, the chart first.

        A `vendored` chart lies in the ``charts/`` folder of another, which has been looked through already.
        """
        if at.count("/") > MAX_DEPTH:
            raise RefusedError("its subcharts are nested too deeply")
        if not vendored:
            self._mount(at, source)
            self._look_through(at, source, ())
        charts = self.listing.folder(self._follow(below(source, "charts")).path)
        there = self._add_vendored(at, charts, trail)
        used = {*charts.folders, *charts.links}
        mounted: set[RelPath] = set()
        for wanted in self.files.read(source).dependencies:
            if not wanted.name or wanted.name in there or _archived(charts, wanted.name):
                continue
            library = None if vendored else self._library(source, wanted)
            if not wanted.repository.startswith("file://") and library is None:
                place = self._place(source, wanted)
                dependency = Dependency(at, wanted.name, wanted.version, wanted.repository, place)
                if dependency not in self.parts.missing:
                    self.parts.missing.append(dependency)
                continue
            found = library or self._local(source, wanted, vendored=vendored)
            if found is None or found in mounted:
                continue
            if found in trail:
                steps = " -> ".join((*trail[trail.index(found) :], found))
                raise RefusedError(f"its file:// dependencies form a loop: {steps}")
            mounted.add(found)
            name = _free_name(found, wanted.name, used)
            self.add(below(at, f"charts/{name}"), found, (*trail, found), vendored=False)

    def _mount(self, at: RelPath, source: RelPath) -> None:
        self.parts.mounts.append(Mount(at, source))
        if len(self.parts.mounts) > MAX_MOUNTS:
            raise RefusedError(f"its links and file:// dependencies lead to more than {MAX_MOUNTS} folders")

    def _look_through(self, at: RelPath, source: RelPath, above: tuple[RelPath, ...]) -> None:
        """Check every link and name below `source` as helm would walk it; linked folders become mounts.

        helm follows links without any limit of its own, so what leads out of the tree is refused here.
        """
        if len(above) > MAX_DEPTH:
            raise RefusedError("its folders are nested too deeply")
        self.folders += 1
        if self.folders > MAX_FOLDERS:
            raise RefusedError(f"more than {MAX_FOLDERS:,} folders, including those its links lead to")
        folder = self.listing.folder(source)
        self.parts.git = self.parts.git or folder.git
        if folder.odd:
            raise RefusedError(f"the file name {folder.odd[0]} is not printable UTF-8")
        above = (*above, source)
        for name in folder.links:
            place = self._follow(folder.child(name))
            if place.kind != "folder":
                continue
            if place.path in above:
                raise RefusedError(f"the link {folder.child(name)} is part of a loop")
            self._mount(below(at, name), place.path)
            self._look_through(below(at, name), place.path, above)
        for name in folder.folders:
            self._look_through(below(at, name), folder.child(name), above)

    def _follow(self, link: RelPath) -> ResolvedPath:
        try:
            return resolve(self.listing.root, link)
        except EscapeError as error:
            raise RefusedError(f"the link {link} {error}") from error

    def _add_vendored(self, at: RelPath, charts: Folder, trail: tuple[RelPath, ...]) -> set[str]:
        """Add the charts that lie in the folder `charts` of the chart at `at`, and say how they are called."""
        names = set()
        for name in (*charts.folders, *charts.links):
            place = self._follow(charts.child(name))
            if place.kind != "folder" or name.startswith(_IGNORED):
                continue
            if _has_chart(self.listing.folder(place.path)):
                names.add(self.files.read(place.path).name)
                self.add(below(at, f"charts/{name}"), place.path, trail, vendored=True)
        self.parts.archives += [
            below(at, f"charts/{name}") for name in _archives(charts) if not name.startswith(_IGNORED)
        ]
        return names

    def _library(self, source: RelPath, wanted: Wanted) -> RelPath | None:
        if wanted.repository.startswith("file://"):
            return None
        found = self.files.library(self.listing, wanted)
        return found if found is not None and found != source and self._has_its_own(found) else None

    def _has_its_own(self, library: RelPath) -> bool:
        """Whether a chart has what it depends on itself: the one in the registry is packed with it."""
        charts = self.listing.folder(below(library, "charts"))
        vendored = {self.files.read(charts.child(name)).name for name in charts.folders}
        return all(
            one.name in vendored
            or one.repository.startswith("file://")
            or _archived(charts, one.name)
            or self.files.library(self.listing, one)
            for one in self.files.read(library).dependencies
        )

    def _local(self, source: RelPath, wanted: Wanted, *, vendored: bool) -> RelPath | None:
        """The folder that a ``file://`` dependency means; None when no chart is there, which is for helm to say."""
        text = wanted.repository.removeprefix("file://")
        path = join(source, text)
        if path is None:
            if vendored:  # a copy whose relative paths belong to another place; helm does not look at them
                return None
            raise RefusedError(
                f"the dependency {wanted.name} ({wanted.repository}) points outside the repository "
                f"({self._place(source, wanted)})"
            )
        try:
            place = resolve(self.listing.root, path)
        except EscapeError as error:
            asked = f"{wanted.name} ({wanted.repository}) {error} ({self._place(source, wanted)})"
            raise RefusedError(f"the dependency {asked}") from error
        found = place.kind == "folder" and _has_chart(self.listing.folder(place.path))
        return place.path if found else None

    def _place(self, source: RelPath, wanted: Wanted) -> str:
        """The file and line that ask for a dependency."""
        top = self.listing.folder(source)
        older = "requirements.yaml" in (*top.files, *top.links)
        file = below(source, "requirements.yaml" if older else "Chart.yaml")
        # what has a colon in it is in no idle line
        tree = skim(self.files.tree) if ":" in wanted.repository else self.files.tree
        return mention(tree, file, wanted.repository or wanted.name)


def _only_helpers(listing: Listing, chart: RelPath) -> bool:
    """Whether all templates of a chart are for others: helm renders none whose name begins with an underscore."""
    top = below(chart, "templates")
    folders = [folder for path, folder in listing.folders.items() if is_within(path, top)]
    names = [name for folder in folders for name in (*folder.files, *folder.links)]
    return bool(names) and all(name.startswith("_") or name == "NOTES.txt" for name in names)


def _has_chart(folder: Folder) -> bool:
    return "Chart.yaml" in folder.files or "Chart.yaml" in folder.links


def _archived(charts: Folder, name: str) -> bool:
    pattern = re.compile(re.escape(name) + r"(-v?[0-9].*)?\.tgz\Z")
    return any(pattern.match(archive) for archive in _archives(charts))


def _archives(charts: Folder) -> Sequence[str]:
    return [name for name in sorted((*charts.files, *charts.links)) if name.endswith(".tgz")]


def _free_name(source: RelPath, name: str, used: set[str]) -> str:
    """A folder name for a mounted chart: that of its own folder, unless another one of ``charts/`` has it."""
    wished = (source if source != "." else name).rpartition("/")[2].lstrip("_.") or "chart"
    free, number = wished, 2
    while free in used:
        free, number = f"{wished}-{number}", number + 1
    used.add(free)
    return free


def _mapping(tree: Tree, folder: RelPath, name: str) -> dict[str, Any]:
    try:
        path = resolve(tree.root, below(folder, name)).path
        data = load((skim(tree) if name == "Chart.yaml" else tree).text(path))
    except (EscapeError, SourceError, YamlError):
        return {}
    return data if isinstance(data, dict) else {}


def _items(data: Any) -> list[dict[str, Any]]:
    return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)
