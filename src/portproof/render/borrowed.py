"""A template that a chart includes and does not have may be another chart's.

Templates of all charts of a release have one namespace. So a part of an umbrella may include what another part has, and it
renders there only. And a subchart's own dependency may not be in the repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from portproof.discover.dependencies import ChartFiles
from portproof.discover.model import HelmTarget
from portproof.discover.walk import names_in
from portproof.render.chartpaths import ChartPaths
from portproof.render.tool_output import clean
from portproof.source import RelPath, Tree, below, join, parent

MAX_CHARTS = 200
MAX_FILES = 200
_LACKS = re.compile(r"no template \"(?P<name>[^\"\n]{1,500})\" associated with template")


def lender(cause: str, target: HelmTarget, tree: Tree, paths: ChartPaths) -> str:
    """Why a chart that lacks a template, as helm says in `cause`, cannot be rendered as it lies there, as a clause; else empty."""
    found = _LACKS.search(cause)
    if found is None:
        return ""
    return _not_vendored(found["name"], target, paths) or _whole(found["name"], target, tree)


def _not_vendored(template: str, target: HelmTarget, paths: ChartPaths) -> str:
    """What a subchart lacks, which may have the template: not where a chart that is there is named like it."""
    lacking = [one for one in target.missing if one.parent != "."]
    here = {paths.on_tree(at).rpartition("/")[2] for at in paths.charts()}
    if not lacking or template.partition(".")[0] in here:
        return ""
    folder = paths.on_tree(lacking[0].parent)
    names = ", ".join(dict.fromkeys(one.name for one in lacking if one.parent == lacking[0].parent))
    return f"dependencies of {clean(folder)} not vendored: {clean(names)}; run `helm dependency build {clean(folder)}` first"


def _whole(template: str, target: HelmTarget, tree: Tree) -> str:
    """The chart of the repository that has this one as a part, and the template in another part."""
    defined = re.compile(rf"\bdefine[ \t]+\"{re.escape(template)}\"")
    for umbrella in umbrellas(target.chart, tree):
        others = (umbrella, *(one for one in _local_parts(umbrella, tree) if one != target.chart))
        if any(defined.search(text) for one in others for text in _templates(one, tree)):
            return f'a part of {clean(umbrella)}, which has the template "{clean(template)}"'
    return ""


def umbrellas(chart: RelPath, tree: Tree) -> Iterator[RelPath]:
    """The charts beside a chart and above it that have it as a ``file://`` dependency."""
    beside = islice(_beside(chart, tree), MAX_CHARTS)
    yield from (one for one in beside if chart in _local_parts(one, tree))


def _beside(chart: RelPath, tree: Tree) -> Iterator[RelPath]:
    """The folders of charts beside a chart and above it."""
    above = parent(chart)
    for folder in (above, parent(above)):
        names = names_in(tree.root, folder)
        found = [folder, *(below(folder, name) for name in names)]
        yield from (one for one in found if one != chart and tree.text_or_none(below(one, "Chart.yaml")))


def _local_parts(chart: RelPath, tree: Tree) -> list[RelPath]:
    """The folders of the ``file://`` dependencies of a chart."""
    said = (one.repository for one in ChartFiles(tree).read(chart).dependencies)
    folders = (join(chart, one.removeprefix("file://")) for one in said if one.startswith("file://"))
    return [path for path in folders if path is not None]


def _templates(chart: RelPath, tree: Tree) -> Iterator[str]:
    folder = below(chart, "templates")
    for name in islice(names_in(tree.root, folder), MAX_FILES):
        yield tree.text_or_none(below(folder, name)) or ""
