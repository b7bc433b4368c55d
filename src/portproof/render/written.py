"""What scripts of the repository write before they build: ``cp crd.yaml config/crd/test/base.yaml`` of a Makefile.

A file that one of them writes is no mistake where it is missing. Scripts are read as text, never run, and only those are
looked for that lie above the file or in the folders where repositories keep them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from portproof.discover.walk import names_in
from portproof.source import RelPath, Tree, below, parent

MAX_SCRIPTS = 60
MAX_LENGTH = 200_000
MAX_LINE = 300
MAX_LINES = 100
"""Longer scripts and longer lines, in characters, are not looked at, nor more lines of one: patterns take their time."""

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
    r"(?:^|[\s;&|@])(?:cp|mv)[ \t][^;&|]*[ \t][\"']?{file}[\"']?[ \t]*(?=$|[;&|])",
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
    name = path.rpartition("/")[2]
    file = rf"(?P<file>{_BEFORE}{re.escape(name)})(?![\w./-])"
    for line in _lines(text, name):
        if any(_is_meant(found["file"], path) for found in _found(_WRITES, file, line)):
            return True
        for kept in _found((_KEEPS,), file, line):
            variable = rf"(?P<file>\$[{{(]?{re.escape(kept['name'])}\b[}})]?)"
            written = (any(_found(_WRITES, variable, one)) for one in _lines(text, kept["name"]))
            if _is_meant(kept["file"], path) and any(written):
                return True
    return False


def _lines(text: str, word: str) -> Iterator[str]:
    """The lines with a word in them."""
    return islice((one for one in text.split("\n") if word in one and len(one) <= MAX_LINE), MAX_LINES)


def _found(patterns: tuple[str, ...], file: str, line: str) -> Iterator[re.Match[str]]:
    for pattern in patterns:
        yield from re.finditer(pattern.replace("{file}", file), line)


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
    beside = (name for name in names_in(tree.root, folder) if names.fullmatch(name))
    yield from (below(folder, name) for name in beside)
