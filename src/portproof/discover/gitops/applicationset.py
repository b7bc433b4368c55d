"""Which Applications an ``ApplicationSet`` makes, as far as the repository alone says it.

Generators ``list``, ``git`` (directories and files), ``matrix`` and ``merge`` (argo-cd ``applicationset/generators``). What
asks a cluster, a forge or a plugin is `Unread`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct, field

from portproof.config import matches
from portproof.discover.gitops.deployment import is_glob
from portproof.discover.gitops.described import Described
from portproof.discover.gitops.fasttemplate import flatten
from portproof.discover.gitops.filling import Fill, FillError, Part, deep, fill, fill_text, merged
from portproof.discover.gitops.gotemplate import normalised
from portproof.discover.walk import Listing
from portproof.replacing import replace
from portproof.source import RelPath, Tree, is_within, normalise, parent
from portproof.yamldoc import FieldPath, YamlError, load, load_all, lookup

MAX_SETS = 1000
"""As many sets of parameters of one ApplicationSet are looked at."""

MAX_PATTERNS = 100
MAX_PATTERN = 256
MAX_STARS = 10
MAX_CHARACTERS = 8 * 1024 * 1024
"""Characters of all Applications of one set together."""

_OF_CLUSTERS = ("clusters", "clusterDecisionResource")
_ASKS = "asks a cluster"
_CLUSTERS = ("in-cluster", "another-cluster")
"""Argo CD's own cluster, and any other: what is the same on both does not depend on the answer."""

_ELSEWHERE = {
    "scmProvider": "asks a git host",
    "pullRequest": "asks a git host",
    "plugin": "runs a plugin",
}
_DATA = (".yaml", ".yml", ".json")


class NotStaticError(Exception):
    """A generator asks for more than the repository has; the message says for what."""


class Generated(Struct, frozen=True):
    """One set of parameters, and where each of them is written."""

    parts: tuple[Part, ...]
    parameters: Mapping[str, Any]


def applications(
    tree: Tree, listing: Listing, one: Described
) -> tuple[list[tuple[Fill, Mapping[str, Any]]], list[str]]:
    """The Applications of a set, each with what its template was filled in with; and why there are not more of them."""
    go = one.at("spec", "goTemplate") is True
    found: list[tuple[Fill, Mapping[str, Any]]] = []
    reasons: list[str] = []
    size = len(json.dumps(one.at("spec", "template"), default=str))
    for index, entry in one.mappings("spec", "generators"):
        at: FieldPath = ("spec", "generators", index)
        kind = next((key for key in entry if key not in ("selector", "template")), "")
        template: FieldPath = (*at, kind, "template") if lookup(entry, (kind, "template")) else ()
        try:
            generators = _Generators(tree, listing, one, go, _missing(one))
            several = generators.sets(entry, at)
            others = _on_another_cluster(generators, several, entry, at)
            if (len(found) + len(several)) * size > MAX_CHARACTERS:
                several = []
                reasons.append(f"it makes more than {MAX_CHARACTERS // 1024 // 1024} MiB of Applications")
            for generated, other in zip(several, others, strict=False):
                filler = Fill(generated.parts, go, _missing(one), template)
                found.append((filler, _made(one, filler, generated, other)))
        except NotStaticError as error:
            reasons.append(f"its generator {kind} {error}" if kind else str(error))
        except FillError as error:
            reasons.append(str(error))
    return found, reasons


def folders(one: Described) -> Iterator[RelPath]:
    """The folders that the template of a set deploys, whatever its generators make; those that they fill in left out."""
    spec: FieldPath = ("spec", "template", "spec")
    several = [entry for _, entry in one.mappings(*spec, "sources")] or [one.at(*spec, "source")]
    for source in several:
        text = lookup(source, ("path",))
        path = normalise(text) if isinstance(text, str) and "{{" not in text else None
        if path is not None:
            yield path


def _on_another_cluster(
    generators: _Generators, several: Sequence[Generated], entry: Mapping[str, Any], at: FieldPath
) -> Sequence[Generated]:
    """The sets as they would be on another cluster; themselves where no cluster is asked."""
    if not generators.asked:
        return several
    found = replace(generators, cluster=_CLUSTERS[1], made=[]).sets(entry, at)
    if len(found) != len(several) or not found:
        raise NotStaticError(_ASKS)
    return found


def _made(one: Described, filler: Fill, generated: Generated, other: Generated) -> Mapping[str, Any]:
    """The Application of a set, if it deploys the same on another cluster."""
    if other is generated:
        return application(one.data, filler, generated.parameters)
    try:
        found, elsewhere = (application(one.data, filler, each.parameters) for each in (generated, other))
    except FillError as error:  # a label, which only a cluster has
        raise NotStaticError(_ASKS) from error
    if _source(found) != _source(elsewhere):
        raise NotStaticError(_ASKS)
    return found


def application(data: Mapping[str, Any], filler: Fill, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Application that the set `data` makes with `parameters`. Raises `FillError`."""
    template = lookup(data, ("spec", "template")) or {}
    if filler.template:
        template = deep(template, _without_empty(lookup(data, filler.template) or {}))
    found = fill(_what_counts(template), parameters, go=filler.go, missing=filler.missing)
    patch = lookup(data, ("spec", "templatePatch"))
    if isinstance(patch, str) and patch.strip():
        try:
            text = fill_text(patch, parameters, go=filler.go, missing=filler.missing)
            found = deep(found, load(text) or {})
        except YamlError as error:
            raise FillError(f"its templatePatch is not YAML: {error.problem}") from error
    if not isinstance(found, dict):
        raise FillError("its template is not a mapping")
    return {**found, "apiVersion": "argoproj.io/v1alpha1", "kind": "Application"}


def _what_counts(template: Any) -> Any:
    """The template without what decides nothing that is rendered, such as labels that only a cluster knows."""
    spec = lookup(template, ("spec",))
    if not isinstance(spec, dict):
        return template
    kept = {key: value for key, value in spec.items() if key in ("source", "sources", "sourceHydrator")}
    project = spec.get("project")
    if isinstance(project, str) and "{{" not in project:
        kept["project"] = project
    kept["destination"] = {"namespace": lookup(spec, ("destination", "namespace")) or ""}
    return {"metadata": {"name": lookup(template, ("metadata", "name"))}, "spec": kept}


def _source(made: Mapping[str, Any]) -> Any:
    """What decides what an Application renders to, its release's name aside; a parameter that nobody gives is in none."""
    several = lookup(made, ("spec", "sources")) or [lookup(made, ("spec", "source"))]
    if "{{metadata." in re.sub(r"\s", "", json.dumps(several, default=str)):
        raise NotStaticError(_ASKS)
    return [
        {**one, "helm": {**one["helm"], "releaseName": ""}}
        if isinstance(lookup(one, ("helm",)), dict)
        else one
        for one in several
    ]


def _missing(one: Described) -> str:
    options = (text.partition("missingkey=")[2] for text in one.texts("spec", "goTemplateOptions"))
    return next((option for option in options if option), "")


def _without_empty(data: Any) -> Any:
    if not isinstance(data, dict):
        return data
    kept = {key: _without_empty(value) for key, value in data.items()}
    return {key: value for key, value in kept.items() if value not in ("", None, {}, [])}


class _Generators(Struct, frozen=True):
    """The generators of one set, in a tree."""

    tree: Tree
    listing: Listing
    one: Described
    go: bool
    missing: str
    cluster: str = _CLUSTERS[0]
    made: list[None] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def sets(self, entry: Mapping[str, Any], at: FieldPath, depth: int = 0) -> list[Generated]:
        """The sets of parameters of one generator that the selector admits. Raises `NotStaticError` or `FillError`."""
        kinds = [key for key in entry if key not in ("selector", "template") and entry[key] is not None]
        if len(kinds) != 1 or depth > 2:
            raise NotStaticError("cannot be read: an entry has one generator, nested at most twice")
        kind = kinds[0]
        spec = entry[kind]
        readers: Mapping[str, Callable[..., Iterable[Generated]]] = {
            "list": self._list,
            "git": self._git,
            **dict.fromkeys(_OF_CLUSTERS, self._clusters),
            "matrix": self._matrix,
            "merge": self._merge,
        }
        if kind not in readers or not isinstance(spec, dict):
            raise NotStaticError(_ELSEWHERE.get(kind, "is not known"))
        read = readers[kind]
        found = list(
            read(spec, (*at, kind), depth) if kind in ("matrix", "merge") else read(spec, (*at, kind))
        )
        selector = entry.get("selector")
        return [one for one in found if _selected(selector, flatten(one.parameters))] if selector else found

    def _generated(self, *parts: Part) -> Generated:
        self.made.append(None)
        if len(self.made) > MAX_SETS:
            raise NotStaticError(f"makes more than {MAX_SETS} sets of parameters")
        return Generated(parts, merged([self._read(part) for part in parts], go=self.go))

    def _read(self, part: Part) -> Mapping[str, Any]:
        """What a part says; the set itself has been parsed already."""
        own = lookup(self.one.data, part.at) if part.file == self.one.read_from else None
        return own if isinstance(own, dict) else part.read(self.tree)

    def _list(self, spec: Mapping[str, Any], at: FieldPath) -> Iterator[Generated]:
        for index, element in enumerate(spec.get("elements") or []):
            if not isinstance(element, dict):
                raise NotStaticError("has an element that is not a mapping")
            yield self._generated(self._written(element, (*at, "elements", index)))
        text = spec.get("elementsYaml")
        if isinstance(text, str) and text.strip():
            if "{{" in text:
                text = fill_text(text, {}, go=self.go, missing=self.missing)
            try:
                elements = load(text)
            except YamlError as error:
                raise NotStaticError(f"has elementsYaml that is not YAML: {error.problem}") from error
            for element in elements if isinstance(elements, list) else ():
                yield self._generated(_given(element if isinstance(element, dict) else {}))

    def _written(self, value: Mapping[str, Any], at: FieldPath) -> Part:
        """A value of the set as it stands there, or as a generator before it has filled it in."""
        if lookup(self.one.data, at) == value:
            return Part("", self.one.read_from, self.one.number, at)
        return _given(value)

    def _git(self, spec: Mapping[str, Any], at: FieldPath) -> Iterator[Generated]:  # noqa: ARG002 - as the others
        prefix = spec.get("pathParamPrefix")
        values = spec.get("values")
        for parts in self._places(spec, prefix if isinstance(prefix, str) else ""):
            if isinstance(values, dict) and values:
                known = self._generated(*parts).parameters
                filled = fill(values, known, go=self.go, missing=self.missing)
                yield self._generated(*parts, _given({"values": filled}))
            else:
                yield self._generated(*parts)

    def _clusters(self, spec: Mapping[str, Any], at: FieldPath) -> Iterator[Generated]:
        """One cluster of whatever name: what its answer decides is not known (``generators/cluster.go``)."""
        self.asked.append(str(at[-1]))
        known = {"name": self.cluster, "nameNormalized": self.cluster, "server": f"https://{self.cluster}"}
        values = spec.get("values")
        if isinstance(values, dict) and values:
            known |= {"values": fill(values, known, go=self.go, missing=self.missing)}
        yield self._generated(_given(known))

    def _places(self, spec: Mapping[str, Any], prefix: str) -> Iterator[tuple[Part, ...]]:
        if "{{" in json.dumps([spec.get("directories"), spec.get("files")]):
            raise NotStaticError("asks for paths that nothing fills in")
        if spec.get("directories"):
            folders = [path for path in self.listing.folders if path != "." and not _is_hidden(path)]
            for path in _chosen(folders, spec["directories"], _directory):
                yield (_given(self._path(path, path, prefix)),)
        elif spec.get("files"):
            files = (folder.child(name) for folder in self.listing.folders.values() for name in folder.files)
            for path in _chosen(files, spec["files"], _pathspec):
                if path.endswith(_DATA):
                    for at in self._mappings(path):
                        yield Part("", path, 0, at), _given(self._path(parent(path), path, prefix))

    def _mappings(self, path: RelPath) -> list[FieldPath]:
        """Where the sets of parameters are in a file: it is one mapping, or a list of them."""
        try:
            documents = load_all(self.tree.text_or_none(path) or "")
        except YamlError as error:
            raise NotStaticError(f"reads {path}, which is not YAML: {error.problem}") from error
        if not documents or isinstance(documents[0], dict):
            return [()]
        several = documents[0] if isinstance(documents[0], list) else [None]
        if any(not isinstance(one, dict) for one in several):
            raise NotStaticError(f"reads {path}, which is neither a mapping nor a list of mappings")
        return [(index,) for index in range(len(several))]

    def _path(self, folder: RelPath, path: RelPath, prefix: str) -> Mapping[str, Any]:
        """``path`` and what belongs to it; of a file the folder, and its own name."""
        base = folder.rpartition("/")[2]
        steps = folder.split("/")
        named = {"path": folder, "basename": base, "basenameNormalized": normalised(base)}
        if path != folder:
            name = path.rpartition("/")[2]
            named |= {"filename": name, "filenameNormalized": normalised(name)}
        if self.go:
            found: Mapping[str, Any] = {"path": {**named, "segments": steps}}
            return {prefix: found} if prefix else found
        before = f"{prefix}." if prefix else ""
        flat = {f"{before}path": folder}
        flat |= {f"{before}path.{key}": value for key, value in named.items() if key != "path"}
        return flat | {f"{before}path[{index}]": step for index, step in enumerate(steps)}

    def _matrix(self, spec: Mapping[str, Any], at: FieldPath, depth: int) -> Iterator[Generated]:
        entries = spec.get("generators")
        if (
            not isinstance(entries, list)
            or len(entries) != 2
            or not all(isinstance(x, dict) for x in entries)
        ):
            raise NotStaticError("does not have two generators")
        for first in self.sets(entries[0], (*at, "generators", 0), depth + 1):
            second = fill(entries[1], first.parameters, go=self.go, missing=self.missing)
            for other in self.sets(second, (*at, "generators", 1), depth + 1):
                shared = first.parameters.keys() & other.parameters.keys()
                if not self.go and any(first.parameters[key] != other.parameters[key] for key in shared):
                    raise NotStaticError(f"gives {min(shared)} two values")
                yield self._generated(*other.parts, *first.parts)

    def _merge(self, spec: Mapping[str, Any], at: FieldPath, depth: int) -> Iterator[Generated]:
        entries, keys = spec.get("generators"), spec.get("mergeKeys")
        if not (isinstance(entries, list) and len(entries) >= 2 and isinstance(keys, list) and keys):
            raise NotStaticError("does not have two generators and mergeKeys")
        several = [
            _by_key(self.sets(entry, (*at, "generators", index), depth + 1), keys)
            for index, entry in enumerate(entries)
        ]
        if self.asked:
            raise NotStaticError(_ASKS)
        for key in sorted(several[0]):
            parts = [part for some in several if key in some for part in some[key].parts]
            yield self._generated(*parts)


def _given(data: Mapping[str, Any]) -> Part:
    return Part(json.dumps(data, ensure_ascii=False, sort_keys=True))


def _by_key(sets: Iterable[Generated], keys: Sequence[Any]) -> dict[str, Generated]:
    found: dict[str, Generated] = {}
    for one in sets:
        values = [one.parameters.get(key) for key in keys]
        name = json.dumps(values, sort_keys=True, default=str)
        if None in values or name in found:
            raise NotStaticError("has a set without its mergeKeys, or two with the same")
        found[name] = one
    return found


def _is_hidden(path: RelPath) -> bool:
    return path.startswith(".") or "/." in path


def _chosen(
    paths: Iterable[RelPath], entries: Any, matcher: Callable[[str], Callable[[str], bool]]
) -> list[RelPath]:
    """The paths that an entry includes and none excludes, in order."""
    if not isinstance(entries, list) or len(entries) > MAX_PATTERNS:
        raise NotStaticError(f"has more than {MAX_PATTERNS} patterns, or no list of them")
    rules = [one for one in entries if isinstance(one, dict) and isinstance(one.get("path"), str)]
    if any(len(one["path"]) > MAX_PATTERN or one["path"].count("*") > MAX_STARS for one in rules):
        raise NotStaticError("has a pattern that is too long")
    wanted = [matcher(one["path"]) for one in rules if one.get("exclude") is not True]
    unwanted = [matcher(one["path"]) for one in rules if one.get("exclude") is True]
    return sorted(
        path
        for path in paths
        if any(match(path) for match in wanted) and not any(match(path) for match in unwanted)
    )


def _directory(pattern: str) -> Callable[[str], bool]:
    """Go's ``path.Match`` on the whole path: ``*`` stays within a step, ``**`` is the same."""
    within = re.sub(r"\*+", "*", pattern.replace("[^", "[!"))
    return lambda path: path.count("/") == within.count("/") and matches(within, path)


def _pathspec(pattern: str) -> Callable[[str], bool]:
    """A pathspec of git: ``*`` crosses folders, and the name of a folder takes all below it."""
    literal = pattern.removeprefix("./").rstrip("/")
    if not is_glob(literal):
        return lambda path: is_within(path, literal)
    one = literal.replace("[^", "[!")
    return lambda path: fnmatchcase(path, one)


def _selected(selector: Any, labels: Mapping[str, str]) -> bool:
    """Whether flat parameters fit a label selector."""
    wanted = lookup(selector, ("matchLabels",)) or {}
    if any(labels.get(key) != str(value) for key, value in wanted.items()):
        return False
    for rule in lookup(selector, ("matchExpressions",)) or []:
        key, values = rule.get("key"), rule.get("values") or []
        fits = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }.get(str(rule.get("operator")))
        if fits is None:
            raise NotStaticError("has a selector that cannot be read")
        if not fits:
            return False
    return True
