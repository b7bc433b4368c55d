"""Folders of plain manifests: what belongs to neither a chart nor a kustomization."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from portproof.discover.alternatives import alternatives
from portproof.discover.chart_files import chart_files
from portproof.discover.charts import enclosing_chart
from portproof.discover.kinds import WITH_PORTS, WORKLOADS
from portproof.discover.model import ManifestTarget, Skip
from portproof.discover.walk import EscapeError, Folder, Listing, resolve
from portproof.source import MAX_SOURCE_BYTES, RelPath, SourceError, Tree, parent
from portproof.yamldoc import YamlError, load_all, split

_ENDINGS = (".yaml", ".yml", ".json")
_HEAD_BYTES = 64 * 1024
# A line feed in front of them instead of ^: several times faster, and installers of many megabytes are common.
_API_VERSION = re.compile(r"""\n["']?apiVersion["']?[ \t]*:[ \t]*["']?([^\s"']*)""")
_KIND = re.compile(r"""\n["']?kind["']?[ \t]*:[ \t]*["']?([A-Za-z]*)""")
_INNER_KIND = re.compile(r"""^[ \t-]+["']?kind["']?[ \t]*:[ \t]*["']?([A-Za-z]+)""", re.MULTILINE)
_JSON_MANIFEST = re.compile(r"""\s*\{\s*"(apiVersion|kind)"\s*:""")
_TEMPLATE_MARKS = ("{{", "{%", "<%", "%%")
_FILLED_IN = re.compile(r"%[A-Z][A-Z0-9_]*%|\$\{[A-Za-z_][A-Za-z0-9_]*\}|@[A-Z][A-Z0-9_]*@")
"""What a script puts into a text, wherever it stands: envsubst's variables, and words for sed between signs."""
_FILLED_IN_LINE = re.compile(rf"^[ \t]*(?:{_FILLED_IN.pattern})[ \t]*$", re.MULTILINE)
_YTT = re.compile(r"^[ \t]*#@[ \t]+(load|def|if|for|data)\b|^#@data/|:[ \t]+#@ ", re.MULTILINE)
# Files that look like manifests and are not for a cluster.
_FOREIGN = (
    "skaffold/",
    "backstage.io/",
    "kind.x-k8s.io/",
    "ctlptl.dev/",
    "eksctl.io/",
    "k3d.io/",
    "kubeadm.",
)
# Folders that are named after a kind, with or without a plural: one application, sorted into drawers.
_OF_WORKLOADS = frozenset(
    {"pod", "deployment", "replicaset", "statefulset", "sts", "daemonset", "job", "cronjob"}
)
_OF_NETWORK = frozenset({"service", "svc", "ingress", "ing", "networkpolicy", "networkpolicies", "netpol"})
_OF_DATA = frozenset({"configmap", "cm", "secret", "pv", "pvc", "persistentvolume", "persistentvolumeclaim"})
_OF_ACCESS = frozenset(
    {"rbac", "role", "rolebinding", "clusterrole", "clusterrolebinding", "serviceaccount", "sa"}
)
# No gateway, route or server: applications are called that.
_OF_MESHES = frozenset(
    {
        "virtualservice",
        "destinationrule",
        "serviceentry",
        "serviceentrie",
        "httproute",
        "grpcroute",
        "ingressroute",
    }
)
_OF_OTHERS = frozenset({"namespace", "ns", "hpa", "storageclass", "crd", "servicemonitor", "podmonitor"})
_DRAWERS = _OF_WORKLOADS | _OF_NETWORK | _OF_MESHES | _OF_DATA | _OF_ACCESS | _OF_OTHERS
_PERHAPS_A_DRAWER = "deploy"
_OF_CHARTS = frozenset({"templates", "charts", "crds", "ci", "test", "tests", "e2e"})
_READS_FILES = ".Files"
# Folders that are named after a tool or a theme. They may hold an application of their own, with pods and Services.
_OF_TOOLS = frozenset(
    {"istio", "linkerd", "traefik", "nginx", "kong", "contour", "gateway-api", "prometheus"}
)
_OF_THEMES = frozenset(
    {"mesh", "service-mesh", "network", "networking", "net", "gateway", "route", "routing", "traffic"}
    | {"monitoring", "monitor", "metric", "observability"}
    | {"policy", "policies", "network-policy", "network-policies", "security", "webhook", "admission"}
)


_Kinds: TypeAlias = Mapping[RelPath, frozenset[str]]
"""Files with the kinds of the objects in them."""


@dataclass(frozen=True, slots=True)
class Plain:
    """The targets and skips that plain manifests make."""

    targets: tuple[ManifestTarget, ...]
    skips: tuple[Skip, ...]


def find_manifests(
    tree: Tree,
    listing: Listing,
    charts: frozenset[RelPath],
    kustomized: frozenset[RelPath],
    together: Mapping[RelPath, frozenset[RelPath]] | None = None,
) -> Plain:
    """Find the folders of plain manifests of the listing; `kustomized` are the files that kustomizations read.

    `together` are files that something deploys together, by the folder that it names.
    """
    skips: list[Skip] = []
    contents: dict[RelPath, _Kinds] = {}
    beside = {parent(path) for path in kustomized}
    for path, folder in sorted(listing.folders.items()):
        names = [name for name in folder.files if name.endswith(_ENDINGS)]
        if not (names or folder.links) or _is_of_chart(tree, path, charts):
            continue
        files = [folder.child(name) for name in names if folder.child(name) not in kustomized]
        kinds, unusable = _contents(tree, files)
        skips += [*_leading_out(listing, folder), *unusable]
        if kinds and path in beside:
            skips.append(_unlisted(path, list(kinds)))
        elif kinds:
            contents[path] = kinds
    whole = _together(contents, together or {})
    skips += [
        _not_deployed(path, sorted(contents.pop(path))) for path in sorted(contents.keys() & whole.keys())
    ]
    targets = []
    for path, group in (*_grouped(tree, contents).items(), *whole.items()):
        all_kinds = {kind for kinds in group.values() for kind in kinds}
        if all_kinds & WITH_PORTS:
            found = alternatives(tree, path, group, WITH_PORTS)
            targets += [ManifestTarget(place, files) for place, files in found.items()]
        else:
            only_crds = all_kinds == {"CustomResourceDefinition"}
            reason = "only CustomResourceDefinitions" if only_crds else "no objects with ports"
            skips.append(Skip("manifests", path, reason, counts=False))
    return Plain(tuple(targets), tuple(skips))


def _is_of_chart(tree: Tree, path: RelPath, charts: frozenset[RelPath]) -> bool:
    """Whether a folder is a chart's own: what else lies below one may be for ``kubectl apply``, if no template reads it."""
    chart = enclosing_chart(path, charts)
    if chart is None or path == chart:
        return chart is not None
    inside = path if chart == "." else path[len(chart) + 1 :]
    if inside.partition("/")[0] in _OF_CHARTS or "templates" in inside.split("/"):
        return True
    return any(_READS_FILES in (tree.text_or_none(file) or "") for file in chart_files([chart], tree))


def _together(
    contents: dict[RelPath, _Kinds], together: Mapping[RelPath, frozenset[RelPath]]
) -> Mapping[RelPath, _Kinds]:
    """The files that something deploys together, which are then those of no folder any more."""
    every = {file: kinds for group in contents.values() for file, kinds in group.items()}
    found = {
        folder: {file: every[file] for file in sorted(files) if file in every}
        for folder, files in sorted(together.items())
    }
    taken = {file for group in found.values() for file in group}
    for path, group in tuple(contents.items()):
        left = {file: kinds for file, kinds in group.items() if file not in taken}
        contents[path] = left
        if not left:
            del contents[path]
    return {folder: group for folder, group in found.items() if group}


def _not_deployed(folder: RelPath, files: Sequence[RelPath]) -> Skip:
    more = f" (and {len(files) - 1} more)" if len(files) > 1 else ""
    name = files[0].rpartition("/")[2]
    return Skip("manifests", folder, f"not taken by what deploys this folder: {name}{more}", counts=False)


def may_have_ports(tree: Tree, file: RelPath) -> bool:
    """Whether a file is a manifest that holds an object of a kind with ports, or cannot be used although it might."""
    found = _examine(tree, file)
    return found.counts if isinstance(found, Skip) else bool(found & WITH_PORTS)


def _contents(tree: Tree, files: Sequence[RelPath]) -> tuple[_Kinds, list[Skip]]:
    """The manifests among `files`, and those that cannot be used."""
    manifests: dict[RelPath, frozenset[str]] = {}
    unusable = []
    for file in files:
        found = _examine(tree, file)
        if isinstance(found, Skip):
            unusable.append(found)
        elif found:
            manifests[file] = found
    return manifests, unusable


def _unlisted(folder: RelPath, files: Sequence[RelPath]) -> Skip:
    more = f" (and {len(files) - 1} more)" if len(files) > 1 else ""
    name = files[0].rpartition("/")[2]
    reason = f"not listed in the kustomization that reads this folder: {name}{more}"
    return Skip("manifests", folder, reason, counts=False)


def _grouped(tree: Tree, contents: Mapping[RelPath, _Kinds]) -> dict[RelPath, _Kinds]:
    """The files of each target: drawers go together with their parent when there are at least two to put together."""
    drawers: dict[RelPath, list[RelPath]] = defaultdict(list)
    for path in contents:
        if path != "." and (_is_drawer(path) or path.endswith("/" + _PERHAPS_A_DRAWER)):
            drawers[parent(path)].append(path)
    groups = {path: dict(kinds) for path, kinds in contents.items()}
    for folder, parts in drawers.items():
        if not any(_is_drawer(path) for path in parts) or len(parts) + (folder in contents) < 2:
            continue
        whole = groups.setdefault(folder, {})
        for part in parts:
            whole.update(groups.pop(part))
    for path in contents:
        whole = groups.get(parent(path), {})
        if path in groups and path != "." and _is_about_others(path, groups[path]) and whole:
            both = {**whole, **groups[path]}
            if len(alternatives(tree, parent(path), both, WITH_PORTS)) == 1:
                whole.update(groups.pop(path))
    return dict(groups)


def _is_about_others(path: RelPath, kinds: _Kinds) -> bool:
    """Whether a folder is named after a tool or a theme, and has ports but no application of its own: ``istio/route.yaml``."""
    found = frozenset(kind for some in kinds.values() for kind in some)
    of_pods = WORKLOADS | {"Service"}
    return _is_named(path, _OF_TOOLS | _OF_THEMES) and bool(found & WITH_PORTS) and not found & of_pods


def _is_drawer(path: RelPath) -> bool:
    return _is_named(path, _DRAWERS)


def _is_named(path: RelPath, names: frozenset[str]) -> bool:
    """Whether a folder has one of these names, with or without a plural."""
    name = path.rpartition("/")[2].lower()
    return not names.isdisjoint((name, name.removesuffix("s"), name.removesuffix("es")))


def _examine(tree: Tree, file: RelPath) -> frozenset[str] | Skip:
    """The kinds of the objects in a file, empty when it holds none; a skip when it cannot be used."""
    try:
        text = tree.text(file).removeprefix("\ufeff")
    except SourceError as error:
        head = _head(tree, file)
        counts = head is None or bool(_kinds(head))  # what cannot be read at all may be anything
        return Skip("manifests", file, _unreadable(tree, file, error), counts=counts)
    kinds = _kinds(text)
    if kinds and _is_template(text):
        return Skip("manifests", file, "a template for another tool", counts=bool(kinds & WITH_PORTS))
    return kinds


def _kinds(text: str) -> frozenset[str]:
    """The kinds of the objects of `text`, told by its lines: a broken manifest is a manifest all the same."""
    if "apiVersion" not in text or "kind" not in text:
        return frozenset()
    if text.lstrip()[:1] == "{":
        return _json_kinds(text)
    lines = "\n" + text
    first = _API_VERSION.search(lines)
    if first is None or first[1].startswith(_FOREIGN):
        return frozenset()
    kinds = set(_KIND.findall(lines))
    if any(kind.endswith("List") for kind in kinds):
        kinds.update(_INNER_KIND.findall(text))
    return frozenset(kinds)


def _json_kinds(text: str) -> frozenset[str]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        try:
            documents = load_all(text)
        except YamlError:  # kept when it begins like a manifest, so that rendering reports it
            return (
                frozenset(re.findall(r'"kind"\s*:\s*"(\w+)"', text))
                if _JSON_MANIFEST.match(text)
                else frozenset()
            )
        return frozenset(kind for item in documents for kind in _object_kinds(item))
    return frozenset(_object_kinds(data))


def _object_kinds(data: Any) -> Iterator[str]:
    if not isinstance(data, dict) or "apiVersion" not in data or not isinstance(data.get("kind"), str):
        return
    yield data["kind"]
    items = data.get("items")
    if data["kind"].endswith("List") and isinstance(items, list):
        for item in items:
            if isinstance(item, dict) and isinstance(item.get("kind"), str):
                yield item["kind"]


def _is_template(text: str) -> bool:
    """Whether another tool has to fill in the text first: ytt's comments, or marks that are not YAML as they stand."""
    if "#@" in text and _YTT.search(text):
        return True
    if any(mark in text for mark in _TEMPLATE_MARKS):
        marked = [one for _, one in split(text) if any(mark in one for mark in _TEMPLATE_MARKS)]
        if not all(map(_parses, marked)):
            return True
    return _FILLED_IN.search(text) is not None and any(
        not _parses(document) and _parses(_FILLED_IN.sub("x", _FILLED_IN_LINE.sub("", document)))
        for _, document in split(text)
        if _FILLED_IN.search(document)
    )


def _parses(text: str) -> bool:
    try:
        load_all(text)
    except YamlError:
        return False
    return True


def _head(tree: Tree, file: RelPath) -> str | None:
    """The beginning of a file that cannot be read as a whole; None when nothing of it can."""
    try:
        with tree.on_disk(file).open("rb") as stream:
            return stream.read(_HEAD_BYTES).decode("utf-8", "replace").removeprefix("\ufeff")
    except OSError:
        return None


def _unreadable(tree: Tree, file: RelPath, error: SourceError) -> str:
    try:
        size = tree.on_disk(file).stat().st_size
    except OSError:
        return error.reason
    if size > MAX_SOURCE_BYTES:
        return f"{size / 1024 / 1024:.1f} MiB, {error.reason}"
    return f"{error.reason} ({size:,} bytes)"


def _leading_out(listing: Listing, folder: Folder) -> Sequence[Skip]:
    """Links to manifests or folders outside; links inside are left alone, because their targets are found anyway."""
    skips = []
    for name in folder.links:
        try:
            resolve(listing.root, folder.child(name))
        except EscapeError as error:
            reason = f"a link that {error}"
            skips.append(Skip("manifests", folder.child(name), reason, counts=name.endswith(_ENDINGS)))
    return skips
