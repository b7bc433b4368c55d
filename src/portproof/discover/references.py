"""What one kustomization refers to: files, other kustomizations, and what kustomize must not be asked for.

Every field that kustomize reads a path from is looked at before kustomize
starts, because kustomize fetches remote references without being told to
(kustomize v5, ``api/internal/loader`` and ``api/internal/git``).

Names of fields are read as kustomize reads them, in whatever case: it decodes
with Go's encoding/json, which takes ``Resources``, and a long s for an s, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from portproof.discover.mention import mention
from portproof.discover.model import KUSTOMIZATION_NAMES, Lack
from portproof.discover.reading import skim
from portproof.discover.remote_bases import may_be_fetched
from portproof.discover.walk import EscapeError, ResolvedPath, resolve
from portproof.source import RelPath, SourceError, Tree, join
from portproof.yamldoc import YamlError, load, load_all

_FUNCTIONS = ("config.kubernetes.io/function", "config.k8s.io/function")
"""Annotations that have a container or a program run (kustomize v5, ``kyaml/fn/runtime/runtimeutil``)."""

GENERATORS = "generators"
SOURCES = ("configMapGenerator", "secretGenerator")
_CHARTS = "helmCharts"
_OLD_CHARTS = "helmChartInflationGenerator"
_OBJECTS = ("resources", "bases")
_NOT_INFLATED = "its helmCharts are not rendered"
# A scheme, a forced protocol, user@host, github.com: kustomize clones these without looking for a local folder.
_REMOTE = re.compile(
    r"git::|gh:|[a-z][a-z0-9+.-]*://|[a-z][a-z0-9-]*@[^/]*[:/]|(www\.)?github\.com[:/]", re.IGNORECASE
)
# Older releases clone these too; here only when nothing of that name lies in the tree.
_HOST_LIKE = re.compile(
    r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}(:[0-9]+)?[:/].|.*[?&](ref|version|submodules|timeout)=|.*\.git(/|\Z)|.*_git/",
    re.IGNORECASE,
)
GITMODULES = ".gitmodules"
IN_SUBMODULE = "which is in the git submodule"
"""What the reason of a `Lack` says of a folder in a submodule."""
_MODULE = re.compile(r"^[ \t]*path[ \t]*=[ \t]*([^\s#;]{1,500})[ \t]*$", re.MULTILINE)
"""The folder of a submodule (git-scm.com, gitmodules)."""
# What may hide an address in a double-quoted scalar: escapes, and a line that is continued.
_ESCAPE = re.compile(r"\\[xuU/\r\n]")
_WORDS = re.compile(r"[\s\"'\[\]{},=]+")


class References(Struct):
    """What the kustomization in `folder` refers to.

    `folders` are kustomizations whose objects it takes in; `plugins` those whose objects configure generators,
    transformers and validators. `absent` are resources that are not there, as the lacks that they may be. `refused` is why kustomize must not be started on it, `lacks` are entries without which it
    may be. `charted` are the kustomizations with charts.
    """

    folder: RelPath
    component: bool = False
    files: set[RelPath] = field(default_factory=set)
    folders: set[RelPath] = field(default_factory=set)
    plugins: set[RelPath] = field(default_factory=set)
    resources: set[RelPath] = field(default_factory=set)
    refused: str | None = None
    lacks: list[Lack] = field(default_factory=list)
    charted: set[RelPath] = field(default_factory=set)
    absent: list[Lack] = field(default_factory=list)

    def do_without(self, names: Collection[str]) -> None:
        """Have the build do without those of the `absent` files that have one of these names."""
        self.lacks += [one for one in self.absent if _name(one.text) in names and one not in self.lacks]

    @property
    def absent_names(self) -> frozenset[str]:
        """The names of the `absent` files."""
        return frozenset(_name(one.text) for one in self.absent)


def read_references(
    tree: Tree, folder: RelPath, names: tuple[str, ...], hosts: Collection[str] | None = None
) -> References:
    """Read the kustomization files called `names` in `folder`; a broken one refers to nothing, kustomize says why.

    What lies at `hosts` may be fetched.
    """
    reader = _Reader(tree, References(folder), hosts=hosts)
    for name in names:
        place = reader.take(name, "kustomization")
        if place is not None and (place.kind == "file" or place.path in tree.overlay):
            reader.file = place.path
            for data in reader.load(place.path):
                reader.read(data)
    return reader.found


def read_plugin_file(tree: Tree, found: References, path: RelPath) -> None:
    """Add to `found` what the plugin configurations in one of its files refer to."""
    _Reader(tree, found).read_plugins(path)


def is_remote(text: str) -> bool:
    """Whether kustomize takes `text` for something to fetch, whatever lies in the tree."""
    return _REMOTE.match(text) is not None


class _Reader(Struct):
    """`file` is the one that is being read, `generator` the entry of which kustomization that names it, if one does."""

    tree: Tree
    found: References
    file: RelPath = ""
    hosts: Collection[str] | None = None
    generator: tuple[RelPath, str] | None = None

    def read(self, data: dict[str, Any]) -> None:
        """Look at every field of a kustomization that holds a path."""
        self.found.component = self.found.component or "Component" in _values(data, "kind")
        self._read_parts(data)
        for text in _texts(data, "crds", "configurations"):
            self.take(text, "file")
        for text in _texts(data, GENERATORS):
            self.generator = (self.file, text)
            self._take_plugin(text)
            self.generator = None
        for text in _texts(data, "transformers", "validators"):
            self._take_plugin(text)
        for text in _texts(data, "patchesStrategicMerge", "patches"):
            if not _is_inline(text):
                self.take(text, "patch")
        self._take_paths(data, "patches", "patchesJson6902", "replacements", "openapi")
        for key in SOURCES:
            for generator in _values(data, key):
                self._take_sources(generator, may_lack=True)

    def _read_parts(self, data: dict[str, Any]) -> None:
        """Look at what adds objects."""
        if any(_values(data, _OLD_CHARTS)):
            self._lack((_OLD_CHARTS,), "", _NOT_INFLATED, _OLD_CHARTS)
        if any(_values(data, _CHARTS)):
            self.found.charted.add(self.file)
        for name, may_lack in ((_OBJECTS[0], True), (_OBJECTS[1], True), ("components", False)):
            for text in _texts(data, name):
                self._take_base(text, may_lack=may_lack or may_be_fetched(text, self.hosts))

    def read_plugins(self, path: RelPath) -> None:
        """Look at a file of configurations of generators or transformers."""
        around, self.file = self.file, path
        for data in self.load(path):
            self.read_plugin(data)
        self.file = around

    def load(self, path: RelPath) -> list[dict[str, Any]]:
        """The documents of a file. One that kustomize may be able to read and we are not is refused."""
        try:
            is_own = path.rpartition("/")[2] in KUSTOMIZATION_NAMES
            text = (skim(self.tree) if is_own else self.tree).text(path)
        except SourceError as error:
            self._refuse(f"{path} cannot be read: {error.reason}", "")
            return []
        try:
            return _parse(text)
        except YamlError as error:
            if _ESCAPE.search(text) or any(is_remote(word) for word in _WORDS.split(text)):
                reason = f"{path} contains URLs and cannot be parsed: {error.problem} (line {error.line})"
                self._refuse(reason, "")
            return []

    def read_plugin(self, data: dict[str, Any]) -> None:
        """Look at the configuration of a generator or transformer, or a list of them; only kustomize's own are run."""
        for item in _values(data, "items"):
            if isinstance(item, dict):
                self.read_plugin(item)
        kind, version = str(data.get("kind")), data.get("apiVersion")
        if kind.startswith("HelmChartInflation"):
            self._cannot_run(_NOT_INFLATED, kind)
        annotations = _mapping(_mapping(data.get("metadata")).get("annotations"))
        function = next((name for name in _FUNCTIONS if name in annotations), None)
        if function is not None:
            self._cannot_run(
                f"the {_short(kind)} runs a program ({function}), which portproof does not allow", function
            )
        elif "kind" in data and isinstance(version, str) and version not in ("", "builtin"):
            self._cannot_run(
                f"it needs the plugin {_short(f'{version} {kind}')}, which portproof does not run", version
            )
        self._take_paths(
            {"plugin": data, "replacements": _values(data, "replacements")}, "plugin", "replacements"
        )
        for text in _texts(data, "targetFilePath"):
            self.take(text, "file")
        for text in _texts(data, "paths"):
            if not _is_inline(text):
                self.take(text, "patch")
        self._take_sources(data)

    def take(self, text: str, what: str, *, may_lack: bool = False) -> ResolvedPath | None:
        """Note a path; None when it is refused or empty. What is missing stays, for kustomize to say so."""
        if not text:
            return None
        shown = _short(text)
        remote = f"remote {what} {shown}: not fetched"
        path = join(self.found.folder, text)
        place = None
        if is_remote(text):
            self._refuse_remote(remote, text, may_lack=may_lack)
        elif path is None:
            self._refuse(f"the {what} {shown} points outside the repository", text)
        else:
            try:
                place = resolve(self.tree.root, path)
            except EscapeError as error:
                self._refuse(f"the {what} {shown} {error}", text)
                return None
            if place.kind == "missing" and _HOST_LIKE.match(text):
                self._refuse_remote(remote, text, may_lack=may_lack)
            if place.kind == "file":
                self.found.files |= {path, place.path}
        return place

    def _take_base(self, text: str, *, may_lack: bool) -> None:
        place = self.take(text, "base", may_lack=may_lack)
        module = "" if place is None or place.kind == "file" or not self.file else self._submodule(place.path)
        if place is not None and module:
            reason = f"{place.path}, {IN_SUBMODULE} {module}, and that is not checked out"
            self._lack((*_OBJECTS, "components"), text, reason, text)
        elif place is not None and place.kind == "folder":
            self.found.folders.add(place.path)
        elif place is not None and place.kind == "file":
            self.found.resources.add(place.path)
        elif place is not None and text.endswith((".yaml", ".yml")) and self.file:
            reason = self._placed(f"{place.path}, which many kustomizations list and none has", text)
            self.found.absent.append(Lack(self.file, (*_OBJECTS, "components"), text, reason))

    def _submodule(self, path: RelPath) -> str:
        """The submodule that holds a folder and is empty here; empty where none does."""
        listed = [one.rstrip("/") for one in _MODULE.findall(self.tree.text_or_none(GITMODULES) or "")]
        module = next((one for one in listed if f"{path}/".startswith(f"{one}/")), "")
        return module if module and _is_empty(self.tree.on_disk(module)) else ""

    def _take_plugin(self, text: str) -> None:
        if _is_inline(text):
            try:
                for data in _parse(text):
                    self.read_plugin(data)
            except YamlError as error:
                self._refuse(f"a plugin configuration cannot be parsed: {error.problem}", text)
            return
        place = self.take(text, "plugin configuration")
        if place is not None and place.kind == "folder":
            self.found.plugins.add(place.path)
        elif place is not None and place.kind == "file":
            self.read_plugins(place.path)

    def _take_paths(self, data: dict[str, Any], *keys: str) -> None:
        """The ``path`` of each item of a field."""
        for key in keys:
            for item in _values(data, key):
                for text in _texts(item, "path") if isinstance(item, dict) else ():
                    self.take(text, "file")

    def _take_sources(self, generator: Any, *, may_lack: bool = False) -> None:
        """The ``files`` (``key=path`` or a path), ``envs`` and ``env`` of a ConfigMap or Secret generator."""
        if not isinstance(generator, dict):
            return
        for text in _texts(generator, "files"):
            key, equals, path = text.partition("=")
            place = path if equals and not is_remote(key) else text
            if may_lack and is_remote(place):
                reason = self._placed(f"remote file {_short(place)}: not fetched", place)
                self.found.lacks.append(Lack(self.file, SOURCES, text, reason))
            else:
                self.take(place, "file")
        for text in _texts(generator, "envs", "env"):
            self.take(text, "file")

    def _refuse_remote(self, reason: str, text: str, *, may_lack: bool) -> None:
        if may_lack and self.file:
            self._lack((*_OBJECTS, "components"), text, reason, text)
        else:
            self._refuse(reason, text)

    def _cannot_run(self, reason: str, text: str) -> None:
        """Note a plugin that only others run. A generator adds objects, anything else may change all of them."""
        if self.generator is None:
            self._refuse(reason, text)
        else:
            file, entry = self.generator
            self.found.lacks.append(Lack(file, (GENERATORS,), entry, self._placed(reason, text)))

    def _lack(self, fields: tuple[str, ...], text: str, reason: str, shown: str) -> None:
        """Note an entry that only adds objects: what is left without it can be looked at."""
        may = bool(text) and may_be_fetched(text, self.hosts)
        self.found.lacks.append(Lack(self.file, fields, text, self._placed(reason, shown), may))

    def _refuse(self, reason: str, text: str) -> None:
        """Keep the first reason, with the place where `text` stands."""
        if self.found.refused is None:
            self.found.refused = self._placed(reason, text)

    def _placed(self, reason: str, text: str) -> str:
        place = mention(self.tree, self.file, text) if self.file else ""
        return f"{reason} ({place})" if place else reason


def _is_empty(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return not any(entries)
    except OSError:
        return True


def _name(text: str) -> str:
    return text.rpartition("/")[2]


def _is_inline(text: str) -> bool:
    """Whether an entry that may be a path or YAML is YAML; kustomize tries an address first."""
    return "\n" in text or (not is_remote(text) and (text.lstrip().startswith(("{", "[")) or ": " in text))


def _parse(text: str) -> list[dict[str, Any]]:
    """Every document, or the first where another one is broken: kustomize reads no further."""
    try:
        data = load_all(text)
    except YamlError:
        data = [load(text)]
    return [item for item in data if isinstance(item, dict)]


def _short(text: str) -> str:
    return " ".join(text.split())[:200]


def _mapping(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {}


def _values(data: dict[str, Any], *names: str) -> list[Any]:
    """The items of fields that are lists, or their single values."""
    found: list[Any] = []
    for name in names:
        for key, value in data.items():
            if key == name or key.casefold() == name.casefold():
                found += value if isinstance(value, list) else [] if value is None else [value]
    return found


def _texts(data: dict[str, Any], *names: str) -> list[str]:
    return [item for item in _values(data, *names) if isinstance(item, str)]
