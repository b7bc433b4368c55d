"""Files that a run leaves: reports, the job's summary, the step's outputs. Never through a link, never by half."""

from __future__ import annotations

import os
import stat
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from portproof.errors import UsageError

OUTPUTS = ("findings", "errors", "warnings", "introduced", "sarif-file", "report-file", "patch-file")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def folder(environ: Mapping[str, str]) -> Path:
    """A fresh folder outside of the checkout, below the runner's temporary folder where there is one."""
    place = environ.get("RUNNER_TEMP")
    usable = place is not None and Path(place).is_dir() and os.access(place, os.W_OK)
    return Path(tempfile.mkdtemp(prefix="portproof-", dir=place if usable else None))


def write(workspace: Path, name: str, text: str) -> None:
    """Write the file that the workflow names, relative to the workspace. Raises `UsageError` where a link is in the way."""
    target = Path(name)
    if target.is_absolute() and not target.is_relative_to(workspace):
        base, steps = target.parent, [target.name]
    else:
        base = workspace
        steps = list((target.relative_to(workspace) if target.is_absolute() else target).parts)
    if not steps or ".." in steps:
        raise UsageError(f"cannot write {name}", next_step="name a file of the workspace")
    try:
        _write(base, steps, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise UsageError(
            f"cannot write {name}: {(error.strerror or 'no').lower()}",
            next_step="name a file that is no link",
        ) from error


def outputs(environ: Mapping[str, str], values: Mapping[str, str]) -> None:
    """Set the step's outputs."""
    lines = []
    for name, value in values.items():
        if name not in OUTPUTS:
            raise ValueError(f"no such output: {name}")
        delimiter = f"portproof-{uuid.uuid4()}"
        while delimiter in value:
            delimiter = f"portproof-{uuid.uuid4()}"
        lines.append(f"{name}<<{delimiter}\n{value}\n{delimiter}\n")
    _append(environ.get("GITHUB_OUTPUT"), "".join(lines))


def summary_room(environ: Mapping[str, str], limit: int) -> int:
    """How many bytes the job's summary still takes."""
    file = environ.get("GITHUB_STEP_SUMMARY")
    with suppress(OSError):
        return max(0, limit - os.stat(file).st_size) if file else limit  # noqa: PTH116 - a path from the runner
    return limit


def summary(environ: Mapping[str, str], text: str) -> None:
    """Add to the job's summary."""
    _append(environ.get("GITHUB_STEP_SUMMARY"), text)


def _append(file: str | None, text: str) -> None:
    """Add to a file of the runner's, in one piece; without such a file there is nobody to tell."""
    if not file:
        return
    with suppress(OSError):
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(handle, "ab") as stream:
            stream.write(text.encode("utf-8", "backslashreplace"))


def _write(base: Path, steps: list[str], data: bytes) -> None:
    """Step down folder by folder, none of them a link, and put the finished file in its place at once."""
    where = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for step in steps[:-1]:
            with suppress(FileExistsError):
                os.mkdir(step, dir_fd=where)
            below = os.open(step, _FOLDER, dir_fd=where)
            os.close(where)
            where = below
        _replace(where, steps[-1], data)
    finally:
        os.close(where)


def _replace(where: int, name: str, data: bytes) -> None:
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(name, dir_fd=where, follow_symlinks=False).st_mode):
            raise OSError(0, "it is not a regular file")
    temporary = f".{name}.{uuid.uuid4().hex[:8]}"
    handle = os.open(temporary, _NEW, 0o644, dir_fd=where)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.rename(temporary, name, src_dir_fd=where, dst_dir_fd=where)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=where)
        raise
