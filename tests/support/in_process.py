"""The program's own `main`, called in this process with what a process of its own would have."""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO, Any
from unittest import mock

import pytest

import portproof
from portproof import cli

_AT_START = ("PYTHON", "LANG", "LC_")
"""How variables begin that an interpreter reads when it starts."""


def call(
    args: Sequence[str], environ: Mapping[str, str], seconds: int, given: bytes = b""
) -> tuple[int, bytes, bytes]:
    """Run ``portproof ARGS`` with `given` on standard input; gives the exit code and the bytes on standard output and standard error.

    The file descriptors 0 to 2, the variables and the signal handlers are the program's own while it runs. What is read
    before `main` (PYTHONIOENCODING, for one) is not: a test about that needs a process.
    """
    assert _at_start(environ) == _at_start(os.environ), "an interpreter reads these when it starts"
    with (
        tempfile.TemporaryFile() as stdin,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
        _settings_put_back(),
        _bounded(seconds),
    ):
        stdin.write(given)
        stdin.seek(0)
        with (
            _streams(stdin, stdout, stderr),
            mock.patch.dict(os.environ, environ, clear=True),
            _as_module(args),
            pytest.raises(SystemExit) as ended,
        ):
            cli.main()
        stdout.seek(0)
        stderr.seek(0)
        return int(ended.value.code or 0), stdout.read(), stderr.read()


@contextmanager
def _as_module(args: Sequence[str]) -> Iterator[None]:
    """What ``python -m portproof`` is to those who ask how they were started."""
    main = ModuleType("__main__")
    main.__package__ = portproof.__name__
    main.__file__ = str(Path(portproof.__file__).with_name("__main__.py"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "__main__", main)
        patch.setattr(sys, "argv", [main.__file__, *args])
        yield


def _at_start(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(_AT_START)}


@contextmanager
def _streams(stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]) -> Iterator[None]:
    """Standard streams with the encodings that an interpreter gives them, from and into files."""
    assert sys.__stdout__ is not None
    assert sys.__stderr__ is not None
    with ExitStack() as undo:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for number, file in enumerate((stdin, stdout, stderr)):
            kept = os.dup(number)
            undo.callback(os.close, kept)
            undo.callback(os.dup2, kept, number)
            os.dup2(file.fileno(), number)
        output: dict[str, Any] = {"mode": "w", "newline": "\n", "closefd": False}
        out, err = sys.__stdout__, sys.__stderr__
        opened = {
            "stdin": open(0, encoding="utf-8", closefd=False),  # noqa: SIM115
            "stdout": open(1, encoding=out.encoding, errors=out.errors, **output),  # noqa: SIM115
            "stderr": open(2, encoding=err.encoding, errors=err.errors, buffering=1, **output),  # noqa: SIM115
        }
        for name, stream in opened.items():
            undo.enter_context(mock.patch.object(sys, name, stream))
            undo.callback(stream.close)
        yield


@contextmanager
def _settings_put_back() -> Iterator[None]:
    """Undo what `main` sets for the rest of its process."""
    threshold, interval = gc.get_threshold(), sys.getswitchinterval()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        sys.setswitchinterval(interval)
        gc.set_threshold(*threshold)
        gc.unfreeze()


@contextmanager
def _bounded(seconds: int) -> Iterator[None]:
    """Fail when the block takes longer; not by an `Exception`, of which `main` makes an exit code."""

    def too_long(*_: object) -> None:
        pytest.fail(f"the program did not end within {seconds} seconds")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
