"""Folders of plain manifests: what belongs to neither a chart nor a kustomization."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct, field

from portproof.discover.alternatives import alternatives
from portproof.discover.assertions import assertions
from portproof.discover.chart_files import chart_files
from portproof.discover.charts import enclosing_chart
from portproof.discover.facts import Facts, kinds_of
from portproof.discover.kinds import WITH_PORTS, WORKLOADS
from portproof.discover.model import ManifestTarget, Skip
from portproof.discover.reading import aside, facts
from portproof.discover.unread import Unread
from portproof.discover.walk import EscapeError, Folder, Listing, resolve
from portproof.source import MAX_SOURCE_BYTES, RelPath, SourceError, Tree, parent

_ENDINGS = (".yaml", ".yml", ".json")
_HEAD_BYTES = 64 * 1024
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
_OF_CHARTS = frozenset(
    {"templates", "charts", "crds", "ci", "test", "tests", "e2e"}
    | {"docs", "example", "examples", "sample", "samples"}
)
"""Folders of charts whose manifests, where there are any, say what the chart renders to or is tested with."""
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


class Plain(Struct, frozen=True):
    """The targets and skips that plain manifests make, and what is unread of them."""

    targets: tuple[ManifestTarget, ...]
    skips: tuple[Skip, ...]
    unread: tuple[Unread, ...] = ()


class Elsewhere(Struct, frozen=True):
    """What is said of manifests elsewhere: the files that kustomizations read (`kustomized`), and paths that somebody has `named`.

    `together` are files that something deploys together, by the folder that it names.
    """

    kustomized: frozenset[RelPath]
    together: Mapping[RelPath, frozenset[RelPath]] = field(default_factory=dict)
    named: Collection[RelPath] = ()


def find_manifests(tree: Tree, listing: Listing, charts: frozenset[RelPath], elsewhere: Elsewhere) -> Plain:
    """Find the folders of plain manifests of the listing."""
    skips: list[Skip] = []
    templates: list[Unread] = []
    contents: dict[RelPath, _Kinds] = {}
    unlisted: dict[RelPath, _Kinds] = {}
    beside = {parent(path) for path in elsewhere.kustomized}
    claims = assertions(tree, listing)
    for path, folder in sorted(listing.folders.items()):
        names = [name for name in folder.files if name.endswith(_ENDINGS)]
        if not (names or folder.links) or _is_of_chart(tree, path, charts):
            continue
        files = [folder.child(name) for name in names if folder.child(name) not in elsewhere.kustomized]
        kinds, unusable = _contents(tree, [file for file in files if file not in claims])
        skips += [
            *_leading_out(listing, folder),
            *unusable,
            *_claimed(tree, path, claims.intersection(files)),
        ]
        templates += _templates(tree, kinds)
        if kinds and path in beside:
            unlisted[path] = kinds
        elif kinds:
            contents[path] = kinds
    deployed, unread = _sorted_out(tree, listing, unlisted, elsewhere.named)
    contents |= deployed
    for path, kinds in unlisted.items():
        left = [file for file in kinds if file not in deployed.get(path, ())]
        skips += [_unlisted(path, left)] if left else []
    whole = _together(contents, elsewhere.together)
    skips += [
        _not_deployed(path, sorted(contents.pop(path))) for path in sorted(contents.keys() & whole.keys())
    ]
    targets = []
    for path, group in (*_grouped(tree, contents).items(), *whole.items()):
        all_kinds = {kind for kinds in group.values() for kind in kinds}
        if all_kinds & WITH_PORTS:
            found = alternatives(tree, path, group)
            targets += [ManifestTarget(place, files) for place, files in found.items()]
        elif not any(one.path in group for one in templates):
            only_crds = all_kinds == {"CustomResourceDefinition"}
            reason = "only CustomResourceDefinitions" if only_crds else "no objects with ports"
            skips.append(Skip("manifests", path, reason, counts=False))
    return Plain(tuple(targets), tuple(skips), (*unread, *templates))


def _sorted_out(
    tree: Tree, listing: Listing, unlisted: Mapping[RelPath, _Kinds], named: Collection[RelPath]
) -> tuple[dict[RelPath, _Kinds], tuple[Unread, ...]]:
    """Of the manifests that no kustomization lists those that are deployed all the same, by their folders, and the unread."""
    every = {file: kinds for group in unlisted.values() for file, kinds in group.items()}
    with_ports = {file for file, kinds in every.items() if kinds & WITH_PORTS}
    if not with_ports:
        return {}, ()
    from portproof.discover.unlisted import applied, unread  # noqa: PLC0415 - start-up: few have any

    taken = applied(tree, listing, every) | with_ports.intersection(named)
    found: dict[RelPath, _Kinds] = {
        path: {file: kinds for file, kinds in group.items() if file in taken}
        for path, group in unlisted.items()
    }
    deployed = {path: group for path, group in found.items() if not with_ports.isdisjoint(group)}
    seen = {file for group in deployed.values() for file in group}
    left = {file: kinds for file, kinds in every.items() if file not in seen}
    return deployed, tuple(unread(tree, left))


def _is_of_chart(tree: Tree, path: RelPath, charts: frozenset[RelPath]) -> bool:
    """Whether a folder is a chart's own: what else lies below one may be for ``kubectl apply``, if no template reads it."""
    chart = enclosing_chart(path, charts)
    if chart is None or path == chart:
        return chart is not None
    inside = path if chart == "." else path[len(chart) + 1 :]
    if inside.partition("/")[0].partition(".")[0] in _OF_CHARTS or "templates" in inside.split("/"):
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


def _templates(tree: Tree, files: _Kinds) -> Iterator[Unread]:
    """The Templates of OpenShift among files: who processes them may give them any parameters."""
    for file, kinds in files.items():
        if "Template" in kinds and facts(tree, file).is_template:
            reason = (
                "an OpenShift Template with parameters; "
                f"`oc process --local -f {file} -o yaml | portproof check -` checks what it makes"
            )
            yield Unread(file, "openshift-template", reason)


def _claimed(tree: Tree, folder: RelPath, files: Collection[RelPath]) -> Sequence[Skip]:
    """What to say of the files of a folder that only tell what a test expects, if they have objects with ports."""
    found = sorted(file for file in files if may_have_ports(tree, file))
    if not found:
        return ()
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    name = found[0].rpartition("/")[2]
    return [Skip("manifests", folder, f"what a test expects, nobody applies it: {name}{more}", counts=False)]


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
            if len(alternatives(tree, parent(path), both)) == 1:
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
        facts = Facts(aside(tree).text(file))
    except SourceError as error:
        head = _head(tree, file)
        counts = head is None or bool(kinds_of(head))  # what cannot be read at all may be anything
        return Skip("manifests", file, _unreadable(tree, file, error), counts=counts)
    kinds = facts.kinds
    if kinds and facts.is_for_a_tool:
        return Skip("manifests", file, "a template for another tool", counts=bool(kinds & WITH_PORTS))
    return kinds


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
