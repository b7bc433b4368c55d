"""Chart archives, looked through before helm unfolds them; nothing is unpacked, and no more is read than the bounds allow.

helm unfolds every ``charts/*.tgz`` in memory, and the archives in it, and those in them: a small file can become
gigabytes. It takes links for empty files and refuses what leads out, each version in its own way. So what no packaged
chart has is refused here, and so is what cannot be read to its end: it might read otherwise to helm.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from portproof.render.copying import MAX_BYTES, MAX_FILE_BYTES, MAX_FILES
from portproof.render.tool_output import clean

MAX_RATIO = 200
"""How many times its size an archive may unfold to. Of 3,447 archives in public repositories the utmost was 33."""

_WITHOUT_RATIO = 1024 * 1024
"""What is small when it is unfolded may have been packed well."""

_MAX_HEADERS = 1024 * 1024
"""What stands before a member besides the one before it, such as a long name; Go reads no more of it either."""

_GZIP = b"\x1f\x8b"
_MAX_NAME = 1000
_MAX_DEPTH = 10
_DRIVE = re.compile(r"[A-Za-z]:")
_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


class ArchiveError(Exception):
    """An archive is refused; the message completes "the archive X …"."""


def look_through(file: Path) -> None:
    """Look through one archive. Raises `ArchiveError`."""
    _look_through(file, _Room())


def refusal(files: Iterable[tuple[Path, str]]) -> str | None:
    """Why the archives of one chart, on disk and as they are called, are not given to helm; None when they are."""
    room = _Room()
    for file, name in files:
        try:
            _look_through(file, room)
        except ArchiveError as error:
            return f"the archive {name} {error}"
    return None


def texts(file: Path, name: str) -> Iterator[tuple[str, str]]:
    """The files of an archive that was looked through, and of those in it, as text; `name` is what it is called.

    Raises `ArchiveError`.
    """
    try:
        yield from _texts(file.read_bytes(), name, 1)
    except (OSError, EOFError, ValueError, zlib.error, tarfile.TarError) as error:
        raise ArchiveError(f"cannot be read: {clean(str(error))}") from error


def _texts(data: bytes, name: str, depth: int) -> Iterator[tuple[str, str]]:
    if not data.startswith(_GZIP):
        return
    if depth > _MAX_DEPTH:
        raise ArchiveError("holds archives nested too deeply")
    unfolded = gzip.GzipFile(fileobj=io.BytesIO(data)).read(MAX_BYTES)
    with tarfile.open(fileobj=io.BytesIO(unfolded), mode="r:", encoding="utf-8") as members:
        for member in members:
            content = members.extractfile(member) if member.isreg() else None
            if content is None:
                continue
            path = f"{name}/{member.name}"
            if _is_archive(member):
                yield from _texts(content.read(), path, depth + 1)
            else:
                yield path, content.read().decode("utf-8", "replace")


class _Room(Struct):
    """What the archives of one chart may still hold, all of them together: as much as a chart that is a folder."""

    bytes: int = MAX_BYTES
    members: int = MAX_FILES


def _look_through(file: Path, room: _Room) -> None:
    try:
        with os.fdopen(os.open(file, _READING), "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ArchiveError("is not a regular file")
            if status.st_size > MAX_FILE_BYTES:
                raise ArchiveError(f"is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB")
            data = stream.read(MAX_FILE_BYTES)
    except OSError as error:
        raise ArchiveError(f"cannot be read: {(error.strerror or str(error)).lower()}") from error
    _look_into(data, room, 1)


def _look_into(data: bytes, room: _Room, depth: int) -> None:
    if not data.startswith(_GZIP):
        return  # nothing to unfold; helm says that it is no archive
    if depth > _MAX_DEPTH:
        raise ArchiveError("holds archives nested too deeply")
    unfolded = _Unfolded(gzip.GzipFile(fileobj=io.BytesIO(data)), len(data), room)
    try:
        with tarfile.open(fileobj=unfolded, mode="r|", encoding="utf-8") as members:  # type: ignore[call-overload]
            _look_at(members, unfolded, depth)
        while unfolded.read(1 << 16):
            pass
    except ArchiveError:
        raise
    except Exception as error:
        raise ArchiveError(f"cannot be read: {clean(str(error)) or type(error).__name__}") from error
    if unfolded.last > unfolded.end:
        raise ArchiveError("cannot be read to its end")


def _look_at(members: tarfile.TarFile, unfolded: _Unfolded, depth: int) -> None:
    for member in members:
        unfolded.room.members -= 1
        if unfolded.room.members < 0:
            raise ArchiveError(f"and others hold more than {MAX_FILES:,} files")
        problem = _problem(member)
        if problem is not None:
            raise ArchiveError(f"holds {clean(member.name[:100])!r}, {problem}")
        unfolded.expect(member.offset_data, member.size if member.isreg() else 0)
        if _is_archive(member):
            nested = members.extractfile(member)
            assert nested is not None  # noqa: S101 - a regular file
            _look_into(nested.read(), unfolded.room, depth + 1)


def _problem(member: tarfile.TarInfo) -> str | None:
    """What a member has that no packaged chart's has."""
    name = member.name
    if not name.isprintable() or len(name) > _MAX_NAME:
        return "a name that is too long or not printable UTF-8"
    if name.startswith(("/", "\\")) or _DRIVE.match(name) or ".." in name.replace("\\", "/").split("/"):
        return "which points outside it"
    if member.issym() or member.islnk():
        return "which is a link"
    if member.issparse() or not (member.isreg() or member.isdir()):
        return "which is neither a file nor a folder"
    if member.size > MAX_FILE_BYTES:
        return f"which is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB"
    return None


def _is_archive(member: tarfile.TarInfo) -> bool:
    """Whether helm may take a member for a subchart."""
    steps = [step for step in member.name.replace("\\", "/").split("/") if step not in ("", ".")]
    return member.isreg() and len(steps) > 1 and steps[-2] == "charts" and steps[-1].endswith(".tgz")


class _Unfolded(Struct):
    """What an archive of `packed` bytes unfolds to, read within the bounds.

    `end` is where the last known member ends, `last` where the last byte that is not zero does.
    """

    stream: gzip.GzipFile
    packed: int
    room: _Room
    size: int = 0
    end: int = 0
    last: int = 0

    def read(self, size: int) -> bytes:
        """What `tarfile` asks for."""
        data = self.stream.read(size)
        used = len(data.rstrip(b"\0"))
        self.last = self.size + used if used else self.last
        self.size += len(data)
        self.room.bytes -= len(data)
        if self.room.bytes < 0:
            raise ArchiveError(f"and others unfold to more than {MAX_BYTES // 1024 // 1024} MiB")
        if self.size > _WITHOUT_RATIO and self.size > MAX_RATIO * self.packed:
            raise ArchiveError(f"unfolds to more than {MAX_RATIO} times its size")
        if self.size > self.end + _MAX_HEADERS:
            raise ArchiveError("cannot be read: too much lies between its files")
        return data

    def expect(self, start: int, size: int) -> None:
        """The next member lies there."""
        self.end = start + -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
