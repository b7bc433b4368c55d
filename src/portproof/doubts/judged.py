"""Whether a failure to render is a mistake of the repository, or waits for something that is made elsewhere.

What the repository holds itself is certain: text that is not YAML, a template that does not parse, an object twice. What
it does not hold is not: a script, a pipeline or a person may make a missing file before anybody builds the overlay. So a
missing file is a mistake only with evidence.

* Nothing in the repository speaks of making it.
* And where the repository describes what it deploys, in Applications or Flux Kustomizations, this target is among it. Or
  a command of a script, a pipeline or the documentation builds it. Or something that is there was meant: a typo, a
  wrong number of ``../``. Without any such descriptions every overlay is deployed by hand.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection
from pathlib import Path

from msgspec import Struct, field

from portproof.discover.model import (
    KUSTOMIZATION_NAMES,
    HelmTarget,
    KustomizeTarget,
    ManifestTarget,
    StreamTarget,
    Target,
)
from portproof.discover.walk import names_in
from portproof.doubts.lookups import asks_cluster
from portproof.doubts.meant import meant
from portproof.doubts.mentions import Mentions
from portproof.render.chartpaths import ChartPaths
from portproof.render.guards import VALUE, is_empty, value_path
from portproof.render.model import RenderFailure
from portproof.source import RelPath, Tree, below, is_within, parent

_COPIED = re.compile(
    r"(?:\A|/)[._]*(?:[\w-]*[-_])?(?:templates?|fttemplates?|boilerplates?|skeletons?|scaffold(?:s|ing)?|starters?|blueprints?|cookiecutter[^/]*)(?=/|\Z)",
    re.IGNORECASE,
)
"""Folders of what is copied and filled in before anybody builds it."""
_LEFT = re.compile(
    r"(?:\A|/)[._]*(?:archived?|archives|attic|backups?|deprecated|disabled|legacy|obsolete|old|unused|wip|tests?|testing|e2e|testdata|fixtures?|__fixtures__|invalid|broken)(?=/|\Z)",
    re.IGNORECASE,
)
"""Folders of what nobody deploys: it is kept, or belongs to tests and may be meant to be broken."""
_DOCUMENTED = re.compile(r"(?:\A|/)(?:docs?|documentation|snippets?|website)(?=/|\Z)", re.IGNORECASE)
_NOT_YAML = "does not render to valid YAML"
_BY_VALUES = re.compile(rf"  at <|{_NOT_YAML}")
_BY_NOTHING = re.compile(
    r"no template \"|nested reference name|can't give argument to non-function|at <\.(?:Release|Capabilities|Chart)\."
)
"""What other values may cure, unlike a template that does not parse, and what they cannot."""
_VARIABLE = re.compile(r"\{\{[^{}]*\}\}|<[a-z][\w-]*>|\[[A-Z]\w+\]")
"""What a person or a script fills in, where it stands for no text of YAML."""
_READING = re.compile(r"YAML|yaml:|unmarshal|cannot be parsed|invalid Kustomization|validation:")
"""What is said of text that cannot be read as it is."""
_EXAMPLE = re.compile(r"(?:^|[-_.])(?:examples?|sample|templates?|tmpl|tpl|dist)(?:[-_.]|$)")
"""The name of a values file that is to be copied and filled in."""
_FILLED_IN = re.compile(
    r"\{%|<%|\[\[ ?\.\w|<[A-Z][A-Z0-9_-]{2,40}>|\{\{ ?cookiecutter|\$\{\{ ?values|@@\w+@@|%%?[A-Z][A-Z0-9_]+%"
)
"""What other template engines fill in before helm or kustomize sees the file."""
_UNKNOWN_FUNCTION = re.compile(r"function \"(?P<name>\w{1,100})\" not defined")
_OF_TOOLS = re.compile(
    r"werf_\w+|include_file|readFile|readDir|readDirEntries|requiredEnv|exec|envExec|isFile|isDir|fetchSecretValue|"
    r"expandSecretRefs|setValueAtPath|ConfigOption\w*|LicenseFieldValue|repl\w*"
)
"""Functions that helmfile, werf and others add to those of helm."""
_SET = r"--set(?:-string|-file|-json|-literal)?[ =][\"']?(?:[^\s\"']{{0,200}},)?{}[.=\[]"
_NO_KUSTOMIZATION = re.compile(
    r"kustomize[ \t]+(?:create|init)\b|(?:>|\btee[ \t])[^\n]{0,200}kustomization\.ya?ml"
)


class Doubts(Struct):
    """What is known of the whole repository: whether it `describes` what it deploys, and the folders that are `deployed` so.

    `installed` are the charts that a description installs with values of its own.
    """

    describes: bool
    deployed: Collection[RelPath]
    installed: Collection[RelPath] = ()
    _mentions: dict[Path, Mentions] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reason(self, failure: RenderFailure, tree: Tree) -> str:
        """Why a failure is perhaps nobody's mistake, with what to do next; empty where it is one."""
        target = failure.target
        if isinstance(target, StreamTarget):
            return ""
        first = failure.message.partition("\n")[0]
        folder = _folder_of(failure)
        if isinstance(target, ManifestTarget) and _DOCUMENTED.search(folder):
            return f"{first}. {folder} is documentation"
        for words, what, places in (
            (_COPIED, "is copied and filled in before it is built", (folder, target.path)),
            (_LEFT, "is deployed by nobody", (folder, target.path, _described_in(target))),
        ):
            where = next(filter(None, map(words.search, places)), None)
            if where:
                return f"{first}. What lies in a folder called {where[0].strip('/')} {what}"
        template = _filled_in(failure, tree)
        if template:
            return f"{first}. {template} is a template of another engine, which fills it in first"
        if isinstance(target, HelmTarget):
            return (
                _other_tool(failure.message)
                or _asked(failure, first, tree)
                or self._with_defaults(failure, first, tree)
                or self._given(failure, first, tree)
                or _unfilled(failure, first, tree)
            )
        return self._missing(failure, first, tree) if failure.lacks else ""

    def _missing(self, failure: RenderFailure, first: str, tree: Tree) -> str:
        path = failure.lacks
        texts = self._texts(tree)
        # A folder that is here has no kustomization.
        maker = texts.says(_NO_KUSTOMIZATION) if tree.on_disk(path).is_dir() else texts.maker(path)
        if maker:
            return f"{first}. {maker} may make it: run that first"
        kustomization = failure.site.path if failure.site else path
        if meant(path, kustomization, tree) or self._is_deployed(failure.target, texts):
            return ""
        return f"{first}. Nothing here deploys {failure.target.path}: add what is missing, or take its name out of {kustomization}"

    def _with_defaults(self, failure: RenderFailure, first: str, tree: Tree) -> str:
        """Why a chart need not take its own defaults: what is deployed here is described, and nothing installs it so."""
        target = failure.target
        assert isinstance(target, HelmTarget)  # noqa: S101 - only charts have values
        if target.install or failure.demanded or not _by_values(failure) or not _is_own(target):
            return ""
        if target.chart in self.installed:
            return f"{first}. What installs {target.chart} here gives it other values, with which it is a target, too"
        plain, given = self._texts(tree).installers(target.chart)
        if given and not plain:
            return f"{first}. {given} installs {target.chart} with other values than these: name them in portproof.yaml"
        is_described = self.describes and target.chart not in self.deployed
        if plain or not is_described or (failure.wants and not target.values):
            return ""
        return f"{first}. Nothing here installs {target.chart} with its defaults: name its values in portproof.yaml"

    def _given(self, failure: RenderFailure, first: str, tree: Tree) -> str:
        """Why a value that a chart lacks is there when it is installed: a command gives it by ``--set``."""
        target = failure.target
        if not failure.wants or (isinstance(target, HelmTarget) and target.install):
            return ""
        other = _layered(failure, tree)
        if other:
            return f"{first}. {other} has it, and may be given together with these values"
        giver = self._texts(tree).says(re.compile(_SET.format(re.escape(failure.wants))))
        return f"{first}. {giver} gives {failure.wants} by --set" if giver else ""

    def _is_deployed(self, target: Target, texts: Mentions) -> bool:
        assert isinstance(target, KustomizeTarget)  # noqa: S101 - only kustomizations lack files
        described = not self.describes or target.install is not None or target.folder in self.deployed
        return described or bool(texts.builder(target.folder))

    def _texts(self, tree: Tree) -> Mentions:
        with self._lock:
            return self._mentions.setdefault(tree.root, Mentions(tree.root))


def _described_in(target: Target) -> RelPath:
    """The file that says how a target is deployed; empty without one."""
    install = target.install if isinstance(target, HelmTarget | KustomizeTarget) else None
    return install.file if install else ""


def _folder_of(failure: RenderFailure) -> RelPath:
    """The folder of the kustomization or manifest that fails, or of the target; that of a chart's template says nothing."""
    target, site = failure.target, failure.site
    if site is None or isinstance(target, HelmTarget):
        return target.path
    is_told = isinstance(target, ManifestTarget) or site.path.rpartition("/")[2] in KUSTOMIZATION_NAMES
    return parent(site.path) if is_told else target.path


def _filled_in(failure: RenderFailure, tree: Tree) -> RelPath:
    """The file of a failure that something else fills in first: by its name, or by marks of another template engine.

    Templates of helm may hold such marks as text, so there it is the line that fails that has to have one.
    """
    target, site = failure.target, failure.site
    values = target.values if isinstance(target, HelmTarget) else ()
    for path in values:
        if _EXAMPLE.search(path.rpartition("/")[2]):
            return path
    if site is None or not _READING.search(failure.message):
        return ""
    lines = (tree.text_or_none(site.path) or "").split("\n")
    near = lines[site.line - 1 : site.line] if isinstance(target, HelmTarget) else lines
    marked = any(_FILLED_IN.search(one) for one in near if not one.lstrip().startswith("#"))
    if isinstance(target, ManifestTarget):  # of text that is no YAML, a place is only about right
        around = lines[max(0, site.line - 4) : site.line + 1]
        marked = marked or any(_VARIABLE.search(one) for one in around)
    return site.path if marked else ""


def _layered(failure: RenderFailure, tree: Tree) -> RelPath:
    """The values file beside that of a target which has what the chart lacks: it may be given before or after it."""
    target = failure.target
    if not isinstance(target, HelmTarget) or not failure.wants or not target.values or target.install:
        return ""
    key = re.compile(rf"^[\"']?{re.escape(failure.wants.partition('.')[0])}[\"']?:", re.MULTILINE)
    folder = parent(target.values[-1])
    beside = (below(folder, name) for name in names_in(tree.root, folder) if name.endswith((".yaml", ".yml")))
    others = (path for path in beside if path not in (*target.values, f"{target.chart}/values.yaml"))
    return next((path for path in others if key.search(tree.text_or_none(path) or "")), "")


def _unfilled(failure: RenderFailure, first: str, tree: Tree) -> str:
    """Why a template need not print YAML yet: the line that does not has a value that nobody has filled in (``tag:``)."""
    target, site = failure.target, failure.site
    if (
        not isinstance(target, HelmTarget)
        or target.install
        or site is None
        or _NOT_YAML not in failure.message
    ):
        return ""
    paths = ChartPaths(target, tree)
    line = "".join((tree.text_or_none(site.path) or "").split("\n")[site.line - 1 : site.line])
    found = next((one for one in VALUE.findall(line) if is_empty(value_path(one), tree, paths)), None)
    return "" if found is None else f"{first}. It is rendered without a value for {found.strip('.')}"


def _is_own(target: HelmTarget) -> bool:
    """Whether a chart is rendered with its defaults, or with values of its ``ci`` folder, as only its tests do."""
    return all(is_within(one, f"{target.chart}/ci") for one in target.values)


def _by_values(failure: RenderFailure) -> bool:
    """Whether other values may cure it; a template that prints something else than objects is not for helm at all."""
    return bool(_BY_VALUES.search(failure.message)) and not _BY_NOTHING.search(failure.message)


def _asked(failure: RenderFailure, first: str, tree: Tree) -> str:
    asking = asks_cluster(failure, tree) if _by_values(failure) else ""
    return (
        f"{first}. {asking} asks the cluster for an object (lookup), and there is none here" if asking else ""
    )


def _other_tool(message: str) -> str:
    found = _UNKNOWN_FUNCTION.search(message)
    if found is None or not _OF_TOOLS.fullmatch(found["name"]):
        return ""
    return f"its templates call {found['name']}, which another tool than helm has"
