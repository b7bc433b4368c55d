"""What Flux deploys: ``Kustomization`` (kustomize-controller) and ``HelmRelease`` (helm-controller ``api/v2``).

A path that exists here is taken for this repository. What comes from an object of the cluster is not known.
"""

from __future__ import annotations

import hashlib
import itertools
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from portproof.discover.gitops.application import KEY, checked, value_file
from portproof.discover.gitops.config_maps import Stored, Stores
from portproof.discover.gitops.deployment import (
    UNKNOWN,
    Build,
    Deployment,
    Installed,
    Place,
    chart_elsewhere,
    found_at,
    packed_chart,
)
from portproof.discover.gitops.described import HELM, KUSTOMIZE, Described
from portproof.discover.gitops.flux_sources import remote_chart
from portproof.discover.model import Install, KustomizeTarget, RemoteChart
from portproof.discover.places import OF_ENVIRONMENTS
from portproof.discover.unread import Unread
from portproof.source import RelPath, is_within, join, normalise
from portproof.yamldoc import FieldPath, lookup

_LONGEST = 53
"""helm's own limit for the name of a release."""

_TYPED = re.compile(r"ports?\Z|replicas|count\Z|enabled?\Z|disabled?\Z|\]\Z", re.IGNORECASE)
"""What the name of a value ends in that is a number, a switch or an entry of a list."""

_BUILT_ANEW = ("targetNamespace", "namePrefix", "nameSuffix", "patches", "components")


class Variables(Struct, frozen=True):
    """Where the variables of a substitution are; `closed` when there are no others that we cannot read."""

    places: tuple[tuple[RelPath, int, FieldPath], ...] = ()
    closed: bool = True


class Flux(Struct, frozen=True):
    """The Flux objects of a repository."""

    place: Place
    stores: Stores
    objects: Sequence[Described]

    def deployments(self) -> Iterator[Deployment]:
        """What each of them deploys."""
        generated = _generated(self.objects)
        builds: list[Build] = []
        for one in self.objects:
            if one.is_a("Kustomization", KUSTOMIZE) and not self._is_a_patch(one):
                found = self._kustomization(one, generated)
                if isinstance(found, Build):
                    builds.append(found)
                yield found
        for one in self.objects:
            if one.is_a("HelmRelease", HELM):
                yield from self._helm_release(one, builds)

    def _kustomization(
        self, one: Described, generated: Mapping[str, Sequence[tuple[str, str]]]
    ) -> Build | Unread:
        name = one.text("metadata", "name")
        kind, source = one.text("spec", "sourceRef", "kind"), one.text("spec", "sourceRef", "name")
        text = one.text("spec", "path") or "."
        if UNKNOWN.search(text):
            return Unread(one.file, "flux", f"{name}: its path {text} is not filled in")
        paths = [normalise(_within_root(text))]
        if kind == "ExternalArtifact":
            paths = [normalise(f"{at}/{text_within}") for at, text_within in _within(generated, source, text)]
        if (kind and kind not in ("GitRepository", "ExternalArtifact")) or not paths:
            return Unread(one.file, "flux", f"{name}: its source is the {kind} {source}")
        path = paths[0]
        found = found_at(self.place.listing, path)
        if path is None or found is None or found.kind != "folder" or self._is_elsewhere(source):
            return Unread(one.file, "flux", f"{name}: {text} is not in this repository (source {source})")
        variables = self._variables(one)
        changes = any(one.at("spec", key) for key in _BUILT_ANEW) or bool(variables.places)
        return Build(
            found.path,
            Install(
                name,
                one.number,
                ("spec",) if changes else (),
                file=one.file,
                tool="Kustomization",
                namespace=one.text("spec", "targetNamespace"),
                environment=environment_of(one.file),
                variables=variables.places,
                closed=variables.closed,
                parent=one.parent,
            ),
            changes,
        )

    def _is_a_patch(self, one: Described) -> bool:
        """Whether it only changes an object that is described elsewhere: it has no source, which the API demands.

        Its path may still lead somewhere: then that is what the object deploys with it.
        """
        if one.at("spec", "sourceRef"):
            return False
        text = one.text("spec", "path")
        return not text or found_at(self.place.listing, normalise(text)) is None

    def _is_elsewhere(self, source: str) -> bool:
        """Whether a GitRepository is of another repository than ``flux-system``, by which Flux reads this one."""
        own, named = (self._repositories(name) for name in ("flux-system", source))
        return bool(own and named) and own.isdisjoint(named)

    def _repositories(self, name: str) -> frozenset[str]:
        """What the addresses of the GitRepositories of a name call their repositories; a cluster may have its own of each."""
        urls = (
            one.text("spec", "url")
            for one in self.objects
            if one.text("kind") == "GitRepository" and one.text("metadata", "name") == name
        )
        return frozenset(_repository(url) for url in urls if url and not UNKNOWN.search(url))

    def _variables(self, one: Described) -> Variables:
        places: list[tuple[RelPath, int, FieldPath]] = []
        closed = True
        for _, entry in one.mappings("spec", "postBuild", "substituteFrom"):
            stored = self.stores.find(str(entry.get("kind")), str(entry.get("name")), one.file)
            if stored is not None and stored.readable and not stored.files:
                places.append((stored.file, stored.document, stored.at))
            elif stored is None and entry.get("optional") is True:
                continue
            else:
                closed = False
        if isinstance(one.at("spec", "postBuild", "substitute"), dict):
            places.append((one.read_from, one.number, ("spec", "postBuild", "substitute")))
        return Variables(tuple(places), closed)

    def _helm_release(self, one: Described, builds: Sequence[Build]) -> Iterator[Installed | Unread]:
        name = one.text("metadata", "name")
        at = ("spec", "chart", "spec")
        named, source = one.text(*at, "chart"), one.at(*at, "sourceRef")
        if not named and not isinstance(one.at("spec", "chartRef"), dict):
            return  # a patch of a HelmRelease
        kind = lookup(source, ("kind",))
        path = normalise(named)
        if not named or kind not in ("GitRepository", "Bucket"):
            remote = remote_chart(one, self.objects)
            if isinstance(remote, str):
                yield Unread(one.file, "remote-chart", f"{name}: {remote}")
            else:
                yield self._installed(one, one.file, builds, remote)
            return
        packed = packed_chart(
            self.place.listing, path, one.file, one.number, () if one.parent else (*at, "chart")
        )
        is_here = path in self.place.charts or packed is not None
        if not is_here or self._is_elsewhere(str(lookup(source, ("name",)))):
            yield chart_elsewhere(one.file, name, named, f" (source {lookup(source, ('name',))})")
        else:
            yield self._installed(one, one.file if packed else str(path), builds, packed)

    def _installed(
        self, one: Described, chart: RelPath, builds: Sequence[Build], remote: RemoteChart | None = None
    ) -> Installed:
        name = one.text("metadata", "name")
        target = one.text("spec", "targetNamespace")
        by = [build for build in builds if is_within(one.file, build.folder)]
        files, defaults, problem = self._value_files(one, chart)
        if remote is not None and one.texts("spec", "chart", "spec", "valuesFiles"):
            is_file = (
                "take the place of the values in its archive" if remote.packed else "are files of the chart"
            )
            files, defaults, problem = (), True, f"its valuesFiles {is_file}"
        stored, parts, unseen = self._values_from(one, len(files))
        unknown = self._single_values(one)
        values: FieldPath = ("spec", "values") if one.at("spec", "values") else ()
        # in a rendering everything is filled in
        nearest_build = max(by, key=lambda build: len(build.folder), default=None) if not one.parent else None
        variables = nearest_build.install.variables if nearest_build else ()
        return checked(
            one.data,
            Installed(
                chart,
                one.file,
                Install(
                    name,
                    one.number,
                    values,
                    file=one.file,
                    tool="HelmRelease",
                    environment=environment_of(one.file),
                    parts=parts,
                    variables=variables,
                    closed=nearest_build.install.closed if nearest_build else True,
                    parent=one.parent,
                    defaults=defaults,
                    post_renderers=("spec", "postRenderers") if one.items("spec", "postRenderers") else (),
                    unknown=unknown,
                ),
                (*files, *stored),
                shortened(one.text("spec", "releaseName") or (f"{target}-{name}" if target else name)),
                target or self._namespace(one, by),
                problem=problem or unseen,
                remote=remote,
            ),
        )

    def _namespace(self, one: Described, by: Sequence[Build]) -> str:
        """The namespace of an object that may leave it to a kustomization around it."""
        own = one.text("metadata", "namespace")
        inner = self._kustomized(one.file)
        outer = {build.install.namespace for build in by if build.install.namespace}
        return (next(iter(outer)) if len(outer) == 1 else "") or inner or own

    def _kustomized(self, file: RelPath) -> str:
        """The namespace that the kustomization beside a file gives."""
        from portproof.discover.gitops.given import read_mapping  # noqa: PLC0415 - a circle otherwise

        folder, _, name = file.rpartition("/")
        data = read_mapping(
            self.place.tree.text_or_none(join(folder or ".", "kustomization.yaml") or "") or ""
        )
        listed = data.get("resources")
        namespace = data.get("namespace")
        named = isinstance(listed, list) and any(str(one).removeprefix("./") == name for one in listed)
        return namespace if named and isinstance(namespace, str) else ""

    def _value_files(self, one: Described, chart: RelPath) -> tuple[tuple[RelPath, ...], bool, str]:
        """Its `valuesFiles`, which begin at the root, and whether the chart's own values come first, as they do without any.

        Else these take their place (source-controller ``internal/helm/chart/builder.go``).
        """
        at = ("spec", "chart", "spec")
        optional = one.at(*at, "ignoreMissingValuesFiles") is True
        found: list[RelPath] = []
        for text in one.texts(*at, "valuesFiles"):
            files, problem = value_file(self.place.listing, normalise(text), text, optional=optional)
            if problem:
                return (), True, problem
            found += files
        if found[:1] == [join(chart, "values.yaml")]:
            return tuple(found[1:]), True, ""
        return tuple(found), not found, ""

    def _values_from(
        self, one: Described, before: int
    ) -> tuple[tuple[RelPath, ...], tuple[tuple[int, int, FieldPath], ...], str]:
        """The values of ConfigMaps: their files, which part of those counts, and why one of them is not known."""
        files: list[RelPath] = []
        parts: list[tuple[int, int, FieldPath]] = []
        for _, entry in one.mappings("spec", "valuesFrom"):
            if self._is_single(entry):
                continue
            key = str(entry.get("valuesKey") or "values.yaml")
            stored = self._stored(one, str(entry.get("kind")), str(entry.get("name")), key)
            if stored is None or not stored.readable or key not in stored.keys or entry.get("targetPath"):
                if entry.get("optional") is True and stored is None:
                    continue
                return (), (), "it reads values from objects in the cluster (valuesFrom)"
            if stored.files:
                files.append(stored.files[key])
            else:
                parts.append((before + len(files), stored.document, (*stored.at, key)))
                files.append(stored.file)
        return tuple(files), tuple(parts), ""

    def _stored(self, one: Described, kind: str, name: str, key: str) -> Stored | None:
        """What holds a key of an object that `one` refers to."""
        target = one.parent.target if one.parent else None
        built = self.stores.built(kind, name, key, target) if isinstance(target, KustomizeTarget) else []
        if built:
            return built[0] if len(built) == 1 else None
        return self.stores.find(kind, name, one.file)

    def _single_values(self, one: Described) -> tuple[str, ...]:
        """Where the single values go that objects of the cluster give."""
        given = (entry for _, entry in one.mappings("spec", "valuesFrom") if self._is_single(entry))
        return tuple(dict.fromkeys(str(entry["targetPath"]) for entry in given))

    def _is_single(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry of `valuesFrom` is one text of a Secret, for which any text stands in: no port and no switch."""
        path = str(entry.get("targetPath") or "")
        name = path.rpartition(".")[2]
        is_text = bool(KEY.fullmatch(path)) and not _TYPED.search(name)
        return entry.get("kind") == "Secret" and entry.get("optional") is not True and is_text


def shortened(name: str) -> str:
    """The name of a release as helm-controller makes it fit (``internal/release/name.go``)."""
    if len(name) <= _LONGEST:
        return name
    return f"{name[:40]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def environment_of(file: RelPath) -> str:
    """The cluster whose folder a Flux object lies in (``clusters/prod/apps.yaml``); empty when there is no such folder."""
    steps = itertools.dropwhile(lambda step: step != "clusters", file.split("/")[:-1])
    return next((step for step in steps if step not in OF_ENVIRONMENTS), "")


def _generated(objects: Collection[Described]) -> Mapping[str, Sequence[tuple[str, str]]]:
    """The artifacts that ArtifactGenerators copy together: of each name, from where to where."""
    found: dict[str, list[tuple[str, str]]] = {}
    for one in objects:
        if one.text("kind") != "ArtifactGenerator":
            continue
        for _, artifact in one.mappings("spec", "artifacts"):
            for copy in artifact.get("copy") or []:
                source, to = str(lookup(copy, ("from",)) or ""), str(lookup(copy, ("to",)) or "")
                if source.startswith("@") and to.startswith("@artifact") and source.endswith("/**"):
                    inside = source.partition("/")[2].removesuffix("**")
                    found.setdefault(str(artifact.get("name")), []).append(
                        (inside.strip("/"), to.partition("/")[2].strip("/"))
                    )
    return found


def _within(
    generated: Mapping[str, Sequence[tuple[str, str]]], name: str, path: str
) -> Iterator[tuple[str, str]]:
    """Where a path of an artifact comes from: the folder that was copied, and the path in it."""
    wanted = normalise(path) or "."
    for source, to in generated.get(name, ()):
        if is_within(wanted, to or "."):
            inside = wanted if to in ("", ".") else wanted[len(to) + 1 :]
            yield source or ".", inside


def _within_root(path: str) -> str:
    """A path as kustomize-controller takes it: ``..`` ends at the root (cyphar/filepath-securejoin SecureJoin)."""
    return posixpath.normpath(f"/{path}").lstrip("/") or "."


def _repository(url: str) -> str:
    """The name of the repository at an address: mirrors of one differ in their hosts and owners."""
    return url.rstrip("/").rpartition("/")[2].removesuffix(".git").lower()
