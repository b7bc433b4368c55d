"""New inputs from old ones, the limits that each has to keep, and a smaller one for what broke."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from tests.fuzz.target import Target

SECONDS = 5.0
"""No input may take longer. They are short; what takes this long for one of them takes hours for a file."""

LONGEST = 20_000
_SHRINKING = 400
_SHRINKING_SECONDS = 60.0
_ODD = (
    "\0", "\t", "\r", "\r\n", "\x0b", "\x0c", "\x1b[2J", "\x1b]8;;x\x07", "\x7f", "\x85", "\xa0", "\xad", "\u200b",
    "\u2028", "\u2029", "\u202e", "\ufeff", "\ufe0f", "\U0001f600", "\ud800", "\udcff", "é", "端", "`", "``", "```",
    "~~~", "::error::", "##[error]", "%0A", "@octocat", "#1", "<b>", "</details>", "<!--", "-->", "](", "http://a.b",
    "9" * 5000, "-1", "0", "65536", "0x10", "1e9", "null",
)  # fmt: skip


class SlowError(AssertionError):
    """An input took too long."""


@contextmanager
def _in_time(seconds: float) -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise SlowError(f"longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def attempt(target: Target, text: str) -> None:
    """Check one input within its time. Raises what the target raises."""
    with _in_time(SECONDS):
        target.check(text)


def fails(target: Target, text: str) -> Exception | None:
    """Why an input breaks the target; None when it does not."""
    try:
        attempt(target, text)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what we are looking for
        return error
    return None


def inputs(target: Target, rng: random.Random) -> Iterator[str]:
    """Endless inputs: random words, random characters, and changed ones of what is there."""
    pool = [*target.seeds, *target.kept()]
    while True:
        kind = rng.random()
        if not pool or kind < 0.1:
            yield "".join(rng.choice((*target.words, *_ODD)) for _ in range(rng.randint(0, 30)))
        elif kind < 0.15:
            yield "".join(chr(rng.randrange(0x110000)) for _ in range(rng.randint(0, 40)))
        else:
            text = rng.choice(pool)
            for _ in range(min(1 + int(rng.expovariate(0.4)), 12)):
                text = rng.choice(_CHANGES)(text, target.words, pool, rng)
            yield text[:LONGEST]


def smaller(target: Target, text: str, error: Exception) -> str:
    """A shorter input that breaks the target in the same way."""
    tries, step = 0, max(1, len(text) // 2)
    ends = time.monotonic() + _SHRINKING_SECONDS
    while step:
        at = 0
        while at < len(text):
            if tries == _SHRINKING or time.monotonic() > ends:
                return text
            shorter = text[:at] + text[at + step :]
            tries += 1
            if type(fails(target, shorter)) is type(error):
                text = shorter
            else:
                at += step
        step //= 2
    return text


_Change = Callable[[str, Sequence[str], Sequence[str], random.Random], str]


def _piece(text: str, rng: random.Random) -> tuple[int, int]:
    start = rng.randint(0, len(text))
    return start, min(len(text), start + int(rng.expovariate(0.1)) + 1)


def _inserted(text: str, words: Sequence[str], _pool: Sequence[str], rng: random.Random) -> str:
    at = rng.randint(0, len(text))
    return text[:at] + rng.choice((*words, *_ODD)) + text[at:]


def _replaced(text: str, words: Sequence[str], _pool: Sequence[str], rng: random.Random) -> str:
    start, end = _piece(text, rng)
    return text[:start] + rng.choice((*words, *_ODD)) + text[end:]


def _removed(text: str, _words: Sequence[str], _pool: Sequence[str], rng: random.Random) -> str:
    start, end = _piece(text, rng)
    return text[:start] + text[end:]


def _repeated(text: str, _words: Sequence[str], _pool: Sequence[str], rng: random.Random) -> str:
    start, end = _piece(text, rng)
    return text[:end] + text[start:end] * rng.choice((1, 2, 7, 60, 400)) + text[end:]


def _moved(text: str, _words: Sequence[str], _pool: Sequence[str], rng: random.Random) -> str:
    start, end = _piece(text, rng)
    rest = text[:start] + text[end:]
    at = rng.randint(0, len(rest))
    return rest[:at] + text[start:end] + rest[at:]


def _joined(text: str, _words: Sequence[str], pool: Sequence[str], rng: random.Random) -> str:
    other = rng.choice(pool)
    return text[: rng.randint(0, len(text))] + other[rng.randint(0, len(other)) :]


def _swapped(text: str, _words: Sequence[str], _pool: Sequence[str], rng: random.Random) -> str:
    lines = text.split("\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


_CHANGES: tuple[_Change, ...] = (_inserted, _replaced, _removed, _repeated, _moved, _joined, _swapped)
