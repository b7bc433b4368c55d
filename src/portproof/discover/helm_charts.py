"""``helmCharts`` of a kustomization (kustomize ``HelmChartInflationGenerator.go``): each entry as a chart that helm renders.

kustomize's own way of doing so starts helm with what the entry says, and pulls what is not there. Here an entry is a target
like any other chart, and kustomize gets what comes of it as one more file of resources.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from portproof.config.values import API_VERSION, KUBE_VERSION
from portproof.discover.chart_files import chart_files
from portproof.discover.dependencies import ChartFiles, RefusedError, assemble
from portproof.discover.mention import mention
from portproof.discover.model import UNNAMED, Cluster, HelmTarget, Inflation, Install, RemoteChart
from portproof.discover.walk import EscapeError, Listing, resolve
from portproof.replacing import replace
from portproof.source import RelPath, SourceError, Tree, join, parent
from portproof.yamldoc import FieldPath, YamlError, load

FIELD = "helmCharts"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,200}")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SWITCHES = {"includeCRDs": "--include-crds", "skipTests": "--skip-tests", "skipHooks": "--no-hooks"}
_MERGES = ("", "override", "merge", "replace")


class _LackError(Exception):
    """An entry is not rendered; the message is the reason."""


class Charts(Struct, frozen=True):
    """Reads the entries of kustomizations of a tree."""

    tree: Tree
    listing: Listing
    files: ChartFiles

    def of(self, kustomization: RelPath) -> Iterator[Inflation]:
        """The entries of a kustomization, in order, each with how it is rendered or why it is not."""
        try:
            data = load(self.tree.text(kustomization))
        except (SourceError, YamlError):
            return
        key, entries = field_of(data, FIELD)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            name = str(field_of(entry, "name")[1] or "")
            try:
                found = _Entry(self, kustomization, data, (key, index), entry).target()
            except (_LackError, RefusedError) as error:
                at = mention(self.tree, kustomization, name or key)
                reason = f"the chart {name[:100]!r} of its helmCharts is not rendered: {error} ({at})"
                yield Inflation(kustomization, index, None, reason)
            else:
                yield Inflation(kustomization, index, found)

    def read_by(self, one: Inflation) -> Iterator[RelPath]:
        """The files that an entry reads beside the kustomization."""
        if one.chart is not None:
            yield from one.chart.values
            for mount in one.chart.mounts:
                yield f"{mount.source}/Chart.yaml"
            yield from chart_files((mount.source for mount in one.chart.mounts), self.tree)


def field_of(data: Any, name: str) -> tuple[str, Any]:
    """A field, by whatever case its name is written in, with its key; None where there is none."""
    for key, value in data.items() if isinstance(data, dict) else ():
        if isinstance(key, str) and key.casefold() == name.casefold():
            return key, value
    return name, None


class _Entry(Struct, frozen=True):
    """One entry; `at` is where it stands in the kustomization."""

    charts: Charts
    file: RelPath
    data: Mapping[str, Any]
    at: FieldPath
    entry: Any

    def target(self) -> HelmTarget:
        """How it is rendered. Raises `_LackError` and `RefusedError`."""
        name = self._text("name")
        if not isinstance(self.entry, dict) or not _NAME.fullmatch(name) or ".." in name.split("/"):
            raise _LackError("its name is no name of a chart")
        namespace = self._text("namespace") or str(field_of(self.data, "namespace")[1] or "default")
        if not _LABEL.fullmatch(namespace):
            raise _LackError(f"its namespace {namespace[:100]!r} is no name")
        files, parts = self._values()
        options = tuple(option for name, option in _SWITCHES.items() if self._field(name) is True)
        install = Install(self._release(), 0, file=self.file, tool="kustomize", parts=parts, options=options)
        common = HelmTarget(
            self.file,
            (*files, self.file),
            release=self._release(),
            namespace=namespace,
            cluster=self._cluster(),
            install=install,
        )
        return self._of_chart(name, common)

    def _of_chart(self, name: str, target: HelmTarget) -> HelmTarget:
        folder = self._folder(name)
        if folder is None:
            return replace(target, remote=self._remote(name))
        made = assemble(self.charts.files, self.charts.listing, folder)
        return replace(
            target,
            chart=folder,
            mounts=tuple(made.mounts),
            missing=tuple(made.missing),
            archives=tuple(made.archives),
            git=made.git,
        )

    def _folder(self, name: str) -> RelPath | None:
        """The folder of the chart, if it lies in the tree; where it would be pulled to counts as that."""
        globals_ = field_of(self.data, "helmGlobals")[1]
        home = str(field_of(globals_, "chartHome")[1] or "charts")
        pulled = (
            f"{name}-{self._text('version')}/{name}" if self._text("version") and self._text("repo") else name
        )
        path = join(parent(self.file), f"{home}/{pulled}")
        if path is None:
            raise _LackError("its folder is outside the repository")
        try:
            found = resolve(self.charts.tree.root, path)
        except EscapeError as error:
            raise _LackError(f"its folder {error}") from error
        return found.path if found.kind == "folder" else None

    def _remote(self, name: str) -> RemoteChart:
        repository = self._text("repo")
        if not repository:
            raise _LackError("there is no such folder, and it names no repo")
        at = (*self.at, field_of(self.entry, "version")[0])
        return RemoteChart(repository, name, self._text("version"), self.file, 0, at)

    def _release(self) -> str:
        template = self._text("nameTemplate")
        if "{{" in template:
            raise _LackError("helm fills in its nameTemplate")
        return self._text("releaseName") or template or UNNAMED

    def _cluster(self) -> Cluster:
        version = self._text("kubeVersion")
        apis = self._field("apiVersions")
        texts = tuple(str(one) for one in apis) if isinstance(apis, list) else ()
        odd = [version] if version and not KUBE_VERSION.fullmatch(version) else []
        odd += [one for one in texts if not API_VERSION.fullmatch(one)]
        if odd:
            raise _LackError(f"{odd[0][:100]!r} is not a valid version")
        return Cluster(version, texts)

    def _values(self) -> tuple[tuple[RelPath, ...], tuple[tuple[int, int, FieldPath], ...]]:
        """The values files in helm's order; the inline values are one of them, a part of the kustomization."""
        merge = self._text("valuesMerge")
        if merge not in _MERGES:
            raise _LackError(f"its valuesMerge {merge[:100]!r} is none")
        key, inline = field_of(self.entry, "valuesInline")
        own = (
            [self._file(self._text("valuesFile"))] if self._text("valuesFile") and merge != "replace" else []
        )
        given = [self.file] if isinstance(inline, dict) else []
        files = [*given, *own] if merge == "merge" else [*own, *given]
        parts = tuple((number, 0, (*self.at, key)) for number, path in enumerate(files) if path == self.file)
        more = self._field("additionalValuesFiles")
        files += [self._file(str(one)) for one in (more if isinstance(more, list) else ())]
        return tuple(files), parts

    def _file(self, text: str) -> RelPath:
        path = join(parent(self.file), text)
        if "://" in text or path is None or path == self.file:
            raise _LackError(f"its values file {text[:200]} is not in the repository")
        try:
            found = resolve(self.charts.tree.root, path)
        except EscapeError as error:
            raise _LackError(f"its values file {text[:200]} {error}") from error
        if found.kind != "file":
            raise _LackError(f"its values file {text[:200]} does not exist")
        return path

    def _field(self, name: str) -> Any:
        return field_of(self.entry, name)[1]

    def _text(self, name: str) -> str:
        value = self._field(name)
        return value if isinstance(value, str) else "" if value is None else str(value)
