"""What the benchmarks share: which repositories are meant, and how to start the program that is measured."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = (sys.executable, "-m", "portproof")


def expand(folders: Iterable[Path]) -> list[Path]:
    """Each folder that is a git work tree, and those directly inside of the other folders."""
    found: list[Path] = []
    for folder in folders:
        inside = [folder] if (folder / ".git").exists() else [one.parent for one in folder.glob("*/.git")]
        if not inside:
            raise SystemExit(f"{folder}: neither a git work tree nor a folder of some")
        found += sorted(one.resolve() for one in inside)
    return list(dict.fromkeys(found))


def name(repository: Path) -> str:
    """How tables call a repository; the copy with vendored dependencies is told apart by its parent."""
    return f"{repository.parent.name}/{repository.name}"


@contextmanager
def cloned(repository: Path) -> Iterator[Path]:
    """A clone that may be changed, at a commit of the files that are there: a snapshot may lack some."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        clone = Path(folder) / repository.name
        subprocess.run(["git", "clone", "-q", "-n", "--shared", repository, clone], check=True)
        subprocess.run(["git", "checkout", "-q", "-f", "HEAD"], cwd=clone, capture_output=True, check=False)
        author = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
        commit = ["git", *author, "commit", "-q", "-a", "-m", "base"]
        subprocess.run(
            commit, cwd=clone, capture_output=True, check=False
        )  # says no where nothing is missing
        yield clone


def report(repository: Path, options: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON report of one ``portproof check --offline``."""
    argv = [*PROGRAM, "check", "--offline", "--format", "json", *options, str(repository)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{name(repository)}: portproof ended with {done.returncode}\n{done.stderr[-4000:]}")
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


def share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.0f} %)" if whole else "-"


def table(rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Lines of a table; the first column is text, the others are numbers."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for first, *rest in cells:
        numbers = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        yield "  ".join((first.ljust(widths[0]), *numbers)).rstrip()
