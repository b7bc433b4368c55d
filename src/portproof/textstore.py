"""Texts by key in a folder of the user's, from one run to the next: checked when read, bounded, safe for several runs at once.

Whatever lies in the folder may be anybody's by now. So an entry is plain text that says which key it is for, under the
digest of itself; one that does not is as if it were not there, and is removed. No link is followed. A folder that cannot
be read or written costs time, nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from portproof import files

Entry: TypeAlias = Mapping[str, str | int | float]
"""What is kept under a key: words and numbers."""

FORMAT = 1
"""Part of every entry: raised when what is kept, or how, changes its meaning."""

MAX_BYTES = 256 * 1024 * 1024
"""As much is kept in a folder; what was not used for the longest time goes first."""

MAX_AGE = 30 * 24 * 3600.0
"""Seconds after which an entry that nobody has used goes."""

MAX_ENTRY_BYTES = 16 * 1024 * 1024
"""A larger entry is neither kept nor read."""

_KEY = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"[0-9a-f]{2}")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TOUCHED_EACH = 3600.0
_LEFTOVER = 3600.0
_IGNORED = "# Kept by portproof; may be removed at any time.\n*\n"


class TextStore:
    """The entries of one folder; thread-safe. `close` keeps it within its bounds.

    `found` and `missed` count what was asked for.
    """

    def __init__(
        self, folder: Path, *, max_bytes: int = MAX_BYTES, clock: Callable[[], float] = time.time
    ) -> None:
        self.folder = folder
        self.found = 0
        self.missed = 0
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._written = False

    def get(self, key: str) -> Entry | None:
        """What is kept under a key, a SHA-256 in hexadecimal; None where there is nothing, or nothing that is fit."""
        entry: Entry | None = None
        with suppress(OSError), self._part(key, make=False) as part:
            data = _bytes(key, part)
            entry = _entry(key, data)
            with suppress(OSError):
                if entry is None:
                    os.unlink(key, dir_fd=part)
                else:
                    self._touch(key, part)
        with self._lock:
            self.found += entry is not None
            self.missed += entry is None
        return entry

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry; one that is too large, or a folder that does not take it, is passed over."""
        whole = {**entry, "format": FORMAT, "key": key}
        try:  # without names: of a text of megabytes there are few copies at a time
            body = json.dumps(whole, ensure_ascii=False, sort_keys=True).encode()
        except UnicodeEncodeError:
            return
        digest = hashlib.sha256(body).hexdigest().encode() + b"\n"
        if len(digest) + len(body) > min(MAX_ENTRY_BYTES, self._max_bytes):
            return
        with suppress(OSError), self._part(key, make=True) as part:
            files.replace(Path(key), digest, body, mode=0o600, folder=part)
            _give(key, part)
            self._written = True

    def drop(self, key: str) -> None:
        """Remove an entry that its reader can make nothing of."""
        with suppress(OSError), self._part(key, make=False) as part:
            os.unlink(key, dir_fd=part)

    def close(self) -> None:
        """Remove what is beyond the bounds, if anything was kept since the store was opened."""
        if not self._written:
            return
        self._written = False
        now = self._clock()
        left = self._max_bytes
        for used, size, name in sorted(self._entries(), reverse=True):
            left -= size
            if left < 0 or now - used > MAX_AGE:
                self.drop(name)

    def _entries(self) -> Iterator[tuple[float, int, str]]:
        """When each entry was used last, its size, and its key. What a run that was killed has left behind goes, too."""
        with suppress(OSError), self._opened() as top:
            for name in os.listdir(top):  # noqa: PTH208 - by the folder's descriptor
                if not _PART.fullmatch(name):
                    continue
                with suppress(OSError), _folder(name, top) as part, os.scandir(part) as entries:
                    for one in entries:
                        status = one.stat(follow_symlinks=False)
                        if _KEY.fullmatch(one.name):
                            yield status.st_mtime, status.st_size, one.name
                        elif self._clock() - status.st_mtime > _LEFTOVER:
                            with suppress(OSError):
                                os.unlink(one.name, dir_fd=part)

    @contextmanager
    def _opened(self, *, make: bool = False) -> Iterator[int]:
        """The folder itself, which is no link."""
        if make and not self.folder.is_dir():
            _make(self.folder)
            # It may lie in a work tree, where nobody wants to commit it.
            with suppress(OSError), _folder(self.folder) as top:
                files.replace(Path(".gitignore"), _IGNORED.encode(), mode=0o600, folder=top)
        with _folder(self.folder) as top:
            yield top

    @contextmanager
    def _part(self, key: str, *, make: bool) -> Iterator[int]:
        """The part of the folder that an entry lies in: no folder has more entries than it takes well."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no key")
        with self._opened(make=make) as top:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(key[:2], 0o700, dir_fd=top)
                    _give(key[:2], top)
            with _folder(key[:2], top) as part:
                yield part

    def _touch(self, key: str, part: int) -> None:
        """Remember that an entry was used, now and then."""
        now = self._clock()
        if now - os.stat(key, dir_fd=part, follow_symlinks=False).st_mtime > _TOUCHED_EACH:
            os.utime(key, (now, now), dir_fd=part, follow_symlinks=False)


def _make(folder: Path) -> None:
    """Make a folder and those above it."""
    above = next(one for one in folder.parents if one.is_dir())
    missing = folder.relative_to(above).parts
    for depth in range(len(missing)):
        with _folder(above.joinpath(*missing[:depth])) as parent, suppress(FileExistsError):
            os.mkdir(missing[depth], 0o700, dir_fd=parent)
            _give(missing[depth], parent)


def _give(name: str, within: int) -> None:
    """Let what root has made belong to the owner of the folder: a container's root fills a cache that others save."""
    owner = os.fstat(within)
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.chown(name, owner.st_uid, owner.st_gid, dir_fd=within, follow_symlinks=False)


@contextmanager
def _folder(name: str | Path, within: int | None = None) -> Iterator[int]:
    opened = os.open(name, _FOLDER, dir_fd=within)
    try:
        yield opened
    finally:
        os.close(opened)


def _bytes(key: str, part: int) -> bytes:
    """The bytes of an entry; none of what is not a file of its size. Raises `OSError` where nothing is there."""
    try:
        handle = os.open(key, _READING, dir_fd=part)
    except FileNotFoundError:
        raise
    except OSError:  # a link, or no permission
        return b""
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_ENTRY_BYTES:
            return b""
        return stream.read(MAX_ENTRY_BYTES + 1)


def _entry(key: str, data: bytes) -> Entry | None:
    """The entry that is written in `data`, if it is one for this key, and whole."""
    digest, _, body = data.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        return None
    try:
        entry = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or entry.pop("format", None) != FORMAT or entry.pop("key", None) != key:
        return None
    if not all(map(_is_plain, entry.values())):
        return None
    return entry


def _is_plain(value: object) -> bool:
    """Whether a value is a word that can be written again, or a number."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            return False
        return True
    return isinstance(value, int | float) and not isinstance(value, bool)
