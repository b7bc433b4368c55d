"""Kustomizations: the leaves are targets, each with every file that its build reads."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from portproof.discover.charts import enclosing_chart
from portproof.discover.dependencies import ChartFiles
from portproof.discover.facts import Facts
from portproof.discover.gitops.deployment import Build
from portproof.discover.gitops.given import GivenError
from portproof.discover.gitops.kustomizing import edited
from portproof.discover.helm_charts import Charts
from portproof.discover.lacking import without
from portproof.discover.model import KUSTOMIZATION_NAMES, Inflation, KustomizeTarget, Lack, Skip
from portproof.discover.plain import may_have_ports
from portproof.discover.reading import skim
from portproof.discover.references import (
    GENERATORS,
    IN_SUBMODULE,
    SOURCES,
    References,
    read_plugin_file,
    read_references,
)
from portproof.discover.unread import Unread
from portproof.discover.walk import Folder, Listing, walk
from portproof.replacing import replace
from portproof.source import RelPath, Tree

_OBJECT = re.compile(r"^[\"']?apiVersion[\"']?:", re.MULTILINE)
_OF_FLUX = re.compile(r"^[\"']?apiVersion[\"']?:[ \t]*[\"']?kustomize\.toolkit\.fluxcd\.io/", re.MULTILINE)
MANY = 5
"""As many kustomizations list a file that none has, before it is taken for one that something writes for each of them."""
MAX_BUILDS = 64
"""As many ways of building one kustomization are rendered; that there are more is shown."""


class Overlays(Struct, frozen=True):
    """The targets and skips, every folder with a kustomization, and every file that one of them reads.

    `bases` are the kustomizations that those of a target build on, by its id; `unread` are parts that targets lack.
    """

    targets: tuple[KustomizeTarget, ...]
    skips: tuple[Skip, ...]
    folders: frozenset[RelPath]
    files: frozenset[RelPath]
    bases: Mapping[str, tuple[KustomizeTarget, ...]]
    unread: tuple[Unread, ...]


class Wanted(Struct, frozen=True):
    """The paths that somebody has `named`, and the `hosts` that parts of kustomizations may be fetched from."""

    named: Collection[RelPath] = ()
    hosts: Collection[str] | None = None


def find_overlays(
    tree: Tree,
    listing: Listing,
    charts: frozenset[RelPath],
    builds: Mapping[RelPath, tuple[Build, ...]],
    wanted: Wanted,
) -> Overlays:
    """Find the kustomizations of the listing, and how they are deployed (`builds`).

    What another one refers to is a skip unless something deploys it by itself, somebody has named it, or nothing that
    builds on it can be built. A component always is.
    """
    named = wanted.named
    graph = _Graph(tree, listing, wanted.hosts)
    skips: list[Skip] = []
    found: list[RelPath] = []
    for folder in sorted(path for path, folder in listing.folders.items() if _names(folder)):
        reason = _no_kustomization(graph, folder, charts)
        if reason:
            skips.append(Skip("kustomize", folder, reason, counts=False))
        else:
            found.append(folder)
    graph.do_without(_written_elsewhere(graph, found))
    users = _users(graph, found)
    targets: list[KustomizeTarget] = []
    alone = {folder for folder in found if folder in builds or (folder in named and folder != ".")}
    alone = {folder for folder in alone if not graph.references(folder).component}
    for folder in sorted({*_leaves(graph, found, users), *alone}):
        for found_as in _as_deployed(graph, folder, builds.get(folder, ())):
            if isinstance(found_as, Skip):
                skips.append(found_as)
            else:
                targets.append(found_as)
    targets += _below(graph, [skip.path for skip in skips if skip.counts], targets)
    leaves = {target.folder for target in targets} | {skip.path for skip in skips}
    for folder in found:
        if folder not in leaves:
            component = graph.references(folder).component
            reason = _part_of("component" if component else "base", users[folder])
            skips.append(Skip("kustomize", folder, reason, counts=False))
    owned = {path for folder in found for path in graph.references(folder).files}
    for folder, several in sorted(builds.items()):
        if folder not in found and (resources := _generated(graph, folder, several)):
            written = [replace(one, install=replace(one.install, resources=resources)) for one in several]
            made = [one for one in _as_deployed(graph, folder, written) if isinstance(one, KustomizeTarget)]
            targets += [one for one in made if one.install]
            owned |= {path for one in made for path in one.files if path in resources}
    return Overlays(
        tuple(targets),
        tuple(skips),
        frozenset(found),
        frozenset(owned),
        _bases(graph, targets),
        tuple(_unread(targets)),
    )


def _written_elsewhere(graph: _Graph, found: Collection[RelPath]) -> frozenset[str]:
    """The names of files that many kustomizations list beside them and no folder has: a pipeline writes them before a build."""
    listed = Counter(name for folder in found for name in graph.references(folder).absent_names)
    names = frozenset(name for name, count in listed.items() if count >= MANY)
    present = {name for folder in graph.listing.folders.values() for name in folder.files} if names else set()
    return names - present


def kustomization_at(tree: Tree, folder: RelPath) -> KustomizeTarget | Skip:
    """The kustomization in a folder of a tree that is looked at for nothing else, be it a component or not."""
    return _Graph(tree, walk(tree.root, (folder,), ())).target(folder)


def _no_kustomization(graph: _Graph, folder: RelPath, charts: frozenset[RelPath]) -> str:
    """Why a file of that name is no kustomization to build; empty where it is one."""
    chart = enclosing_chart(folder, charts)
    if chart is not None and "templates" in folder[len(chart) :].split("/"):
        return f"inside the templates of {chart}"
    if graph.is_for_a_tool(folder):
        return "a template for another tool"
    return "its kustomization.yaml is an object of Flux" if graph.is_object_of_flux(folder) else ""


def _below(
    graph: _Graph, refused: Iterable[RelPath], built: Iterable[KustomizeTarget]
) -> list[KustomizeTarget]:
    """The kustomizations below those that are `refused`, unless one that is `built` has them, too."""
    reached = {root for target in built for root in target.roots}
    found: list[KustomizeTarget] = []
    pending = [path for folder in refused for path in sorted(graph.references(folder).folders)]
    seen: set[RelPath] = set()
    while pending:
        folder = pending.pop(0)
        if folder in seen or folder in reached or not graph.is_kustomization(folder):
            continue
        seen.add(folder)
        target = graph.target(folder)
        if isinstance(target, Skip):
            pending += sorted(graph.references(folder).folders)
        elif not graph.references(folder).component:
            found.append(target)
            reached |= target.roots
    return found


def _bases(graph: _Graph, targets: Iterable[KustomizeTarget]) -> Mapping[str, tuple[KustomizeTarget, ...]]:
    """What `targets` build on, what that builds on, and so on; a description that changes a build does not change that."""
    found: dict[str, tuple[KustomizeTarget, ...]] = {}
    pending = list(targets)
    while pending:
        target = pending.pop()
        if target.id in found:
            continue
        folders = sorted(graph.references(target.folder).folders - {target.folder})
        able = [one for one in folders if graph.is_kustomization(one) and not graph.references(one).component]
        below = [base for folder in able if isinstance(base := graph.target(folder), KustomizeTarget)]
        found[target.id] = tuple(below)
        pending += below
    return {id_: below for id_, below in found.items() if below}


def _unread(targets: Collection[KustomizeTarget]) -> Iterator[Unread]:
    """The parts without which targets are built."""
    for lack in dict.fromkeys(one for target in targets for one in target.lacks if not one.fetchable):
        yield Unread(lack.file, _kind(lack), lack.reason)
    for one in dict.fromkeys(one for target in targets for one in target.charts if one.reason):
        yield Unread(one.file, "helm-charts", one.reason)


def _kind(lack: Lack) -> str:
    """What a part is, for `Unread`."""
    if lack.fields == (GENERATORS,):
        return "generator"
    if lack.fields == SOURCES:
        return "remote-file"
    if not lack.text:
        return "helm-charts"
    if IN_SUBMODULE in lack.reason:
        return "submodule"
    return "remote-base" if lack.reason.startswith("remote ") else "generated-file"


def _generated(graph: _Graph, folder: RelPath, builds: Iterable[Build]) -> tuple[RelPath, ...]:
    """What Flux lists in a folder without a kustomization: all manifests below it, and kustomizations as a whole.

    Empty where nothing changes the build, or where a file is no manifest, which makes it fail.
    """
    if not all(build.changes and build.install.tool == "Kustomization" for build in builds):
        return ()
    found: list[RelPath] = []
    pending = [folder]
    while pending:
        here = graph.listing.folder(pending.pop())
        if _names(here):
            found.append(here.path)
            continue
        files = [here.child(name) for name in here.files if name.endswith((".yaml", ".yml"))]
        if any(not _OBJECT.search(graph.tree.text_or_none(path) or "") for path in files):
            return ()
        found += files
        pending += [here.child(name) for name in here.folders if not name.startswith(".")]
    has_ports = any(path in graph.listing.folders or may_have_ports(graph.tree, path) for path in found)
    return tuple(sorted(found)) if has_ports else ()


def _as_deployed(graph: _Graph, folder: RelPath, builds: Iterable[Build]) -> Iterator[KustomizeTarget | Skip]:
    """A kustomization as it is, unless everything that deploys it changes it, and as each of those builds it."""
    changing = [build for build in builds if build.changes]
    if not changing or len(changing) < len(tuple(builds)):
        yield graph.target(folder)
    for build in changing[:MAX_BUILDS]:
        install = build.install
        try:
            tree = replace(graph.tree, overlay={**graph.tree.overlay, **edited(graph.tree, folder, install)})
        except GivenError as error:
            yield Skip("kustomize", folder, f"as built by {install.name!r}: {error}")
            continue
        again = _Graph(tree, graph.listing, graph.hosts, elsewhere=graph.elsewhere)
        found = again.target(folder)
        if isinstance(found, KustomizeTarget):
            more = {*found.files, install.file, *install.also} - {install.read_from if install.parent else ""}
            yield replace(found, files=tuple(sorted(more)), install=install)
        else:
            yield replace(found, reason=f"as built by {install.name!r}: {found.reason}")
    if len(changing) > MAX_BUILDS:
        yield Skip("kustomize", folder, f"more than {MAX_BUILDS} descriptions build it")


@dataclass(slots=True)
class _Graph:
    """Kustomizations by folder, read when they are first asked for: a base may lie where the walk did not go."""

    tree: Tree
    listing: Listing
    hosts: Collection[str] | None = None
    known: dict[RelPath, References] = field(default_factory=dict)
    inflated: dict[RelPath, tuple[Inflation, ...]] = field(default_factory=dict)
    elsewhere: frozenset[str] = frozenset()
    chart_files: ChartFiles = field(init=False)

    def __post_init__(self) -> None:
        self.chart_files = ChartFiles(self.tree)

    def references(self, folder: RelPath) -> References:
        if folder not in self.known:
            here = self.listing.folder(folder)
            made = tuple(name for name in KUSTOMIZATION_NAMES if here.child(name) in self.tree.overlay)
            names = _names(here) or made
            self.known[folder] = read_references(self.tree, folder, names, self.hosts)
            self.known[folder].do_without(self.elsewhere)
        return self.known[folder]

    def do_without(self, names: frozenset[str]) -> None:
        """Do without the files of these names, wherever one is listed and not there."""
        self.elsewhere = names
        for one in self.known.values():
            one.do_without(names)

    def is_object_of_flux(self, folder: RelPath) -> bool:
        """Whether what is called a kustomization is a Kustomization for Flux, which kustomize cannot build."""
        return any(_OF_FLUX.search(text) for text in self._texts(folder))

    def is_for_a_tool(self, folder: RelPath) -> bool:
        """Whether what is called a kustomization has yet to be filled in by another tool, and is no YAML until then."""
        given = map(Facts, self._texts(folder))
        return any(one.is_filled_in or one.is_for_a_tool for one in given)

    def _texts(self, folder: RelPath) -> list[str]:
        here = self.listing.folder(folder)
        return [skim(self.tree).text_or_none(here.child(name)) or "" for name in _names(here)]

    def is_kustomization(self, folder: RelPath) -> bool:
        """Whether a folder that another one refers to has a kustomization: without one, its files are plain manifests."""
        return bool(_names(self.listing.folder(folder)))

    def target(self, folder: RelPath) -> KustomizeTarget | Skip:
        """A kustomization as it is, without what cannot be had; why it cannot be built where nothing else is in it."""
        whole = self.build(folder)
        if whole.refused is None and whole.lacks:
            left = _Graph(
                replace(self.tree, overlay={**self.tree.overlay, **without(self.tree, whole.lacks)}),
                self.listing,
            ).build(folder)
            empty = left.refused is not None or left.lacks or not (left.resources or left.can_inflate)
            if empty and not any(one.fetchable for one in whole.lacks):
                whole = replace(whole, refused=whole.lacks[0].reason)
        elif whole.refused is None and whole.charts and not (whole.resources or whole.can_inflate):
            whole = replace(whole, refused=whole.charts[0].reason)
        if whole.refused is not None:
            return Skip("kustomize", folder, whole.refused)
        return KustomizeTarget(folder, tuple(sorted(whole.files)), lacks=whole.lacks, charts=whole.charts)

    def build(self, top: RelPath) -> _Built:
        """What the build of `top` reads, and why it cannot be built."""
        files: set[RelPath] = set()
        resources: set[RelPath] = set()
        lacks: list[Lack] = []
        charts: list[Inflation] = []
        refused: str | None = None
        pending = [(top, False)]
        seen = set(pending)
        while pending:
            folder, as_plugin = pending.pop(0)
            references = self.references(folder)
            if as_plugin:  # its objects are configurations that hold paths themselves
                for path in sorted(references.resources):
                    read_plugin_file(self.tree, references, path)
            files |= references.files
            resources |= set() if as_plugin else references.resources
            lacks += references.lacks
            for path in sorted(references.charted):
                if as_plugin:
                    refused = refused or f"its plugin configurations have helmCharts ({path})"
                    continue
                for one in self.inflations(path):
                    charts.append(one)
                    files |= set(self.charts.read_by(one))
            if refused is None and references.refused is not None:
                refused = references.refused
            below = [(path, as_plugin) for path in sorted(references.folders)]
            below += [(path, True) for path in sorted(references.plugins)]
            pending += [step for step in below if step not in seen]
            seen.update(below)
            if as_plugin and refused is None and references.lacks:
                refused = references.lacks[0].reason
        return _Built(
            frozenset(files), frozenset(resources), tuple(dict.fromkeys(lacks)), refused, tuple(charts)
        )

    @property
    def charts(self) -> Charts:
        return Charts(self.tree, self.listing, self.chart_files)

    def inflations(self, path: RelPath) -> tuple[Inflation, ...]:
        if path not in self.inflated:
            self.inflated[path] = tuple(self.charts.of(path))
        return self.inflated[path]


class _Built(Struct, frozen=True):
    """The files that a build reads, those with objects, what it has to do without, why there can be no build, its charts."""

    files: frozenset[RelPath]
    resources: frozenset[RelPath]
    lacks: tuple[Lack, ...]
    refused: str | None
    charts: tuple[Inflation, ...] = ()

    @property
    def can_inflate(self) -> bool:
        """Whether one of the charts may render."""
        return any(one.chart is not None for one in self.charts)


def _names(folder: Folder) -> tuple[str, ...]:
    return tuple(name for name in KUSTOMIZATION_NAMES if name in folder.files or name in folder.links)


def _users(graph: _Graph, found: Iterable[RelPath]) -> dict[RelPath, list[RelPath]]:
    """Which kustomizations refer to a folder, in order."""
    users: dict[RelPath, list[RelPath]] = defaultdict(list)
    for folder in found:
        references = graph.references(folder)
        for path in references.folders | references.plugins:
            users[path].append(folder)
    return users


def _leaves(graph: _Graph, found: list[RelPath], users: dict[RelPath, list[RelPath]]) -> list[RelPath]:
    """The kustomizations to build.

    A circle of references has no leaf, and no build reaches the base of an unused component: the first of those
    that are left stands for the others, so that kustomize's error is shown.
    """
    able = [folder for folder in found if not graph.references(folder).component]
    leaves: list[RelPath] = []
    reached: set[RelPath] = set()
    for folder in (*(folder for folder in able if not users[folder]), *able):
        if folder in reached:
            continue
        leaves.append(folder)
        pending = [folder]
        while pending:
            path = pending.pop()
            if path not in reached:
                reached.add(path)
                references = graph.references(path)
                pending += references.folders | references.plugins
    return sorted(leaves)


def _part_of(what: str, users: list[RelPath]) -> str:
    if not users:
        return f"a {what} that nothing refers to"
    more = f" (and {len(users) - 1} more)" if len(users) > 1 else ""
    alone = "; checked by itself if nothing that uses it can be built" if what == "base" else ""
    return f"{what} of {users[0]}{more}{alone}"
