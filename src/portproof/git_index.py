"""Git's index (`gitformat-index(5)`): the list of what is committed or about to be. No program is started."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_MAX_BYTES = 64 * 1024 * 1024
_WHOLE_NAMES = (2, 3)
"""Versions that write each name whole; the fourth leaves out how it begins."""

_FIXED = 62
"""Bytes of an entry before its name, without those that the third version adds to some."""


def read(root: Path) -> bytes | None:
    """The index of the work tree at `root`; None where it cannot be read as we read it."""
    folder = root / ".git"
    with suppress(OSError, UnicodeDecodeError):
        if folder.is_file():  # a work tree beside the clone: gitrepository-layout(5)
            folder = root / folder.read_text("utf-8").removeprefix("gitdir:").strip()
        file = folder / "index"
        if file.stat().st_size <= _MAX_BYTES:
            data = file.read_bytes()
            is_known = data[:4] == b"DIRC" and int.from_bytes(data[4:8], "big") in _WHOLE_NAMES
            return data if is_known else None
    return None


def names(index: bytes) -> bytes:
    """The names in an index, each ended by a NUL: what times and sizes it holds is left out."""
    found = bytearray()
    position = 12
    for _ in range(int.from_bytes(index[8:12], "big")):
        extended = index[position + 60 : position + 61] >= b"\x40" and index[position + 60] & 0x40
        start = position + _FIXED + (2 if extended else 0)
        end = index.find(b"\0", start)
        if end < 0:
            break
        found += index[start : end + 1]
        position += (end - position) // 8 * 8 + 8
    return bytes(found)
