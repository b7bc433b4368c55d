"""Charts of registries that the repository installs: targets that have to be fetched before they render."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portproof.discover.charts import as_installed, release_name
from portproof.discover.gitops.deployment import Installed
from portproof.discover.model import HelmTarget, RemoteChart
from portproof.source import Span, Tree
from portproof.yamldoc import YamlError, documents


def targets(installs: Iterable[Installed]) -> Iterator[HelmTarget]:
    """The charts of registries among `installs`, each as it is installed."""
    for one in installs:
        if one.remote is not None:
            plain = HelmTarget(
                one.file,
                (*one.files, one.file),
                release=release_name(one.install.name, one.remote.name),
                remote=one.remote,
            )
            yield as_installed(one, plain)


def place_of(chart: RemoteChart, tree: Tree) -> Span | None:
    """Where the version of a chart is written, else the nearest text around it; None where nothing is left of that."""
    try:
        every = documents(tree.text_or_none(chart.file) or "")
        found = [one for one in every if one.data is not None]
        spans = found[chart.document].spans
    except (YamlError, IndexError):
        return None
    for length in range(len(chart.at), 0, -1):
        near = [place for path, place in spans.items() if path[:length] == chart.at[:length]]
        if near:
            first = min(near, key=lambda place: place.start)
            inset = len(first.quote)
            return Span(chart.file, first.start + inset, first.end - inset)
    return None
