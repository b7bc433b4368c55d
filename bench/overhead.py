"""What checking costs on top of rendering: portproof beside bare helm and kustomize. Budget: 1.10, 200 MiB.

Run: ``python bench/overhead.py REPO... [--rounds N] [--jobs N]``, with helm and kustomize given in the variables
PORTPROOF_HELM and PORTPROOF_KUSTOMIZE or on PATH. The bare run starts the same programs for the same targets in the
user's own environment, as many at a time, and throws their output away. The two take turns, so that a busy machine
slows both. Repositories without findings tell the most: tracing and proving cost renders of their own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from measured import children_cpu
from repositories import PROGRAM, expand, name, report, table

from portproof.discover.model import HelmTarget, KustomizeTarget, Target
from portproof.flags import Flags
from portproof.render.helm import ASSUMED
from portproof.session import Programs, Request, prepare

BUDGET = 1.10
BUDGET_MIB = 200


@dataclass(frozen=True, slots=True)
class Round:
    """One pair of runs, in seconds that went by and in processor seconds, and portproof's own peak of memory in MiB."""

    ours: float
    bare: float
    mib: float
    ours_cpu: float
    bare_cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repository", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    chosen = parser.parse_args()
    rows: list[tuple[object, ...]] = [
        ("repository", "renders", "findings", "portproof", "bare", "ratio", "MiB")
    ]
    everything: list[Round] = []
    with ThreadPoolExecutor(chosen.jobs) as pool:
        for repository in expand(chosen.repository):
            first = report(repository, ("--jobs", str(chosen.jobs)))
            commands = list(bare_commands(repository, _rendered(first)))
            rounds = [measure(repository, commands, chosen.jobs, pool) for _ in range(chosen.rounds)]
            rows.append((name(repository), len(commands), len(first["findings"]), *_medians(rounds)))
            print("measured", *rows[-1], file=sys.stderr)  # a long run that is cut off has said something
            everything += rounds
    print(*table(rows), sep="\n")
    ours, bare = sum(one.ours for one in everything), sum(one.bare for one in everything)
    total, peak = ours / bare, max(one.mib for one in everything)
    print(
        f"\nall together {total:.2f} x the bare run (budget {BUDGET}): {ours:.1f} s and {bare:.1f} s over all rounds;"
        f" peak {peak:.0f} MiB (budget {BUDGET_MIB})"
    )
    raise SystemExit(total > BUDGET or peak > BUDGET_MIB)


def _rendered(first: dict[str, list[dict[str, str]]]) -> set[str]:
    """The ids of the targets that were really given to a program."""
    return {one["id"] for one in first["targets"] if one["status"] in ("checked", "failed")}


def _medians(rounds: Sequence[Round]) -> tuple[str, ...]:
    ours = statistics.median(one.ours for one in rounds)
    bare = statistics.median(one.bare for one in rounds)
    ratio = statistics.median(one.ours / max(one.bare, 0.001) for one in rounds)
    return f"{ours:.2f} s", f"{bare:.2f} s", f"{ratio:.2f}", f"{max(one.mib for one in rounds):.0f}"


def bare_commands(repository: Path, wanted: set[str]) -> Iterator[tuple[str, ...]]:
    """What a user would type to render the targets; plain manifests need no program."""
    request = Request(paths=(str(repository),), flags=Flags(offline=True))
    ready = prepare(request)
    tools = Programs(ready.config, request.environ)
    for target in ready.discovery.targets:
        if target.id in wanted:
            argv = _bare(target, repository, tools)
            if argv:
                yield argv


def _bare(target: Target, repository: Path, tools: Programs) -> tuple[str, ...]:
    match target:
        case HelmTarget():
            # What an object installs is no file that helm could be given as it stands.
            files = target.values[:-1] if target.install else target.values
            values = [word for path in files for word in ("-f", str(repository / path))]
            chart = str(repository / target.chart)
            assumed = [f"--api-versions={one}" for one in ASSUMED]
            flags = ("--namespace", target.namespace, "--skip-schema-validation", "--skip-tests", *assumed)
            return (*tools.helm.argv, "template", target.release, chart, *flags, *values)
        case KustomizeTarget():
            # A kubectl's `argv` ends in its own word for build; a plain kustomize needs the word.
            word = () if tools.kustomize.argv[-1] == "kustomize" else ("build",)
            return (*tools.kustomize.argv, *word, str(repository / target.folder))
        case _:
            return ()


def measure(
    repository: Path, commands: Sequence[Sequence[str]], jobs: int, pool: ThreadPoolExecutor
) -> Round:
    begun = children_cpu()
    ours, mib = run_ours(repository, jobs)
    between, started = children_cpu(), time.perf_counter()
    for _ in pool.map(_run, commands):
        pass
    seconds = time.perf_counter() - started
    return Round(ours, seconds, mib, between - begun, children_cpu() - between)


def _run(argv: Sequence[str]) -> None:
    subprocess.run(argv, capture_output=True, check=False)


def run_ours(repository: Path, jobs: int) -> tuple[float, float]:
    """Seconds, and the peak of memory: of portproof alone, which the kernel's account of ended children is not."""
    argv = [
        *PROGRAM,
        "check",
        "--offline",
        "--no-cache",
        "--jobs",
        str(jobs),
        "--format",
        "json",
        str(repository),
    ]
    started = time.perf_counter()
    # An installed program is compiled once, whatever is set here.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    child = subprocess.Popen(argv, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peaks = [0]
    watcher = threading.Thread(target=_watch, args=(child, peaks))
    watcher.start()
    child.wait()
    seconds = time.perf_counter() - started
    watcher.join()
    if child.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(argv)} ended with {child.returncode}: what it took tells nothing")
    return seconds, max(peaks) / 1024


def _watch(child: subprocess.Popen[bytes], peaks: list[int]) -> None:
    while child.returncode is None:
        with suppress(OSError):
            status = Path(f"/proc/{child.pid}/status").read_text(encoding="ascii")
            peaks += [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
        time.sleep(0.05)


if __name__ == "__main__":
    main()
