"""Where the time of a run goes, for those who ask: seconds of work by stage, and by target.

A stage within another one counts for itself alone, so the stages add up. They run in many threads: together they may be more
than the time that went by. Nobody measures unless `start` was called.
"""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import Enum

from msgspec import Struct, field

SLOWEST = 10
"""Targets that are named."""


class Stage(Enum):
    """What a run does; the value is what a reader calls it."""

    DISCOVERY = "discovery"
    RENDERS = "renders"
    PARSING = "reading manifests"
    GRAPH = "graph"
    RULES = "rules"
    TRACING = "tracing"
    PROOF = "proofs"
    REPORT = "report"


class Purpose(Enum):
    """What a render was for."""

    CHECK = "of targets"
    TRACING = "for tracing"
    PROOF = "for proofs"
    BASE = "of the base"


class Row(Struct, frozen=True):
    """A stage, a purpose of renders or a target: how often, and how many seconds of work."""

    name: str
    count: int
    seconds: float


class Taken(Struct, frozen=True):
    """What a run has taken so far. `stages` are in the order of the work, `renders` are the parts of that stage.

    `seconds` went by, `cpu_seconds` are of all processors, programs that were started included. `slowest` are the targets
    that took most; their count is that of their renders, and `targets` is how many there are.
    """

    seconds: float
    cpu_seconds: float
    stages: tuple[Row, ...]
    renders: tuple[Row, ...]
    slowest: tuple[Row, ...]
    targets: int

    @property
    def work(self) -> float:
        """Seconds of all stages."""
        return sum(one.seconds for one in self.stages)


class _Frame(Struct):
    """A stage that has begun: what was within it is not its own."""

    stage: Stage
    target: str
    within: float = 0.0


class _Sum(Struct):
    count: int = 0
    seconds: float = 0.0

    def add(self, count: int, seconds: float) -> None:
        self.count += count
        self.seconds += seconds


def _used() -> float:
    """Processor seconds of this process, and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


class Clock(Struct):
    """Adds up what stages take."""

    started: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=_used)
    lock: threading.Lock = field(default_factory=threading.Lock)
    local: threading.local = field(default_factory=threading.local)
    stages: dict[Stage, _Sum] = field(default_factory=dict)
    renders: dict[Purpose, _Sum] = field(default_factory=dict)
    targets: dict[str, _Sum] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: Stage, target: str, purpose: Purpose | None) -> Iterator[None]:
        """Count the block for a stage, and for a target: the given one, or that of the stage around it."""
        frames: list[_Frame] = self.local.__dict__.setdefault("frames", [])
        around = frames[-1] if frames else None
        frame = _Frame(stage, target or (around.target if around else ""))
        frames.append(frame)
        begun = time.perf_counter()
        try:
            yield
        finally:
            whole = time.perf_counter() - begun
            frames.pop()
            if around is not None:
                around.within += whole
            self._add(frame, whole - frame.within, purpose or _purpose(around))

    def _add(self, frame: _Frame, seconds: float, purpose: Purpose) -> None:
        is_render = frame.stage is Stage.RENDERS
        with self.lock:
            self.stages.setdefault(frame.stage, _Sum()).add(1, seconds)
            if is_render:
                self.renders.setdefault(purpose, _Sum()).add(1, seconds)
            if frame.target:
                self.targets.setdefault(frame.target, _Sum()).add(int(is_render), seconds)

    def taken(self) -> Taken:
        """What has been added up so far."""
        with self.lock:
            by_time = sorted(self.targets.items(), key=lambda one: (-one[1].seconds, one[0]))
            return Taken(
                time.perf_counter() - self.started,
                _used() - self.cpu,
                tuple(_row(one.value, self.stages[one]) for one in Stage if one in self.stages),
                tuple(_row(one.value, self.renders[one]) for one in Purpose if one in self.renders),
                tuple(_row(id_, one) for id_, one in by_time[:SLOWEST]),
                len(by_time),
            )


def _row(name: str, one: _Sum) -> Row:
    return Row(name, one.count, one.seconds)


def _purpose(around: _Frame | None) -> Purpose:
    match around.stage if around else None:
        case Stage.TRACING:
            return Purpose.TRACING
        case Stage.PROOF:
            return Purpose.PROOF
        case _:
            return Purpose.CHECK


_running: list[Clock] = []


@contextmanager
def running() -> Iterator[Clock]:
    """Measure whatever happens in the block."""
    clock = Clock()
    _running.append(clock)
    try:
        yield clock
    finally:
        _running.remove(clock)


def taken() -> Taken | None:
    """What the run has taken so far; None where nobody measures."""
    return _running[-1].taken() if _running else None


def timed(stage: Stage, target: str = "", purpose: Purpose | None = None) -> AbstractContextManager[None]:
    """Count the block for a stage, and for the target with this id; what a render is for is seen from what it is in."""
    return _running[-1].timed(stage, target, purpose) if _running else nullcontext()
