"""The same chart with other values: which target has its own values alone, and which is one with further values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from portproof.discover.model import HelmTarget, Target
from portproof.source import RelPath


def defaults(targets: Iterable[Target]) -> Mapping[str, Target]:
    """For each target that gives a chart values, by its id, the one of the same chart that gives it none."""
    charts = [one for one in targets if isinstance(one, HelmTarget) and one.remote is None]
    plain: dict[RelPath, HelmTarget] = {one.chart: one for one in charts if not one.values}
    return {one.id: plain[one.chart] for one in charts if one.values and one.chart in plain}
