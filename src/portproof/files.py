"""A file is written whole or not at all: the new one is made beside the old one, and takes its place in one step."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def replace(
    file: Path, *data: bytes, mode: int | None = None, durable: bool = False, folder: int | None = None
) -> None:
    """Put `data`, in parts, in the place of `file`, be it there or not; a reader sees the old file or the new one, nothing between.

    A link gives way to the file. `mode` are its permissions, those of any new file when None. A `durable` file outlives
    a crash of the machine. With `folder`, the descriptor of one, `file` is a name in it. Raises `OSError`, and leaves
    nothing behind.
    """
    temporary = file.with_name(f".portproof-{os.urandom(8).hex()}")
    handle = os.open(temporary, _NEW, 0o666 if mode is None else 0o600, dir_fd=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            if mode is not None:
                os.fchmod(handle, mode)
            stream.writelines(data)
            if durable:
                stream.flush()
                os.fsync(handle)
        os.rename(temporary, file, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def replace_below(base: Path, steps: Sequence[str], data: bytes, *, mode: int | None = None) -> None:
    """Write a file below a folder that others may have filled: no step is a link, and what is replaced is a file.

    `steps` are the names on the way from `base`; folders that are missing are made. Raises `OSError`.
    """
    where = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for step in steps[:-1]:
            with suppress(FileExistsError):
                os.mkdir(step, dir_fd=where)
            below = os.open(step, _FOLDER, dir_fd=where)
            os.close(where)
            where = below
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(os.stat(steps[-1], dir_fd=where, follow_symlinks=False).st_mode):
                raise OSError(0, "it is not a regular file")
        replace(Path(steps[-1]), data, mode=mode, folder=where)
    finally:
        os.close(where)
