"""The files of a git repository at one revision, over https (git ``gitprotocol-v2``, ``gitformat-pack``).

No git is started: it would read configurations, run helpers and follow redirects. What comes is one commit without its
history, and every object is what its name says: names are sums of what they name, from the commit down to each file.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from portproof.discover.remote_bases import COMMIT
from portproof.render.web import Web, WebError
from portproof.source import RelPath, is_inside

MAX_PACK = 64 * 1024 * 1024
MAX_UNPACKED = 192 * 1024 * 1024
MAX_OBJECTS = 100_000
MAX_FILE = 1024 * 1024
"""Bytes of a file; larger ones are left out."""

MAX_FILES = 20_000
MAX_REFS = 1024 * 1024
_MAX_DEPTH = 64
_CHUNK = 16 * 1024
_TYPES = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_OFFSET, _NAME = 6, 7
_REGULAR = ("100644", "100755", "100664")


class _BrokenError(Exception):
    """What came is not what git sends."""


def files_at(web: Web, repository: str, ref: str) -> Mapping[RelPath, bytes]:
    """The regular files of a commit or tag, without links, submodules and large files. Raises `WebError`."""
    try:
        commit = ref if COMMIT.fullmatch(ref) else _tagged(web, repository, ref)
        objects = _Objects(_fetched(web, repository, commit))
        objects.read()
        found = dict(_files(objects, _tree_of(objects, commit), "", 0))
    except (_BrokenError, zlib.error, ValueError, IndexError) as error:
        raise WebError("the repository sends what is no git") from error
    if len(found) > MAX_FILES:
        raise WebError(f"the repository has more than {MAX_FILES:,} files")
    return found


def _tree_of(objects: _Objects, commit: str) -> str:
    kind, data = objects.named(commit)
    if kind != "commit":
        raise _BrokenError
    return data.decode("utf-8", "replace").partition("\n")[0].removeprefix("tree ")


def _tagged(web: Web, repository: str, tag: str) -> str:
    """The object that a tag names. A branch of that name is none."""
    wanted = f"refs/tags/{tag}"
    answer = _asked(web, repository, ["command=ls-refs"], ["peel", f"ref-prefix {wanted}"], MAX_REFS)
    for line in _lines(answer):
        name, _, rest = line.decode("utf-8", "replace").rstrip("\n").partition(" ")
        if rest.split(" ")[0] == wanted and COMMIT.fullmatch(name):
            peeled = [one.removeprefix("peeled:") for one in rest.split(" ") if one.startswith("peeled:")]
            return peeled[0] if peeled and COMMIT.fullmatch(peeled[0]) else name
    raise WebError(f"the repository has no tag {tag}; a branch is not pinned")


def _fetched(web: Web, repository: str, commit: str) -> bytes:
    """The pack with a commit and all that belongs to it."""
    answer = _asked(
        web, repository, ["command=fetch"], ["no-progress", f"want {commit}", "deepen 1", "done"], MAX_PACK
    )
    parts: list[bytes] = []
    inside = False
    for line in _lines(answer):
        if inside and line[:1] == b"\1":
            parts.append(line[1:])
        elif (inside and line[:1] == b"\3") or line.startswith(b"ERR "):
            raise WebError("the repository does not give that revision")
        inside = inside or line == b"packfile\n"
    return b"".join(parts)


def _asked(web: Web, repository: str, command: list[str], arguments: list[str], limit: int) -> bytes:
    """The answer to one command of protocol 2, which needs no greeting."""
    body = b"".join(map(_line, [*command, "object-format=sha1"]))
    body += b"0001" + b"".join(map(_line, arguments)) + b"0000"
    headers = {
        "Content-Type": "application/x-git-upload-pack-request",
        "Accept": "application/x-git-upload-pack-result",
        "Git-Protocol": "version=2",
    }
    return web.post(f"{repository}/git-upload-pack", body, limit, headers).good().body


def _line(text: str) -> bytes:
    data = f"{text}\n".encode()
    return f"{len(data) + 4:04x}".encode() + data


def _lines(data: bytes) -> Iterator[bytes]:
    """The packets of an answer, without those that only separate."""
    at = 0
    while at < len(data):
        size = int(data[at : at + 4], 16)
        if size >= 4:
            if at + size > len(data):
                raise _BrokenError
            yield data[at + 4 : at + size]
        at += max(size, 4)


class _Objects(Struct):
    """The objects of a pack: where each begins, and those that are known by name."""

    pack: bytes
    at: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    names: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    left: int = MAX_UNPACKED

    def named(self, name: str) -> tuple[str, bytes]:
        if name not in self.names:
            raise _BrokenError
        return self.names[name]

    def read(self) -> None:
        """Read all of them, at last those that are written as changes of others."""
        count = int.from_bytes(self.pack[8:12], "big")
        if self.pack[:4] != b"PACK" or count > MAX_OBJECTS:
            raise _BrokenError
        waiting: list[tuple[int, int | str, bytes]] = []
        at = 12
        for _ in range(count):
            start = at
            kind, size, at = self._head(at)
            base: int | str = 0
            if kind == _OFFSET:
                distance, at = _distance(self.pack, at)
                base = start - distance
            elif kind == _NAME:
                base, at = self.pack[at : at + 20].hex(), at + 20
            data, at = self._inflated(at, size)
            if kind in _TYPES:
                self._keep(start, _TYPES[kind], data)
            else:
                waiting.append((start, base, data))
        while waiting:
            left = [one for one in waiting if not self._mended(*one)]
            if len(left) == len(waiting):
                raise _BrokenError
            waiting = left

    def _mended(self, start: int, base: int | str, delta: bytes) -> bool:
        """Whether what a delta changes is known; then the object is, too."""
        found = self.at.get(base) if isinstance(base, int) else self.names.get(base)
        if found is not None:
            self._keep(start, found[0], self._patched(found[1], delta))
        return found is not None

    def _head(self, at: int) -> tuple[int, int, int]:
        byte = self.pack[at]
        kind, size, shift = byte >> 4 & 7, byte & 15, 4
        while byte & 128:
            at += 1
            byte = self.pack[at]
            size |= (byte & 127) << shift
            shift += 7
        return kind, size, at + 1

    def _inflated(self, at: int, size: int) -> tuple[bytes, int]:
        self._spend(size)
        unpacking = zlib.decompressobj()
        parts = []
        got = 0
        while not unpacking.eof:
            chunk = self.pack[at : at + _CHUNK]
            if not chunk:
                raise _BrokenError
            part = unpacking.decompress(chunk, size - got + 1)
            got += len(part)
            if got > size or unpacking.unconsumed_tail:
                raise _BrokenError
            parts.append(part)
            at += len(chunk) - len(unpacking.unused_data)
        if got != size:
            raise _BrokenError
        return b"".join(parts), at

    def _keep(self, start: int, kind: str, data: bytes) -> None:
        name = hashlib.sha1(f"{kind} {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()
        self.at[start] = self.names[name] = (kind, data)

    def _patched(self, before: bytes, delta: bytes) -> bytes:
        """An object as the changes of another one: pieces of that, and new bytes."""
        source, at = _number(delta, 0)
        size, at = _number(delta, at)
        if source != len(before):
            raise _BrokenError
        self._spend(size)
        parts: list[bytes] = []
        got = 0
        while at < len(delta):
            code = delta[at]
            at += 1
            if code & 128:
                values = []
                for bit in range(7):
                    values.append(delta[at] if code >> bit & 1 else 0)
                    at += code >> bit & 1
                start = int.from_bytes(bytes(values[:4]), "little")
                length = int.from_bytes(bytes(values[4:]), "little") or 0x10000
                part = before[start : start + length]
            else:
                length = code
                part = delta[at : at + length]
                at += length
            got += len(part)
            if not length or len(part) != length or got > size:
                raise _BrokenError
            parts.append(part)
        if got != size:
            raise _BrokenError
        return b"".join(parts)

    def _spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise WebError(f"the repository unpacks to more than {MAX_UNPACKED // 1024 // 1024} MiB")


def _number(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            return value, at


def _distance(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    value = byte & 127
    while byte & 128:
        at += 1
        byte = data[at]
        value = (value + 1) << 7 | byte & 127
    return value, at + 1


def _files(objects: _Objects, tree: str, prefix: str, depth: int) -> Iterator[tuple[RelPath, bytes]]:
    """The regular files of a tree and of those below it."""
    kind, data = objects.named(tree)
    if kind != "tree" or depth > _MAX_DEPTH:
        raise _BrokenError
    at = 0
    while at < len(data):
        end = data.index(b"\0", at)
        mode, _, name = data[at:end].decode("utf-8", "replace").partition(" ")
        one, at = data[end + 1 : end + 21].hex(), end + 21
        path = f"{prefix}{name}"
        if not is_inside(path) or not name.isprintable() or "/" in name:
            raise _BrokenError
        if mode == "40000":
            yield from _files(objects, one, f"{path}/", depth + 1)
        elif mode in _REGULAR:
            content = objects.named(one)[1]
            if len(content) <= MAX_FILE:
                yield path, content
