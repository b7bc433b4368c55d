"""What Argo CD and Flux install: charts of this repository, with the values, release and namespace that they are given.

An ``Application`` (argo-cd ``pkg/apis/application/v1alpha1/types.go``) names a folder of the repository, values files and
values of its own; a ``HelmRelease`` (helm-controller ``api/v2/helmrelease_types.go``) does the same with a chart of a
GitRepository. Which repository they mean cannot be known from a checkout: a chart that lies at that path is taken for
theirs. What they add that is not in the repository (values of a Secret, patches after rendering) is not known, and then
the reason is told in place of a target.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from portproof.config.values import API_VERSION, KUBE_VERSION
from portproof.discover.model import Cluster, Install
from portproof.discover.walk import EscapeError, Listing, ancestors, resolve
from portproof.source import RelPath, SourceError, Tree, join, normalise
from portproof.yamldoc import FieldPath, YamlError, leaves, load_all, lookup

_ENDINGS = (".yaml", ".yml")
_KINDS = ("HelmRelease", "Application")
# Told by their text, because parsing takes long, and most YAML of most repositories is about something else.
_NAMED = re.compile(r"""[\s{,]["']?(?:path|chart)["']?[ \t]*:\s*["']?([^\s"',}#]+)""")
_NOT_FOR_OBJECTS = frozenset({"templates", "charts", "crds", "files"})
"""Folders of a chart whose files are filled in first, or belong to other charts."""

# apimachinery validation.NameIsDNSSubdomain; a target's id ends in it
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")

_ARGO = "argoproj.io/"
_FLUX = "helm.toolkit.fluxcd.io/"
_OUTSIDE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_UNKNOWN = re.compile(r"\$\{|\{\{")
"""What somebody fills in later."""

_OF_ANOTHER_TOOL = re.compile(r"\{\{-?\s*\w+\s*-?\}\}")
"""A bare word in braces; what helm itself fills in has a dot or arguments (``{{ .Release.Name }}``)."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A chart as one object installs it: the values `files` in helm's order, then what `file` itself holds.

    `problem` says why it cannot be rendered as it is installed; empty when it can.
    """

    chart: RelPath
    file: RelPath
    install: Install
    files: tuple[RelPath, ...] = ()
    release: str = ""
    namespace: str = ""
    cluster: Cluster = field(default_factory=Cluster)
    problem: str = ""


def find_installs(
    tree: Tree, listing: Listing, charts: frozenset[RelPath]
) -> Mapping[RelPath, tuple[Installed, ...]]:
    """The installs of each chart of `charts`, in the order of their files."""
    if not charts:
        return {}
    texts = dict(_texts(tree, _files(listing, charts)))
    objects = (
        one for file, text in texts.items() if _names_one(text, charts) for one in _objects(file, text)
    )
    every = [installed for one in objects for installed in _installs(listing, charts, one)]
    patched = _patched_among(texts, {one.install.name for one in every})
    found: dict[RelPath, list[Installed]] = {}
    for one in every:
        if not one.problem and one.install.name in patched:
            found.setdefault(one.chart, []).append(replace(one, problem="a kustomization changes its values"))
        else:
            found.setdefault(one.chart, []).append(one)
    return {chart: tuple(some) for chart, some in found.items()}


@dataclass(frozen=True, slots=True)
class _Object:
    """A document of a file that is about an install."""

    file: RelPath
    number: int
    data: Mapping[str, Any]

    def at(self, *path: str | int) -> Any:
        """The value at `path`, or None."""
        return lookup(self.data, path)

    def text(self, *path: str | int) -> str:
        """The text at `path`, empty when there is none."""
        value = self.at(*path)
        return value if isinstance(value, str) else ""

    def items(self, *path: str | int) -> list[Any]:
        """The list at `path`, empty when there is none."""
        value = self.at(*path)
        return value if isinstance(value, list) else []


def _files(listing: Listing, charts: Collection[RelPath]) -> Iterator[RelPath]:
    for path, folder in sorted(listing.folders.items()):
        around = next((one for one in (path, *ancestors(path)) if one in charts), None)
        inside = path if around in (None, ".") else path[len(str(around)) + 1 :]
        if around is not None and inside.partition("/")[0] in _NOT_FOR_OBJECTS:
            continue
        yield from (folder.child(name) for name in folder.files if name.endswith(_ENDINGS))


def _texts(tree: Tree, files: Iterable[RelPath]) -> Iterator[tuple[RelPath, str]]:
    """The files that speak of the kinds that install charts, and what they say."""
    for file in files:
        with suppress(SourceError):  # what cannot be read is told of where manifests are rendered
            text = tree.text(file)
            if any(kind in text for kind in _KINDS):
                yield file, text


def _names_one(text: str, charts: Collection[RelPath]) -> bool:
    return any(normalise(found) in charts for found in _NAMED.findall(text))


def _objects(file: RelPath, text: str) -> Iterator[_Object]:
    with suppress(YamlError):  # a manifest that is broken is told of, too
        for number, data in enumerate(load_all(text)):
            if isinstance(data, dict):
                yield _Object(file, number, data)


def _installs(listing: Listing, charts: Collection[RelPath], one: _Object) -> Iterator[Installed]:
    if one.text("kind") == "Application" and one.text("apiVersion").startswith(_ARGO):
        several: list[FieldPath] = [("spec", "sources", n) for n in range(len(one.items("spec", "sources")))]
        for at in several or [("spec", "source")]:
            path = normalise(one.text(*at, "path")) if one.text(*at, "path") else None
            if path in charts and not one.at(*at, "chart"):
                yield _application(listing, one, str(path), at)
    elif one.text("kind") == "HelmRelease" and one.text("apiVersion").startswith(_FLUX):
        at = ("spec", "chart", "spec")
        named = one.text(*at, "chart")
        path = normalise(named) if named else None
        if path in charts and one.text(*at, "sourceRef", "kind") in ("GitRepository", "Bucket"):
            yield _helm_release(listing, one, str(path))


def _application(listing: Listing, one: _Object, chart: RelPath, at: FieldPath) -> Installed:
    helm = (*at, "helm")
    own = next((key for key in ("valuesObject", "values") if one.at(*helm, key)), None)
    name = one.text("metadata", "name")
    optional = one.at(*helm, "ignoreMissingValueFiles") is True
    files, problem = _value_files(listing, chart, one.items(*helm, "valueFiles"), optional=optional)
    if one.at(*at, "plugin"):
        problem = "an Argo CD plugin renders it"
    if one.at(*helm, "fileParameters"):
        problem = problem or "it reads values from other files (fileParameters)"
    return _checked(
        one,
        Installed(
            chart,
            one.file,
            Install(
                name,
                one.number,
                (*helm, own) if own else (),
                (*helm, "parameters") if one.items(*helm, "parameters") else (),
            ),
            files,
            one.text(*helm, "releaseName") or name,
            one.text("spec", "destination", "namespace"),
            Cluster(
                one.text(*helm, "kubeVersion"),
                tuple(version for version in one.items(*helm, "apiVersions") if isinstance(version, str)),
            ),
            problem,
        ),
    )


def _helm_release(listing: Listing, one: _Object, chart: RelPath) -> Installed:
    name, target = one.text("metadata", "name"), one.text("spec", "targetNamespace")
    values: FieldPath = ("spec", "values") if one.at("spec", "values") else ()
    rooted = [f"/{file}" for file in one.items("spec", "chart", "spec", "valuesFiles")]
    files, problem = _value_files(listing, chart, rooted, optional=False)
    defaults = join(chart, "values.yaml")
    if files and defaults not in files:
        # source-controller, internal/helm/chart/builder.go: they take the place of values.yaml
        problem = problem or "its valuesFiles omit the chart's values.yaml"
    if any(lookup(entry, ("optional",)) is not True for entry in one.items("spec", "valuesFrom")):
        problem = problem or "it reads values from objects in the cluster (valuesFrom)"
    if one.at("spec", "postRenderers"):
        problem = problem or "it patches the rendered chart (postRenderers)"
    return _checked(
        one,
        Installed(
            chart,
            one.file,
            Install(name, one.number, values),
            tuple(file for file in files if file != defaults),
            one.text("spec", "releaseName") or (f"{target}-{name}" if target else name),
            target or one.text("metadata", "namespace"),
            problem=problem,
        ),
    )


def _checked(one: _Object, installed: Installed) -> Installed:
    """The same, with the problem that names or values are filled in later, if they are."""
    install, cluster = installed.install, installed.cluster
    if not _NAME.fullmatch(install.name) and not _UNKNOWN.search(install.name):
        return replace(installed, problem="that is not a valid object name")
    odd = [one for one in (cluster.kube_version,) if one and not KUBE_VERSION.fullmatch(one)]
    odd += [one for one in cluster.api_versions if not API_VERSION.fullmatch(one)]
    if odd:
        return replace(installed, problem=f"{odd[0]!r} is not a valid version")
    names = (install.name, installed.release, installed.namespace)
    given = lookup(one.data, install.values) if install.values else None
    texts = (value for _, value in leaves(given) if isinstance(value, str))
    found = [name for name in names if _UNKNOWN.search(name)]
    found += [match[0] for value in texts if (match := _OF_ANOTHER_TOOL.search(value))]
    return replace(
        installed,
        problem=installed.problem or (f"{found[0]!r} is an unresolved placeholder" if found else ""),
    )


def _value_files(
    listing: Listing, chart: RelPath, given: Iterable[Any], *, optional: bool
) -> tuple[tuple[RelPath, ...], str]:
    """The files of a list, from the root, and why one of them cannot be used.

    ``/x`` and ``$ref/x`` begin at the root of the repository, everything else in the chart's folder.
    """
    found: list[RelPath] = []
    for file in given:
        text = str(file)
        if _OUTSIDE.match(text) or _UNKNOWN.search(text):
            return (), f"its values file {text} is not in the repository"
        rest = text.partition("/")[2] if text.startswith(("/", "$")) else None
        path = join(chart, text) if rest is None else normalise(rest)
        try:
            is_there = path is not None and resolve(listing.root, path).kind == "file"
        except EscapeError:
            path, is_there = None, False
        if path is not None and is_there:
            found.append(path)
        elif path is None or not optional:
            return (
                (),
                f"its values file {text} {'points outside the repository' if path is None else 'does not exist'}",
            )
    return tuple(found), ""


def _patched_among(texts: Mapping[RelPath, str], names: Collection[str]) -> frozenset[str]:
    """Those of the installs called `names` whose values a kustomization changes: what they are then is not known."""
    if not names:
        return frozenset()
    # a whole HelmRelease names its chart; what names none is a patch, or holds patches
    perhaps = ((file, text) for file, text in texts.items() if "patch" in text or "chart:" not in text)
    objects = (one for file, text in perhaps if "values" in text for one in _objects(file, text))
    patched = frozenset(name for one in objects for name in _patched(one))
    return frozenset(names) if "" in patched else patched & frozenset(names)


def _patched(one: _Object) -> Iterator[str]:
    """The names of the installs whose values a patch changes, empty for those of all."""
    whole = one.at("spec", "chart") or one.at("spec", "chartRef")
    if one.text("kind") == "HelmRelease" and one.at("spec", "values") and not whole:
        yield one.text("metadata", "name")  # a HelmRelease without a chart is a strategic-merge patch
    for key in ("patches", "patchesStrategicMerge", "patchesJson6902"):
        for entry in one.items(key):
            yield from _patched_by(entry)


def _patched_by(entry: Any) -> Iterable[str]:
    text = entry if isinstance(entry, str) else entry.get("patch") if isinstance(entry, dict) else None
    if not isinstance(text, str) or "values" not in text:
        return
    target = lookup(entry, ("target",))
    kind = lookup(target, ("kind",)) or ""
    if kind in _KINDS or any(f"kind: {one}" in text for one in _KINDS):
        name = lookup(target, ("name",)) or re.findall(r"^ {2}name:[ \t]*([a-z0-9.-]+)", text, re.MULTILINE)
        yield from [name] if isinstance(name, str) else name or [""]
