"""What discovery asks of a file that it only glances at: each answer is a function of that file's text, and of nothing else.

So a change after which all answers are the same makes no difference to what is found. What is read for more than this is
noted by `reading.Noted`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from portproof.discover.kinds import WITH_PORTS
from portproof.discover.model import KUSTOMIZATION_NAMES
from portproof.yamldoc import YamlError, load, load_all, split

DESCRIPTIONS = ("Application", "ApplicationSet", "HelmRelease", "Kustomization")
"""The kinds of objects that deploy something."""

_DESCRIPTION = re.compile(rf"^kind:[ \t]*[\"']?(?:{'|'.join(DESCRIPTIONS)})\b", re.MULTILINE)
_GROUP = re.compile(
    r"^apiVersion:[ \t]*[\"']?(?:argoproj\.io|(?:kustomize|helm)\.toolkit\.fluxcd\.io)/", re.MULTILINE
)
_GROUPS = ("argoproj.io/", "toolkit.fluxcd.io/")
_SPEAKING = ("HelmRelease", "Application", "fluxcd.io/")
_STORES = ("ConfigMap", "configMap", "Secret")

_OBJECT = re.compile(r"^(apiVersion|kind):", re.MULTILINE)
_SOPS = re.compile(r"^sops:", re.MULTILINE)
_METADATA = re.compile(r"^[ \t]*[\"']?__metadata[\"']?:", re.MULTILINE)
"""What IBM Cloud Private shows of a chart's values: ``values-metadata.yaml`` beside ``values.yaml``."""

_KEY = re.compile(r"""^["']?([A-Za-z_][\w./-]*)["']?[ \t]*:(?:[ \t\r]|$)""", re.MULTILINE)
_READ = re.compile(r"\.Values\.([A-Za-z_]\w*)")


_ANY_KIND = re.compile(r"""kind(?<=\bkind)["']?[ \t]*:[ \t]*["']?([A-Za-z]+)""")
_NAME = re.compile(r"""(?:^|[\s{,])["']?name["']?[ \t]*:[ \t]*["']?([^\s"',}#]+)""", re.MULTILINE)
# A line feed in front of them instead of ^: several times faster, and installers of many megabytes are common.
_API_VERSION = re.compile(r"""\n["']?apiVersion["']?[ \t]*:[ \t]*["']?([^\s"']*)""")
_KIND = re.compile(r"""\n["']?kind["']?[ \t]*:[ \t]*["']?([A-Za-z]*)""")
_INNER_KIND = re.compile(r"""^[ \t-]+["']?kind["']?[ \t]*:[ \t]*["']?([A-Za-z]+)""", re.MULTILINE)
_JSON_MANIFEST = re.compile(r"""\s*\{\s*"(apiVersion|kind)"\s*:""")
_OF_TEMPLATES = re.compile(
    r"""^(?:["']?|\{?[ \t]*")apiVersion["']?[ \t]*:[ \t]*["']?(?:template\.openshift\.io/)?v1["'\s,]""",
    re.MULTILINE,
)
"""The version of OpenShift's Templates at the beginning of a line, in JSON after spaces."""
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


class Facts(Struct, frozen=True):
    """The answers about one text: each property is one."""

    text: str

    @property
    def deploys(self) -> bool:
        """Whether it may hold, or change, something that deploys."""
        return any(word in self.text for word in _SPEAKING)

    @property
    def describes(self) -> bool:
        """Whether it has an object that deploys, or the template of one."""
        return self.is_of_group and _DESCRIPTION.search(self.text) is not None

    @property
    def is_of_group(self) -> bool:
        """Whether an object of it is of a group of those that deploy."""
        # where none is named, as in nearly all files, none is looked for line by line
        return any(group in self.text for group in _GROUPS) and _GROUP.search(self.text) is not None

    @property
    def stores(self) -> bool:
        """Whether it may hold a ConfigMap or a Secret, or make one."""
        return any(word in self.text for word in _STORES)

    @property
    def is_object(self) -> bool:
        """Whether a line of it begins as those of objects do."""
        return _OBJECT.search(self.text) is not None

    @property
    def is_encrypted(self) -> bool:
        """Whether sops has encrypted it."""
        return _SOPS.search(self.text) is not None

    @property
    def is_of_ytt(self) -> bool:
        """Whether it holds values for ytt, or their schema."""
        return "#@data/" in self.text

    @property
    def is_about_values(self) -> bool:
        """Whether it describes values, and has none."""
        return _METADATA.search(self.text) is not None

    @property
    def keys(self) -> frozenset[str]:
        """The first keys of a file of values, told by its lines: parsing all YAML of a repository takes long."""
        return frozenset(_KEY.findall(self.text.removeprefix("\ufeff")))

    @property
    def reads(self) -> frozenset[str]:
        """The first keys of the values that a template reads."""
        return frozenset(_READ.findall(self.text))

    @property
    def is_filled_in(self) -> bool:
        """Whether braces make it no YAML: what is broken without them is for helm to tell."""
        try:
            load(self.text if "{{" in self.text or "{%" in self.text else "")
        except YamlError:
            return True
        return False

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of the objects in it."""
        return kinds_of(self.text.removeprefix("\ufeff"))

    @property
    def is_for_a_tool(self) -> bool:
        """Whether these objects are yet to be filled in by another tool."""
        return bool(self.kinds) and _is_for_a_tool(self.text.removeprefix("\ufeff"))

    @property
    def is_template(self) -> bool:
        """Whether it holds a Template of OpenShift that makes objects of kinds with ports."""
        text = self.text.removeprefix("\ufeff")
        if "Template" not in text or "Template" not in self.kinds:
            return False
        documents = (text,) if text.lstrip()[:1] == "{" else (one for _, one in split(text))
        return any(map(_is_template, documents))

    @property
    def names(self) -> frozenset[tuple[str, str]]:
        """The first names in it, with the kinds that they may be of."""
        return _first_names(self.text)


_EVERY = tuple(one for one in vars(Facts).values() if isinstance(one, property))


_IDLE: Mapping[str, re.Pattern[str]] = {
    "Chart.yaml": re.compile(r"(?:version|appVersion):[ \t]+([\"']?)[\w.+-]+\1[ \t\r]*"),
    **dict.fromkeys(
        KUSTOMIZATION_NAMES, re.compile(r"(?:[ \t]*(?:- )?)?newTag:[ \t]+([\"']?)[\w.+-]+\1[ \t\r]*")
    ),
}
"""Lines of files, by their names, that decide nothing for those who `skim` them."""


def agree(one: str, other: str) -> bool:
    """Whether two texts give the same answers."""
    first, second = Facts(one), Facts(other)
    return one == other or all(ask.__get__(first) == ask.__get__(second) for ask in _EVERY)


def skimmed_alike(path: str, one: str, other: str) -> bool:
    """Whether two texts of a file differ in idle lines alone, each in its place and with the same key and quotes."""
    idle = _IDLE.get(path.rpartition("/")[2])
    before, after = one.split("\n"), other.split("\n")
    if idle is None or len(before) != len(after):
        return False
    return all(
        old == new or (_head_of(idle, old) is not None and _head_of(idle, old) == _head_of(idle, new))
        for old, new in zip(before, after, strict=True)
    )


def _head_of(idle: re.Pattern[str], line: str) -> tuple[str, str] | None:
    """What an idle line begins with, and its quotes; None for another line."""
    found = idle.fullmatch(line)
    return None if found is None else (line.partition(":")[0], found[1])


def kinds_of(text: str) -> frozenset[str]:
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


def _is_for_a_tool(text: str) -> bool:
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


def _is_template(document: str) -> bool:
    """Whether a document may be a Template with objects that have ports; other groups have kinds of that name, too."""
    kinds = kinds_named(document)
    return (
        "Template" in kinds
        and _OF_TEMPLATES.search(document) is not None
        and not WITH_PORTS.isdisjoint(kinds)
    )


def _parses(text: str) -> bool:
    try:
        load_all(text)
    except YamlError:
        return False
    return True


def kinds_named(document: str) -> list[str]:
    """What may be the kinds of the objects in a document, wherever they stand."""
    return _ANY_KIND.findall(document)


def _first_names(text: str) -> frozenset[tuple[str, str]]:
    """The names in documents that hold objects of kinds with ports, each with all of those that its document holds."""
    found: set[tuple[str, str]] = set()
    for _, document in split(text):
        present = WITH_PORTS.intersection(kinds_named(document))
        if present:
            found.update((kind, name) for name in _NAME.findall(document) for kind in present)
    return frozenset(found)
