"""The program called in this process does what it does as a process of its own, and leaves nothing behind here."""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from portproof.commands import about, checking
from tests.e2e.program import Process, Program, Repository, environment

MakeRepository = Callable[[str], Repository]
CALLS = (
    (1, ("check", "chart")),
    (1, ("check", "chart", "--format", "json", "--base", "HEAD~1")),
    (0, ("fix", "chart")),
    (0, ("targets",)),
    (0, ("explain", "host-port")),
    (2, ("check", "--select", "no-such-rule")),
    (2, ("check", "--no-such-option")),
    (2, ("check", "pört\udcff")),
    (2, ("explain",)),
)


def state() -> tuple[object, ...]:
    """What a call could change in its process and does not put back by itself."""
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    streams = (sys.stdin, sys.stdout, sys.stderr, [os.fstat(number).st_ino for number in range(3)])
    collector = (gc.get_threshold(), gc.get_freeze_count(), sys.getswitchinterval())
    return (
        *handlers,
        *streams,
        *collector,
        sys.argv,
        dict(os.environ),
        Path.cwd(),
        sorted(one.name for one in Path("/proc/self/fd").iterdir()),
    )


@pytest.mark.parametrize(
    ("code", "args"), CALLS, ids=lambda one: " ".join(one) if isinstance(one, tuple) else None
)
def test_both_do_the_same(
    code: int, args: tuple[str, ...], portproof: Program, process: Process, make_repository: MakeRepository
) -> None:
    repository = make_repository("incident/repaired")
    repository.replace("chart/values.yaml", "targetPort: 8080", "targetPort: 8081")
    repository.commit()
    before = state()
    here = portproof(*args)
    assert state() == before

    there = process(*args)
    assert (here.code, there.code) == (code, code), here.stderr
    assert here.stderr == there.stderr
    assert timeless(here.stdout) == timeless(there.stdout)


def timeless(text: str) -> str:
    return re.sub(r'(?<="seconds": )[0-9.e-]+| in [0-9.]+ m?s', "", text)


def test_both_see_the_variables_that_are_given(make_repository: MakeRepository) -> None:
    make_repository("incident/broken")
    environ = environment() | {"PORTPROOF_HELM": "/nonexistent/helm"}
    assert Program(environ)("check") == Process(environ)("check")


def test_there_is_no_input(
    portproof: Program, make_repository: MakeRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_repository("")
    monkeypatch.setattr(about, "tools", lambda *_, **__: len(sys.stdin.read()) + len(os.read(0, 1)))
    assert portproof("tools").code == 0


def test_an_error_of_its_own_is_one_here_too(
    portproof: Program, make_repository: MakeRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> int:
        raise ValueError("a mistake")

    make_repository("")
    monkeypatch.setattr(checking, "check", broken)
    done = portproof("check")
    assert (done.code, done.stdout) == (3, "")
    assert "internal error: a mistake" in done.stderr


def test_what_an_interpreter_reads_when_it_starts_needs_a_process() -> None:
    with pytest.raises(AssertionError, match="interpreter"):
        Program(environment() | {"PYTHONIOENCODING": "latin-1"})("rules")
    assert Process(environment() | {"PYTHONIOENCODING": "latin-1"})("rules").code == 0
