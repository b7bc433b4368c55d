"""What scripts of the repository write before they build: ``cp crd.yaml config/crd/test/base.yaml`` of a Makefile.

A file that one of them writes is no mistake where it is missing. Scripts are read as text, never run, and only those are
looked for that lie above the file or in the folders where repositories keep them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from portproof.source import RelPath, Tree, parent

MAX_SCRIPTS = 60
MAX_LENGTH = 200_000
"""Longer scripts, in characters, are not read."""

_SCRIPT = re.compile(
    r"(?:GNU)?[Mm]akefile|.+\.(?:mk|sh|bash|ps1)|[Jj]ustfile|[Tt]askfile\.ya?ml|Earthfile|Jenkinsfile"
)
_PIPELINE = re.compile(r".+\.ya?ml")
_OF_SCRIPTS = ("hack", "scripts", "script", "bin", "ci", ".ci", "build", "tools")
_OF_PIPELINES = (".github/workflows", ".gitlab", ".circleci")
_BEFORE = r"(?:[^\s\"'`;&|<>()]*/)?"
"""What leads to the file's name: folders, with variables among them."""
_WRITES = (
    r"(?<![0-9&])>>?[ \t]*[\"']?{file}",
    r"\btee[ \t]+(?:-a[ \t]+)?[\"']?{file}",
    r"(?:^|[\s;&|@])(?:cp|mv)[ \t][^\n;&|]*[ \t][\"']?{file}[\"']?[ \t]*(?=$|[;&|\n])",
    r"(?:-o|-O|--output|--output-file)[ =][\"']?{file}",
)
"""How a shell writes a file."""
_KEEPS = r"(?P<name>[A-Za-z_]\w*)[ \t]*[:?]?=[ \t]*[\"']?{file}[\"']?[ \t]*$"
"""How a script gives the path of a file a name."""


def writer(path: RelPath, tree: Tree) -> RelPath:
    """The script that writes `path`; empty when none is found."""
    name = path.rpartition("/")[2]
    for script in islice(_scripts(path, tree), MAX_SCRIPTS):
        text = tree.text_or_none(script) or ""
        if name in text and len(text) <= MAX_LENGTH and _writes(text, path):
            return script
    return ""


def _writes(text: str, path: RelPath) -> bool:
    file = rf"(?P<file>{_BEFORE}{re.escape(path.rpartition('/')[2])})(?![\w./-])"
    if any(_is_meant(found["file"], path) for found in _found(_WRITES, file, text)):
        return True
    for found in _found((_KEEPS,), file, text):
        variable = rf"(?P<file>\$[{{(]?{re.escape(found['name'])}\b[}})]?)"
        if _is_meant(found["file"], path) and any(_found(_WRITES, variable, text)):
            return True
    return False


def _found(patterns: tuple[str, ...], file: str, text: str) -> Iterator[re.Match[str]]:
    for pattern in patterns:
        yield from re.finditer(pattern.replace("{file}", file), text, re.MULTILINE)


def _is_meant(said: str, path: RelPath) -> bool:
    """Whether what a script says may be `path`: what stands behind its last variable is where that ends."""
    tail = re.sub(r"\A.*\$[{(]?\w+[})]?/?", "", said).removeprefix("./")
    while tail.startswith("../"):
        tail = tail[3:]
    return path == tail or path.endswith("/" + tail)


def _scripts(path: RelPath, tree: Tree) -> Iterator[RelPath]:
    """The scripts above `path`, the nearest first, and those in the folders of scripts of the repository."""
    folder = path
    while folder != ".":
        folder = parent(folder)
        yield from _named(folder, _SCRIPT, tree)
    for one in _OF_SCRIPTS:
        yield from _named(one, _SCRIPT, tree)
    for one in _OF_PIPELINES:
        yield from _named(one, _PIPELINE, tree)


def _named(folder: RelPath, names: re.Pattern[str], tree: Tree) -> Iterator[RelPath]:
    try:
        beside = sorted(one.name for one in tree.on_disk(folder).iterdir())
    except OSError:
        return
    yield from (name if folder == "." else f"{folder}/{name}" for name in beside if names.fullmatch(name))
