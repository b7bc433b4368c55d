"""``python -m tests.fuzz [--minutes N] [--seed N] [TARGET...]``: every target in turn, for as long as you like.

What is kept is tried first. What breaks is made smaller, kept in ``tests/fuzz/corpus``, and tried in every run from then on.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
import traceback
from collections.abc import Iterator
from itertools import chain

from tests.fuzz import encoders, fetching, installing, parsers
from tests.fuzz.engine import fails, inputs, smaller
from tests.fuzz.target import CORPUS, Target, write

TARGETS = (*parsers.TARGETS, *installing.TARGETS, *encoders.TARGETS, *fetching.TARGETS)
_FINDINGS = 5
"""Of one target in one run; more of them rarely tell more."""


def fuzz(target: Target, seconds: float, seed: int) -> tuple[int, int]:
    """Try one target; gives how many inputs were tried and how many broke it."""
    tried, broken, known = 0, 0, set[str]()
    rng = random.Random(seed)
    ends = time.monotonic() + seconds
    for text in chain(target.kept(), target.seeds, _until(ends, inputs(target, rng))):
        tried += 1
        error = fails(target, text)
        if error is None:
            continue
        where = _where(error)
        if where in known:
            continue
        known.add(where)
        broken += 1
        small = smaller(target, text, error)
        name = f"found-{hashlib.sha256(small.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
        write(target.folder / name, small)
        print(f"{target.name}: {type(error).__name__} at {where}: {str(error)[:300]!r}")
        print(f"  kept as {(CORPUS / target.name / name).relative_to(CORPUS.parent)}", flush=True)
        if broken == _FINDINGS:
            break
    return tried, broken


def _until(ends: float, texts: Iterator[str]) -> Iterator[str]:
    for text in texts:
        if time.monotonic() > ends:
            return
        yield text


def _where(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename.rpartition('/')[2]}:{last.lineno}"


def main() -> int:
    """Run; the exit code is 1 when something broke."""
    names = [target.name for target in TARGETS]
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="for all targets together")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(names)}")
    given = parser.parse_args()
    if unknown := set(given.targets) - set(names):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    chosen = [target for target in TARGETS if not given.targets or target.name in given.targets]
    print(f"seed {given.seed}, {len(chosen)} targets")
    total = findings = 0
    for target in chosen:
        tried, broken = fuzz(target, given.minutes * 60 / len(chosen), given.seed)
        total, findings = total + tried, findings + broken
        print(f"{target.name:<20} {tried:>9,} inputs  {broken} broke it", flush=True)
    print(f"{'all':<20} {total:>9,} inputs  {findings} broke something")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
