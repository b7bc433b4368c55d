"""The one door to other programs.

Every program is started without a shell, with an environment that the caller
spells out, in a process group of its own, under limits of time, memory and
output, and the whole group is killed with SIGKILL at the end: helm ignores
SIGTERM while it renders, and prints a cancellation line to standard output, so
the output of a program that was killed is thrown away. A program that reads a
stranger's files is started by a `Launcher`, which has shut itself in before.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from portproof.sandbox import SandboxPolicy, apply

if sys.platform == "linux":
    import resource  # here, because a launcher's thread can read no module any more

MIB = 1024 * 1024

_Child: TypeAlias = "subprocess.Popen[bytes]"


class Ending(Enum):
    """How a program ended."""

    EXITED = "exited"
    TIMEOUT = "timeout"
    TOO_MUCH_OUTPUT = "too much output"
    NOT_STARTED = "not started"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use: wall seconds, bytes of output per stream, of address space, and of a file it writes.

    `processes` counts those of the same user, threads too, so it is only for a user that nobody else is.
    """

    seconds: float = 60.0
    output_bytes: int = 64 * MIB
    memory_bytes: int | None = None
    file_bytes: int | None = None
    open_files: int | None = None
    processes: int | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """What became of a program; `stdout` and `stderr` are empty when it was killed for a limit.

    `returncode` is the negative number of the signal that ended it, as in `subprocess`.
    """

    argv: tuple[str, ...]
    ending: Ending
    returncode: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the program ran to its end and reported success."""
        return self.ending is Ending.EXITED and self.returncode == 0


class Launcher:
    """Starts programs that may touch only what a `SandboxPolicy` names; thread-safe, to be closed.

    The kernel confines a thread and what it starts. So there is one thread that confines itself once and starts every
    program of a run, which costs a render nothing.
    """

    def __init__(self, confinement: SandboxPolicy) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="portproof-launcher")
        self._entered = self._thread.submit(apply, confinement)

    def start(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, limits: Limits) -> _Child:
        """Start a program; its limits are set by the thread too, whose user is the program's."""
        self._entered.result()  # raises OSError again each time: what cannot be confined is not started
        started: Future[_Child] = self._thread.submit(_start, argv, env, cwd, limits)
        return started.result()

    def close(self) -> None:
        """End the thread; programs that it has started live on."""
        self._thread.shutdown(wait=False)


_running: set[_Child] = set()
_running_lock = threading.RLock()  # a signal handler may call stop while its own thread holds it
_stopped = threading.Event()


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    limits: Limits | None = None,
    launcher: Launcher | None = None,
) -> Completed:
    """Run a program to its end or to its limits. Never raises for what the program does."""
    limits = limits or Limits()
    started = time.monotonic()
    deadline = started + limits.seconds
    try:
        child = (launcher.start if launcher else _start)(argv, env, cwd, limits)
    except (OSError, ValueError) as error:
        return Completed(tuple(argv), Ending.NOT_STARTED, -1, "", str(error), time.monotonic() - started)
    try:
        ending, out, err = _collect(child, deadline, limits.output_bytes)
        # A program that closes its streams and runs on is bound by the same deadline.
        if ending is Ending.EXITED and not _has_ended(child, deadline):
            ending = Ending.TIMEOUT
    finally:
        _end(child)
    seconds = time.monotonic() - started
    if ending is not Ending.EXITED:
        return Completed(tuple(argv), ending, child.returncode, "", "", seconds)
    return Completed(tuple(argv), ending, child.returncode, _decode(out), _decode(err), seconds)


def kill_all() -> None:
    """Kill every program that is still running, with its group."""
    with _running_lock:  # held while signalling: no member is reaped, so no id can have passed to a stranger
        for child in _running:
            _signal_group(child)


def stop() -> None:
    """Kill every program, and start no other: a signal ends this one, and other threads may be about to start some."""
    _stopped.set()
    kill_all()


def _start(argv: Sequence[str], env: Mapping[str, str], cwd: Path, limits: Limits) -> _Child:
    with _running_lock:  # kill_all waits for a child that is being started
        if _stopped.is_set():
            raise InterruptedError(f"{argv[0]} is not started: a signal has ended this program")
        child = subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        _running.add(child)
    _limit(child.pid, limits)
    return child


def _collect(child: _Child, deadline: float, cap: int) -> tuple[Ending, bytes, bytes]:
    """Read both streams until they close, the deadline passes, or one grows beyond `cap` bytes."""
    assert child.stdout is not None  # noqa: S101 - both are pipes, see run()
    assert child.stderr is not None  # noqa: S101
    out, err = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ, out)
        selector.register(child.stderr, selectors.EVENT_READ, err)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return Ending.TIMEOUT, b"", b""
            for key, _ in selector.select(left):
                chunk = os.read(key.fd, 1 << 18)
                if not chunk:
                    selector.unregister(key.fileobj)
                    continue
                key.data.extend(chunk)
                if len(key.data) > cap:
                    return Ending.TOO_MUCH_OUTPUT, b"", b""
    return Ending.EXITED, bytes(out), bytes(err)


def _has_ended(child: _Child, deadline: float) -> bool:
    """Wait for the program itself until the deadline; where the system can, without reaping it.

    While the leader is not reaped nobody else can get its id, so the group can be signalled safely. Waiting on a
    file descriptor also ends at once, whereas `Popen.wait` with a timeout sleeps between its looks.
    """
    left = max(0.05, deadline - time.monotonic())
    try:
        watch = os.pidfd_open(child.pid)
    except (AttributeError, OSError):  # not Linux, or an old one
        try:
            child.wait(timeout=left)
        except subprocess.TimeoutExpired:
            return False
        return True
    try:
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        return bool(poll.poll(left * 1000))
    finally:
        os.close(watch)


def _end(child: _Child) -> None:
    """Leave nothing behind: the group is killed even when its leader has ended by itself."""
    _signal_group(child)
    with _running_lock:
        _running.discard(child)
    for stream in (child.stdout, child.stderr):
        if stream is not None:
            stream.close()
    child.wait()


def _signal_group(child: _Child) -> None:
    # The group's id is the leader's pid. While the leader is not reaped or a member lives, the id cannot be reused.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _limit(pid: int, limits: Limits) -> None:
    """Limit a child from outside; a preexec function would not be safe beside threads.

    Linux only (prlimit); elsewhere the time limit and the output cap are the only ones. The limit of processor time
    is for the case that portproof itself is killed and cannot keep its deadline.
    """
    if sys.platform != "linux":
        return
    wanted = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_CPU, int(limits.seconds * 2) + 10)]
    given = (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_NPROC, limits.processes),
    )
    wanted += [(kind, value) for kind, value in given if value is not None]
    for kind, value in wanted:
        # A lower limit that is in force already cannot be raised, and need not be.
        with contextlib.suppress(ProcessLookupError, PermissionError, ValueError):
            resource.prlimit(pid, kind, (value, value))


def _decode(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")
