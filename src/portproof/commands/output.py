"""What commands write beside standard output."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import click

from portproof import files
from portproof.errors import UsageError
from portproof.source import RelPath, work_tree

_NUMBERS = {"/dev/stdout": 1, "/dev/stderr": 2}
_STREAM = re.compile(r"/dev/(?:stdout|stderr|fd/(\d{1,6}))|/proc/self/fd/(\d{1,6})")


def print_document(text: str, kind: str) -> None:
    """Print a document; where a runner reads along, so that it finds no command of the workflow in there.

    Its words are those of the files under check, and GitHub and Azure obey what a step prints.
    """
    text = with_timings(text) if kind == "json" else text
    if any(os.environ.get(name) for name in ("GITHUB_ACTIONS", "TF_BUILD")):
        from portproof.report.safe import for_log  # noqa: PLC0415 - after the first renders

        text = for_log(text, kind)
    click.echo(text, nl=False, color=True)


def write_text(file: Path, text: str, *, root: Path | None = None) -> None:
    """Write a file, whole or not at all. Raises `UsageError` when that fails.

    In the tree under check (`root`, or the one around the current folder), which may be anybody's, no folder on the way is
    a link, and only a file is replaced. Elsewhere the user has chosen the place: a link gives way to the file, and a pipe or
    a terminal gets the text.
    """
    data = text.encode("utf-8")
    here = Path.cwd().resolve()
    place = Path(os.path.normpath(here / file))
    trees = [tree.resolve() for tree in (root, work_tree(here), here) if tree is not None]
    tree = next((one for one in trees if place.is_relative_to(one)), None)
    try:
        if tree is not None:
            files.replace_below(tree, place.relative_to(tree).parts, data)
        elif stream := _STREAM.fullmatch(str(place)):
            _write_all(os.dup(_NUMBERS.get(stream[0]) or int(stream[1] or stream[2])), data)
        elif place.exists() and not (place.is_file() or place.is_dir()):  # a pipe or a terminal
            # A pipe that nobody reads would have us wait for ever.
            _write_all(os.open(place, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC), data)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            files.replace(place, data)
    except OSError as error:
        raise UsageError(
            f"cannot write {file}: {_reason(error)}",
            next_step="Name another file.",
        ) from error


def _write_all(handle: int, data: bytes) -> None:
    """Write to what is open already, and close it."""
    os.set_blocking(handle, True)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)


def _reason(error: OSError) -> str:
    if error.errno == errno.ENXIO:
        return "nobody reads this pipe"
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "a folder on the way is a link, or no folder"
    return (error.strerror or str(error)).lower()


def with_timings(text: str) -> str:
    """A JSON document with where the time went, if that is measured."""
    timings = sys.modules.get("portproof.timings")  # a run that says again what it has said has not loaded it
    taken = None if timings is None else timings.taken()
    if taken is None:
        return text
    from portproof.report.json_ import dumps  # noqa: PLC0415
    from portproof.report.timing_table import data  # noqa: PLC0415

    return dumps({**json.loads(text), "timings": data(taken)})


def seen_from_here(root: Path) -> Callable[[RelPath], str]:
    """How paths of the tree are written in the current folder, when that and the root lie in each other."""
    here, root = Path.cwd().resolve(), root.resolve()
    if here == root or not (here.is_relative_to(root) or root.is_relative_to(here)):
        return str
    return lambda path: os.path.relpath(root / path, here)
