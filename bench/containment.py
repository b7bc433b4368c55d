"""What containment costs: renders as portproof starts them beside the same renders without a launcher.

Run: ``python bench/containment.py REPO... [--rounds N] [--jobs N]``, with helm and kustomize given in the variables
PORTPROOF_HELM and PORTPROOF_KUSTOMIZE or on PATH. Both render the targets of a repository once in this process, offline,
and take turns, so that a busy machine slows both. Limits of memory and output hold in both.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from repositories import expand, name, table

from portproof.discover.model import Target
from portproof.flags import Flags
from portproof.process import Launcher
from portproof.render.engine import Engine, RenderOptions
from portproof.render.sandboxes import Sandboxes
from portproof.session import Prepared, Programs, Request, prepare


class Unconfined(Launcher):
    """Starts programs from the same kind of thread, which has not confined itself."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._entered = self._thread.submit(lambda: None)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repository", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    chosen = parser.parse_args()
    rows: list[tuple[object, ...]] = [("repository", "renders", "confined", "free", "ratio")]
    for repository in expand(chosen.repository):
        ready = prepare(Request(paths=(str(repository),), flags=Flags(offline=True)))
        targets = [target for target in ready.targets if target.kind != "manifests"]
        pairs = [measure(ready, targets, chosen.jobs, first=bool(turn % 2)) for turn in range(chosen.rounds)]
        confined, free = (statistics.median(times) for times in zip(*pairs, strict=True))
        ratio = statistics.median(one / other for one, other in pairs)
        rows.append((name(repository), len(targets), f"{confined:.2f} s", f"{free:.2f} s", f"{ratio:.3f}"))
    print(*table(rows), sep="\n")


def measure(ready: Prepared, targets: Sequence[Target], jobs: int, *, first: bool) -> tuple[float, float]:
    """Seconds with and without containment; which comes first changes from round to round."""
    times = {confined: render(ready, targets, jobs, confined=confined) for confined in (first, not first)}
    return times[True], times[False]


def render(ready: Prepared, targets: Sequence[Target], jobs: int, *, confined: bool) -> float:
    tools = Programs(ready.config, os.environ)
    original = Sandboxes.rendering
    if not confined:
        launcher = Unconfined()
        Sandboxes.rendering = lambda *_: launcher  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as cache:
            options = RenderOptions(offline=True, cache=Path(cache))
            started = time.perf_counter()
            with (
                Engine(helm=lambda: tools.helm, kustomize=lambda: tools.kustomize, options=options) as engine,
                ThreadPoolExecutor(jobs) as pool,
            ):
                list(pool.map(partial(engine.render, tree=ready.tree), targets))
            return time.perf_counter() - started
    finally:
        Sandboxes.rendering = original  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
