"""Charts, each with its defaults and with every values file that is really used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field

from portproof.config import ChartConfig, Config, matches
from portproof.discover.dependencies import ChartFiles, Parts, RefusedError, assemble
from portproof.discover.gitops.deployment import Installed
from portproof.discover.model import UNNAMED, Cluster, HelmTarget, Skip
from portproof.discover.reading import facts
from portproof.discover.walk import EscapeError, Listing, ancestors, resolve
from portproof.replacing import replace
from portproof.source import RelPath, Tree, join

MAX_VALUES = 64
"""As many values files of one chart are rendered; what is left out is shown."""

MAX_INSTALLS = 256
"""As many installs of one chart are rendered; what is left out is shown."""

MAX_RELEASE = 53
"""helm's own limit for the name of a release."""

_ABSENT = "does not exist"
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")

_ALTERNATIVE = re.compile(r"values[-.](?!schema\.).+\.ya?ml\Z")
_CI = re.compile(r".*-values\.ya?ml\Z")  # chart-testing, pkg/chart/chart.go
# chartsnap, and the pipelines of many charts, take every other file there too, unless it is their own configuration.
_PERHAPS_CI = re.compile(r"(?!\.|ct\.|values\.schema\.).+\.ya?ml\Z")


class Charts(Struct, frozen=True):
    """The targets that charts make, the skips, and every folder that is a chart of whatever kind.

    `plain` are the charts that can be rendered, each with its own values only, by their folders; `files` has read them.
    """

    targets: tuple[HelmTarget, ...]
    skips: tuple[Skip, ...]
    folders: frozenset[RelPath]
    plain: Mapping[RelPath, HelmTarget]
    files: ChartFiles


def chart_folders(listing: Listing) -> frozenset[RelPath]:
    """Every folder of the listing that is a chart of whatever kind."""
    return frozenset(
        path
        for path, folder in listing.folders.items()
        if "Chart.yaml" in folder.files or "Chart.yaml" in folder.links
    )


_STARTER = re.compile(r"<\w+>")
"""What stands for the name of a chart until ``helm create --starter`` has put one there."""


def find_charts(
    tree: Tree, listing: Listing, config: Config, installs: Mapping[RelPath, tuple[Installed, ...]]
) -> Charts:
    """Find the charts of the listing, and how they are installed.

    Subcharts, library charts, starters and charts inside templates are skips.
    """
    folders = chart_folders(listing)
    files = ChartFiles(tree)
    targets: list[HelmTarget] = []
    plain: dict[RelPath, HelmTarget] = {}
    skips: list[Skip] = []
    for chart in sorted(folders):
        reason = _part_of(chart, folders)
        if reason is None and files.read(chart).library:
            reason = "a library chart"
        if reason is None and _STARTER.fullmatch(files.read(chart).name):
            reason = "a starter, of which helm makes other charts"
        if reason is not None:
            skips.append(Skip("helm", chart, reason, counts=False))
            continue
        try:
            parts = assemble(files, listing, chart)
        except RefusedError as error:
            skips.append(Skip("helm", chart, str(error)))
            continue
        plain[chart] = _plain(files, chart, parts, config)
        known = _Chart(plain[chart], installs.get(chart, ()))
        for found in _with_values(files, listing, config, known):
            if isinstance(found, HelmTarget):
                targets.append(found)
            else:
                skips.append(found)
    skips += [
        Skip(
            "helm",
            entry.path,
            "named in the configuration, but there is no such chart",
            configured=entry.line,
        )
        for entry in config.charts
        if not any(matches(entry.path, chart) for chart in folders)
    ]
    return Charts(tuple(targets), tuple(skips), folders, plain, files)


def enclosing_chart(path: RelPath, charts: frozenset[RelPath]) -> RelPath | None:
    """The nearest chart that the folder `path` is or lies in."""
    return next((folder for folder in (path, *ancestors(path)) if folder in charts), None)


def release_name(name: str, folder: RelPath) -> str:
    """A release name that helm accepts, made from the chart's name, else from its folder's name."""
    for text in (name, folder.rpartition("/")[2]):
        valid = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:MAX_RELEASE].rstrip("-")
        if valid:
            return valid
    return UNNAMED


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


class _Chart(Struct):
    """One chart on its way to targets; `seen` are the lists of values files that have one already."""

    plain: HelmTarget
    installs: Sequence[Installed]
    seen: set[tuple[RelPath, ...]] = field(default_factory=set)

    def target(self, values: tuple[RelPath, ...]) -> HelmTarget:
        self.seen.add(values)
        return replace(self.plain, values=values)

    def installed(self) -> Iterator[HelmTarget | Skip]:
        """As Argo CD and Flux install it. Values files that they give without any of their own need no second target."""
        for number, one in enumerate(self.installs):
            if one.problem or number >= MAX_INSTALLS:
                reason = one.problem or f"more than {MAX_INSTALLS} objects install it"
                yield Skip(
                    "helm", self.plain.chart, f"as installed by {one.install.name!r}: {reason}", (one.file,)
                )
                continue
            yield as_installed(one, self.target((*one.files, one.file)))
            if not (one.install.values or one.install.parameters):
                self.seen.add(one.files)


def _with_values(
    files: ChartFiles, listing: Listing, config: Config, chart: _Chart
) -> Iterator[HelmTarget | Skip]:
    """The chart's defaults, what installs it, its own values files, and those that the configuration names."""
    folder = chart.plain.chart
    entries = [entry for entry in config.charts if matches(entry.path, folder)]
    for entry in (one for one in entries if one.alone):
        ((paths, problem, _),) = _configured(listing, folder, [entry])
        yield (
            Skip("helm", folder, problem, paths) if problem else replace(chart.target(paths), sets=entry.sets)
        )
        return
    if all(entry.defaults for entry in entries):
        yield chart.target(())
    else:
        yield Skip("helm", folder, "defaults: false in the configuration", counts=False)
    yield from chart.installed()
    own = [path for path in _own_values(files.tree, listing, folder) if (path,) not in chart.seen]
    for path in own[:MAX_VALUES]:
        known = facts(files.tree, path)  # helm says what is wrong with it
        if known.is_encrypted:
            yield Skip("helm", folder, "encrypted with sops", (path,))
        elif known.is_about_values:
            yield Skip("helm", folder, "describes values, but contains none", (path,), counts=False)
        else:
            yield chart.target((path,))
    for path in own[MAX_VALUES:]:
        yield Skip("helm", folder, f"more than {MAX_VALUES} values files", (path,))
    for values, problem, line in _configured(listing, folder, entries):
        if problem is not None:
            yield Skip("helm", folder, problem, values, configured=line if problem.endswith(_ABSENT) else 0)
        elif values not in chart.seen:
            yield chart.target(values)


def _plain(files: ChartFiles, chart: RelPath, parts: Parts, config: Config) -> HelmTarget:
    """The chart with its defaults, as the configuration wants it installed."""
    entries = [entry for entry in config.charts if matches(entry.path, chart)]
    return HelmTarget(
        chart,
        release=_last([entry.release for entry in entries]) or release_name(files.read(chart).name, chart),
        namespace=_last([entry.namespace for entry in entries]) or "default",
        mounts=tuple(parts.mounts),
        missing=tuple(parts.missing),
        archives=tuple(parts.archives),
        git=parts.git,
        cluster=Cluster(
            _last([entry.kube_version for entry in entries]) or "",
            tuple(dict.fromkeys(one for entry in entries for one in entry.api_versions)),
        ),
    )


def as_installed(one: Installed, target: HelmTarget) -> HelmTarget:
    """The target with what the install says of the release; the configuration counts where it says nothing."""
    return replace(
        target,
        release=one.release
        if _LABEL.fullmatch(one.release) and len(one.release) <= MAX_RELEASE
        else target.release,
        namespace=one.namespace if _LABEL.fullmatch(one.namespace) else target.namespace,
        cluster=Cluster(
            one.cluster.kube_version or target.cluster.kube_version,
            tuple(dict.fromkeys((*target.cluster.api_versions, *one.cluster.api_versions))),
        ),
        install=one.install,
    )


def _own_values(tree: Tree, listing: Listing, chart: RelPath) -> list[RelPath]:
    """``values-*.yaml`` and ``values.*.yaml`` beside ``values.yaml``, and the values in ``ci/``."""
    top = listing.folder(chart)
    found = [top.child(name) for name in (*top.files, *top.links) if _ALTERNATIVE.match(name)]
    tests = listing.folders.get(top.child("ci"))
    for name in (*tests.files, *tests.links) if tests else ():
        path = top.child(f"ci/{name}")
        if _CI.match(name) or (_PERHAPS_CI.match(name) and not facts(tree, path).is_object):
            found.append(path)
    return sorted(found)


def _configured(
    listing: Listing, chart: RelPath, entries: Sequence[ChartConfig]
) -> Iterator[tuple[tuple[RelPath, ...], str | None, int]]:
    """The lists of values files that the configuration adds, each with the reason why it cannot be used, and its line."""
    for entry in entries:
        lines = entry.value_lines or (entry.line,) * len(entry.values)
        for files, line in zip(entry.values, lines, strict=True):
            paths = []
            problem = None
            for file in files:
                path = join(".", file.lstrip("/")) if file.startswith("/") else join(chart, file)
                problem = problem or _unusable(listing, file, path)
                paths.append(path or file)
            yield tuple(paths), problem, line


def _unusable(listing: Listing, file: str, path: RelPath | None) -> str | None:
    """Why a values file of the configuration cannot be given to helm; None when it can."""
    named = f"the values file {file} in the configuration"
    if path is None:
        return f"{named} points outside the repository"
    try:
        kind = resolve(listing.root, path).kind
    except EscapeError as error:
        return f"{named} {error}"
    return None if kind == "file" else f"{named} {_ABSENT}"


def _last(values: Sequence[str | None]) -> str | None:
    return next((value for value in reversed(values) if value), None)
