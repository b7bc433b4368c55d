"""What helm and kustomize may touch: the tree without ``.git``, the scratch folder, and themselves."""

from __future__ import annotations

import os
import stat
import struct
import threading
from pathlib import Path

from msgspec import Struct, field

from portproof.process import MIB, Launcher, Limits
from portproof.render.scratch import Scratch
from portproof.sandbox import SandboxPolicy, can_become

NOBODY = 65534
_MAX_PROCESSES = 4096
_MAX_FILES = 1024
_MAX_WRITTEN = 100 * MIB

_TIME = ("/etc/localtime", "/usr/share/zoneinfo")
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/nix/store")
_EVERYTHING = ("/",)


class Sandboxes(Struct):
    """The launchers of a run, one for each tool and tree; made when first asked for.

    Where portproof is root the tools are nobody, or whoever the tree belongs to where only its owner may read it.
    """

    scratch: Scratch
    _launchers: dict[tuple[str, Path | None], Launcher] = field(default_factory=dict)
    _user: tuple[int, int] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def rendering(self, tool: str, root: Path) -> Launcher:
        """Starts `tool`, a path, where it may read the tree at `root`, and reach nobody."""
        with self._lock:
            if (tool, root) not in self._launchers:
                confinement = SandboxPolicy(
                    read=(*_without_git(root), str(self.scratch.root), *_TIME),
                    write=(str(self.scratch.home),),
                    execute=_program(tool),
                    user=self._become(tool, root),
                )
                self._launchers[tool, root] = Launcher(confinement)
            return self._launchers[tool, root]

    def limits(self, seconds: float, memory: int, written: int = _MAX_WRITTEN) -> Limits:
        """The limits of one run of a tool."""
        processes = _MAX_PROCESSES if self._user is not None and self._user[0] == NOBODY else None
        return Limits(
            seconds=seconds,
            memory_bytes=memory,
            file_bytes=written,
            open_files=_MAX_FILES,
            processes=processes,
        )

    def close(self) -> None:
        """End the launchers' threads."""
        for launcher in self._launchers.values():
            launcher.close()

    def _become(self, tool: str, root: Path) -> tuple[int, int] | None:
        """Who the tool is to be; None for who we are, also where another one could not read what it has to."""
        if (
            not can_become()
            or not _open_to_others(self.scratch.cwd.parent.parent)
            or not _open_to_others(tool)
        ):
            return None
        if _open_to_others(root):
            user = self._user or (NOBODY, NOBODY)
        else:
            owner = root.stat()
            user = (owner.st_uid, owner.st_gid)
            if 0 in user or not _open_to_others(root.parent, reading=False):
                return None
        if self._user is None:
            self.scratch.give_to(*user)
            self._user = user
        return user if user == self._user else None


def _without_git(root: Path) -> list[str]:
    """The tree, whatever lies at its top apart from ``.git``, where a checkout may have left credentials."""
    if not os.path.lexists(root / ".git"):
        return [str(root)]
    try:
        return [f"{root}/{name}" for name in os.listdir(root) if name != ".git"]  # noqa: PTH208
    except OSError:
        return []


def _program(tool: str) -> tuple[str, ...]:
    """What has to be executable: the file alone, the libraries it is linked with, or whatever a script may start.

    A script is the user's own wrapper around a tool that may lie anywhere; it can read what the user can.
    """
    real = os.path.realpath(tool)
    try:
        with open(real, "rb") as stream:  # noqa: PTH123
            head = stream.read(4096)
    except OSError:
        return (real,)
    if not head.startswith(b"\x7fELF"):
        return _EVERYTHING
    return (real, *_LIBRARIES) if _is_linked(head) else (real,)


def _is_linked(head: bytes) -> bool:
    """Whether a 64-bit little-endian ELF file names an interpreter, the dynamic linker; others count as linked."""
    if head[4:6] != b"\x02\x01" or len(head) < 64:
        return True
    offset, size, number = struct.unpack_from("<Q", head, 32)[0], *struct.unpack_from("<HH", head, 54)
    entries = [offset + index * size for index in range(number)]
    return any(at + 4 > len(head) or struct.unpack_from("<I", head, at)[0] == 3 for at in entries)


def _open_to_others(path: Path | str, *, reading: bool = True) -> bool:
    """Whether anybody may read a file, or list a folder; with `reading` off, only pass through."""
    real = Path(os.path.realpath(path))
    try:
        mode = real.stat().st_mode
        above = [folder.stat().st_mode for folder in real.parents]
    except OSError:
        return False
    own = (stat.S_IROTH if reading else 0) | stat.S_IXOTH
    return mode & own == own and all(one & stat.S_IXOTH for one in above)
