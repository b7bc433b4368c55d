"""What there is to render: a chart with its values, an overlay, a folder of manifests.

Each target answers what it reads: `inputs` are the files that people edit, `reads` asks about one path, be it there or
gone, `uses` about what somebody names on a command line, and `folders` are where all of that lies.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from msgspec import Struct

from portproof.discover.chart_files import chart_files
from portproof.discover.unread import Unread
from portproof.source import RelPath, Tree, is_within, parent
from portproof.yamldoc import FieldPath

if TYPE_CHECKING:
    from portproof.discover.gitops.filling import Fill

KUSTOMIZATION_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")

_OTHER_VALUES = re.compile(r"ci/[^/]+\.ya?ml|values[-.][^/]+\.ya?ml")
"""Files of a chart that helm reads only when they are given to it."""


class Mount(Struct, frozen=True):
    """A folder of the repository that helm sees at another place of the chart.

    A ``file://../common`` dependency of ``charts/shop`` is ``Mount("charts/common", "common")``: what lies in the
    repository's folder `source` appears at `at`, relative to the chart. The chart itself is ``Mount(".", chart)``
    and comes first.
    """

    at: RelPath
    source: RelPath


@dataclass(frozen=True, slots=True)
class Dependency:
    """A chart that has to be fetched before `parent` (a place relative to the chart, ``.`` for itself) renders.

    `place` is the file and line that ask for it.
    """

    parent: RelPath
    name: str
    version: str
    repository: str
    place: str = field(default="", compare=False)


class RemoteChart(Struct, frozen=True):
    """A chart of a registry: `version` may be a range, and the digest of an OCI manifest.

    Where it comes from is written in the document `document` of `file`, its version at `at`; `files` say so, too.
    One that is `packed` is an archive of this repository: then `name` is its path, and that stands at `at`.
    """

    repository: str
    name: str
    version: str
    file: RelPath
    document: int
    at: FieldPath
    files: tuple[RelPath, ...] = ()
    packed: bool = False

    @property
    def wanted(self) -> Dependency:
        """What has to be fetched. The name of a chart in an OCI registry may begin with a part of the path."""
        above, _, name = self.name.rpartition("/")
        repository = f"{self.repository.rstrip('/')}/{above}" if above else self.repository
        return Dependency("", name, self.version, repository)


class Cluster(Struct, frozen=True):
    """What templates learn of the cluster through ``.Capabilities``; empty: what helm itself assumes."""

    kube_version: str = ""
    api_versions: tuple[str, ...] = ()


class Parent(Struct, frozen=True):
    """Where a description is that stands in no file: the rendering of `target` holds it, as the object of that name."""

    target: HelmTarget | KustomizeTarget
    kind: str
    namespace: str
    name: str


class Install(Struct, frozen=True):
    """The description by which something is deployed: an object of Argo CD or Flux, a release of another tool.

    It stands in `file`, which for a chart is the last of the target's `values`; `document` counts the documents of that
    file that hold anything, from 0. At `values` in it are values that come after those of all files (of a kustomization:
    its options), at `parameters` a list of single ones that come last; empty where there are none.

    `tool` is the kind of the description. `fill` says what a template of an ApplicationSet is filled in with; `overrides`
    are files that are merged over what is at `source`. `parts` are those of the target's `values` that are only a part
    of their file: the index, the document, and where in it. `set_files` are single values that are whole files.
    `variables` is where Flux substitutes from, later ones win; with `closed` there are no others that cannot be read.
    `resources` is what Flux builds in a folder without a kustomization.
    `options` are further arguments of helm, where they cannot be read from a document (then `document` is -1).
    Without `defaults` the chart's own values count only where they are among the target's. At `post_renderers` is what is done
    to the chart after helm.
    `unknown` are the paths of single values that objects of the cluster give.
    With a `parent` the description is in its rendering, and `file` is what a person edits to change it.
    """

    name: str
    document: int
    values: FieldPath = ()
    parameters: FieldPath = ()
    file: RelPath = ""
    tool: str = "Application"
    namespace: str = ""
    environment: str = ""
    fill: Fill | None = None
    source: FieldPath = ()
    overrides: tuple[RelPath, ...] = ()
    parts: tuple[tuple[int, int, FieldPath], ...] = ()
    set_files: tuple[tuple[str, RelPath], ...] = ()
    variables: tuple[tuple[RelPath, int, FieldPath], ...] = ()
    closed: bool = True
    resources: tuple[RelPath, ...] = ()
    options: tuple[str, ...] = ()
    parent: Parent | None = None
    defaults: bool = True
    post_renderers: FieldPath = ()
    unknown: tuple[str, ...] = ()

    @property
    def read_from(self) -> RelPath:
        """The file of the tree that its description is read from: for one with a parent no file on disk."""
        return self.file if self.parent is None else rendered_path(self.file, self.parent)

    @property
    def also(self) -> tuple[RelPath, ...]:
        """What else is read to know what it says."""
        filled = self.fill.files if self.fill else ()
        files = (path for _, path in self.set_files)
        variables = (path for path, _, _ in self.variables)
        every = dict.fromkeys((*filled, *self.overrides, *files, *variables))
        return tuple(path for path in every if path != self.read_from or self.parent is None)

    def inputs(self, tree: Tree) -> tuple[RelPath, ...]:
        """`also`, and what its parent is rendered from."""
        return (*self.also, *(self.parent.target.inputs(tree) if self.parent else ()))

    def reads(self, path: RelPath) -> bool:
        """Whether an edit of `path`, which is not its own file, can change what it says."""
        return path in self.also or (self.parent is not None and self.parent.target.reads(path))


def rendered_path(file: RelPath, parent: Parent) -> RelPath:
    """Where a tree has a description that a rendering holds: no path of a repository begins like that."""
    return f"/{file}#{parent.kind}.{parent.namespace}.{parent.name}"


UNNAMED = "release-name"
"""What helm calls a release that has no name."""


class HelmTarget(Struct, frozen=True):
    """A chart with the values files that are given to it, in helm's order (the last wins).

    `release`, `namespace` and `cluster` are what ``helm template`` is told, `install` is who tells it so. `mounts` says which folders of the repository make
    up the chart; `missing` what has to be fetched; `archives` (relative to the chart) are vendored ``.tgz`` files,
    whose insides nobody can edit here. A `remote` chart is not in the repository: then `chart` is the file that installs it. `inferred` says that nothing but names and keys tells that the values are the chart's. `git` says that a ``.git`` lies in a folder of it, which no template may see. `sets` are single values over those of all files, as ``--set`` has them.
    """

    chart: RelPath
    values: tuple[RelPath, ...] = ()
    release: str = UNNAMED
    namespace: str = "default"
    mounts: tuple[Mount, ...] = ()
    missing: tuple[Dependency, ...] = ()
    archives: tuple[RelPath, ...] = ()
    git: bool = False
    cluster: Cluster = Cluster()
    install: Install | None = None
    inferred: bool = False
    remote: RemoteChart | None = None
    sets: tuple[str, ...] = ()

    kind = "helm"

    @property
    def path(self) -> RelPath:
        """The chart's folder; of a remote one the file that installs it."""
        return self.chart

    @property
    def id(self) -> str:
        """``helm:charts/backend?values=values-prod.yaml``; values outside the chart start with ``/`` (the root).

        The name of the object that installs it stands behind its file: ``?values=/apps/shop.yaml#backend``. A remote chart
        is known by that alone: ``helm:apps/redis.yaml#redis``.
        """
        # Many tables have it as their key to the end of a run.
        return sys.intern(self._id)

    @property
    def _id(self) -> str:
        sets = [f"set={one}" for one in self.sets]
        if not self.values:
            return f"helm:{self.chart}{'?' if sets else ''}{'&'.join(sets)}"
        if self.remote and self.install:
            return f"helm:{self.chart}#{self.install.name}"
        by = f"#{self.install.name}" if self.install else ""
        files = f"values={','.join(self._short(path) for path in self.values)}"
        return f"helm:{self.chart}?{'&'.join((files, *sets))}{by}"

    @property
    def value_files(self) -> tuple[RelPath, ...]:
        """Where its values are written: the files that are given to it, and the chart's own, which may not be there."""
        if self.remote:
            return self.values
        return (*self.values, "values.yaml" if self.chart == "." else f"{self.chart}/values.yaml")

    @property
    def made_by(self) -> tuple[RelPath, ...]:
        """The files without which it would not be a target."""
        if self.remote:
            return self.values
        return (*self.values, "Chart.yaml" if self.chart == "." else f"{self.chart}/Chart.yaml")

    @property
    def given(self) -> tuple[RelPath, ...]:
        """The files that are given to the chart, and of a remote one those that say where it comes from."""
        return (*self.values, *(self.remote.files if self.remote else ()))

    @property
    def folders(self) -> frozenset[RelPath]:
        """The folders that make up the chart, which are read with all that lies below, and those of its values files."""
        given = (*self.given, *(self.install.also if self.install else ()))
        return frozenset({mount.source for mount in self.mounts} | {parent(path) for path in given}).union(
            _folders_of_parent(self.install)
        )

    def inputs(self, tree: Tree) -> tuple[RelPath, ...]:
        """The files whose text can end up in the rendering, in a fixed order: values and templates."""
        given = (*self.given, *(self.install.inputs(tree) if self.install else ()))
        return tuple(sorted({*given, *chart_files((mount.source for mount in self.mounts), tree)}))

    def reads(self, path: RelPath) -> bool:
        """Whether an edit of `path` can change this target's rendering.

        Templates may read any file of the chart. A values file that this target is not given cannot, although it lies in
        the chart.
        """
        if path in self.given or (self.install is not None and self.install.reads(path)):
            return True
        if is_within(path, self.chart) and _OTHER_VALUES.fullmatch(self._short(path)):
            return False
        return any(is_within(path, mount.source) for mount in self.mounts)

    def uses(self, path: RelPath) -> bool:
        """Whether `path` is read, or is a folder that holds one of the values files."""
        return self.reads(path) or any(is_within(file, path) for file in self.values)

    def _short(self, path: RelPath) -> str:
        if self.chart == ".":
            return path
        return path[len(self.chart) + 1 :] if is_within(path, self.chart) else f"/{path}"


class Lack(Struct, frozen=True):
    """An entry of the kustomization in `file` that cannot be had here: what stands in one of its `fields`, and why.

    `text` is the entry; empty stands for all of the field. One that is `fetchable` is tried before it is done without.
    """

    file: RelPath
    fields: tuple[str, ...]
    text: str
    reason: str
    fetchable: bool = False


class Inflation(Struct, frozen=True):
    """The entry `number` of the ``helmCharts`` of the kustomization in `file`: the `chart` as helm renders it.

    None where it cannot be rendered, for that `reason`.
    """

    file: RelPath
    number: int
    chart: HelmTarget | None
    reason: str = ""


class KustomizeTarget(Struct, frozen=True):
    """A kustomization that no other one refers to, or that something deploys, with every file that its build reads.

    `install` is the description that changes what is built; it is not set where a description only says that it is built.
    It is built without its `lacks`, and with what its `charts` render to.
    """

    folder: RelPath
    files: tuple[RelPath, ...] = ()
    install: Install | None = None
    lacks: tuple[Lack, ...] = ()
    charts: tuple[Inflation, ...] = ()

    kind = "kustomize"

    @property
    def path(self) -> RelPath:
        """The folder of the kustomization."""
        return self.folder

    @property
    def id(self) -> str:
        """``kustomize:overlays/prod``, and ``?by=/apps/shop.yaml#shop`` where that description changes what is built."""
        by = f"?by=/{self.install.file}#{self.install.name}" if self.install else ""
        return sys.intern(f"kustomize:{self.folder}{by}")

    @property
    def values(self) -> tuple[RelPath, ...]:
        """None: overlays have no values files."""
        return ()

    @property
    def made_by(self) -> tuple[RelPath, ...]:
        """The file without which it would not be a target."""
        return tuple(one for one in self.files if parent(one) == self.folder and _is_kustomization(one))

    @property
    def folders(self) -> frozenset[RelPath]:
        """The folders that its files lie in, and those of its charts, which are read with all that lies below."""
        below = {*(parent(path) for path in self.files), *(mount.source for mount in self.mounts)}
        return frozenset({self.folder, *below}).union(_folders_of_parent(self.install))

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """The folders that make up its charts."""
        return tuple(mount for one in self.charts if one.chart for mount in one.chart.mounts)

    @property
    def roots(self) -> frozenset[RelPath]:
        """The folders of the kustomizations that its build reads, its own among them."""
        return frozenset(parent(file) for file in self.files if _is_kustomization(file))

    def inputs(self, tree: Tree) -> tuple[RelPath, ...]:
        """The files whose text can end up in the rendering, in a fixed order."""
        return tuple(sorted({*self.files, *(self.install.inputs(tree) if self.install else ())}))

    def reads(self, path: RelPath) -> bool:
        """Whether an edit of `path` can change this target's rendering."""
        if path in self.files or (self.install is not None and self.install.reads(path)):
            return True
        return any(one.chart is not None and one.chart.reads(path) for one in self.charts)

    def uses(self, path: RelPath) -> bool:
        """Whether `path` is read, or is a folder of a kustomization and holds a file that is."""
        inside = any(is_within(path, root) for root in self.roots)
        return self.reads(path) or (inside and any(is_within(file, path) for file in self.files))


class ManifestTarget(Struct, frozen=True):
    """A folder of plain manifests, applied together.

    Where files of a folder hold the same objects they are alternatives: then `folder` is one of these files, and
    `files` are that and the folder's files that clash with nothing.
    """

    folder: RelPath
    files: tuple[RelPath, ...] = ()

    kind = "manifests"

    @property
    def path(self) -> RelPath:
        """The folder, or the one file that stands for it."""
        return self.folder

    @property
    def is_alternative(self) -> bool:
        """Whether it is one of several that nobody applies together."""
        return self.folder in self.files

    @property
    def id(self) -> str:
        """``manifests:deploy``, or ``manifests:deploy/install.yaml``."""
        return sys.intern(f"manifests:{self.folder}")

    @property
    def values(self) -> tuple[RelPath, ...]:
        """None: manifests have no values files."""
        return ()

    @property
    def made_by(self) -> tuple[RelPath, ...]:
        """The files without which it would not be a target."""
        return self.files

    @property
    def folders(self) -> frozenset[RelPath]:
        """The folders that its files lie in."""
        files = frozenset(parent(path) for path in self.files)
        return files if self.is_alternative else files | {self.folder}

    def inputs(self, tree: Tree) -> tuple[RelPath, ...]:  # noqa: ARG002 - a chart has to look
        """The files whose text can end up in the rendering, in a fixed order."""
        return tuple(sorted(self.files))

    def reads(self, path: RelPath) -> bool:
        """Whether an edit of `path` can change this target's rendering."""
        return path in self.files

    def uses(self, path: RelPath) -> bool:
        """Whether `path` is read, or is a folder inside of this one and holds a file that is."""
        inside = is_within(path, self.folder)
        return self.reads(path) or (inside and any(is_within(file, path) for file in self.files))


def _folders_of_parent(install: Install | None) -> frozenset[RelPath]:
    return install.parent.target.folders if install and install.parent else frozenset()


def _is_kustomization(path: RelPath) -> bool:
    return path.rpartition("/")[2] in KUSTOMIZATION_NAMES


STREAM: RelPath = "-"
"""What a command line names standard input by, and a report its target."""


class StreamTarget(Struct, frozen=True):
    """Manifests that come through a pipe: what helm prints, or what a cluster holds. No file of the tree is behind them."""

    text: str

    kind = "manifests"
    path = STREAM
    id = f"manifests:{STREAM}"
    install = None
    files: ClassVar[tuple[RelPath, ...]] = ()
    made_by: ClassVar[tuple[RelPath, ...]] = ()

    @property
    def values(self) -> tuple[RelPath, ...]:
        """None: manifests have no values files."""
        return ()

    @property
    def folders(self) -> frozenset[RelPath]:
        """None."""
        return frozenset()

    def inputs(self, tree: Tree) -> tuple[RelPath, ...]:  # noqa: ARG002 - a chart has to look
        """None."""
        return ()

    def reads(self, path: RelPath) -> bool:  # noqa: ARG002
        """Whether an edit of `path` can change it; none can."""
        return False

    def uses(self, path: RelPath) -> bool:  # noqa: ARG002
        """Whether `path` is read; none is."""
        return False


Target: TypeAlias = HelmTarget | KustomizeTarget | ManifestTarget | StreamTarget


def with_parents(targets: Iterable[Target]) -> Iterator[Target]:
    """Targets, and those whose renderings hold what deploys them."""
    for target in targets:
        one: Target | None = target
        while one is not None:
            yield one
            install = one.install if isinstance(one, HelmTarget | KustomizeTarget) else None
            one = install.parent.target if install and install.parent else None


def inputs_of(targets: Iterable[Target], tree: Tree) -> tuple[RelPath, ...]:
    """The inputs of several targets together: a chart has the same files in each of its targets, values files aside."""
    several = tuple(targets)
    given = {
        path
        for one in several
        for path in (
            (*one.given, *(one.install.inputs(tree) if one.install else ()))
            if isinstance(one, HelmTarget)
            else one.inputs(tree)
        )
    }
    charts = {mount.source for one in several if isinstance(one, HelmTarget) for mount in one.mounts}
    return tuple(sorted(given | set(chart_files(sorted(charts), tree))))


@dataclass(frozen=True, slots=True)
class Skip:
    """Something that looks like a target and is not rendered, with the reason that every report shows.

    `configured` is the line of the configuration that names what is not there, 0 for everything else. `counts` is False for what nobody expects to be rendered by itself (a library chart, a base, a component):
    ``portproof targets`` lists it, the report's ``targets`` do not.
    """

    kind: str
    path: RelPath
    reason: str
    values: tuple[RelPath, ...] = ()
    counts: bool = True
    configured: int = field(default=0, compare=False)

    @property
    def id(self) -> str:
        """Like the id of the target that it would have been."""
        return f"{self.kind}:{self.path}" if not self.values else HelmTarget(self.path, self.values).id


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found under the paths that were asked for, each list in the order of its ids.

    `everything` are the targets of the whole tree: an edit under one path may break what lies elsewhere. `unread` is what
    looks deployable and makes no target. `learnt` says, by a target's kind and folder, which descriptions deploy it.
    `bases` are the kustomizations that those of a target build on, by its id: targets where it cannot be built. `builders`
    are files that say how images are built, where there is a Dockerfile. `deployed` are the folders that
    descriptions deploy as they are; it `describes` what it deploys where there is any description, if only one that cannot be read.
    """

    targets: Sequence[Target]
    skips: tuple[Skip, ...]
    everything: Sequence[Target] = field(default=(), compare=False)
    unread: tuple[Unread, ...] = ()
    learnt: Mapping[tuple[str, RelPath], tuple[Install, ...]] = field(default_factory=dict, compare=False)
    bases: Mapping[str, tuple[KustomizeTarget, ...]] = field(default_factory=dict, compare=False)
    builders: tuple[RelPath, ...] = field(default=(), compare=False)
    deployed: tuple[RelPath, ...] = field(default=(), compare=False)
    describes: bool = field(default=False, compare=False)
