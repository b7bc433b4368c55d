"""What lies in the folders and files that a tool is given, as one digest: names and bytes, wherever that is.

Links are followed as the tools follow them. What cannot be said for certain has no digest: something that is no file,
a link out of the places that the tool may read, more than any chart holds.
"""

# Every file of a repository may pass here, and strings are several times faster than Path objects.
# ruff: noqa: PTH123

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from portproof.render.copying import MAX_BYTES, MAX_FILES
from portproof.source import Tree

_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_MAX_KNOWN = 1_000
"""Files whose digests are known: those of a chart are asked for once for each of its values files, and each time before and after."""


class UnknownContentError(Exception):
    """It cannot be said what a tool would read there."""


@dataclass(slots=True)
class Digests:
    """The digests of files; those of the tree that were read last are not read again, as long as they look the same.

    Files elsewhere are copies that are made and removed again, and look alike.
    """

    _known: OrderedDict[str, tuple[bytes, bytes]] = field(default_factory=OrderedDict)

    def file(self, real: str, *, keep: bool) -> tuple[str, int]:
        """Digest and size of a file, a path without links. Raises `UnknownContentError`."""
        try:
            with open(os.open(real, _READING), "rb", buffering=0) as stream:
                status = os.fstat(stream.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
                    raise UnknownContentError
                stamp = _stamp(status)
                known = self._known.get(real) if keep else None
                if known is not None and known[0] == stamp:
                    return known[1].hex(), status.st_size
                digest = hashlib.sha256(stream.readall())
        except OSError as error:
            raise UnknownContentError from error
        if keep:
            self._known[real] = (stamp, digest.digest())
            if len(self._known) > _MAX_KNOWN:
                self._known.popitem(last=False)
        return digest.hexdigest(), status.st_size


def _stamp(status: os.stat_result) -> bytes:
    """By which a file is known again, in little room."""
    return struct.pack(
        "=QQqqq", status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )


@dataclass(slots=True)
class Contents:
    """Looks into folders for one start of a tool, which may read the `tree` and the `scratch` folder."""

    digests: Digests
    tree: Tree
    scratch: Path
    files: int = MAX_FILES
    bytes: int = MAX_BYTES
    _root: str = field(init=False)
    _within: tuple[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._root = os.path.realpath(self.tree.root).rstrip(os.sep) + os.sep
        self._within = (self._root, os.path.realpath(self.scratch) + os.sep)

    def of(self, path: Path) -> str:
        """The digest of a file, or of a folder with all that is below. Raises `UnknownContentError`."""
        if not os.path.lexists(path):
            return ""
        real = os.path.realpath(path)
        if not os.path.isdir(real):  # noqa: PTH112
            return self._line(real, "")
        found: list[tuple[str, str]] = []
        self._walk(real, "", (), found)
        lines = (self._line(place, name) for name, place in sorted(found))
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()

    def paths(self, folder: Path) -> Iterator[tuple[str, str]]:
        """The files below a folder: what the tool calls them, and where they are. Raises `UnknownContentError`."""
        found: list[tuple[str, str]] = []
        self._walk(os.path.realpath(folder), "", (), found)
        return ((name, place) for name, place in found if place)

    def text(self, file: Path) -> str:
        """What a file holds, as far as it is text. Raises `UnknownContentError`."""
        try:
            return file.read_bytes().decode("utf-8", "replace")
        except OSError as error:
            raise UnknownContentError from error

    def _line(self, real: str, name: str) -> str:
        """What is said of one file; of a folder, and of a link that leads nowhere, that it is there."""
        if not real:
            return f"{len(name)}:{name}:\n"
        if not real.startswith(self._within):
            raise UnknownContentError
        digest, size = self.digests.file(real, keep=real.startswith(self._root))
        self.bytes -= size
        if self.bytes < 0:
            raise UnknownContentError
        return f"{len(name)}:{name}:{digest}\n"

    def _walk(self, real: str, name: str, above: tuple[str, ...], found: list[tuple[str, str]]) -> None:
        """Files, folders and links that lead nowhere below a folder."""
        if real in above or len(above) > 100 or not f"{real}{os.sep}".startswith(self._within):
            raise UnknownContentError
        try:
            with os.scandir(real) as entries:
                for one in entries:
                    if one.name == ".git":
                        continue
                    path = f"{name}/{one.name}" if name else one.name
                    self.files -= 1
                    if self.files < 0:
                        raise UnknownContentError
                    self._entry(one, path, (*above, real), found)
        except OSError as error:
            raise UnknownContentError from error

    def _entry(
        self, one: os.DirEntry[str], path: str, above: tuple[str, ...], found: list[tuple[str, str]]
    ) -> None:
        real = os.path.realpath(one.path) if one.is_symlink() else one.path
        if one.is_dir():
            found.append((f"{path}/", ""))
            self._walk(real, path, above, found)
        elif one.is_file():
            found.append((path, real))
        elif one.is_symlink() and not os.path.lexists(real):
            found.append((path, ""))
        else:
            raise UnknownContentError
