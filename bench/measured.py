"""Runs the program, and tells its own processor time from that of the renderers that it started.

``python measured.py FILE WORD...`` is what is started: it calls the program's `main`, and writes to FILE what this process
and its children have used.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ran:
    """One run: seconds that went by, processor seconds of portproof itself and of its renderers, its peak of memory."""

    seconds: float
    own: float
    tools: float
    mib: float
    code: int
    output: bytes

    @property
    def cpu(self) -> float:
        return self.own + self.tools


def portproof(root: Path, *words: str, cache_folder: Path | None = None) -> Ran:
    """Run portproof in a folder; without a folder for it, nothing is cached."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        used = Path(folder) / "used.json"
        argv = [sys.executable, __file__, str(used), *words]
        if cache_folder is None and "--no-cache" in options(words[0]):
            argv.append("--no-cache")
        environ = os.environ | ({} if cache_folder is None else {"PORTPROOF_RENDER_CACHE": str(cache_folder)})
        environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled once
        started = time.perf_counter()
        done = subprocess.run(argv, cwd=root, env=environ, capture_output=True, check=False)
        seconds = time.perf_counter() - started
        if done.returncode not in (0, 1):
            raise SystemExit(
                f"{' '.join(words)} ended with {done.returncode}\n{done.stderr.decode()[-4000:]}"
            )
        own, tools, mib = json.loads(used.read_text())
        return Ran(seconds, own, tools, mib, done.returncode, done.stdout)


@cache
def options(command: str) -> frozenset[str]:
    """The options that a command has."""
    argv = [sys.executable, "-m", "portproof", command, "--help"]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return frozenset(word.strip(",") for word in shown.split() if word.startswith("--"))


def command_cpu(argv: Sequence[str], root: Path) -> tuple[float, float, bytes]:
    """Another program: seconds that went by, processor seconds, output; it may fail, as linters do."""
    before = children_cpu()
    started = time.perf_counter()
    done = subprocess.run(argv, cwd=root, capture_output=True, check=False)
    seconds = time.perf_counter() - started
    return seconds, children_cpu() - before, done.stdout


def children_cpu() -> float:
    """Processor seconds of all that was started here and has ended, with what it had started."""
    return _cpu(resource.RUSAGE_CHILDREN)


def _cpu(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _main(used: Path, words: list[str]) -> None:
    from portproof.cli import main  # noqa: PLC0415 - only in the process that is measured

    sys.argv = ["portproof", *words]
    try:
        main()
    finally:
        mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        used.write_text(json.dumps([_cpu(resource.RUSAGE_SELF), _cpu(resource.RUSAGE_CHILDREN), mib]))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2:])
