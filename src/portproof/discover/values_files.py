"""Values files, wherever they are: ``envs/prod.yaml``, ``clusters/prod/shop/values.yaml``, ``helm/prod-values.yaml``.

A file is taken for values of a chart when its keys are the chart's and its place says so: it lies in the chart, or nothing
on the way from the folder that both lie in speaks of anything but that chart and an environment. What has the keys and not
the place is unread, with the lines of ``portproof.yaml`` that make it a target: a chart never gets the values of another.
What an Application, a HelmRelease or the configuration gives to a chart is not looked at again. A file that is called values
and has those of no chart here is unread: whoever installs that chart has it from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import TypeAlias

from msgspec import Struct, field

from portproof.discover.charts import MAX_VALUES, Charts
from portproof.discover.model import HelmTarget
from portproof.discover.places import ENVIRONMENT, OF_ENVIRONMENTS
from portproof.discover.reading import facts
from portproof.discover.unread import Unread
from portproof.discover.walk import Folder, Listing, ancestors
from portproof.replacing import replace
from portproof.source import RelPath, Tree, below, is_within, parent

_Keys: TypeAlias = frozenset[str]

_ENDING = re.compile(r"\.ya?ml\Z")
_VALUES = re.compile(r"(?:^|[-._])values?(?:$|[-._])")
_WORDS = re.compile(r"[-._]")

_OF_VALUES = OF_ENVIRONMENTS | {"values", "helm_vars", "helm-vars", "helmvars", "helm-values", "helm_values"}
"""Folders whose files may be values, whatever these are called."""
_GENERIC = _OF_VALUES | {
    *("helm", "chart", "charts", "deploy", "deployment", "deployments", "k8s", "kubernetes", "kube", "gitops", "argocd"),
    *("argo", "flux", "apps", "app", "applications", "services", "service", "releases", "infra", "infrastructure", "ops"),
    *("config", "configs", "conf", "vars", "value", "common", "base", "default", "defaults", "global", "shared", "all", "src"),
}  # fmt: skip
"""Words that say nothing of what a file is for."""
_NO_PLACES = frozenset(
    {
        "templates",
        "crds",
        "ci",
        "test",
        "tests",
        "testdata",
        "fixtures",
        "example",
        "examples",
        "sample",
        "samples",
    }
    | {"docs", "doc", "hack", "schema", "schemas", "dashboards", "node_modules"}
)
_NO_VALUES = re.compile(
    r"(?:^|[-._])(?:example|examples|sample|schema|secrets?|template|tpl|dist|test-values|metadata)(?:$|[-._])|^\.|^test-"
)
"""Names of what is no environment: examples, schemas, tests, what sops has encrypted."""

_NAMED_SHARE, _SHARE = 0.5, 0.8
"""How many of a file's keys have to be the chart's, in a file that is called values and in any other."""


class Found(Struct, frozen=True):
    """The targets that values files make, and those that may be values and are not read."""

    targets: tuple[HelmTarget, ...] = ()
    unread: tuple[Unread, ...] = ()


def find_values(tree: Tree, listing: Listing, charts: Charts, read: Collection[RelPath]) -> Found:
    """Look for values of the charts among the files that nobody gives to them; `read` are files that others read."""
    known = [_Chart(tree, one, charts) for one in charts.plain.values()]
    given = {path for one in charts.targets for path in one.values}
    given |= {path for one in charts.skips for path in one.values}
    given |= {path for one in charts.targets if one.install for path in one.install.also}
    targets: list[HelmTarget] = []
    unread: list[Unread] = []
    for path in _candidates(listing, charts.folders, given | set(read)):
        own = facts(tree, path)
        keys = own.keys
        if not keys or own.is_encrypted or {"apiVersion", "kind"} <= keys:
            continue
        if own.is_of_ytt:
            reason = f"ytt reads it; check what it renders: `ytt -f {parent(path)} | portproof check -`"
            unread.append(Unread(path, "ytt", reason))
            continue
        answer = _owner(path, keys, known) or _of_elsewhere(path, charts.folders)
        if not answer:
            continue
        if own.is_filled_in:
            unread.append(Unread(path, "values", "a template that another tool fills in"))
        elif isinstance(answer, str):
            unread.append(Unread(path, "values", answer))
        elif len(answer.taken) >= MAX_VALUES:
            unread.append(Unread(path, "values", f"more than {MAX_VALUES} values files of {answer.folder}"))
        else:
            answer.taken.append(path)
            targets.append(replace(answer.plain, values=(path,), inferred=True))
    return Found(tuple(targets), tuple(unread))


class _Chart(Struct):
    """A chart with what its values are known by; what its templates read is looked up when the rest does not do."""

    tree: Tree
    plain: HelmTarget
    charts: Charts
    taken: list[RelPath] = field(default_factory=list)
    _keys: _Keys | None = None
    _read: _Keys | None = None

    @property
    def folder(self) -> RelPath:
        return self.plain.chart

    @property
    def names(self) -> frozenset[str]:
        """What a file may call the chart: its folder, its name, its release."""
        folder = self.folder.rpartition("/")[2]
        found = {folder, self.charts.files.read(self.folder).name, self.plain.release}
        return frozenset(one.lower() for one in found if one) - _GENERIC - {"."}

    @property
    def keys(self) -> _Keys:
        """The first keys of its own values, and its dependencies'."""
        if self._keys is None:
            chart = self.charts.files.read(self.folder)
            parts = {name for one in chart.dependencies for name in (one.name, one.alias)} - {""}
            own = facts(self.tree, below(self.folder, "values.yaml")).keys
            self._keys = own | parts | {"global"}
        return self._keys

    @property
    def read(self) -> _Keys:
        """What its templates read: a value may have no default."""
        if self._read is None:
            files = (
                path
                for path in self.plain.inputs(self.tree)
                if is_within(path, below(self.folder, "templates"))
            )
            self._read = frozenset(key for path in files for key in facts(self.tree, path).reads)
        return self._read

    def share(self, keys: _Keys, wanted: float, least: int) -> float:
        """How many of `keys` are the chart's; 0 for fewer than `wanted`, or fewer than `least` of them."""
        shared = len(keys & self.keys)
        if shared < least or shared / len(keys) < wanted:
            shared = len(keys & (self.keys | self.read))
        return shared / len(keys) if shared >= least and shared / len(keys) >= wanted else 0.0


class _Claim(Struct, frozen=True, order=True):
    """How well a file fits a chart, the better the greater: named by the file's place, near it, with its keys."""

    is_named: int
    depth: int
    share: float


def _owner(path: RelPath, keys: _Keys, charts: Sequence[_Chart]) -> _Chart | str | None:
    """The chart that a file has values of; why that is not known; None for a file that is none of any chart's."""
    name = _ENDING.sub("", path.rpartition("/")[2])
    is_called_so = _VALUES.search(name) is not None
    wanted, least = (_NAMED_SHARE, 1) if is_called_so else (_SHARE, 2)
    claims: dict[RelPath, _Claim] = {}
    for one in charts:
        share = one.share(keys, wanted, least)
        if share:
            top = _common(path, one.folder)
            claims[one.folder] = _Claim(
                _named(path, top, one), 0 if top == "." else top.count("/") + 1, share
            )
    if not claims:
        return None
    best = max(claims.values())
    found = [one for one in charts if claims.get(one.folder) == best]
    if len(found) > 1:
        names = " and ".join(one.folder for one in found[:2])
        more = f" and {len(found) - 2} more" if len(found) > 2 else ""
        return f"its keys are those of {names}{more}; {_paste(found[0], path)}"
    others = [one for one in charts if one is not found[0] and not claims.get(one.folder)]
    if not best.is_named and any(_named(path, _common(path, one.folder), one) for one in others):
        return None  # it speaks of another chart, whose keys it does not have
    unknown = _unknown(path, found[0], is_called_so=is_called_so)
    if not unknown:
        return found[0]
    if not is_called_so and best.share < 1:
        return None
    return (
        f"its keys are those of {found[0].folder}, but its place says {unknown!r}; {_paste(found[0], path)}"
    )


def _of_elsewhere(path: RelPath, charts: Collection[RelPath]) -> str:
    """Why a file that is called values is not looked at, if no chart is around it; else empty."""
    stem = _ENDING.sub("", path.rpartition("/")[2])
    if not _VALUES.search(stem) or any(one in charts for one in ancestors(path)):
        return ""
    return f"its chart is not in this repository; check what it renders: `helm template CHART -f {path} | portproof check -`"


def _named(path: RelPath, top: RelPath, chart: _Chart) -> int:
    """The length of the longest name of the chart in the part of `path` below `top`."""
    steps = _ENDING.sub("", _inside(path, top)).lower()
    return max((len(name) for name in chart.names if re.search(_as_word(name), steps)), default=0)


def _unknown(path: RelPath, chart: _Chart, *, is_called_so: bool) -> str:
    """The first step on the way to a file that speaks neither of the chart nor of an environment; empty for none.

    In the chart itself, and beside its folder, a file that is called values is the chart's.
    """
    top = _common(path, chart.folder)
    inside = _ENDING.sub("", _inside(path, top))
    if is_called_so and (top == chart.folder or (parent(path) == parent(chart.folder) != ".")):
        return ""
    above = "" if top == "." else top.rpartition("/")[2]
    for step in inside.split("/"):
        rest = step.lower()
        for name in sorted(chart.names, key=len, reverse=True):
            rest = re.sub(_as_word(name), "-", rest)
        words = [word for word in _WORDS.split(rest) if word and word not in _GENERIC]
        named = "-".join(words)
        if named and not ENVIRONMENT.match(named) and above not in OF_ENVIRONMENTS:
            return step
        above = step
    return ""


def _candidates(
    listing: Listing, charts: frozenset[RelPath], known: Collection[RelPath]
) -> Iterator[RelPath]:
    """The files that their names or places make look like values, in order."""
    for path, folder in sorted(listing.folders.items()):
        steps = [] if path == "." else path.split("/")
        if any(map(_is_no_place, steps)) or _is_of_subchart(path, charts):
            continue
        is_place = any(step in _OF_VALUES or ENVIRONMENT.match(step) for step in steps)
        for name in _yaml(folder):
            stem = _ENDING.sub("", name)
            if _NO_VALUES.search(stem) or folder.child(name) in known:
                continue
            if path in charts and stem in ("values", "Chart", "requirements"):
                continue
            if is_place or _VALUES.search(stem) or ENVIRONMENT.match(stem):
                yield folder.child(name)


def _is_no_place(step: str) -> bool:
    """Whether what lies in a folder of this name is not deployed: ``tests``, ``example-values``, ``.github``."""
    return step.startswith(".") or not _NO_PLACES.isdisjoint(_WORDS.split(step.lower()))


def _yaml(folder: Folder) -> Iterator[str]:
    return (name for name in folder.files if _ENDING.search(name))


def _is_of_subchart(path: RelPath, charts: Collection[RelPath]) -> bool:
    """Whether a folder belongs to a chart that lies in another one's ``charts/``."""
    around = (
        one for one in (path, *ancestors(path)) if one.rpartition("/")[2] == "charts" or one == "charts"
    )
    return any(parent(one) in charts and path != one for one in around)


def _paste(chart: _Chart, path: RelPath) -> str:
    """What to write into ``portproof.yaml``."""
    return f"if it is given to {chart.folder}: `charts: [{{path: {chart.folder}, values: [/{path}]}}]` in portproof.yaml"


def _common(path: RelPath, folder: RelPath) -> RelPath:
    """The innermost folder that both lie in."""
    return next(one for one in (folder, *ancestors(folder)) if one == "." or path.startswith(f"{one}/"))


def _inside(path: RelPath, folder: RelPath) -> str:
    return path if folder == "." else path[len(folder) + 1 :]


def _as_word(name: str) -> str:
    return rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])"
