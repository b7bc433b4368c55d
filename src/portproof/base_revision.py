"""The base revision of a change: laid out as far as it is asked for, rendered once, and asked the same rules."""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

from msgspec import Struct, field

from portproof import pipeline
from portproof.across import Part
from portproof.builds.images import Builds
from portproof.changed_lines import ChangedLines
from portproof.children import discover_all
from portproof.config import Config
from portproof.discover.kept import ids_of, near
from portproof.discover.model import Discovery, HelmTarget, ManifestTarget, Target
from portproof.discover.variants import defaults
from portproof.environment import TargetInterface
from portproof.graph.model import Site
from portproof.graph.moved import Move
from portproof.outcome import FailureKey, TargetResult, failure_key, keys_of
from portproof.pipeline import Plan, Survey
from portproof.placing import Past
from portproof.renames import Renamed, renamed
from portproof.render.model import NotRendered, RenderFailure, Rendering
from portproof.replacing import replace
from portproof.resources import Manifests, objects
from portproof.resources import read as read_resources
from portproof.revision import Comparison
from portproof.rules.evaluate import FindingKey
from portproof.source import RelPath, Tree, is_within, parent
from portproof.trace.model import Origin
from portproof.trace.probe import origins
from portproof.yamldoc import YamlError, load_all


class Base(Struct, frozen=True):
    """What the targets of the base had to say, by id.

    `keys` are their findings (None for one that did not render), `failures` what could not be rendered of them, where
    there was something, `interfaces` what they offered. `renamed` are those that were moved, by their ids of today.
    """

    targets: tuple[Target, ...] = ()
    keys: Mapping[str, frozenset[FindingKey] | None] = field(default_factory=dict)
    failures: Mapping[str, Counter[FailureKey]] = field(default_factory=dict)
    interfaces: tuple[TargetInterface, ...] = ()
    renamed: Mapping[str, Target] = field(default_factory=dict)


def is_new(base: Base, target: Target, was: FindingKey | None, move: Move | None) -> bool:
    """Whether the base did not have a finding of `target`, which would have been `was` there.

    An edge that met nothing in the base either is news when the change moved one of its ends to another wrong value.
    """
    known = frozenset[FindingKey]().union(*(base.keys[id_] or () for id_ in past_of(target, base)))
    return was not in known or (move is not None and move.was_missed)


def past_of(target: Target, base: Base) -> list[str]:
    """The targets of the base that say what is no news of `target`: itself, or its kin when it is new."""
    if target.id in base.keys:
        return [target.id]
    if target.id in base.renamed:
        return [base.renamed[target.id].id]
    return [one.id for one in base.targets if _is_kin(one, target)]


def stale_failures(base: Base, results: Iterable[TargetResult], tree: Tree) -> Iterator[RenderFailure]:
    """The failures to render that the base has too. Of several that read the same it had the first."""
    for one in results:
        known: Counter[FailureKey] = Counter()
        for id_ in past_of(one.target, base) if one.failures else ():
            known |= base.failures.get(id_, Counter())
        for failure in one.failures:
            key = _as_was(failure_key(failure, tree), one.target, base)
            if known[key] > 0:
                known[key] -= 1
                yield failure


def _as_was(key: FailureKey, target: Target, base: Base) -> FailureKey:
    """What a failure of a target that was moved would have been before."""
    if target.id not in base.renamed:
        return key
    path, words, line = key
    now, was = target.path, base.renamed[target.id].path
    return path.replace(now, was, 1), tuple(sorted(one.replace(now, was) for one in words)), line


class BaseRevision:
    """The base, laid out below a folder and rendered as far as the targets of today ask for it.

    Nothing is rendered again that has been: what the difference does not concern is taken from today's tree, and what
    has rendered in one layout of the base from that one. `_trees` says where each such target is.
    """

    def __init__(self, comparison: Comparison, config: Config, folder: Path, plan: Plan) -> None:
        self._comparison = comparison
        self._config = config
        self._folder = folder
        self._plan = plan
        self._trees: dict[Target, Tree] = {}
        self._is_open = False
        self._lock = threading.RLock()

    def witness(self, target: Target) -> Rendering | None:
        """What `target` rendered to in the base; None when the change does not concern it, or it did not render there."""
        answer = self.rendered(target) if self._comparison.affects(target) else None
        return answer if isinstance(answer, Rendering) else None

    def rendered(self, target: Target) -> Rendering | RenderFailure | NotRendered | None:
        """What came of `target` in the base; None when the base does not have it."""
        with self._lock:
            layout, old = self._first
            moved = None if target.id in old else self.renames.get(target.id)
            past, layout = (old.get(target.id), layout) if moved is None else (moved.old, self.whole)
        if past is None:
            return None
        answer = self._plan.render(past, layout)
        if isinstance(answer, Rendering):
            with self._lock:
                self._trees[past] = layout
        return answer

    def as_it_was(self, target: Target) -> tuple[Target, Tree] | None:
        """A target in the base, and the tree that it renders in; None when the base does not have it, or it did not render."""
        if not self._comparison.affects(target):
            return target, self._plan.tree
        answer = self.rendered(target)
        return (answer.target, self._trees[answer.target]) if isinstance(answer, Rendering) else None

    def kept(self, target: Target) -> frozenset[str]:
        """The names of Services in files that `target` does not read, but took over from it.

        Such are the alternatives of its folder, and files that the change adds: what is there has moved, and is not gone.
        """
        if not self._comparison.affects(target):
            return frozenset()
        folder = (
            target.path
            if isinstance(target, ManifestTarget) and not target.is_alternative
            else parent(target.path)
        )
        beside = {
            path
            for one in near(self._plan.everything, (folder,))
            if isinstance(one, ManifestTarget) and one.is_alternative and parent(one.path) == folder
            for path in one.files
        }
        names = {path: self._services.get(path) or _services(self._plan.tree, path) for path in beside}
        names |= {path: found for path, found in self._services.items() if path in self._added}
        return frozenset(name for path, found in names.items() if not target.reads(path) for name in found)

    @cached_property
    def _services(self) -> Mapping[RelPath, frozenset[str]]:
        """The Services in changed files, by their paths."""
        found = {path: _services(self._plan.tree, path) for path in sorted(self._comparison.changed)}
        return {path: names for path, names in found.items() if names}

    @cached_property
    def added_services(self) -> frozenset[str]:
        """The names of the Services in files that the change adds."""
        return frozenset(name for path in self._added for name in self._services[path])

    @cached_property
    def _added(self) -> frozenset[RelPath]:
        """Those of these files that the base does not have."""
        return frozenset(self._services) - frozenset(self._comparison.texts(frozenset(self._services)))

    def affects(self, target: Target) -> bool:
        """Whether the change concerns a target."""
        return self._comparison.affects(target)

    @cached_property
    def gone(self) -> tuple[Target, ...]:
        """The targets of the base that the head does not have any longer, nor under another name."""
        moved = {one.old for one in self.renames.values()}
        return tuple(one for one in self._left if one not in moved)

    @cached_property
    def renames(self) -> Mapping[str, Renamed]:
        """What targets of today that are new were in the base, by their ids."""
        if not self._left:
            return {}
        known = {one.id for one in self.discovered((".",))}
        new = [one for one in self._plan.everything if one.id not in known]
        return renamed(new, self._plan.tree, self._left, self.whole)

    @cached_property
    def _left(self) -> tuple[Target, ...]:
        """The targets of the base that the head does not have under their names."""
        if not any(map(self._may_end, self._comparison.changed)):
            return ()
        today = ids_of(self._plan.everything)
        return tuple(
            one for one in self.discovered((".",)) if one.id not in today and self._comparison.affects(one)
        )

    def _may_end(self, path: RelPath) -> bool:
        """Whether a changed file may have been of a target that is gone: it is gone, too, and none is left in its place."""
        if not path.endswith((".yaml", ".yml")) or self._plan.tree.on_disk(path).exists():
            return False
        left = self._plan.everything
        return not any(
            is_within(path, one.chart) if isinstance(one, HelmTarget) else parent(path) in one.folders
            for one in left
        )

    def part(self, target: Target, known: frozenset[FindingKey]) -> Part | None:
        """A target in both revisions; None where one of them is not known whole. `known` are its own findings."""
        rows = self._plan.rule_set.rows
        if target in self.gone:
            old = _manifests(self._plan.render(target, self.whole))
            return None if old is None else Part(target, old, None, rows)
        head = _manifests(self._plan.render(target, self._plan.tree))
        if head is None or not self.affects(target):
            return None if head is None else Part(target, head, head, rows, known)
        base = _manifests(self.witness(target))
        was_there = target.id in self._first[1]
        return None if base is None and was_there else Part(target, base, head, rows, known)

    def past(self, base: Base) -> Past:
        """What a finding's place needs to know of the base; `base` is what its targets had to say."""
        was = {path: old for one in self.renames.values() for path, old in one.files.items()}
        old = self.whole if was else self._first[0]
        lines = ChangedLines(self._plan.tree, old, self._comparison.changed, was)
        return Past(lines, partial(is_new, base), self._origins)

    def _origins(self, target: Target, sites: Sequence[Site]) -> Mapping[Site, Origin]:
        """Where fields of a target came from in the base."""
        rendering = self.witness(target)
        if rendering is None:
            return {}
        layout = self._trees[rendering.target]
        return origins(read_resources(rendering), sites, layout, self._plan.fresh)

    @cached_property
    def _first(self) -> tuple[Tree, Mapping[str, Target]]:
        """The base as far as the targets of the plan read it, and its targets by their ids."""
        layout = self._comparison.base_tree(self._plan.targets, self._plan.tree, self._new_folder())
        found = _with_bases(discover_all(layout, (".",), self._config, self._plan.render), self._plan.targets)
        return layout, {one.id: one for one in found}

    def survey(self, plan: Plan, head: Survey) -> Base:
        """Ask the targets of `plan` as they were in the base; `head` is what they have to say today."""
        if not plan.targets:
            return Base()
        same = (one for one in plan.targets if not self._comparison.affects(one))
        self._trees.update(dict.fromkeys(same, plan.tree))
        # What the targets offer that the difference does not concern is the same in both.
        plan = replace(plan, neighbours=head.neighbours, witness=lambda _target: None)
        images = plan.rule_set.images
        if isinstance(images, Builds):
            before = images.before(self._comparison.changed, self._comparison.texts)
            plan = replace(plan, rule_set=replace(plan.rule_set, images=before))
        if not self._is_open:
            layout = self._layout(plan)
            base = self._asked(plan, layout)
            if not _leaves_open(base, head, plan.tree):
                return base
            # The base may have read folders that it reads no more.
            self._is_open = True
        return self._asked(plan, self.whole)

    @cached_property
    def whole(self) -> Tree:
        """All of the base."""
        return self._comparison.base_tree((), self._plan.tree, self._new_folder(), whole=True)

    def excluding(self, tree: Tree, paths: Sequence[RelPath], globs: tuple[str, ...]) -> Discovery:
        """What there is below `paths` of a tree, without what the globs leave out."""
        return discover_all(tree, paths, replace(self._config, exclude=globs), self._plan.render)

    def discovered(self, paths: Sequence[RelPath]) -> tuple[Target, ...]:
        """The targets of the base below `paths`, all of it looked at."""
        return tuple(discover_all(self.whole, paths, self._config, self._plan.render).targets)

    def layouts(self) -> Iterator[Callable[[], Tree]]:
        """The base as far as the plan's targets read it, as far as any target of today does, and all of it.

        What is laid out already comes first: most targets have been rendered there.
        """
        yield lambda: self._first[0]
        if not self._is_open:
            every = self._plan.everything
            yield lambda: self._comparison.base_tree(every, self._plan.tree, self._new_folder())
        yield lambda: self.whole

    def _layout(self, plan: Plan) -> Tree:
        """The base as far as the targets of `plan` read it: that of the witness, unless others were added."""
        if plan.targets == self._plan.targets:
            with self._lock:
                return self._first[0]
        return self._comparison.base_tree(plan.targets, plan.tree, self._new_folder())

    def _new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._folder))

    def _asked(self, plan: Plan, layout: Tree) -> Base:
        found = _with_bases(discover_all(layout, (".",), self._config, self._plan.render), plan.targets)
        targets = tuple(_comparable(plan, found))
        wanted, known = {one.id for one in plan.targets}, {one.id for one in targets}
        moved = {id_: one.old for id_, one in self.renames.items() if id_ in wanted - known}
        trees = {one: self._trees.get(one, layout) for one in targets}
        trees |= dict.fromkeys(moved.values(), self.whole if moved else layout)
        targets = (*targets, *sorted(moved.values(), key=lambda one: one.id))
        asked = pipeline.survey(
            replace(
                plan,
                tree=layout,
                targets=targets,
                everything=targets,
                bases={},
                doubt=pipeline.certain,
                defaults=defaults(found),
                render=lambda target, _layout: plan.render(target, _tree_of(target, trees, layout)),
            )
        )
        self._trees.update({one.target: trees[one.target] for one in asked.results if one.outcome is None})
        return Base(
            targets,
            {one.target.id: keys_of(one) for one in asked.results},
            {
                one.target.id: Counter(failure_key(each, trees[one.target]) for each in one.failures)
                for one in asked.results
                if one.failures
            },
            tuple(one.interface for one in asked.results if one.interface is not None),
            moved,
        )


def _tree_of(target: Target, trees: Mapping[Target, Tree], layout: Tree) -> Tree:
    """Where a target of the base is; one that is none of them is a chart that is rendered to compare one of them with it.

    That is the same chart as another release, or with its own values alone.
    """
    if target not in trees and isinstance(target, HelmTarget):
        same = (one for one in trees if isinstance(one, HelmTarget) and one.mounts == target.mounts)
        kin = sorted(same, key=lambda one: (one.values != target.values, one.id))
        return trees[kin[0]] if kin else layout
    return trees[target]


def _with_bases(found: Discovery, wanted: Iterable[Target]) -> tuple[Target, ...]:
    """The targets of the base, and those of their bases that are targets today."""
    ids = {one.id for one in wanted} - {one.id for one in found.targets}
    bases: dict[str, Target] = {one.id: one for some in found.bases.values() for one in some if one.id in ids}
    return (*found.targets, *(bases[id_] for id_ in sorted(bases)))


def _manifests(answer: Rendering | RenderFailure | NotRendered | None) -> Manifests | None:
    """What was rendered; None unless all of it is there."""
    found = read_resources(answer) if isinstance(answer, Rendering) else None
    return None if found is None or found.problems else found


def _leaves_open(base: Base, head: Survey, tree: Tree) -> bool:
    """Whether a target did not render in the base and that is not settled by its not rendering today either."""
    stale = frozenset(stale_failures(base, head.results, tree))
    return any(
        base.keys.get(one.target.id, frozenset()) is None
        and not isinstance(one.outcome, NotRendered)
        and not (one.failures and stale.issuperset(one.failures))
        for one in head.results
    )


def _comparable(plan: Plan, base: Sequence[Target]) -> Iterator[Target]:
    """The targets of the base that those of `plan` are held against.

    The same ones, and what they may have been before: others of the same chart or folder that are not there any more,
    or, for one that is new, its kin (a chart with other values). Who installs a chart says nothing of another install.
    """
    wanted, today = {one.id for one in plan.targets}, ids_of(plan.everything)
    paths = {(one.kind, one.path) for one in plan.targets}
    old = {one.id for one in base}
    grown = [one for one in plan.targets if one.id not in old]
    places = {(one.kind, one.path) for one in grown}
    files = {path for one in grown for path in _own_files(one)}
    for one in base:
        place = (one.kind, one.path)
        installed = isinstance(one, HelmTarget) and one.install is not None
        kin = (place in places and not installed) or not files.isdisjoint(_files(one))
        kin = kin or any(_are_rivals(one, new) for new in grown)
        if one.id in wanted or kin or (place in paths and one.id not in today):
            yield one


def _is_kin(old: Target, new: Target) -> bool:
    """Whether what a target of the base says is no news of one that the base does not have.

    Such are a chart with other values, manifests with a file of the other's own, and for a new alternative of a folder
    the others, which share the rest of its files.
    """
    if isinstance(new, ManifestTarget):
        return not _own_files(new).isdisjoint(_files(old)) or _are_rivals(old, new)
    return (old.kind, old.path) == (new.kind, new.path)


def _are_rivals(one: Target, other: Target) -> bool:
    """Whether two targets are alternatives of one folder."""
    return (
        isinstance(one, ManifestTarget)
        and isinstance(other, ManifestTarget)
        and one.is_alternative
        and other.is_alternative
        and parent(one.folder) == parent(other.folder)
    )


def _files(target: Target) -> tuple[RelPath, ...]:
    return target.files if isinstance(target, ManifestTarget) else ()


def _own_files(target: Target) -> frozenset[RelPath]:
    """The manifests that make a target what it is: of alternatives, which share files, the one that it stands for."""
    if isinstance(target, ManifestTarget) and target.is_alternative:
        return frozenset({target.folder})
    return frozenset(_files(target))


def _services(tree: Tree, path: RelPath) -> frozenset[str]:
    """The names of the Services that a file of manifests holds; none for a template, whose names are made elsewhere."""
    text = tree.text_or_none(path) if path.endswith((".yaml", ".yml")) else None
    if text is None or "Service" not in text:
        return frozenset()
    try:
        documents = load_all(text)
    except YamlError:
        return frozenset()
    found = (one for each in documents for one in objects(each, "default", ()))
    return frozenset(key.name for key, _, _ in found if key.kind == "Service")
