"""Files that a run leaves: reports, the job's summary, the step's outputs. Never through a link, never by half."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from portproof import files
from portproof.errors import UsageError

OUTPUTS = (
    "findings",
    "errors",
    "warnings",
    "introduced",
    "sarif-file",
    "report-file",
    "patch-file",
    "body-file",
)
_MOUNTS = {"/github/runner_temp": "_temp", "/github/home": "_temp/_github_home"}
"""Where a container has the runner's temporary folders, and their names in the runner's work folder.

actions/runner ContainerActionHandler.cs; the first is there since 2.329, the second always.
"""


def folder(environ: Mapping[str, str]) -> Path:
    """A fresh folder outside of the checkout, for those who run the later steps; in a temporary folder of the runner's."""
    places = (environ.get("RUNNER_TEMP"), *_MOUNTS)
    place = next((one for one in places if one and Path(one).is_dir() and os.access(one, os.W_OK)), None)
    made = Path(tempfile.mkdtemp(prefix="portproof-", dir=place))
    made.chmod(0o755)
    if place is not None:
        owner = os.stat(place)  # noqa: PTH116 - a path from the runner
        with suppress(OSError):  # an action is root; who owns the folder is to be able to clean up
            os.chown(made, owner.st_uid, owner.st_gid)
    return made


def for_later_steps(environ: Mapping[str, str], workspace: Path, file: str) -> str:
    """The path of a written file as another step of the job sees it.

    Relative to the workspace where it lies in there. The runner mounts two temporary folders of its own into the
    action's container; in a file of those the mount gives way to the folder. It is called the same on every runner, and
    found beside ``RUNNER_WORKSPACE``, the one folder of the machine that the container hears of.
    """
    path = Path(os.path.normpath(workspace / file))
    if path.is_relative_to(workspace):
        return path.relative_to(workspace).as_posix()
    outside = Path(environ.get("RUNNER_WORKSPACE", ""))
    for mount, name in _MOUNTS.items():
        if path.is_relative_to(mount) and outside.is_absolute():
            return (outside.parent / name / path.relative_to(mount)).as_posix()
    return path.as_posix()


def write(workspace: Path, name: str, text: str) -> None:
    """Write the file that the workflow names, relative to the workspace. Raises `UsageError` where a link is in the way."""
    target = Path(name)
    if target.is_absolute() and not target.is_relative_to(workspace):
        base, steps = target.parent, [target.name]
    else:
        base = workspace
        steps = list((target.relative_to(workspace) if target.is_absolute() else target).parts)
    if not steps or ".." in steps:
        raise UsageError(f"cannot write {name}", next_step="Name a file in the workspace.")
    try:
        # Those who run the later steps may be somebody else.
        files.replace_below(base, steps, text.encode("utf-8", "backslashreplace"), mode=0o644)
    except OSError as error:
        raise UsageError(
            f"cannot write {name}: {(error.strerror or 'no').lower()}",
            next_step="Name a file that is not a link.",
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
