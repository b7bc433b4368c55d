"""Where a repository speaks of a file: scripts, CI steps, code and documentation that may make it, or deploy it.

They are read as text, never run. Manifests say what is deployed, not what makes a file, so of YAML and of documentation
only those lines count that do something with files.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from msgspec import Struct, field

from portproof.discover.model import KUSTOMIZATION_NAMES
from portproof.source import RelPath, is_within, parent

MAX_FILES = 20_000
MAX_LENGTH = 200_000
MAX_TOTAL = 20_000_000
"""As many files are looked at, as long ones in characters, and so much text is kept of all."""
MAX_LINE = 500
MAX_LINES = 200
MAX_VARIABLES = 6
"""Longer lines, in characters, are not looked at, nor more lines of one file that have the same word, nor paths of more variables."""

_PASSED = frozenset({".git", "node_modules", "vendor", ".terraform", ".venv", "venv", "__pycache__"})
_PROSE = (".md", ".rst", ".txt", ".adoc", ".html")
_CODE = re.compile(
    r"\.(?:sh|bash|zsh|fish|ps1|bat|py|rb|pl|js|mjs|ts|go|rs|java|kts?|groovy|lua|mk|j2|tf|nix|cue|jsonnet|libsonnet|"
    r"gitignore|gitattributes|gitmodules)\Z|(?:\A|/)[^./]+\Z|(?:\A|/)(?:Dockerfile|Makefile)[^/]*\Z"
)
"""What does something with the files that it names: scripts, code, and files without an ending, such as a Makefile."""
_OWNERS = "CODEOWNERS"
_BINARY = re.compile(
    r"\.(?:png|jpe?g|gif|webp|ico|svg|pdf|zip|t?gz|tar|jar|woff2?|ttf|eot|mp4|exe|so|bin|parquet|csv|ipynb)\Z"
)
_DOES = re.compile(
    r"(?<![0-9&-])>>?(?![=>])|\b(?:cp|mv|tee|copy|rename|created?|generate[sd]?|decrypt(?:ed)?|encrypt(?:ed)?|sops|kubeseal|"
    r"envsubst|curl|wget|download(?:ed)?|touch|bootstrap)\b",
    re.IGNORECASE,
)
"""What a line does with a file, or says of it."""
_BEFORE = r"(?:[^\s\"'`;&|<>()]{0,200}/)?"
_WRITTEN = re.compile(
    r"(?:>>?[ \t]*|\btee[ \t]+(?:-a[ \t]+)?|(?:\b(?:cp|mv)[ \t][^;&|]{1,200}[ \t])|(?:-o|-O|--output|--output-file)[ =])"
    r"[\"']?(?P<file>[^\s\"'`;&|<>()]{0,200}\$[^\s\"'`;&|<>]{0,200})"
)
_VARIABLE = re.compile(r"\$?\{\{[^{}]{1,100}\}\}|\$?\{[^{}]{1,100}\}|\$\([^()]{1,100}\)|\$\w+|%[sv]|\*+")
_BUILDS = re.compile(
    r"(?:\bkustomize[ \t]+build|\$[({]?KUSTOMIZE[)}]?[ \t]+build|\b(?:kubectl|oc|k)[ \t]+kustomize|(?:\b(?:kubectl|oc|k)\b[^\n;&|]{0,200}[ \t](?:-k|--kustomize)))"
    r"[ =]+(?:-[^\s]+[ \t]+){0,4}(?P<folder>[^\s`;&|<>()]{1,200})"
)

_INSTALLS = re.compile(r"\bhelm[ \t]+(?:upgrade|install)[ \t](?P<words>[^\n;&|#]{1,1000})")
_CONTINUED = re.compile(r"[ \t]*\\\r?\n[ \t]*")
_OWN_VALUES = re.compile(r"(?:\A|\s)(?:-f|--values)\b")
_SINGLE_VALUES = re.compile(r"(?:\A|\s)--set")


class Mentions(Struct, dict=True):
    """The texts of a repository that are no manifests of it, read once."""

    root: Path
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def maker(self, path: RelPath) -> RelPath:
        """The file that may make `path`, which is missing: it names it, or writes files of which it may be one; else empty."""
        name = path.rpartition("/")[2]
        is_file = "." in name
        # The name of a folder alone may be any word.
        before = _BEFORE if is_file else _BEFORE.removesuffix("?")
        file = re.compile(rf"(?P<file>{before}{re.escape(name)})(?![\w-]|\.\w)")
        for own, text in self.texts.items():
            if not is_file and own.lower().endswith(_PROSE):
                continue
            said = [one["file"] for one in _found(file, own, text, name)] if name in text else []
            least = 1 if is_file and not _is_elsewhere(own, path) else 2
            if any(_fits(one, path) for one in said if _steps(one) >= least):
                return own
            if "$" in text and any(_may_be(one["file"], path) for one in _found(_WRITTEN, own, text, "$")):
                return own
        return ""

    def says(self, words: re.Pattern[str]) -> RelPath:
        """The first file that has a line with these words; else empty."""
        return next((own for own, text in self.texts.items() if words.search(text)), "")

    def builder(self, folder: RelPath) -> RelPath:
        """The file with a command that builds this kustomization; else empty."""
        for own, text in self.texts.items():
            for word in ("kustomize", "KUSTOMIZE", " -k"):
                if any(
                    _is_folder(one["folder"], folder) for one in _found(_BUILDS, own, text, word, all_=True)
                ):
                    return own
        return ""

    def installers(self, chart: RelPath) -> tuple[RelPath, RelPath]:
        """The file with a command that installs this chart with its own values.yaml alone, and with files of values; or empty.

        Single values (``--set``) tell nothing: they are seldom what a chart fails for.
        """
        plain = given = ""
        for own, text in self.texts.items():
            if "helm" in text and chart.rpartition("/")[2] in text:
                for found in _INSTALLS.finditer(_CONTINUED.sub(" ", text)):
                    words = found["words"]
                    if not any(_is_folder(one.strip("\"'`"), chart) for one in words.split() if "/" in one):
                        continue
                    if _OWN_VALUES.search(words):
                        given = given or own
                    elif not _SINGLE_VALUES.search(words):
                        plain = plain or own
        return plain, given

    @property
    def texts(self) -> dict[RelPath, str]:
        """The texts by their paths."""
        with self._lock:
            return self._read

    @cached_property
    def _read(self) -> dict[RelPath, str]:
        found: dict[RelPath, str] = {}
        left = MAX_TOTAL
        for number, path in enumerate(_files(self.root, "")):
            if number >= MAX_FILES or left <= 0:
                break
            text = _text(self.root / path)
            if text:
                found[path] = text
                left -= len(text)
        return found


def _files(root: Path, folder: str) -> Iterator[RelPath]:
    """The files that may be of interest, in an order of their own; no links."""
    try:
        with os.scandir(root / folder) as entries:
            beside = sorted(entries, key=lambda one: one.name)
    except OSError:
        return
    for one in beside:
        path = f"{folder}{one.name}"
        if one.is_symlink() or one.name in _PASSED:
            continue
        if one.is_dir():
            yield from _files(root, f"{path}/")
        elif (
            one.name != _OWNERS
            and one.name not in KUSTOMIZATION_NAMES
            and not _BINARY.search(one.name.lower())
        ):
            yield path


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_LENGTH:
            return ""
        data = file.read_bytes()
    except OSError:
        return ""
    return "" if b"\0" in data[:1000] else data.decode("utf-8", "replace")


def _found(
    words: re.Pattern[str], own: RelPath, text: str, word: str, *, all_: bool = False
) -> Iterator[re.Match[str]]:
    """Where lines that have a `word` have the `words`, too; in prose and manifests only where they do something."""
    if word not in text:
        return
    wordy = not all_ and not _CODE.search(own)
    lines = [one for one in text.split("\n") if word in one and len(one) <= MAX_LINE]
    for line in lines[:MAX_LINES]:
        # What is built is read, and not made.
        is_read = words is not _BUILDS and _BUILDS.search(line) and not _DOES.search(line)
        if not is_read and (not wordy or _DOES.search(line)):
            yield from words.finditer(line)


def _may_be(said: str, path: RelPath) -> bool:
    """Whether a path with variables may be `path`: what is written out in it is there, and more than its ending is."""
    pieces = _VARIABLE.split(said)
    literal = re.sub(r"\.(?:ya?ml|json)\Z|[./\"'-]", "", "".join(pieces))
    if not literal or not _VARIABLE.search(said.rpartition("/")[2]):
        return False
    return _fits(said, path)


def _is_elsewhere(own: RelPath, path: RelPath) -> bool:
    """Whether a text is documentation of another folder: a name alone is then that of another file."""
    return own.lower().endswith(_PROSE) and not is_within(path, parent(own))


def _steps(said: str) -> int:
    """How many names of a path are written out."""
    return sum(not _VARIABLE.search(one) for one in said.split("/") if one.strip("."))


def _fits(said: str, path: RelPath) -> bool:
    """Whether what a text calls a file may be `path`: a variable stands for anything, and what is above need not be said."""
    said = re.sub(r"\A(?:\.{1,2}/)+", "", said)
    pieces = _VARIABLE.split(said)
    if len(pieces) > MAX_VARIABLES:  # each multiplies the time that the pattern may take
        return False
    wanted = ".*".join(map(re.escape, pieces))
    if wanted.startswith(".*/"):
        wanted = wanted.replace(".*/", "(?:.*/)?", 1)
    return re.search(rf"(?:\A|/){wanted}\Z", path) is not None


def _is_folder(said: str, folder: RelPath) -> bool:
    """Whether what a command builds is this folder; a variable stands for any name, if there is more than that."""
    said = re.sub(r"[\"']", "", said).rstrip("/.,)").removeprefix("./")
    while said.startswith("../"):
        said = said[3:]
    steps = [one for one in said.split("/") if one]
    while steps and _VARIABLE.fullmatch(steps[0]):
        steps = steps[1:]
    if not steps:
        return False
    wanted = "/".join("[^/]+".join(map(re.escape, _VARIABLE.split(one))) for one in steps)
    return re.search(rf"(?:\A|/){wanted}\Z", folder) is not None
