"""Templates that ask the cluster for an object: ``lookup`` finds nothing where there is no cluster.

Meaning: https://helm.sh/docs/chart_template_guide/functions_and_pipelines/#using-the-lookup-function, by which
``helm template`` gets an empty answer, so that a chart which relies on the object fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from portproof.discover.model import HelmTarget
from portproof.render.archives import ArchiveError, texts
from portproof.render.chartpaths import ChartPaths
from portproof.render.model import RenderFailure
from portproof.source import RelPath, Tree

_AT = re.compile(r"at <(?P<what>[^\n]{1,300})> \((?P<file>[^\s()]{1,300}):(?P<line>\d+)\)")
_VARIABLE = re.compile(r"\$\w+")
_LOOKUP = re.compile(r"[({=|]-?[ \t]*lookup[ \t]")
_ASKED = r"{}[ \t]*:?=[^{{}}\n]{{0,300}}\blookup[ \t]"


def asks_cluster(failure: RenderFailure, tree: Tree) -> RelPath:
    """The template that fails on what a ``lookup`` would find in a cluster; empty when there is none."""
    target = failure.target
    if not isinstance(target, HelmTarget):
        return ""
    paths = ChartPaths(target, tree)
    for found in _AT.finditer(failure.message):
        for file, text in _texts(found["file"], paths, tree):
            line = text.split("\n")[int(found["line"]) - 1 : int(found["line"])]
            if any(map(_LOOKUP.search, line)) or _is_asked(found["what"], text):
                return file
    return ""


def _is_asked(what: str, text: str) -> bool:
    """Whether a variable of the part that fails holds what a ``lookup`` found."""
    return any(re.search(_ASKED.format(re.escape(one)), text) for one in _VARIABLE.findall(what))


def _texts(file: str, paths: ChartPaths, tree: Tree) -> Iterator[tuple[RelPath, str]]:
    """The template that helm names: a path of the repository already, or one of a chart in an archive."""
    path = file if paths.exists(file) else paths.template(file)
    if path is not None:
        yield path, tree.text_or_none(path) or ""
        return
    head, _, tail = file.partition("/charts/")
    for at in paths.charts() if tail else ():
        folder = tree.on_disk(paths.on_tree(f"{at}/charts".removeprefix("./")))
        for archive in sorted(folder.glob("*.tgz")) if folder.is_dir() else ():
            try:
                yield from ((file, text) for own, text in texts(archive, head) if own.endswith(f"/{tail}"))
            except ArchiveError:
                continue
