"""Both revisions of what a change concerns, rendered and held side by side: ports only, nothing traced or proven."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from portproof.config import Config
from portproof.discover.find import discover
from portproof.discover.model import Skip, Target
from portproof.graph import link
from portproof.graph.folding import changes
from portproof.graph.model import PortGraph
from portproof.graph.references import ReferenceKind
from portproof.render.model import NotRendered, Renderer, RenderFailure, Rendering
from portproof.report.port_diff import PortDiff, TargetDiff
from portproof.resources import read
from portproof.revision import Comparison
from portproof.rules.edges import edges
from portproof.source import RelPath, Tree


@dataclass(frozen=True, slots=True)
class Revisions:
    """What to hold side by side: the targets below `paths` of `tree` that `comparison` concerns, and their past.

    `skips` are what lies there and is not rendered.
    """

    comparison: Comparison
    tree: Tree
    paths: tuple[RelPath, ...]
    targets: tuple[Target, ...]
    skips: tuple[Skip, ...]
    config: Config
    rows: tuple[ReferenceKind, ...]


@dataclass(frozen=True, slots=True)
class _Unread:
    reason: str


def port_diff(asked: Revisions, render: Renderer, folder: Path) -> PortDiff:
    """Render both revisions, the base below `folder`, and compare the edges of each target.

    A target that was moved or renamed, and has the same edges as before, is no difference.
    """
    old = _layout(asked, folder)
    found = discover(old, asked.paths, asked.config)
    known = {one.id for one in asked.targets}
    past = [one for one in found.targets if one.id in known or asked.comparison.affects(one)]
    before_of = _by_id(past, found.skips)
    after_of = _by_id(asked.targets, asked.skips)
    ids = sorted(known | {one.id for one in past})

    def graph(tree: Tree, of: Target | Skip | None) -> PortGraph | _Unread | None:
        if of is None or isinstance(of, Skip):
            return None if of is None else _Unread(of.reason)
        return _graph(render(of, tree), asked.rows)

    with ThreadPoolExecutor(max_workers=asked.config.jobs) as pool:
        before = list(pool.map(lambda id_: graph(old, before_of.get(id_)), ids))
        after = list(pool.map(lambda id_: graph(asked.tree, after_of.get(id_)), ids))
    compared = [_compared(*one) for one in zip(ids, before, after, strict=True)]
    return PortDiff(asked.comparison.revision, tuple(_without_renames(compared)))


def _by_id(targets: Iterable[Target], skips: Iterable[Skip]) -> dict[str, Target | Skip]:
    return {**{one.id: one for one in skips if one.counts}, **{one.id: one for one in targets}}


def _graph(
    answer: Rendering | RenderFailure | NotRendered, rows: tuple[ReferenceKind, ...]
) -> PortGraph | _Unread:
    if isinstance(answer, NotRendered):
        return _Unread(answer.reason)
    if isinstance(answer, RenderFailure):
        return _Unread(answer.message.partition("\n")[0])
    manifests = read(answer)
    if manifests.problems:
        return _Unread(manifests.problems[0].message.partition("\n")[0])
    return link.build(manifests, rows)


def _layout(asked: Revisions, folder: Path) -> Tree:
    """The base: all of it when something is gone that may have been a target, else what today's targets read."""
    comparison, tree = asked.comparison, asked.tree
    on_disk = (tree.on_disk(path) for path in comparison.changed)
    whole = any(one.is_symlink() or not one.is_file() for one in on_disk)
    return comparison.base_tree(asked.targets, tree, folder, whole=whole)


def _compared(id_: str, before: PortGraph | _Unread | None, after: PortGraph | _Unread | None) -> TargetDiff:
    if isinstance(before, _Unread):
        return TargetDiff(id_, reason=f"in the base: {before.reason}")
    if isinstance(after, _Unread):
        return TargetDiff(id_, reason=after.reason)
    return TargetDiff(id_, changes(before, after, edges))


def _without_renames(targets: Sequence[TargetDiff]) -> Iterator[TargetDiff]:
    """The targets without those that are only called otherwise: all that is gone in one is new in another."""
    gone = [one for one in targets if one.changes and all(change.after is None for change in one.changes)]
    new = [one for one in targets if one.changes and all(change.before is None for change in one.changes)]
    same: set[str] = set()
    for one in gone:
        was = [(change.relation, change.holder, change.field, change.before) for change in one.changes]
        for other in new:
            now = [(change.relation, change.holder, change.field, change.after) for change in other.changes]
            if other.id not in same and was == now:
                same |= {one.id, other.id}
                break
    for one in targets:
        yield TargetDiff(one.id) if one.id in same else one
