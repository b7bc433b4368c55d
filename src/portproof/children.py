"""What the renderings of a repository say is deployed: an app of apps, a Flux object that a kustomization patches.

Discovery reads files. Some charts and overlays render to descriptions of deployments, which no file has as they are. Here
those are rendered, and the tree is discovered again with what they hold.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from portproof.config import Config
from portproof.discover.chart_files import chart_files
from portproof.discover.facts import DESCRIPTIONS, Facts
from portproof.discover.find import discover
from portproof.discover.gitops.described import NO_CHILDREN, Children, Described, objects
from portproof.discover.gitops.given import GivenError, read_description, read_mapping
from portproof.discover.gitops.patched import changes_descriptions
from portproof.discover.installs import is_description
from portproof.discover.model import (
    KUSTOMIZATION_NAMES,
    Discovery,
    HelmTarget,
    Install,
    KustomizeTarget,
    Parent,
)
from portproof.discover.reading import aside, facts, skim
from portproof.discover.unread import Unread
from portproof.render.model import RenderedDocument, Renderer, Rendering
from portproof.replacing import replace
from portproof.source import RelPath, Tree, join, parent
from portproof.yamldoc import YamlError, load, lookup

MAX_DEPTH = 3
"""As many renderings lie one behind the other: a root, its apps, and theirs."""

MAX_PARENTS = 256
"""As many charts and overlays are rendered for the descriptions in them."""

_CHANGES = re.compile(
    r"^[\"']?(?:patches\w+|namePrefix|nameSuffix|replacements|transformers|vars)[\"']?[ \t]*:",
    re.MULTILINE | re.IGNORECASE,
)
"""What makes another object of one that is listed. A namespace alone is read where it stands."""

_PATCHES = re.compile(r"^[\"']?patches[\"']?[ \t]*:", re.MULTILINE | re.IGNORECASE)
"""Patches do so, too, unless they touch nothing that decides what is deployed."""

_ANEW = ("namePrefix", "nameSuffix")
"""Options of a description that do the same; what it substitutes is read where that stands, but for paths."""

_OPEN_PATH = re.compile(r"^[ \t]+path:[^\n]*\$\{", re.MULTILINE)


def discover_all(
    tree: Tree,
    paths: Sequence[RelPath],
    config: Config,
    render: Renderer,
    found: Discovery | None = None,
) -> Discovery:
    """What there is to render (`discover`), with what renderings of it say is deployed.

    `render` is asked for nothing where no chart or overlay renders to descriptions. `found` is what `discover` says,
    where that is known.
    """
    found = found or discover(tree, paths, config)
    known = NO_CHILDREN
    answers = _Answers(aside(tree), render)
    speaking = _Speaking(tree)
    parents = [*_parents(speaking, found)]
    crowded = False
    for depth in range(1, MAX_DEPTH + 1):
        ready = parents if depth == MAX_DEPTH else _ready(parents, answers.known)
        crowded = len(ready) > MAX_PARENTS
        children = answers.of(ready[:MAX_PARENTS])
        if children == known and len(ready) == len(parents):
            break
        if children == known:
            continue
        known = children
        found = discover(tree, paths, config, known)
        speaking.tree = replace(tree, overlay={**tree.overlay, **known.overlay()})
        parents = sorted(_parents(speaking, found), key=lambda one: one.id not in answers.known)
    left = [one for one in parents if one.id not in answers.known]
    return (
        replace(found, unread=tuple(sorted({*found.unread, *_unread(left, crowded=crowded)})))
        if left
        else found
    )


def _ready(
    parents: Sequence[HelmTarget | KustomizeTarget], known: Collection[str]
) -> list[HelmTarget | KustomizeTarget]:
    """Those whose own description no other one can still change that is not among the `known`: it says how they are built."""
    waiting = [
        (one, frozenset(_built(one)))
        for one in parents
        if one.id not in known and isinstance(one, KustomizeTarget)
    ]

    def may_change(target: HelmTarget | KustomizeTarget) -> bool:
        install = target.install
        if install is None or install.parent is not None or target.id in known:
            return False
        return any(install.file in files for one, files in waiting if one.id != target.id)

    return [one for one in parents if not may_change(one)] or list(parents)


def _unread(left: Iterable[HelmTarget | KustomizeTarget], *, crowded: bool) -> Iterator[Unread]:
    """What would have to be rendered for the descriptions in it, and was not."""
    many = (
        f"{MAX_PARENTS} charts and overlays deploy others"
        if crowded
        else f"{MAX_DEPTH} charts or overlays deploy one another"
    )
    for one in left:
        yield Unread(one.path, "application", f"what it deploys is not followed: more than {many}")


def _parents(charts: _Speaking, found: Discovery) -> Iterator[HelmTarget | KustomizeTarget]:
    """The targets whose rendering holds descriptions that no file has as they are."""
    described = [one for one in found.everything if isinstance(one, HelmTarget) and charts.chart(one)]
    installed = {one.chart for one in described if one.install}
    for chart in described:
        if chart.install or chart.chart not in installed:
            yield chart
    overlays = [
        (one, frozenset(filter(charts.file, _built(one))))
        for one in found.everything
        if isinstance(one, KustomizeTarget)
    ]
    changed = {path for one, files in overlays if files and charts.changes(one) for path in files}
    parents = [one for one, files in overlays if not changed.isdisjoint(files)]
    # what another one takes in is not deployed by itself
    taken = {root for one in parents for root in one.roots if root != one.folder}
    yield from (one for one in parents if one.install is not None or one.folder not in taken)


def _built(target: KustomizeTarget) -> Iterator[RelPath]:
    """The files that go into a build, without those that say how it is deployed."""
    install = target.install
    by = {install.file, *install.also} if install else set()
    return (path for path in target.files if path not in by)


class _Speaking(Struct):
    """Which files of a tree hold descriptions, each read once."""

    tree: Tree
    files: dict[RelPath, bool] = field(default_factory=dict)
    charts: dict[RelPath, bool] = field(default_factory=dict)
    kustomizations: dict[RelPath, bool] = field(default_factory=dict)

    def file(self, path: RelPath) -> bool:
        if path not in self.files:
            self.files[path] = facts(self.tree, path).describes
        return self.files[path]

    def chart(self, target: HelmTarget) -> bool:
        """Whether a template of a chart is one of a description. Only its own: a subchart is a tool of somebody else."""
        if target.chart not in self.charts:
            folder = "" if target.chart == "." else f"{target.chart}/"
            own = (
                path
                for path in chart_files([target.chart], self.tree)
                if path.startswith(f"{folder}templates/")
            )
            self.charts[target.chart] = any(self.file(path) for path in own)
        return self.charts[target.chart]

    def changes(self, target: KustomizeTarget) -> bool:
        """Whether the build makes other objects of those that are listed."""
        own = [path for path in target.files if path.rpartition("/")[2] in KUSTOMIZATION_NAMES]
        if any(map(self._changes_what_it_lists, own)):
            return True
        return target.install is not None and self._changed_by(target, target.install)

    def _changes_what_it_lists(self, kustomization: RelPath) -> bool:
        if kustomization not in self.kustomizations:
            text = skim(self.tree).text_or_none(kustomization) or ""
            changes = bool(_CHANGES.search(text))
            if not changes and _PATCHES.search(text):
                patches = read_mapping(text).get("patches", True)
                changes = changes_descriptions(self.tree, parent(kustomization), patches, DESCRIPTIONS)
            self.kustomizations[kustomization] = changes
        return self.kustomizations[kustomization]

    def _changed_by(self, target: KustomizeTarget, install: Install) -> bool:
        try:
            options = lookup(read_description(self.tree, install), install.values)
        except GivenError:
            return False
        if isinstance(options, dict):
            patches = options.get("patches")
            if any(map(options.get, _ANEW)) or self._components_change(target, options.get("components")):
                return True
            if changes_descriptions(self.tree, target.folder, patches, DESCRIPTIONS):
                return True
        described = (path for path in target.files if install.variables and self.file(path))
        return any(_OPEN_PATH.search(self.tree.text_or_none(path) or "") for path in described)

    def _components_change(self, target: KustomizeTarget, components: Any) -> bool:
        """Whether a component that a description adds can do more than add objects that deploy nothing."""
        if not components:
            return False
        folders = [join(target.folder, one) for one in components if isinstance(one, str)]
        return any(folder is None or self._component_changes(folder) for folder in folders)

    def _component_changes(self, folder: RelPath) -> bool:
        path = next(
            (one for name in KUSTOMIZATION_NAMES if self.tree.text_or_none(one := f"{folder}/{name}")), None
        )
        if path is None:
            return True
        data = read_mapping(self.tree.text_or_none(path) or "")
        listed = data.get("resources") or []
        if data.get("components") or not isinstance(listed, list) or self._changes_what_it_lists(path):
            return True
        files = [join(folder, one) if isinstance(one, str) else None for one in listed]
        return any(one is None or self.tree.text_or_none(one) is None or self.file(one) for one in files)


class _Answers(Struct):
    """The descriptions in the renderings of a tree, each rendered once; `known` has them by the ids of their parents."""

    tree: Tree
    render: Renderer
    known: dict[str, tuple[Described, ...] | None] = field(default_factory=dict)

    def of(self, parents: Sequence[HelmTarget | KustomizeTarget]) -> Children:
        """What `parents` hold together, each description once, and the files that these stand for."""
        found: dict[str, Described] = {}
        # what is wrong with one that does not render is said where it is checked
        held = {one.id: descriptions for one in parents if (descriptions := self._in(one)) is not None}
        standing = {
            one.id: self._as_they_stand(one)
            for one in parents
            if isinstance(one, KustomizeTarget) and one.id in held
        }
        files = [one.file for own in standing.values() for several in own.values() for one in several]
        users = Counter(
            file for own in standing.values() for file in {one.file for some in own.values() for one in some}
        )
        for id_, descriptions in held.items():
            for one in descriptions:
                own = standing.get(id_, {}).get((one.text("kind"), one.text("metadata", "name")), [])
                same = _unchanged(one, own)
                if same is None and len(own) == 1 and users[own[0].file] == 1:
                    one = replace(one, file=own[0].file)  # noqa: PLW2901 - nobody else makes another one of it
                found.setdefault(repr((one.data, same and same.file)), same or one)
        overlays = (one for one in parents if isinstance(one, KustomizeTarget) and one.id in held)
        built = frozenset(path for one in overlays for path in one.files)
        return Children(tuple(found.values()), frozenset(files), built)

    def _in(self, parent: HelmTarget | KustomizeTarget) -> tuple[Described, ...] | None:
        if parent.id not in self.known:
            answer = self.render(parent, self.tree)
            held = (
                tuple(one for text in answer.documents for one in _read(parent, text))
                if isinstance(answer, Rendering)
                else None
            )
            self.known[parent.id] = held
        return self.known[parent.id]

    def _as_they_stand(self, parent: KustomizeTarget) -> Mapping[tuple[str, str], list[Described]]:
        """The descriptions in the files of an overlay, by kind and name."""
        found: dict[tuple[str, str], list[Described]] = defaultdict(list)
        for path in _built(parent):
            text = self.tree.text_or_none(path) or ""
            if Facts(text).is_of_group:
                for one in objects(path, text):
                    if is_description(one) and one.text("metadata", "name"):
                        found[one.text("kind"), one.text("metadata", "name")].append(one)
        return found


def _unchanged(one: Described, own: Sequence[Described]) -> Described | None:
    """The object of a file that is the rendered one but for its namespace: its place is nearer."""
    for other in own:
        if other.at("spec") == one.at("spec"):
            metadata = {**other.data["metadata"], "namespace": one.at("metadata", "namespace")}
            return replace(other, data={**other.data, "metadata": metadata})
    return None


def _read(parent: HelmTarget | KustomizeTarget, document: RenderedDocument) -> Iterator[Described]:
    """A rendered object, if it is a description."""
    if not Facts(document.text).describes:
        return
    try:
        data = load(document.text)
    except YamlError:
        return
    if isinstance(data, dict):
        one = Described("", 0, data)
        if is_description(one):
            which = Parent(
                parent, one.text("kind"), one.text("metadata", "namespace"), one.text("metadata", "name")
            )
            yield replace(one, file=_file(parent, document), parent=which, text_=document.text)


def _file(parent: HelmTarget | KustomizeTarget, document: RenderedDocument) -> RelPath:
    """What a person edits to change a description: the last values of a chart, else its template; a kustomization."""
    if isinstance(parent, HelmTarget):
        return parent.values[-1] if parent.values else document.source or parent.made_by[-1]
    if parent.install is not None:
        return parent.install.file
    return parent.made_by[0] if parent.made_by else parent.files[0]
