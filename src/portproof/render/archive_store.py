"""Fetched archives of charts, kept across runs by their SHA-256, and which of them a registry has given for a version.

What is read is held against its sum: a cache that somebody else may write to is worth no more than a network.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from portproof import files

MAX_BYTES = 512 * 1024 * 1024
MAX_ARCHIVES = 2000


class ArchiveStore(Struct, frozen=True):
    """The archives below `folder`, which need not exist, nor be writable: without it everything is fetched again."""

    folder: Path

    def read(self, repository: str, name: str, version: str) -> tuple[str, bytes] | None:
        """The version and the archive that were kept for what was asked; None without one that is whole."""
        note = self._note(repository, name, version)
        try:
            data = json.loads(note.read_bytes())
            digest, taken = data["sha256"], data["version"]
            archive = self._archive(str(digest)).read_bytes()
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        if hashlib.sha256(archive).hexdigest() != digest or not isinstance(taken, str):
            return None
        with suppress(OSError):
            os.utime(self._archive(digest))
        return taken, archive

    def keep(self, repository: str, name: str, version: str, taken: str, archive: bytes) -> None:
        """Keep an archive; a cache that cannot be written costs time, nothing else."""
        digest = hashlib.sha256(archive).hexdigest()
        note = self._note(repository, name, version)
        try:
            for file, data in (
                (self._archive(digest), archive),
                (note, json.dumps({"sha256": digest, "version": taken}).encode()),
            ):
                file.parent.mkdir(parents=True, exist_ok=True)
                files.replace(file, data)
            self._make_room()
        except OSError:
            return

    def _make_room(self) -> None:
        """Remove those that were used least recently, beyond the bounds."""
        found = []
        with os.scandir(self.folder / "sha256") as entries:
            for one in entries:
                status = one.stat(follow_symlinks=False)
                found.append((status.st_mtime_ns, one.path, status.st_size))
        found.sort(reverse=True)
        size = 0
        for number, (_, path, bytes_) in enumerate(found):
            size += bytes_
            if size > MAX_BYTES or number >= MAX_ARCHIVES:
                with suppress(OSError):
                    Path(path).unlink()

    def _archive(self, digest: str) -> Path:
        if len(digest) != 64 or not digest.isalnum():
            raise ValueError(digest)
        return self.folder / "sha256" / f"{digest}.tgz"

    def _note(self, repository: str, name: str, version: str) -> Path:
        key = f"{repository}\n{name}\n{version}".encode("utf-8", "surrogatepass")
        return self.folder / "asked" / f"{hashlib.sha256(key).hexdigest()}.json"
