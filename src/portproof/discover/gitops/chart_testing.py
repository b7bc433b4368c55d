"""The charts that a configuration of chart-testing names (``ct.yaml``): it describes tests, not environments."""

from __future__ import annotations

from collections.abc import Iterator

from portproof.discover.gitops.deployment import Build, Place
from portproof.discover.gitops.described import objects
from portproof.discover.model import Install
from portproof.source import RelPath, normalise, parent

_NAMES = ("ct.yaml", "ct.yml", "chart-testing.yaml")


def is_chart_testing(path: RelPath) -> bool:
    """Whether a file is a configuration of chart-testing by its name."""
    return path.rpartition("/")[2] in _NAMES


def deployments(place: Place, file: RelPath, text: str) -> Iterator[Build]:
    """The charts that are tested: those of its folders, and those that it names."""
    for one in objects(file, text):
        folders = {normalise(folder) for folder in one.texts("chart-dirs") or ["charts"]}
        named = {normalise(chart) for chart in one.texts("charts")}
        excluded = set(one.texts("excluded-charts"))
        for chart in sorted(place.charts):
            tested = chart in named or (parent(chart) in folders and not named)
            if tested and chart.rpartition("/")[2] not in excluded:
                install = Install(
                    "chart-testing",
                    one.number,
                    file=file,
                    tool="chart-testing",
                    namespace=one.text("namespace"),
                )
                yield Build(chart, install)
