"""What the repository says that it deploys from itself: charts with values, release and namespace, kustomizations, folders.

Which repository a description means cannot be known from a checkout: what lies at its path is taken for it. What would have
to be executed, fetched or asked of a cluster makes no target, and the reason is told.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from msgspec import Struct, field

from portproof.discover.facts import DESCRIPTIONS, Facts
from portproof.discover.gitops.config_maps import Stores
from portproof.discover.gitops.deployment import NAME, Build, Deployment, Installed, Place, files_of
from portproof.discover.gitops.described import HELM, KUSTOMIZE, NO_CHILDREN, Children, Described, objects
from portproof.discover.reading import aside
from portproof.discover.unread import Unread
from portproof.discover.walk import Listing, ancestors
from portproof.replacing import replace
from portproof.source import RelPath, SourceError, Tree
from portproof.yamldoc import lookup

MAX_REASON = 240
_ENDINGS = (".yaml", ".yml")
_KINDS = ("HelmRelease", "Application")
_GROUPS = ("argoproj.io/", "fluxcd.io/")
_ARGO = "argoproj.io"
_API_GROUPS = (_ARGO, KUSTOMIZE, HELM)
_NOT_FOR_OBJECTS = frozenset({"templates", "charts", "crds", "files"})
"""Folders of a chart whose files are filled in first, or belong to other charts."""


_TOOLS = {
    "helmfile": re.compile(r"helmfile"),
    "skaffold": re.compile(r"skaffold"),
    "chart_testing": re.compile(r"(?:^|/)(?:ct|chart-testing)\.ya?ml\Z"),
    "terraform": re.compile(r"\.tf\Z"),
    "werf": re.compile(r"(?:^|/)werf\.ya?ml\Z"),
}
"""How the files of each tool may be called; its reader knows more exactly."""

_OF_A_TOOL = re.compile("|".join(f"(?:{name.pattern})" for name in _TOOLS.values()))


class Deployments(Struct, frozen=True):
    """What is deployed: installs by their charts, builds by their folders, each in the order of the files.

    `remote` are installs of charts of registries.
    """

    installs: Mapping[RelPath, tuple[Installed, ...]] = field(default_factory=dict)
    builds: Mapping[RelPath, tuple[Build, ...]] = field(default_factory=dict)
    unread: tuple[Unread, ...] = ()
    remote: tuple[Installed, ...] = ()

    def together(self) -> Mapping[RelPath, frozenset[RelPath]]:
        """The manifests that are deployed together by a folder, where these are not simply those that lie in it."""
        found = {
            folder: frozenset(path for one in some for path in one.files)
            for folder, some in self.builds.items()
        }
        return {folder: files for folder, files in found.items() if files}


def find_deployments(
    tree: Tree, listing: Listing, charts: frozenset[RelPath], children: Children = NO_CHILDREN
) -> Deployments:
    """What the descriptions of the tree deploy, and those that renderings of it hold."""
    place = Place(tree, listing, charts)
    texts, stores = _texts(tree, _files(listing, charts))
    every = [_named(one) for one in _deployments(place, texts, stores, children)]
    installed = _told_apart([one for one in every if isinstance(one, Installed)])
    patched = _patched_among(texts, {one.install.name for one in installed}, children.built)
    installs: dict[RelPath, list[Installed]] = defaultdict(list)
    builds: dict[RelPath, list[Build]] = defaultdict(list)
    remote: list[Installed] = []
    for one in installed:
        rendered = one.install.parent is not None or one.file in children.files
        is_patched = not one.problem and one.install.name in patched and not rendered
        problem = "a kustomization changes its values" if is_patched else one.problem
        if one.remote is None:
            installs[one.chart].append(replace(one, problem=problem))
        elif problem:
            every.append(Unread(one.file, "remote-chart", _of_registry(one, problem)))
        else:
            remote.append(one)
    for build in every:
        if isinstance(build, Build) and build not in builds[build.folder]:
            builds[build.folder].append(build)
    return Deployments(
        {chart: tuple(some) for chart, some in installs.items()},
        {folder: tuple(some) for folder, some in builds.items()},
        tuple(sorted({_shortened(one) for one in every if isinstance(one, Unread)})),
        tuple(remote),
    )


def _of_registry(one: Installed, problem: str) -> str:
    chart = one.remote.name if one.remote else one.chart
    return f"{one.install.name}: the chart {chart} is not rendered as installed: {problem}"


def _deployments(
    place: Place, texts: Mapping[RelPath, str], stores: Stores, children: Children
) -> Iterator[Deployment]:
    described = [*_described(texts, children.files), *children.objects]
    if described:
        yield from _of_objects(place, described, stores)
    yield from _of_other_tools(place)


def _of_objects(place: Place, described: Iterable[Described], stores: Stores) -> Iterator[Deployment]:
    from portproof.discover.gitops import application  # noqa: PLC0415 - start-up: many repositories have none
    from portproof.discover.gitops.flux import Flux  # noqa: PLC0415

    flux: list[Described] = []
    for one in described:
        if one.is_a("Application", _ARGO):
            yield from application.deployments(place, one)
        elif one.is_a("ApplicationSet", _ARGO):
            yield from _of_set(place, one)
        elif "fluxcd.io/" in one.text("apiVersion"):
            flux.append(one)
    yield from Flux(place, stores, flux).deployments()


def _described(texts: Mapping[RelPath, str], rendered: Collection[RelPath]) -> Iterator[Described]:
    """The objects of the files that speak of Argo CD or Flux; of those that are `rendered` only what deploys nothing."""
    for file, text in texts.items():
        if any(group in text for group in _GROUPS):
            for one in objects(file, text):
                if file not in rendered or not is_description(one):
                    yield one


def is_description(one: Described) -> bool:
    """Whether an object of Argo CD or Flux deploys something."""
    return one.text("kind") in DESCRIPTIONS and one.text("apiVersion").partition("/")[0] in _API_GROUPS


def _of_other_tools(place: Place) -> Iterator[Deployment]:
    """What helmfile, Skaffold, Terraform, werf and chart-testing deploy; their files are told by their names."""
    for file in sorted(filter(_OF_A_TOOL.search, files_of(place.listing))):
        reader = next(
            (one for tool, name in _TOOLS.items() if name.search(file) and (one := _reader(tool, file))), None
        )
        text = place.tree.text_or_none(file) if reader else None
        if reader and text is not None:
            yield from reader(place, file, text)


def _reader(tool: str, file: RelPath) -> Callable[[Place, RelPath, str], Iterator[Deployment]] | None:
    """What reads a file of a tool, if it is one. Start-up: many repositories have none, and few have all."""
    if tool == "helmfile":
        from portproof.discover.gitops import helmfile  # noqa: PLC0415

        return helmfile.deployments if helmfile.is_helmfile(file) else None
    if tool == "skaffold":
        from portproof.discover.gitops import skaffold  # noqa: PLC0415

        return skaffold.deployments if skaffold.is_skaffold(file) else None
    if tool == "terraform":
        from portproof.discover.gitops import terraform  # noqa: PLC0415

        return terraform.deployments
    if tool == "werf":
        from portproof.discover.gitops import werf  # noqa: PLC0415

        return werf.deployments
    from portproof.discover.gitops import chart_testing  # noqa: PLC0415

    return chart_testing.deployments if chart_testing.is_chart_testing(file) else None


def _of_set(place: Place, one: Described) -> Iterator[Deployment]:
    from portproof.discover.gitops import application, applicationset  # noqa: PLC0415 - as above

    found, reasons = applicationset.applications(place.tree, place.listing, one)
    for fill, data in found:
        yield from application.deployments(place, replace(one, data=data), fill)
    folders = tuple(applicationset.folders(one)) if reasons else ()
    for reason in reasons:
        yield Unread(one.file, "applicationset", f"{one.text('metadata', 'name')}: {reason}", folders)


def _files(listing: Listing, charts: Collection[RelPath]) -> Iterator[RelPath]:
    for path, folder in sorted(listing.folders.items()):
        around = next((one for one in (path, *ancestors(path)) if one in charts), None)
        inside = path if around in (None, ".") else path[len(str(around)) + 1 :]
        if around is not None and inside.partition("/")[0] in _NOT_FOR_OBJECTS:
            continue
        yield from (folder.child(name) for name in folder.files if name.endswith(_ENDINGS))


def _texts(tree: Tree, files: Iterable[RelPath]) -> tuple[Mapping[RelPath, str], Stores]:
    """The files that speak of the kinds that deploy, with what they say, and those that hold ConfigMaps and Secrets."""
    found: dict[RelPath, str] = {}
    stores: list[RelPath] = []
    for file in files:
        with suppress(SourceError):  # what cannot be read is told of where manifests are rendered
            known = Facts(aside(tree).text(file))
            if known.deploys:
                found[file] = tree.text(file)
            if known.stores:
                stores.append(file)
    return found, Stores(tree, tuple(stores))


def _shortened(one: Unread) -> Unread:
    """The same, with a reason that can be read: what strangers wrote may be long."""
    return one if len(one.reason) <= MAX_REASON else replace(one, reason=f"{one.reason[:MAX_REASON]}…")


def _named(one: Deployment) -> Deployment:
    """The same, but a build by something without a valid name is not read: the id of a target ends in it."""
    if isinstance(one, Build) and not NAME.fullmatch(one.install.name):
        return Unread(one.install.file, one.install.tool.lower(), "its name is not a valid object name")
    return one


def _told_apart(installed: Iterable[Installed]) -> list[Installed]:
    """The installs, each once; of several with one chart, files and name the later ones say which document they are."""
    found: list[Installed] = []
    seen: Counter[tuple[RelPath, tuple[RelPath, ...], RelPath, str]] = Counter()
    for one in dict.fromkeys(installed):
        key = (one.chart, one.files, one.file, one.install.name)
        seen[key] += 1
        name = one.install.name if seen[key] == 1 else f"{one.install.name}.{seen[key]}"
        found.append(replace(one, install=replace(one.install, name=name)))
    return found


def _patched_among(
    texts: Mapping[RelPath, str], names: Collection[str], built: Collection[RelPath]
) -> frozenset[str]:
    """Those of the installs called `names` whose values a kustomization changes: what they are then is not known.

    A patch without a name may change any of them; those that one of the kustomizations that have been `built` changes are
    known, and a component changes those of its users.
    """
    if not names:
        return frozenset()
    # a whole HelmRelease names its chart; what names none is a patch, or holds patches
    perhaps = ((file, text) for file, text in texts.items() if "patch" in text or "chart:" not in text)
    found = (one for file, text in perhaps if "values" in text for one in objects(file, text))
    patched: set[str] = set()
    for one in found:
        is_known = one.file in built or (built and one.text("kind") == "Component")
        patched.update(name for name in _patched(one) if name or not is_known)
    return frozenset(names) if "" in patched else frozenset(names).intersection(patched)


def _patched(one: Described) -> Iterator[str]:
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
