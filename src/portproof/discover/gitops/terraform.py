"""Releases that Terraform installs (``helm_release``), from a chart of this repository or of a registry, where they are literal.

Only what is a text as it stands, or ``file("…")``, is known: variables and functions need Terraform.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from portproof.discover.gitops.application import checked, value_file
from portproof.discover.gitops.deployment import (
    Deployment,
    Installed,
    Place,
    chart_elsewhere,
    no_chart,
    packed_chart,
)
from portproof.discover.model import Install, RemoteChart
from portproof.discover.unread import Unread
from portproof.source import RelPath, join, normalise, parent

MAX_LENGTH = 256 * 1024
"""Longer files are not read."""

_LONGEST_SETTING = 4096
_BLOCK = re.compile(r'^[ \t]*resource\s+"helm_release"\s+"([^"]+)"\s*\{', re.MULTILINE)
_COMMENT = re.compile(r"""("(?:\\.|[^"\\])*")|(?:#|//)[^\n]*|/\*.*?(?:\*/|\Z)""", re.DOTALL)
_TEXT = r'"((?:\\.|[^"\\])*)"'
_PATH = re.compile(r"\$\{path\.(?:module|root)\}/")
_FILE = re.compile(rf'(?:"\$\{{\s*+)?file\(\s*+{_TEXT}\s*+\)(?:\s*+\}}")?')
_SET = re.compile(rf"\bname\s*=\s*{_TEXT}[^{{}}]*?\bvalue\s*=\s*({_TEXT}|[0-9]+|true|false)")


def deployments(place: Place, file: RelPath, text: str) -> Iterator[Deployment]:
    """What each ``helm_release`` of a file installs."""
    if len(text) > MAX_LENGTH or "helm_release" not in text:
        return
    plain = _COMMENT.sub(lambda found: found[1] or "", text)
    for found in _BLOCK.finditer(plain):
        body = _body(plain, found.end())
        if body is None:
            yield Unread(file, "terraform", f"{found[1]}: its block cannot be read")
        else:
            yield _Release(place, file, found[1], body).deployment()


class _Release(Struct, frozen=True):
    """One block; `label` is what Terraform calls it."""

    place: Place
    file: RelPath
    label: str
    body: str

    def deployment(self) -> Deployment:
        chart = self._text("chart")
        if chart is None:
            return Unread(self.file, "terraform", f"{self.label}: its chart is not literal")
        if self._attribute("repository") or "://" in chart:
            remote = self._remote(chart)
            if remote is None:
                return chart_elsewhere(self.file, self.label, chart, ", and where it is from is not literal")
            return self._installed(self.file, remote)
        path = self._place(chart)
        packed = packed_chart(self.place.listing, path, self.file, 0, ())
        if path not in self.place.charts and packed is None:
            return no_chart(self.file, "terraform", self.label, chart)
        return self._installed(self.file if packed else str(path), packed)

    def _remote(self, chart: str) -> RemoteChart | None:
        """The chart of a registry; None where its address or its version is not literal."""
        repository, _, name = (
            chart.rpartition("/") if "://" in chart else (self._text("repository"), "", chart)
        )
        version = self._text("version") if self._attribute("version") else ""
        if not repository or "://" not in repository or version is None:
            return None
        return RemoteChart(repository, name, version, self.file, 0, ())

    def _installed(self, chart: RelPath, remote: RemoteChart | None) -> Installed:
        name = self._text("name") or self.label
        files, problem = self._values()
        options, odd = self._settings()
        namespace = self._text("namespace") if self._attribute("namespace") else "default"
        return checked(
            {},
            Installed(
                chart,
                self.file,
                Install(name, -1, file=self.file, tool="Terraform", options=options),
                files,
                name,
                namespace or "",
                problem=problem or odd,
                remote=remote,
            ),
        )

    def _place(self, text: str) -> RelPath | None:
        """A path from the folder of the file, which is where Terraform is usually started, too."""
        bare = _PATH.sub("", text)
        return normalise(bare) if bare.startswith("/") else join(parent(self.file), bare)

    def _attribute(self, name: str) -> str:
        """The expression of an attribute of the block itself, empty when there is none."""
        found = re.search(rf"^[ \t]*{name}[ \t]*=[ \t]*", self._outer(), re.MULTILINE)
        return self._outer()[found.end() :] if found else ""

    def _outer(self) -> str:
        """The block without the blocks in it."""
        return re.sub(r"^[ \t]*\w+[ \t]*\{[^{}]*\}", "", self.body, flags=re.MULTILINE)

    def _text(self, name: str) -> str | None:
        """An attribute that is a text as it stands; ``${path.module}`` may be in it."""
        found = re.match(_TEXT, self._attribute(name))
        return found[1] if found and "${" not in _PATH.sub("", found[1]) else None

    def _values(self) -> tuple[tuple[RelPath, ...], str]:
        text = self._attribute("values")
        if not text:
            return (), ""
        inside = _bracketed(text)
        if inside is None:
            return (), "its values are not literal"
        found: list[RelPath] = []
        rest = inside
        for one in _FILE.finditer(inside):
            rest = rest.replace(one[0], "", 1)
            files, problem = value_file(
                self.place.listing, self._place(one[1]), _PATH.sub("", one[1]), optional=False
            )
            if problem:
                return (), problem
            found += files
        return (tuple(found), "") if not rest.strip(" \t\r\n,") else ((), "its values are not literal")

    def _settings(self) -> tuple[tuple[str, ...], str]:
        """Its ``set``: blocks, or a list of objects."""
        blocks = re.findall(r"\bset\w*\s*\{([^{}]*)\}", self.body)
        listed = re.search(r"^[ \t]*set\w*\s*=\s*(\[.*)", self._outer(), re.MULTILINE | re.DOTALL)
        if listed is not None:
            blocks += re.findall(r"\{([^{}]*)\}", _bracketed(listed[1]) or "")
        options = []
        for block in blocks:
            found = _SET.search(block[:_LONGEST_SETTING])
            if found is None or "${" in block:
                return (), "its set is not literal"
            value = found[3] if found[2].startswith('"') else found[2]
            kind = "-string" if re.search(r'\btype\s*=\s*"string"', block) else ""
            options.append(f"--set{kind}={found[1]}={value}")
        dynamic = "dynamic" if re.search(r"\bdynamic\s+\"set", self.body) else ""
        return tuple(options), "its set is not literal" if dynamic else ""


def _body(text: str, start: int) -> str | None:
    """What stands between the brace that opened before `start` and the one that closes it."""
    depth = 1
    for found in re.compile(r'"(?:\\.|[^"\\])*"|[{}]').finditer(text, start):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if not depth:
            return text[start : found.start()]
    return None


def _bracketed(text: str) -> str | None:
    """What stands in the list that `text` begins with."""
    if not text.startswith("["):
        return None
    depth = 0
    for found in re.compile(r'"(?:\\.|[^"\\])*"|[\[\]]').finditer(text):
        depth += {"[": 1, "]": -1}.get(found[0], 0)
        if not depth:
            return text[1 : found.start()]
    return None
