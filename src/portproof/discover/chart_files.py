"""The files of a chart that helm reads as values or as templates, those of its subcharts too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from portproof.source import RelPath, Tree

_TEMPLATE_ENDINGS = (".yaml", ".yml", ".tpl", ".json", ".gotmpl", ".txt")


def chart_files(charts: Iterable[RelPath], tree: Tree) -> Iterator[RelPath]:
    """These files of charts, each given by its folder; a file may be named twice where folders lie in each other."""
    for chart in charts:
        base = str(tree.on_disk(chart))
        prefix = "" if chart == "." else f"{chart}/"
        pending: list[list[str]] = [[]]
        while pending:
            steps = pending.pop()
            folders: list[str] = []
            for name, is_folder in _listed("/".join((base, *steps))):
                if is_folder:
                    folders.append(name)
                elif _feeds_templates(steps, name):
                    yield prefix + "/".join((*steps, name))
            pending += ([*steps, name] for name in sorted(folders, reverse=True))


def _listed(folder: str) -> Iterator[tuple[str, bool]]:
    """The names in a folder that helm looks at, and whether each is a folder, which a link to one is not gone into."""
    try:
        with os.scandir(folder) as entries:
            for one in entries:
                if one.is_dir():
                    if one.name != ".git" and not one.is_symlink():
                        yield one.name, True
                else:
                    yield one.name, False
    except OSError:  # it is none, or may not be listed
        return


def _feeds_templates(steps: list[str], name: str) -> bool:
    """Whether helm reads the file as values or as a template; `steps` lead from the chart to its folder."""
    while len(steps) >= 2 and steps[0] == "charts":
        steps = steps[2:]
    if not steps:
        return name == "values.yaml"
    return steps[0] == "templates" and name.endswith(_TEMPLATE_ENDINGS) and name != "NOTES.txt"
