"""Manifests beside a kustomization that does not list them: a command of the repository deploys them, or nobody knows who does.

A script, a pipeline or the documentation may apply one with ``kubectl apply -f``; they are read as text, never run. One
that nothing speaks of is said to be unread, if it is a whole object: what only looks like one is a patch.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from portproof.discover.gitops.deployment import files_of
from portproof.discover.kinds import WITH_PORTS, WORKLOADS
from portproof.discover.model import KUSTOMIZATION_NAMES
from portproof.discover.unread import Unread
from portproof.discover.walk import Listing
from portproof.source import RelPath, Tree, below, join, normalise, parent
from portproof.yamldoc import YamlError, load_all, lookup

MAX_FILES = 2_000
MAX_LENGTH = 200_000
MAX_LINE = 500
"""As many scripts are looked at, as long ones and lines of as many characters."""

_SPEAKING = re.compile(
    r"\.(?:sh|bash|ps1|bat|cmd|mk|md|rst|adoc)\Z"
    r"|(?:\A|/)(?:[Mm]akefile|GNUmakefile|Jenkinsfile|[Jj]ustfile|Taskfile\.ya?ml|\.gitlab-ci\.ya?ml"
    r"|(?:azure|bitbucket)-pipelines[^/]*\.ya?ml|(?:buildspec|cloudbuild)[^/]*\.ya?ml)\Z"
    r"|(?:\A|/)\.(?:github/workflows|circleci|gitlab|buildkite)/[^/]+\.ya?ml\Z"
)
"""Scripts, pipelines and documentation."""
_APPLIES = re.compile(
    r"\b(?:kubectl|oc|k)\b[^\n;&|]{0,200}?[ \t](?:apply|create|replace)\b(?P<rest>[^\n;&|]{0,400})"
)
_FILE = re.compile(r"(?:-f|--filename)(?:[ \t]+|=)[\"']?(?P<path>[^\s\"'`,;&|<>()]{1,200})")
_UNKNOWN = re.compile(r"[$%{}*?]")
_KEPT = re.compile(
    r"(?:\A|[/._-])(?:patch(?:es)?|examples?|samples?|templates?|archived?|attic|backups?|deprecated|disabled|expected|legacy|"
    r"obsolete|old|unused|wip)(?=[/._-])",
    re.IGNORECASE,
)
"""Words in the names of what nobody deploys as it lies there."""
_SELECTING = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"})
_PODS = (("spec", "template", "spec"), ("spec", "jobTemplate", "spec", "template", "spec"), ("spec",))


def applied(tree: Tree, listing: Listing, files: Collection[RelPath]) -> frozenset[RelPath]:
    """Those of the `files` that a command of the repository applies, each by itself or with the folder that it lies in."""
    every = list(files_of(listing))
    names = Counter(path.rpartition("/")[2] for path in every)
    found: set[RelPath] = set()
    for own in [path for path in every if _SPEAKING.search(path)][:MAX_FILES]:
        for said in _said(tree.text_or_none(own) or ""):
            found.update(one for one in files if _is_meant(said, own, one, names))
    return frozenset(found)


def unread(tree: Tree, files: Mapping[RelPath, frozenset[str]]) -> Iterator[Unread]:
    """Those of the `files`, given with the kinds in them, that look as if somebody deployed them."""
    for path, kinds in files.items():
        is_kept = _KEPT.search(path) or _is_commented_out(tree, path)
        if kinds & WITH_PORTS and not is_kept and _is_whole(tree.text_or_none(path) or ""):
            reason = (
                f"no kustomization lists it, and no command applies it; `portproof check {path}` checks it"
            )
            yield Unread(path, "manifest", reason)


def _said(text: str) -> Iterator[str]:
    """What the commands of a text apply."""
    if len(text) > MAX_LENGTH or ("-f" not in text and "--filename" not in text):
        return
    lines = text.replace("\\\n", " ").split("\n")
    for line in lines:
        if len(line) <= MAX_LINE:
            for command in _APPLIES.finditer(line):
                yield from (one["path"] for one in _FILE.finditer(command["rest"]))


def _is_meant(said: str, own: RelPath, file: RelPath, names: Mapping[str, int]) -> bool:
    """Whether what a command of the file `own` applies is `file`, or its folder.

    A command may be run from the root, from the folder of the script, or from one that is only known when it runs: then
    the end of the path has to be enough to know the file by.
    """
    if "://" in said:
        return False
    steps = [one for one in said.split("/") if one not in ("", ".")]
    while steps and (steps[0] == ".." or "$" in steps[0]):
        steps = steps[1:]
    rest = "/".join(steps)
    if _UNKNOWN.search(rest):
        return False
    near = {rest, normalise(said), join(parent(own), said), join(parent(own), rest)}
    if file in near or (parent(file) != "." and parent(file) in near):
        return True
    if len(steps) == 1:
        return rest == file.rpartition("/")[2] and names[rest] == 1
    return bool(rest) and any(one.endswith(f"/{rest}") for one in (file, parent(file)))


def _is_commented_out(tree: Tree, path: RelPath) -> bool:
    """Whether the kustomization beside a file names it in a comment: somebody has switched it off."""
    folder, _, name = path.rpartition("/")
    named = re.compile(rf"^[ \t]*#.*?(?<![\w-]){re.escape(name)}", re.MULTILINE)
    texts = (tree.text_or_none(below(folder or ".", one)) or "" for one in KUSTOMIZATION_NAMES)
    return any(named.search(text) for text in texts)


def _is_whole(text: str) -> bool:
    """Whether a manifest has an object with ports that is one by itself, and no patch of another."""
    if "$patch" in text:
        return False
    try:
        return any(_is_object(one) for data in load_all(text) for one in _objects(data))
    except YamlError:
        return False


def _objects(data: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(data, dict):
        items = data.get("items")
        yield from (one for one in items if isinstance(one, dict)) if isinstance(items, list) else (data,)


def _is_object(data: Mapping[str, Any]) -> bool:
    """Whether the API would take an object: what it demands of those that are patched most is there."""
    kind, spec = data.get("kind"), data.get("spec")
    if kind not in WITH_PORTS or kind == "Job":  # which somebody starts by hand, once
        return False
    if kind == "Service":
        told = lookup(spec, ("ports",)) and lookup(spec, ("selector",))
        return bool(told) or lookup(spec, ("type",)) == "ExternalName"
    if kind not in WORKLOADS:
        return bool(spec) or "webhooks" in data
    if kind in _SELECTING and not lookup(spec, ("selector",)):
        return False
    pods = (lookup(data, (*at, "containers")) for at in _PODS)
    containers = next((one for one in pods if isinstance(one, list)), [])
    return bool(containers) and all(lookup(one, ("image",)) for one in containers)
