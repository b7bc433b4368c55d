"""The releases and overlays of a ``skaffold.yaml`` (``pkg/skaffold/schema``), where they are literal.

Each profile with releases of its own is an environment. What a profile patches by itself is not followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from portproof.discover.charts import release_name
from portproof.discover.gitops.application import KEY, checked, value_file
from portproof.discover.gitops.deployment import (
    UNKNOWN,
    Build,
    Deployment,
    Installed,
    Place,
    chart_elsewhere,
    found_at,
    no_chart,
    packed_chart,
)
from portproof.discover.gitops.described import Described, objects
from portproof.discover.model import Install, RemoteChart
from portproof.discover.unread import Unread
from portproof.source import RelPath, join, parent
from portproof.yamldoc import FieldPath, lookup

_SECTIONS = ("manifests", "deploy")


def is_skaffold(path: RelPath) -> bool:
    """Whether a file is Skaffold's by its name."""
    name = path.rpartition("/")[2]
    return name.startswith("skaffold") and name.endswith((".yaml", ".yml"))


def deployments(place: Place, file: RelPath, text: str) -> Iterator[Deployment]:
    """What each configuration of a file installs, and what each of its profiles installs instead."""
    for one in objects(file, text):
        if not one.text("apiVersion").startswith("skaffold/"):
            continue
        yield from _Config(place, one, (), "").deployments()
        for index, profile in one.mappings("profiles"):
            name = str(profile.get("name"))
            yield from _Config(place, one, ("profiles", index), name).deployments()
            for _, patch in Described(file, one.number, profile).mappings("patches"):
                path = str(patch.get("path"))
                if path.startswith(("/manifests/helm", "/deploy/helm")) and patch.get("op") != "remove":
                    yield Unread(file, "skaffold", f"the profile {name} patches {path}")


class _Config(Struct, frozen=True):
    """A configuration, or the sections at `at` that a profile has in their place."""

    place: Place
    one: Described
    at: FieldPath
    profile: str

    def deployments(self) -> Iterator[Deployment]:
        """The releases and kustomizations of its sections."""
        for section in _SECTIONS:
            at = (*self.at, section, "helm", "releases")
            for index, release in self.one.mappings(*at):
                yield self._release((*at, index), release)
            kustomize = self.one.at(*self.at, section, "kustomize")
            if isinstance(kustomize, dict):
                paths = kustomize.get("paths") or [kustomize.get("path") or "."]
                for path in paths:
                    yield from self._overlay(str(path))

    def _overlay(self, text: str) -> Iterator[Deployment]:
        path = join(parent(self.one.file), text)
        found = found_at(self.place.listing, path)
        if path is None or found is None or found.kind != "folder":
            yield Unread(self.one.file, "skaffold", f"its kustomization {text} is not in this repository")
        else:
            yield Build(path, self._install(self._name(), ()))

    def _name(self) -> str:
        return release_name(
            self.one.text("metadata", "name"), "skaffold"
        )  # a configuration may be called anything

    def _install(self, name: str, values: FieldPath, **more: Any) -> Install:
        return Install(
            name,
            self.one.number,
            values,
            file=self.one.file,
            tool="Skaffold",
            environment=self.profile,
            **more,
        )

    def _release(self, at: FieldPath, release: Mapping[str, Any]) -> Deployment:
        name = str(release.get("name"))
        named = str(release.get("remoteChart") or release.get("chartPath"))
        fields = [name, named, str(release.get("namespace") or "")]
        odd = next((text for text in fields if UNKNOWN.search(text)), None)
        if odd is not None:
            return Unread(self.one.file, "skaffold", f"{name}: {odd} is filled in from the environment")
        path = join(parent(self.one.file), named)
        remote = (
            self._remote(at, release)
            if release.get("remoteChart")
            else packed_chart(self.place.listing, path, self.one.file, self.one.number, (*at, "chartPath"))
        )
        if release.get("remoteChart") and remote is None:
            return chart_elsewhere(self.one.file, name, named, ", nor is its repo in the Skaffold file")
        if remote is None and path not in self.place.charts:
            return no_chart(self.one.file, "skaffold", name, named)
        files, problem = self._files(release.get("valuesFiles"))
        single, missing = self._single_files(release)
        return checked(
            self.one.data,
            Installed(
                self.one.file if remote else str(path),
                self.one.file,
                self._install(
                    f"{name}-{self.profile}" if self.profile else name,
                    (*at, "overrides") if release.get("overrides") else (),
                    parameters=(*at, "setValues") if release.get("setValues") else (),
                    set_files=single,
                ),
                files,
                name,
                str(release.get("namespace") or "default"),
                problem=problem or missing or _templated(release),
                remote=remote,
            ),
        )

    def _remote(self, at: FieldPath, release: Mapping[str, Any]) -> RemoteChart | None:
        """The chart of a registry; None where its address is not written here, or filled in."""
        chart, version = str(release["remoteChart"]), str(release.get("version") or "")
        repository, _, name = chart.rpartition("/") if "://" in chart else (release.get("repo"), "", chart)
        if not repository or UNKNOWN.search(f"{repository}{version}"):
            return None
        return RemoteChart(str(repository), name, version, self.one.file, self.one.number, (*at, "version"))

    def _files(self, given: Any) -> tuple[tuple[RelPath, ...], str]:
        found: list[RelPath] = []
        for text in given if isinstance(given, list) else ():
            files, problem = value_file(
                self.place.listing, join(parent(self.one.file), str(text)), str(text), optional=False
            )
            if problem:
                return (), problem
            found += files
        return tuple(found), ""

    def _single_files(self, release: Mapping[str, Any]) -> tuple[tuple[tuple[str, RelPath], ...], str]:
        """The values that are whole files (``--set-file``)."""
        found = []
        given = release.get("setFiles")
        for name, text in given.items() if isinstance(given, dict) else ():
            files, problem = self._files([text])
            if problem or not KEY.fullmatch(str(name)):
                return (), problem or "it has a file value without a valid name"
            found.append((str(name), files[0]))
        return tuple(found), ""


def _templated(release: Mapping[str, Any]) -> str:
    """Why values from templates are not known; those of images say nothing of ports."""
    given = lookup(release, ("setValueTemplates",))
    for key, text in given.items() if isinstance(given, dict) else ():
        if "IMAGE" not in str(text) and "image" not in str(key).lower():
            return f"its value {key} is filled in from the environment"
    return ""
