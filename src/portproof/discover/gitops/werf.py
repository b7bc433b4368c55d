"""The chart of a ``werf.yaml`` that is none for helm: werf makes a ``Chart.yaml`` where there is none.

A chart with a ``Chart.yaml`` of its own is rendered like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from portproof.discover.gitops.deployment import Place, found_at
from portproof.discover.unread import Unread
from portproof.source import RelPath, join, parent

_NAMED = re.compile(r"^[ \t]+helmChartDir:[ \t]*[\"']?([^\s\"'{}#]{1,500})", re.MULTILINE)
"""A ``werf.yaml`` is a template, and often no YAML before it is filled in."""

_FOLDER = ".helm"
"""Where werf looks for a chart if ``deploy.helmChartDir`` says nothing."""


def deployments(place: Place, file: RelPath, text: str) -> Iterator[Unread]:
    """Say of a chart without ``Chart.yaml`` that it is not looked at, and what to do."""
    named = _NAMED.search(text)
    folder = join(parent(file), named[1] if named else _FOLDER)
    if folder is None or folder in place.charts:
        return
    templates = found_at(place.listing, join(folder, "templates"))
    if templates is not None and templates.kind == "folder":
        yield Unread(
            folder,
            "werf",
            "only werf renders a chart without Chart.yaml; check what it prints: `werf render | portproof check -`",
        )
