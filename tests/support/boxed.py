"""What is tried with hostile input ends: in time, and before the machine's memory does."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 1024 * 1024


class SlowError(Exception):
    """The time is up."""


def _stop(*_: object) -> None:
    raise SlowError


@contextmanager
def boxed(seconds: float, memory: int = 1024 * MIB) -> Iterator[None]:
    """At most so much of our own time, and so much more memory; `re` looks for signals while it works."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    room = used + memory if soft == resource.RLIM_INFINITY else min(used + memory, soft)
    resource.setrlimit(resource.RLIMIT_AS, (room, hard))
    before = signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
