"""Everything that docs/benchmarks.md says, measured: one part after another, each of which can be run again by itself.

Run: ``python bench/benchmarks.py --keep FOLDER [--sizes 10,100,1000,3000] [--repositories REPO...] [PART...]``. FOLDER keeps what
has been measured; what is there is not measured again without ``--again``, so a run that was cut off goes on. After each
part docs/benchmarks.md is written from all that is there (``--page`` names another file).

Ratios compare runs that took turns on one machine; how busy it was, each row says. Processor time is that of portproof itself, or of it and the renderers
that it starts; it says what a busy machine would hide.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import generated
import overhead
import peers
from benchmark_page import page
from measured import Ran, command_cpu, options, portproof
from repositories import PROGRAM, expand, report

from portproof.config import Config
from portproof.session import Programs

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
CHECK = ("check", "--offline", "--format", "json")
MANY = 40
"""Charts that are worth several machines."""

TURNS = 3
"""How often what is compared takes turns; the median counts."""


class Kept:
    """What has been measured, a JSON file for each row."""

    def __init__(self, folder: Path, *, again: bool) -> None:
        self._folder = folder
        self._again = again
        folder.mkdir(parents=True, exist_ok=True)

    def row(self, part: str, key: str, measure: Callable[[], dict[str, Any]]) -> None:
        """Measure a row, unless it is there."""
        file = self._folder / f"{part}.{re.sub(r'[^A-Za-z0-9.-]', '_', key)}.json"
        if file.exists() and not self._again:
            return
        print(f"{part}: {key} …", file=sys.stderr)
        now = {"date": dt.datetime.now(dt.UTC).date().isoformat(), "load": round(os.getloadavg()[0], 1)}
        found = {"key": key, **now, **measure()}
        file.write_text(json.dumps(found, indent=2) + "\n")

    def rows(self, part: str) -> list[dict[str, Any]]:
        """The rows of a part, numbers in their order."""
        found = [json.loads(file.read_text()) for file in sorted(self._folder.glob(f"{part}.*.json"))]
        return sorted(found, key=lambda one: (not one["key"].isdigit(), one["key"].zfill(8)))


def _medians(runs: Sequence[Ran]) -> dict[str, float]:
    return {
        "seconds": statistics.median(one.seconds for one in runs),
        "own": statistics.median(one.own for one in runs),
        "tools": statistics.median(one.tools for one in runs),
        "mib": max(one.mib for one in runs),
    }


def _times(count: int, root: Path, *words: str) -> dict[str, float]:
    return _medians([portproof(root, *words) for _ in range(count)])


def growth(kept: Kept, chosen: argparse.Namespace) -> None:
    """How the work grows with the repository: all of it, and pull requests that touch a little."""
    for size in chosen.sizes:
        kept.row("growth", str(size), partial(_growth, size))


def _growth(charts: int) -> dict[str, Any]:
    turns = TURNS if charts <= 100 else 1
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        root = Path(folder) / "repository"
        generated.make(root, charts)
        found: dict[str, Any] = {"check": _times(turns, root, *CHECK)}
        cache = Path(folder) / "cache"
        if "--no-cache" in options("check"):
            first = portproof(root, *CHECK, cache_folder=cache)
            second = _medians([portproof(root, *CHECK, cache_folder=cache) for _ in range(TURNS)])
            found |= {"cold": _medians([first]), "warm": second}
        for name, change in (
            ("one chart", generated.ONE_CHART),
            ("library", generated.LIBRARY_CHART),
            ("broken edge", generated.BROKEN_EDGE),
        ):
            generated.write(root, change)
            turns_of_it = TURNS if name != "library" else turns
            found[name] = _times(turns_of_it, root, *CHECK, "--base", "HEAD")
            if cache.exists():
                found[f"{name}, kept"] = _medians([_after(cache, root) for _ in range(turns_of_it)])
            generated.git(root, "checkout", "--quiet", "--", ".")
    return found


def _after(cache: Path, root: Path) -> Ran:
    """A pull request that begins with what a check of its base has kept, as with `actions/cache`."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        own = shutil.copytree(cache, Path(folder) / "cache")
        return portproof(root, *CHECK, "--base", "HEAD", cache_folder=own)


def second(kept: Kept, chosen: argparse.Namespace) -> None:
    """The second run of an unchanged repository against the first."""
    if "--no-cache" not in options("check"):
        print("second: this version has no cache", file=sys.stderr)
        return
    for repository in expand(chosen.repositories):
        kept.row("second", repository.name, partial(_second, repository))


def _second(repository: Path) -> dict[str, Any]:
    first, again = [], []
    for _ in range(TURNS):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            first.append(portproof(repository, *CHECK, cache_folder=Path(folder)))
            again.append(portproof(repository, *CHECK, cache_folder=Path(folder)))
    return {
        "first": _medians(first),
        "second": _medians(again),
        "same": len({_timeless(one.output) for one in (*first, *again)}) == 1,
    }


def _timeless(output: bytes) -> bytes:
    return re.sub(rb'"seconds": [0-9.e-]+', b'"seconds": 0', output)


def shards(kept: Kept, chosen: argparse.Namespace) -> None:
    """How even the shards are, and whether they come to the same report."""
    for total in (1, 2, 4, 8):
        kept.row("shards", str(total), partial(_generated_shards, chosen.sharded, total))
        for repository in expand(chosen.repositories):
            if len(list(repository.rglob("Chart.yaml"))) >= MANY:
                kept.row("shards", f"{repository.name} {total}", partial(_shards, repository, total))


def _generated_shards(charts: int, total: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        root = Path(folder) / "repository"
        generated.make(root, charts)
        generated.write(root, generated.BROKEN_EDGE)
        return _shards(root, total) | {"repository": f"{charts} generated charts"}


def _shards(root: Path, total: int) -> dict[str, Any]:
    """The shards of a repository, cut by what its targets cost in a run over all."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        costs = str(Path(folder) / "costs.json")
        whole = portproof(root, *CHECK, "--report", f"json={costs}")
        runs, files = [], []
        for index in range(1, total + 1):
            files.append(str(Path(folder) / f"shard-{index}.json"))
            words = ("--shard", f"{index}/{total}", "--costs", costs, "--report", f"json={files[-1]}")
            runs.append(portproof(root, "check", "--offline", *words))
        argv = [*PROGRAM, "merge", "--format", "json", *files]
        seconds, cpu, merged = command_cpu(argv, root)
    loads = [one.cpu for one in runs]
    return {
        "repository": root.name,
        "shards": total,
        "whole": whole.cpu,
        "longest": max(loads),
        "mean": statistics.mean(loads),
        "merge": cpu,
        "merge seconds": seconds,
        "same": _timeless(merged) == _timeless(whole.output),
    }


def beside(kept: Kept, chosen: argparse.Namespace) -> None:
    """How long kube-linter and kube-score take for the same charts."""
    for repository in expand(chosen.repositories):
        kept.row("beside", repository.name, partial(_beside, repository))


def _beside(repository: Path) -> dict[str, Any]:
    linter, score = peers.find("kube-linter"), peers.find("kube-score")
    targets = [one for one in report(repository)["targets"] if one["kind"] == "helm"]
    charts = sorted({one["path"] for one in targets if one["status"] == "checked"})
    helm = os.environ["PORTPROOF_HELM"]
    alone = f'"{helm}" template release-name "$chart" 2>/dev/null'
    commands = {
        "helm": ["bash", "-c", f"for chart; do {alone}; done", "helm", *charts],
        "kube-linter": linter and [linter, "lint", *charts],
        "kube-score": score
        and ["bash", "-c", f'for chart; do {alone} | "{score}" score -; done', "score", *charts],
    }
    here = {name: argv for name, argv in commands.items() if argv}
    runs: dict[str, list[tuple[float, float]]] = {
        name: [] for name in (*here, "portproof", "portproof again")
    }
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for turn in range(TURNS):
            for name, argv in here.items():
                runs[name].append(command_cpu(argv, repository)[:2])
            for name in ("portproof", "portproof again"):
                ran = portproof(repository, *CHECK, *charts, cache_folder=Path(folder) / str(turn))
                runs[name].append((ran.seconds, ran.cpu))
    return {
        "charts": len(charts),
        "renderings": sum(one["path"] in charts for one in targets),
        **{
            name: dict(zip(("seconds", "cpu"), map(statistics.median, zip(*some, strict=True)), strict=True))
            for name, some in runs.items()
        },
    }


def found(kept: Kept, chosen: argparse.Namespace) -> None:
    """What kube-linter and kube-score find of the mutants."""
    for repository in expand(chosen.repositories):
        kept.row("found", repository.name, partial(_found, repository, chosen.mutants))


def _found(repository: Path, limit: int) -> dict[str, Any]:
    return {"mutants": [asdict(one) for one in peers.found(repository, limit, "1")]}


def bare(kept: Kept, chosen: argparse.Namespace) -> None:
    """What checking costs beside the bare renders."""
    for repository in expand(chosen.repositories):
        kept.row("bare", repository.name, partial(_bare, repository))


def _bare(repository: Path) -> dict[str, Any]:
    jobs = len(os.sched_getaffinity(0))
    first = report(repository)
    rendered = {one["id"] for one in first["targets"] if one["status"] in ("checked", "failed")}
    commands = list(overhead.bare_commands(repository, rendered))
    with ThreadPoolExecutor(jobs) as pool:
        rounds = [overhead.measure(repository, commands, jobs, pool) for _ in range(TURNS)]
    return {
        "renders": len(commands),
        "findings": len(first["findings"]),
        "in parts": sum(one["status"] != "checked" or bool(one["reason"]) for one in first["targets"]),
        "portproof": statistics.median(one.ours for one in rounds),
        "bare": statistics.median(one.bare for one in rounds),
        "portproof cpu": statistics.median(one.ours_cpu for one in rounds),
        "bare cpu": statistics.median(one.bare_cpu for one in rounds),
        "mib": max(one.mib for one in rounds),
    }


def start(kept: Kept, _chosen: argparse.Namespace) -> None:
    """How long it takes to start."""
    kept.row("start", "rules", _start)


def _start() -> dict[str, Any]:
    here = Path.cwd()
    ours, python = [*PROGRAM, "rules"], [sys.executable, "-c", "pass"]
    pairs = [(command_cpu(ours, here)[:2], command_cpu(python, here)[:2]) for _ in range(21)]
    total, floor = (
        [statistics.median(one) for one in zip(*some, strict=True)] for some in zip(*pairs, strict=True)
    )
    return {"portproof": total[0], "portproof cpu": total[1], "python": floor[0], "python cpu": floor[1]}


def timings(kept: Kept, chosen: argparse.Namespace) -> None:
    """What ``--timings`` costs, in processor time."""
    kept.row("timings", str(chosen.sizes[0]), lambda: _timings(chosen.sizes[0]))


def _timings(charts: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        root = Path(folder) / "repository"
        generated.make(root, charts)
        pairs = [(portproof(root, *CHECK).own, portproof(root, *CHECK, "--timings").own) for _ in range(9)]
    return {"without": min(one for one, _ in pairs), "with": min(one for _, one in pairs)}


PARTS = {one.__name__: one for one in (growth, second, shards, bare, start, timings, beside, found)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", nargs="*", choices=[[], *PARTS], help="default: all")
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--again", action="store_true", help="measure what is there already, too")
    parser.add_argument("--sizes", type=_numbers, default=[10, 100, 1000, 3000])
    parser.add_argument("--sharded", type=int, default=1000, help="how many charts are cut into shards")
    parser.add_argument("--mutants", type=int, default=25, help="of each repository")
    parser.add_argument("--repositories", type=Path, nargs="*", default=[])
    parser.add_argument("--page", type=Path, default=PAGE)
    chosen = parser.parse_args()
    tools = Programs(Config(offline=True), os.environ)
    # Runs with a cache of their own have to find the same tools.
    os.environ["PORTPROOF_HELM"] = shutil.which(tools.helm.argv[0]) or tools.helm.argv[0]
    os.environ["PORTPROOF_KUSTOMIZE"] = shutil.which(tools.kustomize.argv[0]) or tools.kustomize.argv[0]
    kept = Kept(chosen.keep, again=chosen.again)
    for name in chosen.part or PARTS:
        PARTS[name](kept, chosen)
        chosen.page.write_text(page(kept.rows), encoding="utf-8")


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",")]


if __name__ == "__main__":
    main()
