"""Files that are made elsewhere and not kept in the repository: what needs one cannot be rendered here, and is not wrong.

kubebuilder and the Operator SDK lay out kustomizations whose input their generators write. A project has only those that
it uses, and the others stay as they were laid out (suppressions.kubebuilder.io, "What's in a basic project?").
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from msgspec import Struct

from portproof import yamldoc
from portproof.discover.gitignore import MAX_PATH, MAX_PATTERNS, matches, patterns_of
from portproof.discover.model import KUSTOMIZATION_NAMES
from portproof.discover.references import SOURCES
from portproof.discover.walk import names_in
from portproof.render.tool_output import clean
from portproof.render.written import writer
from portproof.source import RelPath, SourceError, Tree, below, join, parent

_ENDINGS = (".yaml", ".yml", ".json")
MAX_EMPTY = 8
"""As many files of one overlay are taken for empty: each is held against the patterns."""

_MADE_BY = (
    (re.compile(r"(?:webhook/manifests\.yaml|rbac/role\.yaml|crd/bases(?:/[^/]+)?)\Z"), "controller-gen"),
    (re.compile(r"manifests/bases(?:/[^/]+\.clusterserviceversion\.yaml)?\Z"), "operator-sdk"),
)
_OF_FLUX = re.compile(r"flux-system/gotk-(?:sync|components)\.yaml\Z")
_OF_SECRETS = re.compile(r"(?:.*[-_.])?secrets?(?:[-_.].*)?\.(?:ya?ml|json|env)", re.IGNORECASE)
_KEPT = re.compile(r"sealed|external|encrypted|sops|vault|store|provider|\benc\b", re.IGNORECASE)
"""What a file of Secrets is called that may be kept in a repository, because it holds nothing secret."""
_ALIKE = 0.85
"""How much two names are alike when one may be a typo of the other (`difflib`)."""
MAX_BESIDE = 500
"""As many names of a folder are looked into for a file that is missing."""

MAX_TEMPLATES = 50
"""As many files of a folder are looked at for variables."""
MANY = 5
"""As many files a kustomization lacks that something else fills in; fewer may have been forgotten."""
_MATTERS = re.compile(
    r"port|select|label|(?<![a-z])name(?:space)?\b|service|backend|command|args|env\b|ur[il]\b|replicas",
    re.IGNORECASE,
)
"""Where a text stands that says who reaches whom."""
_TEMPLATES = re.compile(r"(?:\A|/)[._]*(?:[a-z0-9]+[-_])?templates?/")
_PLACEHOLDER = re.compile(r"\$\{?[A-Z][A-Z0-9_]{2,60}\b|\{\{[^{}\n]{1,100}\}\}|__[A-Z][A-Z0-9_]{1,60}__")
_LAYOUT = re.compile(r"^(?:layout|projectName|domain|version):", re.MULTILINE)


def reason(path: RelPath, tree: Tree) -> str:
    """What makes `path`, which is missing, nobody's mistake, as a clause; empty when nothing says so."""
    if _is_ignored(path, tree):  # .env and the like are made at deployment
        return "which is git-ignored and generated outside the repository"
    maker = next((maker for pattern, maker in _MADE_BY if pattern.search(path)), "")
    if maker and any(_LAYOUT.search(_text(tree, folder, "PROJECT")) for folder in _folders_above(path)):
        return f"which {maker} generates and the repository does not contain"
    if _OF_FLUX.search(path):
        return "which `flux bootstrap` writes"
    if _is_kept_out(path, tree):
        return "which looks like a Secret that is kept out of the repository"
    script = writer(path, tree)
    return f"which {clean(script)} writes" if script else ""


def of_a_template(kustomization: RelPath, tree: Tree) -> str:
    """Why a kustomization is none to build: a script copies the folder, and fills in its manifests; else empty."""
    if _TEMPLATES.search(kustomization) and _has_placeholders(parent(kustomization), tree):
        return f"{kustomization} is a template: it can be built once something has copied its folder and filled it in"
    return ""


def mostly_absent(kustomization: RelPath, tree: Tree) -> str:
    """Why a kustomization is none to build yet: it lists many files, and most of them are not there; else empty."""
    listed = _listed(kustomization, _load(tree, kustomization))
    missing = [*_absent(listed, tree)]
    absent = len(missing)
    if absent < MANY or absent * 2 <= len(listed):
        return ""
    if sum(bool(further_down(one, tree)) for one in missing) * 2 > absent:
        return ""  # they have moved: nothing is to write them
    return f"{absent} of the {len(listed)} resources of {kustomization} are not in the repository: something else writes them"


def further_down(path: RelPath, tree: Tree) -> RelPath:
    """The one file of the name of `path`, which is missing, in a folder below the one that is named; empty without it."""
    folder, name = parent(path), path.rpartition("/")[2]
    if not name.endswith(_ENDINGS) or name in KUSTOMIZATION_NAMES:
        return ""
    inner = (below(folder, one) for one in names_in(tree.root, folder)[:MAX_BESIDE])
    found = [below(one, name) for one in inner if os.path.isfile(tree.on_disk(below(one, name)))]  # noqa: PTH113
    return found[0] if len(found) == 1 else ""


def _has_placeholders(folder: RelPath, tree: Tree) -> bool:
    """Whether a manifest of a folder has variables that a script fills in (``${CLUSTER}``): its text is no object yet."""
    names = names_in(tree.root, folder)[:MAX_TEMPLATES]
    return any(_PLACEHOLDER.search(_text(tree, folder, name)) for name in names if name.endswith(_ENDINGS))


class Empty(Struct, frozen=True):
    """A file that a generator or the build itself reads and that is missing.

    It is `wrong` to be missing unless it is made elsewhere, as Secrets always are. `said` is what to say of it: nothing where
    it is known to be made elsewhere for a Secret, which is not looked at. It may have `objects`, which patches are for.
    """

    said: str
    wrong: bool
    objects: bool = False


def taken_for_empty(files: Iterable[RelPath], tree: Tree) -> Mapping[RelPath, Empty]:
    """What the kustomizations among `files` read and is missing, by its path: of resources only those made elsewhere."""
    resources: set[RelPath] = set()
    used: dict[str, set[RelPath]] = {kind: set() for kind in SOURCES}
    for path in files:
        if path.rpartition("/")[2] in KUSTOMIZATION_NAMES:
            data = _load(tree, path)
            for kind, sources in used.items():
                sources.update(_sources(parent(path), data.get(kind)))
            resources |= {one for one in _listed(path, data) if one.endswith(_ENDINGS)}
    found = {}
    for path in islice(_absent(sorted({*resources, *chain(*used.values())}), tree), MAX_EMPTY):
        why, is_secret = reason(path, tree), path in used["secretGenerator"] - used["configMapGenerator"]
        if path in resources and not why:
            continue  # the build says so
        said = f"{path}, {why or 'which is missing'}"
        objects = path in resources
        known = why and is_secret and not objects
        found[path] = Empty("" if known else said, not (why or is_secret), objects)
    return found


def without_copies(files: Iterable[RelPath], empty: Collection[RelPath], tree: Tree) -> Mapping[RelPath, str]:
    """The kustomizations among `files` without the replacements that copy from what generators make of `empty` files.

    What they would write keeps the text that it has. So there are none if a port, a name or a label may be written.
    """
    loaded = {path: _load(tree, path) for path in files if path.rpartition("/")[2] in KUSTOMIZATION_NAMES}
    names = {name for path, data in loaded.items() for name in _made_of(path, data, empty)}
    found = {}
    for path, data in loaded.items():
        listed = data.get("replacements")
        every = [one for item in _mappings(listed) for one in _replacements(path, item, tree)]
        copies = [one for one in every if yamldoc.lookup(one, ("source", "name")) in names]
        if any(_MATTERS.search(str(at)) for one in copies for at in _written_at(one)):
            return {}
        if copies:
            left = {**data, "replacements": [one for one in every if one not in copies]}
            found[path] = json.dumps(left, ensure_ascii=False, default=str)
    return found


def _made_of(kustomization: RelPath, data: Mapping[str, Any], files: Collection[RelPath]) -> Iterator[str]:
    """The names of the generators that read one of `files`."""
    for kind in SOURCES:
        for one in _mappings(data.get(kind)):
            if any(path in files for path in _sources(parent(kustomization), [one])):
                yield str(one.get("name"))


def _replacements(kustomization: RelPath, item: Mapping[str, Any], tree: Tree) -> list[Mapping[str, Any]]:
    """An entry of `replacements`: itself, or those of the file that it names."""
    path = join(parent(kustomization), str(item.get("path"))) if "path" in item else None
    if path is None:
        return [item]
    try:
        data = yamldoc.load(tree.text(path))
    except (SourceError, yamldoc.YamlError):
        return [item]
    return _mappings(data if isinstance(data, list) else [data])


def _written_at(replacement: Mapping[str, Any]) -> Iterator[object]:
    """Where a replacement writes."""
    for target in _mappings(replacement.get("targets")):
        paths = target.get("fieldPaths")
        yield from paths if isinstance(paths, list) else ["metadata.name"]  # kustomize's default


def _mappings(items: object) -> list[Mapping[str, Any]]:
    return [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []


def _listed(kustomization: RelPath, data: Mapping[str, Any]) -> list[RelPath]:
    """The paths of the resources of a kustomization, addresses left out."""
    listed = data.get("resources")
    names = [one for one in (listed if isinstance(listed, list) else ()) if isinstance(one, str)]
    folder = parent(kustomization)
    return [path for one in names if "://" not in one and (path := join(folder, one)) is not None]


def _absent(paths: Iterable[RelPath], tree: Tree) -> Iterator[RelPath]:
    return (one for one in paths if one not in tree.overlay and not os.path.lexists(tree.on_disk(one)))


def _sources(folder: RelPath, generators: object) -> Iterator[RelPath]:
    """The files of generators (kubernetes-sigs/kustomize ``api/types/kvpairsources.go``)."""
    for one in generators if isinstance(generators, list) else ():
        if isinstance(one, dict):
            envs, files = one.get("envs"), one.get("files")
            names = [
                one.get("env"),
                *(envs if isinstance(envs, list) else ()),
                *(str(each).rpartition("=")[2] for each in (files if isinstance(files, list) else ())),
            ]
            found = (join(folder, name) for name in names if isinstance(name, str))
            yield from (path for path in found if path is not None)


def _load(tree: Tree, path: RelPath) -> Mapping[str, Any]:
    try:
        data = yamldoc.load(tree.text(path))
    except (SourceError, yamldoc.YamlError):
        return {}
    return data if isinstance(data, dict) else {}


def _is_ignored(path: RelPath, tree: Tree) -> bool:
    """Whether a .gitignore on the way to it says so."""
    if len(path) > MAX_PATH:
        return False
    left = MAX_PATTERNS
    for folder in _folders_above(path):
        patterns = list(islice(patterns_of(_text(tree, folder, ".gitignore")), left))
        left -= len(patterns)
        inside = path if folder == "." else path[len(folder) + 1 :]
        # It may have been a folder, for which some patterns are.
        if patterns and any(matches(patterns, each) for each in (inside, f"{inside}/")):
            return True
    return False


def _is_kept_out(path: RelPath, tree: Tree) -> bool:
    """Whether a file is called like one of Secrets, and no file beside it may be meant instead."""
    folder, _, name = path.rpartition("/")
    if not _OF_SECRETS.fullmatch(name) or _KEPT.search(name):
        return False
    try:
        beside = [one.name for one in tree.on_disk(folder or ".").iterdir()]
    except OSError:
        return False
    return not difflib.get_close_matches(name, beside, 1, _ALIKE)


def _text(tree: Tree, folder: RelPath, name: str) -> str:
    return tree.text_or_none(below(folder, name)) or ""


def _folders_above(path: RelPath) -> Iterator[RelPath]:
    """The folders that hold `path`, the nearest first, the root last."""
    while path != ".":
        path = parent(path)
        yield path
