"""Charts of a kustomization, rendered by helm before kustomize starts, which gets resources and no charts."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field

from portproof.discover.helm_charts import FIELD, field_of
from portproof.discover.model import HelmTarget, Inflation, KustomizeTarget
from portproof.render.model import NotRendered, RenderFailure, Rendering
from portproof.source import RelPath, SourceError, Tree, parent
from portproof.yamldoc import YamlError, load

OF_CHARTS = "helmCharts: "
"""What a reason begins with why a chart, or a part of it, is not among the resources of an overlay."""

RenderChart = Callable[[HelmTarget, Tree], "Rendering | RenderFailure | NotRendered"]

_FILE = "portproof-helm-chart-"
INFLATED = re.compile(rf"(?:.*/)?{_FILE}(\d{{1,4}})\.yaml")
"""The file that stands in for a chart of a kustomization, by its number."""


class Inflated(Struct):
    """The kustomizations without charts, and the files that take their place.

    `without` are reasons why charts are not among them, `took` their versions that are written nowhere, `failure` the first
    chart that does not render.
    """

    changed: dict[RelPath, str] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)
    took: list[str] = field(default_factory=list)
    placeholders: list[str] = field(default_factory=list)
    problems: list[RenderFailure] = field(default_factory=list)
    failure: RenderFailure | None = None


def inflate(target: KustomizeTarget, tree: Tree, render: RenderChart) -> Inflated:
    """Render the charts of `target`, and list what comes of them as resources of their kustomizations."""
    found = Inflated()
    by_file: dict[RelPath, list[Inflation]] = defaultdict(list)
    for one in target.charts:
        by_file[one.file].append(one)
    for path, several in by_file.items():
        try:
            data = load(tree.text(path))
        except (SourceError, YamlError):
            continue  # kustomize says what is wrong with it
        if not isinstance(data, dict):
            continue
        names = [name for one in several if (name := _rendered(one, target, tree, render, found))]
        found.changed[path] = json.dumps(_listing(data, names), ensure_ascii=False, indent=1) + "\n"
    return found


def _rendered(
    one: Inflation, target: KustomizeTarget, tree: Tree, render: RenderChart, found: Inflated
) -> str:
    """The name of the file with what a chart renders to; empty without one."""
    if one.chart is None:
        found.without.append(one.reason)
        return ""
    answer = render(one.chart, tree)
    if isinstance(answer, RenderFailure):
        found.failure = found.failure or RenderFailure(target, answer.message, answer.site, answer.demanded)
        return ""
    if isinstance(answer, NotRendered):
        found.without.append(f"{OF_CHARTS}{answer.reason}")
        return ""
    found.without += [f"{OF_CHARTS}{reason}" for reason in answer.without]
    found.took += [answer.took] if answer.took else []
    found.placeholders += answer.placeholders
    found.problems += answer.problems
    if not answer.documents:
        return ""
    name = f"{_FILE}{one.number}.yaml"
    place = name if parent(one.file) == "." else f"{parent(one.file)}/{name}"
    found.changed[place] = "".join(f"---\n{document.text.strip(chr(10))}\n" for document in answer.documents)
    return name


def _listing(data: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """A kustomization with resources in place of charts."""
    charts, _ = field_of(data, FIELD)
    key, listed = field_of(data, "resources")
    left = {name: value for name, value in data.items() if name not in (charts, "helmGlobals")}
    left[key] = [*(listed if isinstance(listed, list) else ()), *names]
    return left
