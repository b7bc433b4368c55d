"""Which program a file is, and what is remembered of programs in the tool cache."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from portproof import files

_MIB = 1024 * 1024
MAX_BINARY = 256 * _MIB
"""A larger file is no tool."""

LARGE = _MIB
"""A smaller file is no tool itself, but a script around one: it is remembered only as long as what it names is the same, too."""

_NAMED = re.compile(rb"(?<![\w.$}/-])/[\w./+@-]+")
_MARKS = (b"helm.sh/helm/v", b"sigs.k8s.io/kustomize/")
"""What a helm or a kustomize holds, kubectl too: the names of its own parts."""


def identity(path: str, cache: Path) -> str | None:
    """Which program a file is: a digest that is another one whenever its answers may be; None where nobody can say.

    A binary is what it holds, if it is helm or kustomize itself and not a launcher that looks for one. A script is what it
    holds, and what the programs hold that it names. The digest of a binary is remembered in `cache`, the tool cache.
    """
    real = os.path.realpath(path)
    with suppress(OSError):
        if Path(real).stat().st_size >= LARGE:
            return _digest_of_tool(real, cache)
        text = Path(real).read_bytes()
        if not text.startswith(b"#!"):
            return None
        _, _, body = text.partition(b"\n")
        named = sorted({os.fsdecode(one) for one in _NAMED.findall(body)})
        programs = [_digest(name) for name in named if os.access(name, os.X_OK) and Path(name).is_file()]
        return _sum([_sum([text]).encode(), *map(str.encode, programs)]) if programs else None
    return None


def _digest_of_tool(real: str, cache: Path) -> str | None:
    """The digest of a binary that is a helm or a kustomize."""
    stat = Path(real).stat()
    stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_ctime_ns]
    memory = cache / "digests.json"
    entries = read_json(memory)
    match entries.get(real):
        case {"stamp": known, "digest": str(digest)} if known == stamp and len(digest) == 64:
            return digest
    if stat.st_size > MAX_BINARY or not _has_mark(real):
        return None
    digest = _digest(real)
    remember(memory, real, {"stamp": stamp, "digest": digest})
    return digest


def _has_mark(path: str) -> bool:
    """Whether a file is a helm, a kustomize or a kubectl; a piece at a time, for it is large."""
    longest = max(map(len, _MARKS))
    end = b""
    with Path(path).open("rb") as stream:
        while piece := stream.read(_MIB):
            if any(mark in end + piece for mark in _MARKS):
                return True
            end = piece[-longest:]
    return False


def _digest(path: str) -> str:
    import hashlib  # noqa: PLC0415 - start-up: not every command renders

    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sum(parts: Sequence[bytes]) -> str:
    import hashlib  # noqa: PLC0415 - start-up: not every command renders

    found = hashlib.sha256()
    for one in parts:
        found.update(one)
    return found.hexdigest()


_remembering = threading.Lock()  # helm and kustomize are looked for at the same time


def remember(memory: Path, path: str, said: Mapping[str, Any]) -> None:
    """Add what is known of a program to a file of the tool cache, which need not be writable."""
    with _remembering, suppress(OSError):
        entries = {**read_json(memory), path: said}
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_json(memory, dict(list(entries.items())[-100:]))


def read_json(path: Path) -> dict[str, Any]:
    """What a file of the tool cache holds; nothing where it cannot be read."""
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a file of the tool cache. Raises `OSError`."""
    files.replace(path, json.dumps(data).encode(), mode=0o644)
