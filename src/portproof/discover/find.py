"""The tree -> what there is to render, and why the rest is not rendered."""

from __future__ import annotations

from collections.abc import Sequence

from portproof.config import Config
from portproof.discover import remote_charts
from portproof.discover.builders import builders
from portproof.discover.charts import chart_folders, find_charts
from portproof.discover.gitops.described import NO_CHILDREN, Children
from portproof.discover.installs import find_deployments
from portproof.discover.model import Discovery, Skip, Target
from portproof.discover.overlays import Wanted, find_overlays
from portproof.discover.plain import Elsewhere, find_manifests
from portproof.discover.unread import Unread
from portproof.discover.values_files import find_values
from portproof.discover.walk import walk
from portproof.replacing import replace
from portproof.source import RelPath, Tree, is_within


def discover(
    tree: Tree,
    paths: Sequence[RelPath] = (".",),
    config: Config | None = None,
    children: Children = NO_CHILDREN,
) -> Discovery:
    """Find the targets that lie in `paths`, read a file of them, or enclose them.

    The whole tree is walked whatever `paths` says, because only the whole tells who refers to whom. Links are not
    followed by the walk, nothing outside the tree is read, and no program is started. `children` are descriptions of
    deployments that somebody has rendered.
    """
    tree = replace(tree, overlay={**tree.overlay, **children.overlay()})
    config = config or Config()
    listing = walk(tree.root, paths, config.exclude, config.ignored)
    deployed = find_deployments(tree, listing, chart_folders(listing), children)
    charts = find_charts(tree, listing, config, deployed.installs)
    wanted = Wanted(paths, None if config.offline else config.allow_hosts)
    overlays = find_overlays(tree, listing, charts.folders, deployed.builds, wanted)
    plain = find_manifests(
        tree, listing, charts.folders, Elsewhere(overlays.files, deployed.together(), paths)
    )
    remote = list(remote_charts.targets(deployed.remote))
    inflated = [chart.chart for one in overlays.targets for chart in one.charts if chart.chart]
    theirs = {path for one in (*remote, *inflated) for path in one.values}
    values = find_values(tree, listing, charts, overlays.files | theirs)
    found: list[Target] = [*charts.targets, *remote, *values.targets, *overlays.targets, *plain.targets]
    targets = tuple(sorted(found, key=lambda one: one.id))
    skips = [*listing.skips, *charts.skips, *overlays.skips, *plain.skips]
    unread: list[Unread] = [*deployed.unread, *values.unread, *overlays.unread, *plain.unread]
    return Discovery(
        tuple(target for target in targets if _asked_for(target, paths)),
        tuple(
            sorted((skip for skip in skips if _concerns(skip, paths)), key=lambda one: (one.id, one.reason))
        ),
        targets,
        tuple(sorted({one for one in unread if any(is_within(one.path, path) for path in paths)})),
        {
            key: tuple(build.install for build in builds if not build.changes)
            for folder, builds in deployed.builds.items()
            for key in (("helm", folder), ("kustomize", folder), ("manifests", folder))
        },
        overlays.bases,
        builders(listing),
        tuple(sorted(folder for folder, builds in deployed.builds.items() if builds)),
        bool(deployed.builds or deployed.installs or deployed.remote or deployed.unread),
    )


def _asked_for(target: Target, paths: Sequence[RelPath]) -> bool:
    return any(is_within(target.path, path) or target.uses(path) for path in paths)


def _concerns(skip: Skip, paths: Sequence[RelPath]) -> bool:
    """Whether a skip lies in `paths`; a chart or kustomization also when they lie in it. What is configured always does."""
    return bool(skip.configured) or any(
        is_within(skip.path, path) or (skip.kind != "manifests" and is_within(path, skip.path))
        for path in paths
    )
