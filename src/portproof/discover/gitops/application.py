"""What an Argo CD ``Application`` deploys: argo-cd ``pkg/apis/application/v1alpha1/types.go``, ``reposerver/repository``.

Which repository its address means cannot be known from a checkout: a path that exists here is taken for this one. A
``$ref`` is this repository when its address is the one of the source that it is used in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from portproof.config.values import API_VERSION, KUBE_VERSION
from portproof.discover.gitops.deployment import (
    NAME,
    UNKNOWN,
    Build,
    Deployment,
    Installed,
    Place,
    found_at,
    is_glob,
    matching,
    same_repository,
)
from portproof.discover.gitops.described import Described
from portproof.discover.gitops.directory import PatternError, selected
from portproof.discover.gitops.filling import Fill
from portproof.discover.gitops.given import read_mapping, with_override
from portproof.discover.model import KUSTOMIZATION_NAMES, Cluster, Install, RemoteChart
from portproof.discover.unread import Unread
from portproof.discover.walk import Listing
from portproof.replacing import replace
from portproof.source import RelPath, join, normalise
from portproof.yamldoc import FieldPath, leaves, lookup

_TOOLS = ("helm", "kustomize", "directory", "plugin")
_BUILT_ANEW = ("namePrefix", "nameSuffix", "namespace", "patches", "components", "commonLabels")
"""Options of kustomize that matter here; by themselves images, replicas and annotations move no port."""

KEY = re.compile(r"[\w.\[\]/-]+")
"""What helm takes for one value: a comma would begin another, and a file of any place with it."""

_OUTSIDE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_OF_ANOTHER_TOOL = re.compile(
    r"(?<!\{\{ [\"'`])(?<!\{\{[\"'`])\{\{-?\s*(?!(?:else|end|break|continue)\b)\w+\s*-?\}\}|<no value>"
)
"""A bare word in braces that is none of Go's; what helm itself fills in has a dot or arguments (``{{ .Release.Name }}``).

In quotes it is text that a chart prints with ``tpl``: ``{{ "{{ namespace }}" }}``.
"""

_BUILD_VARIABLE = re.compile(r"\$(?:\{(ARGOCD_\w+)\}|(ARGOCD_\w+))")


def deployments(place: Place, one: Described, fill: Fill | None = None) -> Iterator[Deployment]:
    """What each source of the Application `one` deploys.

    Of an ApplicationSet `one` is what it makes, and `fill` how it is filled in.
    """
    name = one.text("metadata", "name")
    refs = {
        str(source["ref"]): str(source.get("repoURL", ""))
        for _, source in one.mappings("spec", "sources")
        if source.get("ref")
    }
    for at in _sources(one):
        source = one.at(*at)
        if source.get("ref") and not source.get("path"):
            continue
        reader = _Source(place, one, name, at, refs, fill)
        yield reader.of_registry() if reader.is_of_registry else reader.deployment()


def _sources(one: Described) -> list[FieldPath]:
    if isinstance(one.at("spec", "sourceHydrator", "drySource"), dict):
        return [("spec", "sourceHydrator", "drySource")]
    several: list[FieldPath] = [("spec", "sources", index) for index, _ in one.mappings("spec", "sources")]
    return several or ([("spec", "source")] if isinstance(one.at("spec", "source"), dict) else [])


class _Source(Struct, frozen=True):
    """One source of an Application."""

    place: Place
    one: Described
    name: str
    at: FieldPath
    refs: Mapping[str, str]
    fill: Fill | None

    @property
    def is_of_registry(self) -> bool:
        """Whether it names a chart, or an artifact of an OCI registry, and nothing of a repository."""
        return bool(self.one.at(*self.at, "chart")) or self._is_artifact

    @property
    def _is_artifact(self) -> bool:
        named = self.one.at(*self.at, "chart")
        return not named and self.one.text(*self.at, "repoURL").startswith("oci://")

    def deployment(self) -> Deployment:
        text = self.one.text(*self.at, "path")
        path = normalise(text)
        if UNKNOWN.search(text):
            return self._unread(f"its path {text} is not filled in")
        found = found_at(self.place.listing, path)
        if path is None or text.startswith("/") or found is None:
            return self._unread(f"its path {text} points outside the repository")
        if found.kind != "folder":
            address = self.one.text(*self.at, "repoURL")
            return self._unread(f"{text} is not in this repository ({address})")
        source = _Source(self.place, self._overridden(path), self.name, self.at, self.refs, self.fill)
        return source._of(path)

    def of_registry(self) -> Deployment:
        """The chart of a chart repository, or of an OCI registry, whose address Argo CD wants without a scheme.

        With the scheme the address is that of the chart itself (argo-cd ``docs/user-guide/oci.md``).
        """
        address = self.one.text(*self.at, "repoURL")
        name, version = self.one.text(*self.at, "chart"), self.one.text(*self.at, "targetRevision")
        if self._is_artifact:
            path = normalise(self.one.text(*self.at, "path"))
            if path != ".":
                return self._unread(f"its path {path} is in an artifact of a registry ({address})")
            address, _, name = address.rstrip("/").rpartition("/")
        remote = RemoteChart(
            address if "://" in address else f"oci://{address}",
            name,
            version,
            self.one.file,
            self.one.number,
            () if self.one.parent else (*self.at, "targetRevision"),
        )
        odd = next((text for text in (address, name, version) if UNKNOWN.search(text)), None)
        if odd is not None or not address:
            reason = f"{self.name}: the chart {name} of {address or 'a registry'}: {odd or 'its address'} is not filled in"
            return Unread(self.one.file, "remote-chart", reason)
        if self.one.at(*self.at, "plugin"):
            return self._unread("an Argo CD plugin renders it")
        return self._installed(self.one.file, remote)

    def _of(self, path: RelPath) -> Deployment:
        given = [tool for tool in _TOOLS if self.one.at(*self.at, tool) is not None]
        tool = given[0] if given else self._told_by(path)
        if len(given) > 1 and "plugin" not in given:
            return self._unread(f"it names two tools: {' and '.join(given)}")
        if path in self.place.charts and (tool == "helm" or "plugin" in given):
            return self._installed(path)
        if tool == "helm":
            return self._unread(f"there is no Chart.yaml in {path}")
        if tool == "plugin":
            return self._unread("an Argo CD plugin renders it")
        if tool == "directory":
            return self._directory(path)
        if self._told_by(path) != "kustomize":
            return self._unread(f"there is no kustomization in {path}")
        options = self.one.at(*self.at, "kustomize")
        changes = tool == "kustomize" and isinstance(options, dict) and any(map(options.get, _BUILT_ANEW))
        return Build(path, self._install((*self.at, "kustomize") if changes else ()), changes)

    def _directory(self, path: RelPath) -> Deployment:
        """Manifests as they stand; more or fewer than lie in the folder only where it says so."""
        options = self.one.at(*self.at, "directory")
        chosen = isinstance(options, dict) and any(map(options.get, ("recurse", "include", "exclude")))
        try:
            files = selected(self.place.tree, self.place.listing, path, options if chosen else {})
        except PatternError as error:
            return self._unread(f"its directory {error}")
        if any(file.endswith(".jsonnet") for file in files):
            return self._unread(f"Argo CD renders jsonnet in {path}")
        return Build(path, self._install(()), files=files if chosen else ())

    def _told_by(self, path: RelPath) -> str:
        """The tool that the folder itself asks for; of both Kustomize, because it comes last in the alphabet."""
        folder = self.place.listing.folder(path)
        if any(name in (*folder.files, *folder.links) for name in KUSTOMIZATION_NAMES):
            return "kustomize"
        return "helm" if path in self.place.charts else "directory"

    def _overridden(self, path: RelPath) -> Described:
        data = self.one.data
        for file in self._override_files(path):
            patch = read_mapping(self.place.tree.text_or_none(file) or "")
            data = with_override(data, self.at, patch)
        return replace(self.one, data=data)

    def _override_files(self, path: RelPath) -> tuple[RelPath, ...]:
        folder = self.place.listing.folder(path)
        names = (".argocd-source.yaml", f".argocd-source-{self.name}.yaml")
        return tuple(folder.child(name) for name in names if name in folder.files)

    def _unread(self, reason: str) -> Unread:
        kind = "applicationset" if self.fill else "application"
        return Unread(self.one.file, kind, f"{self.name}: {reason}")

    def _install(self, values: FieldPath, parameters: FieldPath = ()) -> Install:
        text = self.one.text(*self.at, "path")
        return Install(
            self.name,
            self.one.number,
            values,
            parameters,
            file=self.one.file,
            tool="ApplicationSet" if self.fill else "Application",
            namespace=self.one.text("spec", "destination", "namespace"),
            fill=self.fill,
            source=self.at,
            parent=self.one.parent,
            overrides=self._override_files(normalise(text) or ".") if text else (),
        )

    def _installed(self, chart: RelPath, remote: RemoteChart | None = None) -> Installed:
        helm = (*self.at, "helm")
        own = next((key for key in ("valuesObject", "values") if self.one.at(*helm, key)), None)
        optional = self.one.at(*helm, "ignoreMissingValueFiles") is True
        given = self.one.items(*helm, "valueFiles")
        files, problem = self._files(chart, given, optional=optional)
        set_files, missing = self._set_files(chart)
        inside = next((str(one) for one in given if not str(one).startswith("$")), None)
        if remote is not None and inside is not None:
            problem = f"its values file {inside} is a file of the chart"
        if self.one.at(*self.at, "plugin"):
            problem = "an Argo CD plugin renders it"
        install = self._install(
            (*helm, own) if own else (), (*helm, "parameters") if self.one.items(*helm, "parameters") else ()
        )
        return checked(
            self.one.data,
            Installed(
                chart,
                self.one.file,
                replace(install, set_files=set_files),
                files,
                self.one.text(*helm, "releaseName") or self.name,
                self.one.text(*helm, "namespace") or self.one.text("spec", "destination", "namespace"),
                Cluster(
                    self.one.text(*helm, "kubeVersion"),
                    tuple(self.one.texts(*helm, "apiVersions")),
                ),
                problem or missing,
                remote,
            ),
        )

    def _set_files(self, chart: RelPath) -> tuple[tuple[tuple[str, RelPath], ...], str]:
        """The values that are whole files (``--set-file``)."""
        found = []
        for _, entry in self.one.mappings(*self.at, "helm", "fileParameters"):
            files, problem = self._files(chart, [entry.get("path") or ""], optional=False)
            if problem or not KEY.fullmatch(str(entry.get("name"))):
                return (), problem or "it has a file parameter without a valid name"
            found.append((entry["name"], files[0]))
        return tuple(found), ""

    def _files(
        self, chart: RelPath, given: Sequence[Any], *, optional: bool
    ) -> tuple[tuple[RelPath, ...], str]:
        """The files of a list, from the root, and why one of them cannot be used."""
        address = self.one.text(*self.at, "repoURL")
        found: list[RelPath] = []
        literal = {self._path(chart, str(text)) for text in given if not is_glob(str(text))}
        for one in given:
            text = self._with_variables(str(one))
            name = text[1:].partition("/")[0] if text.startswith("$") else ""
            elsewhere = f"its values file {text} is in another repository ({self.refs.get(name)})"
            # The address of a registry says nothing of the repository.
            is_apart = not self.is_of_registry and not same_repository(self.refs.get(name, ""), address)
            if name in self.refs and address and is_apart:
                return (), elsewhere
            files, problem = value_file(self.place.listing, self._path(chart, text), text, optional=optional)
            if problem and self.is_of_registry and name in self.refs:
                return (), elsewhere
            if problem:
                return (), problem
            found += [file for file in files if not (is_glob(text) and file in literal)]
        return tuple(dict.fromkeys(found)), ""

    def _path(self, chart: RelPath, text: str) -> RelPath | None:
        """``/x`` and ``$ref/x`` begin at the root of the repository, everything else in the chart's folder."""
        if text.startswith(("/", "$")):
            return normalise(text.partition("/")[2])
        return join(chart, text)

    def _with_variables(self, text: str) -> str:
        known = {
            "ARGOCD_APP_NAME": self.name,
            "ARGOCD_APP_NAMESPACE": self.one.text("spec", "destination", "namespace"),
            "ARGOCD_APP_PROJECT_NAME": self.one.text("spec", "project"),
            "ARGOCD_APP_SOURCE_PATH": self.one.text(*self.at, "path"),
            "ARGOCD_APP_SOURCE_TARGET_REVISION": self.one.text(*self.at, "targetRevision"),
        }
        return _BUILD_VARIABLE.sub(lambda found: known.get(found[1] or found[2], found[0]), text)


def value_file(
    listing: Listing, path: RelPath | None, text: str, *, optional: bool
) -> tuple[list[RelPath], str]:
    """The file, or those that a glob names, and why it cannot be used; a missing one is left out if it is optional."""
    if _OUTSIDE.match(text) or UNKNOWN.search(text):
        return [], f"its values file {text} is not in the repository"
    if path is None:
        return [], f"its values file {text} points outside the repository"
    files = matching(listing, path) if is_glob(text) else [path]
    found = [(file, found_at(listing, file)) for file in files]
    if any(one is None for _, one in found):
        return [], f"its values file {text} points outside the repository"
    there = [file for file, one in found if one is not None and one.kind == "file"]
    if not there and not optional:
        return [], f"its values file {text} {'matches nothing' if is_glob(text) else 'does not exist'}"
    return there, ""


def checked(data: Mapping[str, Any], installed: Installed) -> Installed:
    """The same, with the problem that names or values are filled in later, if they are."""
    install, cluster = installed.install, installed.cluster
    if not NAME.fullmatch(install.name) and not UNKNOWN.search(install.name):
        return replace(installed, problem="that is not a valid object name")
    odd = [one for one in (cluster.kube_version,) if one and not KUBE_VERSION.fullmatch(one)]
    odd += [one for one in cluster.api_versions if not API_VERSION.fullmatch(one)]
    if odd:
        return replace(installed, problem=f"{odd[0]!r} is not a valid version")
    names = (install.name, installed.release, installed.namespace)
    given = lookup(data, install.values) if install.values else None
    found = [name for name in names if UNKNOWN.search(name)]
    found += [match[0] for value in _one_liners(given) if (match := _OF_ANOTHER_TOOL.search(value))]
    return replace(
        installed,
        problem=installed.problem or (f"{found[0]!r} is an unresolved placeholder" if found else ""),
    )


def _one_liners(values: Any) -> Iterator[str]:
    """The texts of one line among values; one of several is an alert, a dashboard or a file, whose braces are its own."""
    if isinstance(values, str):
        values = read_mapping(values) or values
    for _, value in leaves(values):
        if isinstance(value, str) and (value is values or "\n" not in value.strip()):
            yield value
