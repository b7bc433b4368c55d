"""The files of a chart that helm reads as values or as templates, those of its subcharts too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from portproof.source import RelPath, Tree

_TEMPLATE_ENDINGS = (".yaml", ".yml", ".tpl", ".json", ".gotmpl", ".txt")


def chart_files(charts: Iterable[RelPath], tree: Tree) -> Iterator[RelPath]:
    """These files of charts, each given by its folder; a file may be named twice where folders lie in each other."""
    for chart in charts:
        base = tree.on_disk(chart)
        for folder, folders, files in os.walk(base):
            folders[:] = sorted(name for name in folders if name != ".git")
            relative = os.path.relpath(folder, base).replace(os.sep, "/")
            steps = [] if relative == "." else relative.split("/")
            for name in files:
                if _feeds_templates(steps, name):
                    yield "/".join(step for step in (chart, *steps, name) if step != ".")


def _feeds_templates(steps: list[str], name: str) -> bool:
    """Whether helm reads the file as values or as a template; `steps` lead from the chart to its folder."""
    while len(steps) >= 2 and steps[0] == "charts":
        steps = steps[2:]
    if not steps:
        return name == "values.yaml"
    return steps[0] == "templates" and name.endswith(_TEMPLATE_ENDINGS) and name != "NOTES.txt"
