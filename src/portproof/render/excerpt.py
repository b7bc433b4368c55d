"""As much of a chart as some of its templates need: loading a chart takes far longer than rendering these.

A template that nothing else reads, and that asks nothing of anybody, can be absent: the others render to the same without it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from portproof.discover.chart_files import chart_files
from portproof.discover.model import HelmTarget, Mount
from portproof.render.chartpaths import ChartPaths
from portproof.source import RelPath, Tree, is_within

_DESCRIPTIONS = ("Chart.yaml", "requirements.yaml")
_FILES = re.compile(r"\.Files\b")
_INCLUDED = re.compile(r"/([^/\"'`\s]+)[\"'`]")
"""The end of a template's path in a text: ``include (print $.Template.BasePath "/configmap.yaml") .``."""


def excerpt(target: HelmTarget, tree: Tree, asked: Collection[RelPath]) -> dict[RelPath, RelPath] | None:
    """The files of the tree that the templates `asked` of a chart need, by where they lie in the chart.

    None where only the whole chart will do: a template reads files that are neither values nor templates, or one cannot be
    read.
    """
    places = {**_places(target, tree), **_descriptions(target, tree)}
    texts = {place: tree.text_or_none(path) for place, path in places.items()}
    read = {place: text for place, text in texts.items() if text is not None}
    if len(read) < len(texts):
        return None
    given = [tree.text_or_none(path) or "" for path in target.values]
    kept = {place for place, path in places.items() if path in asked or not _is_apart(place, read[place])}
    while True:
        said = [*given, *(read[place] for place in kept)]
        if any(_FILES.search(text) for text in said):
            return None
        included = {name for text in said for name in _names(text)}
        more = {place for place in places if place.rpartition("/")[2] in included} - kept
        if not more:
            return {place: places[place] for place in sorted(kept)}
        kept |= more


def _is_apart(place: RelPath, text: str) -> bool:
    """Whether a file is a template that has nothing which another could ask for by name."""
    return "/templates/" in f"/{place}" and not has_names(text)


def has_names(text: str) -> bool:
    """Whether a template may define named ones; cheap, for the many that do not."""
    return "define" in text or "block" in text


def _names(text: str) -> Iterator[str]:
    if "BasePath" in text or "/templates/" in text:
        yield from _INCLUDED.findall(text)


def _places(target: HelmTarget, tree: Tree) -> Mapping[RelPath, RelPath]:
    """Values and templates; a mount takes the place of what lies there."""
    found: dict[RelPath, RelPath] = {}
    mounts = target.mounts or (Mount(".", target.chart),)
    for mount in sorted(mounts, key=lambda one: (one.at != ".", one.at.count("/"))):
        found = {place: path for place, path in found.items() if not is_within(place, mount.at)}
        skipped = 0 if mount.source == "." else len(mount.source) + 1
        inner = "" if mount.at == "." else f"{mount.at}/"
        found |= {inner + path[skipped:]: path for path in chart_files((mount.source,), tree)}
    return found


def _descriptions(target: HelmTarget, tree: Tree) -> Mapping[RelPath, RelPath]:
    """What says of the chart, and of each subchart that is a folder, which chart it is."""
    paths = ChartPaths(target, tree)
    places = [f"{at}/{name}".removeprefix("./") for at in paths.charts() for name in _DESCRIPTIONS]
    return {place: path for place in places if paths.exists(path := paths.on_tree(place))}
