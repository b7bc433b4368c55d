"""The releases of a ``helmfile.yaml`` (helmfile ``pkg/state``), where they are literal.

Since version 1 only ``.gotmpl`` files are templates, but some texts of a release are filled in all the same: its name, its
namespace, its chart, its values files. What they may ask for here is the environment's name and the release's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from portproof.discover.gitops import gotemplate
from portproof.discover.gitops.application import checked, value_file
from portproof.discover.gitops.deployment import (
    Deployment,
    Installed,
    Place,
    chart_elsewhere,
    no_chart,
    packed_chart,
)
from portproof.discover.gitops.described import Described
from portproof.discover.model import Cluster, Install, RemoteChart
from portproof.discover.unread import Unread
from portproof.replacing import replace
from portproof.source import RelPath, join, parent
from portproof.yamldoc import FieldPath, YamlError, load_all

_NAME = re.compile(r"helmfile[^/]*\.ya?ml(\.gotmpl)?\Z")
_COMMENT = re.compile(r"(^|\s)#[^\n]*")
_SOPS = re.compile(r"^sops:", re.MULTILINE)
_CHANGES = ("dependencies", "jsonPatches", "strategicMergePatches", "transformers", "postRenderer")
_OPEN = ("inherit", "valuesTemplate", "setTemplate", "setString")
"""What a release may have that is not followed."""


def is_helmfile(path: RelPath) -> bool:
    """Whether helmfile reads a file by its name alone."""
    name = path.rpartition("/")[2]
    beside = parent(path).rpartition("/")[2] == "helmfile.d" and re.search(r"\.ya?ml(\.gotmpl)?\Z", name)
    return bool(_NAME.match(name) or beside)


def deployments(place: Place, file: RelPath, text: str) -> Iterator[Deployment]:
    """What each release of a helmfile installs."""
    if file.endswith(".gotmpl"):
        yield Unread(file, "helmfile", "it is a template that helmfile fills in")
        return
    try:
        documents = load_all(text)
    except YamlError:
        templated = "{{" in _COMMENT.sub("", text)
        reason = "it is a template that helmfile fills in" if templated else "it is not YAML"
        yield Unread(file, "helmfile", reason)
        return
    environments = sorted(
        {str(name) for one in documents if isinstance(one, dict) for name in one.get("environments") or {}}
    )
    for number, data in enumerate(documents):
        if isinstance(data, dict):
            one = Described(file, number, data)
            yield from _others(one)
            for index, release in one.mappings("releases"):
                yield from _of_release(place, one, index, release, environments)


def _others(one: Described) -> Iterator[Unread]:
    """Helmfiles that this one names by an address; those in the tree are found by their names."""
    for entry in one.items("helmfiles"):
        path = entry.get("path") if isinstance(entry, dict) else entry
        if isinstance(path, str) and "::" in path:
            yield Unread(one.file, "helmfile", f"it reads {path}, which is not in this repository")


def _of_release(
    place: Place, one: Described, index: int, release: Mapping[str, Any], environments: Sequence[str]
) -> Iterator[Deployment]:
    if release.get("installed") is False:
        return
    templated = "Environment.Name" in str(
        [release.get(key) for key in ("name", "namespace", "chart", "values")]
    )
    for environment in (environments or ["default"]) if templated else [""]:
        name = str(release.get("name"))
        try:
            yield _Release(place, one, index, environment, release).deployment()
        except gotemplate.TemplateError as error:
            yield Unread(one.file, "helmfile", f"{name}: {error}")


class _Release(Struct, frozen=True):
    """One release in one environment, empty when it is the same in all of them."""

    place: Place
    one: Described
    index: int
    environment: str
    release: Mapping[str, Any]

    def deployment(self) -> Deployment:
        name = self._filled("name")
        chart = self._filled("chart")
        path = join(parent(self.one.file), chart)
        remote = packed_chart(
            self.place.listing, path, self.one.file, self.one.number, ("releases", self.index, "chart")
        )
        # helm takes what lies there before it looks into a repository of that name (``pkg/action/install.go``, LocateChart).
        if path not in self.place.charts and not remote and not _is_local(chart):
            remote = self._remote(chart)
            if remote is None:
                return chart_elsewhere(self.one.file, name, chart, ", nor is its repository in the helmfile")
        if remote is None and path not in self.place.charts:
            return no_chart(self.one.file, "helmfile", name, chart)
        files, parts, problem = self._values()
        changed = next((key for key in (*_OPEN, *_CHANGES) if self.release.get(key)), None)
        at: FieldPath = ("releases", self.index)
        settings = self.release.get("set") or []
        if any(not isinstance(entry, dict) or "value" not in entry for entry in settings):
            changed = changed or "set"
        install = Install(
            name,
            self.one.number,
            parameters=(*at, "set") if settings else (),
            file=self.one.file,
            tool="helmfile",
            environment=self.environment,
            parts=parts,
        )
        named = f"{name}-{self.environment}" if self.environment else name
        return checked(
            self.one.data,
            Installed(
                self.one.file if remote else str(path),
                self.one.file,
                replace(install, name=named),
                files,
                name,
                str(self.one.text("namespace") or self._filled("namespace") or "default"),
                self._cluster(),
                problem or (f"it uses {changed}, which portproof does not follow" if changed else ""),
                remote=remote,
            ),
        )

    def _remote(self, chart: str) -> RemoteChart | None:
        """The chart of one of the helmfile's ``repositories``, or of an address; None where that is not said."""
        alias, _, name = chart.partition("/")
        address = ""
        if chart.startswith("oci://"):
            address, _, name = chart.rpartition("/")
        for _, one in self.one.mappings("repositories"):
            if one.get("name") == alias and not address:
                url = str(one.get("url") or "")
                address = f"oci://{url.removeprefix('oci://')}" if one.get("oci") is True else url
        version = self._filled("version")
        if not address or "{{" in address + version:
            return None
        return RemoteChart(
            address, name, version, self.one.file, self.one.number, ("releases", self.index, "version")
        )

    def _cluster(self) -> Cluster:
        """What the release, else the helmfile says of the cluster."""
        version = self.release.get("kubeVersion") or self.one.at("kubeVersion") or ""
        apis = self.release.get("apiVersions") or self.one.at("apiVersions") or ()
        return Cluster(str(version), tuple(str(one) for one in apis) if isinstance(apis, list) else ())

    def _filled(self, key: str) -> str:
        return self._text(str(self.release.get(key) or ""))

    def _text(self, text: str) -> str:
        if "{{" not in text:
            return text
        own = {key.title(): str(self.release.get(key, "")) for key in ("name", "namespace", "chart")}
        known = {"Release": own, "Environment": {"Name": self.environment}}
        return gotemplate.fill(text, known, "error")

    def _values(self) -> tuple[tuple[RelPath, ...], tuple[tuple[int, int, FieldPath], ...], str]:
        """The values files in order; a mapping among them is a part of the helmfile itself."""
        files: list[RelPath] = []
        parts: list[tuple[int, int, FieldPath]] = []
        optional = self.release.get("missingFileHandler", "Error") != "Error"
        for number, entry in enumerate(self.release.get("values") or []):
            if isinstance(entry, dict):
                parts.append((len(files), self.one.number, ("releases", self.index, "values", number)))
                files.append(self.one.file)
                continue
            text = self._text(str(entry))
            if text.endswith(".gotmpl"):
                return (), (), f"its values file {text} is a template"
            found, problem = value_file(
                self.place.listing, join(parent(self.one.file), text), text, optional=optional
            )
            if problem:
                return (), (), problem
            files += found
        for entry in self.release.get("secrets") or []:
            text = self._text(str(entry))
            found, problem = value_file(
                self.place.listing, join(parent(self.one.file), text), text, optional=optional
            )
            if problem or any(self._is_encrypted(path) for path in found):
                return (), (), problem or f"its secrets file {text} is encrypted"
            files += found
        return tuple(files), tuple(parts), ""

    def _is_encrypted(self, path: RelPath) -> bool:
        return _SOPS.search(self.place.tree.text_or_none(path) or "") is not None


def _is_local(chart: str) -> bool:
    """``pkg/state/util.go``: two or three steps without a dot at the beginning name a chart of a repository."""
    if chart.startswith(("./", "../", "/")) or chart == ".":
        return True
    return "://" not in chart and not 1 <= chart.strip("/").count("/") <= 2
