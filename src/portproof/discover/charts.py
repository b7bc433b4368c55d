"""Charts, each with its defaults and with every values file that is really used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from portproof.config import ChartConfig, Config, matches
from portproof.discover.dependencies import ChartFiles, Parts, RefusedError, assemble
from portproof.discover.model import Cluster, HelmTarget, Skip
from portproof.discover.walk import EscapeError, Listing, ancestors, resolve
from portproof.source import RelPath, SourceError, Tree, join

MAX_VALUES = 64
"""As many values files of one chart are rendered; what is left out is shown."""

_ALTERNATIVE = re.compile(r"values[-.](?!schema\.).+\.ya?ml\Z")
_CI = re.compile(r".*-values\.ya?ml\Z")  # chart-testing, pkg/chart/chart.go
# chartsnap, and the pipelines of many charts, take every other file there too, unless it is their own configuration.
_PERHAPS_CI = re.compile(r"(?!\.|ct\.|values\.schema\.).+\.ya?ml\Z")
_OBJECT = re.compile(r"^(apiVersion|kind):", re.MULTILINE)
_SOPS = re.compile(r"^sops:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Charts:
    """The targets that charts make, the skips, and every folder that is a chart of whatever kind."""

    targets: tuple[HelmTarget, ...]
    skips: tuple[Skip, ...]
    folders: frozenset[RelPath]


def find_charts(tree: Tree, listing: Listing, config: Config) -> Charts:
    """Find the charts of the listing. Subcharts, library charts and charts inside templates are skips."""
    folders = frozenset(
        path
        for path, folder in listing.folders.items()
        if "Chart.yaml" in folder.files or "Chart.yaml" in folder.links
    )
    files = ChartFiles(tree)
    targets: list[HelmTarget] = []
    skips: list[Skip] = []
    for chart in sorted(folders):
        reason = _part_of(chart, folders)
        if reason is None and files.read(chart).library:
            reason = "a library chart"
        if reason is not None:
            skips.append(Skip("helm", chart, reason, counts=False))
            continue
        try:
            parts = assemble(files, listing, chart)
        except RefusedError as error:
            skips.append(Skip("helm", chart, str(error)))
            continue
        for found in _with_values(files, listing, chart, parts, config):
            if isinstance(found, HelmTarget):
                targets.append(found)
            else:
                skips.append(found)
    skips += [
        Skip("helm", entry.path, "named by the configuration, but there is no such chart")
        for entry in config.charts
        if not any(matches(entry.path, chart) for chart in folders)
    ]
    return Charts(tuple(targets), tuple(skips), folders)


def enclosing_chart(path: RelPath, charts: frozenset[RelPath]) -> RelPath | None:
    """The nearest chart that the folder `path` is or lies in."""
    return next((folder for folder in (path, *ancestors(path)) if folder in charts), None)


def release_name(name: str, folder: RelPath) -> str:
    """A release name that helm accepts, made from the chart's name, else from its folder's name."""
    for text in (name, folder.rpartition("/")[2]):
        valid = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:53].rstrip("-")
        if valid:
            return valid
    return "release-name"


def _part_of(chart: RelPath, charts: frozenset[RelPath]) -> str | None:
    """Why `chart` is not a target of its own: it is a part of another one; None when it is not."""
    for outer in ancestors(chart):
        if outer not in charts:
            continue
        inside = chart if outer == "." else chart[len(outer) + 1 :]
        if inside.startswith("charts/"):
            return f"a subchart of {outer}"
        if inside.startswith("templates/"):
            return f"inside the templates of {outer}"
        return None
    return None


def _with_values(
    files: ChartFiles, listing: Listing, chart: RelPath, parts: Parts, config: Config
) -> Iterator[HelmTarget | Skip]:
    """The chart's defaults, its own values files, and those that the configuration names."""
    entries = [entry for entry in config.charts if matches(entry.path, chart)]
    release = _last([entry.release for entry in entries]) or release_name(files.read(chart).name, chart)
    namespace = _last([entry.namespace for entry in entries]) or "default"
    cluster = Cluster(
        _last([entry.kube_version for entry in entries]) or "",
        tuple(dict.fromkeys(one for entry in entries for one in entry.api_versions)),
    )
    seen: set[tuple[RelPath, ...]] = set()

    def target(values: tuple[RelPath, ...]) -> HelmTarget:
        seen.add(values)
        mounts, missing, archives = tuple(parts.mounts), tuple(parts.missing), tuple(parts.archives)
        return HelmTarget(chart, values, release, namespace, mounts, missing, archives, parts.git, cluster)

    yield target(())
    own = _own_values(files.tree, listing, chart)
    for path in own[:MAX_VALUES]:
        if _holds(_SOPS, files.tree, path):
            yield Skip("helm", chart, "encrypted with sops", (path,))
        else:
            yield target((path,))
    for path in own[MAX_VALUES:]:
        yield Skip("helm", chart, f"more than {MAX_VALUES} values files", (path,))
    for values, problem in _configured(listing, chart, entries):
        if problem is not None:
            yield Skip("helm", chart, problem, values)
        elif values not in seen:
            yield target(values)


def _own_values(tree: Tree, listing: Listing, chart: RelPath) -> list[RelPath]:
    """``values-*.yaml`` and ``values.*.yaml`` beside ``values.yaml``, and the values in ``ci/``."""
    top = listing.folder(chart)
    found = [top.child(name) for name in (*top.files, *top.links) if _ALTERNATIVE.match(name)]
    tests = listing.folders.get(top.child("ci"))
    for name in (*tests.files, *tests.links) if tests else ():
        path = top.child(f"ci/{name}")
        if _CI.match(name) or (_PERHAPS_CI.match(name) and not _holds(_OBJECT, tree, path)):
            found.append(path)
    return sorted(found)


def _configured(
    listing: Listing, chart: RelPath, entries: Sequence[ChartConfig]
) -> Iterator[tuple[tuple[RelPath, ...], str | None]]:
    """The lists of values files that the configuration adds, each with the reason why it cannot be used."""
    for entry in entries:
        for files in entry.values:
            paths = []
            problem = None
            for file in files:
                path = join(".", file.lstrip("/")) if file.startswith("/") else join(chart, file)
                problem = problem or _unusable(listing, file, path)
                paths.append(path or file)
            yield tuple(paths), problem


def _unusable(listing: Listing, file: str, path: RelPath | None) -> str | None:
    """Why a values file of the configuration cannot be given to helm; None when it can."""
    named = f"the values file {file} of the configuration"
    if path is None:
        return f"{named} leads out of the repository"
    try:
        kind = resolve(listing.root, path).kind
    except EscapeError as error:
        return f"{named} {error}"
    return None if kind == "file" else f"{named} is not there"


def _holds(pattern: re.Pattern[str], tree: Tree, path: RelPath) -> bool:
    try:
        return pattern.search(tree.text(path)) is not None
    except SourceError:
        return False  # helm says what is wrong with it


def _last(values: Sequence[str | None]) -> str | None:
    return next((value for value in reversed(values) if value), None)
