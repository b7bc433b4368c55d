"""docs/benchmarks.md, of what `benchmarks` has measured."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from operator import itemgetter
from typing import Any, TypeAlias

Rows: TypeAlias = list[dict[str, Any]]

NOT_RUN = "not run"
"""What stands in a cell that was not measured."""


def page(rows_of: Callable[[str], Rows]) -> str:
    """The page, of what has been measured: `rows_of` a part."""
    text = [_INTRODUCTION, *_machine()]
    for part, write in _WRITERS.items():
        if rows := rows_of(part):
            text += ["", *write(rows), "", f"Measured on {max(one['date'] for one in rows)}."]
    if missing := [part for part in _WRITERS if not rows_of(part)]:
        text += ["", f"Not run yet: {', '.join(missing)}."]
    return "\n".join(text) + "\n"


_INTRODUCTION = """# Benchmarks

Written by `python bench/benchmarks.py`; [bench/README.md](../bench/README.md) says how to run it. Ratios compare runs that took
turns on one machine. Seconds by themselves say little: machines differ, and are busy.
"""


def _machine() -> Iterator[str]:
    helm = subprocess.run(
        [os.environ["PORTPROOF_HELM"], "version", "--template", "{{.Version}}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    yield f"* machine: {len(os.sched_getaffinity(0))} cores, {platform.system()} {platform.release().partition('-')[0]}"
    yield f"* Python {platform.python_version()}, helm {helm.strip()}"


_Column: TypeAlias = Callable[[dict[str, Any]], object]


def _table(rows: Rows, columns: Mapping[str, _Column]) -> Iterator[str]:
    """A line for each row, and what each of the `columns` makes of it by the head of that column."""
    lines: list[list[object]] = [[*columns], *([cell(one) for cell in columns.values()] for one in rows)]
    head, *rest = ("| " + " | ".join(map(str, line)) + " |" for line in lines)
    yield from (head, "|---" + "|---:" * (len(columns) - 1) + "|", *rest)


def _seconds(name: str, digits: int = 2) -> _Column:
    return lambda one: f"{one[name]:.{digits}f} s"


def _ratio(above: str, below: str) -> _Column:
    return lambda one: f"{one[above] / one[below]:.2f}"


def _mib(one: dict[str, Any]) -> str:
    return f"{one['mib']:.0f} MiB"


def _cpu(name: str) -> _Column:
    """Processor seconds of portproof itself, and of helm and kustomize."""
    return lambda one: f"{one[name]['own']:.1f} + {one[name]['tools']:.1f}" if name in one else NOT_RUN


def _same(one: dict[str, Any]) -> str:
    return "yes" if one["same"] else "**no**"


def _growth_text(rows: Rows) -> Iterator[str]:
    yield "## Growth"
    yield ""
    yield "A generated repository: charts with two values files each, an overlay for every fifth, a library for every tenth."
    yield "Each cell has processor seconds: those of portproof itself, and those of helm and kustomize."
    yield ""
    yield from _table(
        rows,
        {
            "charts": itemgetter("key"),
            "all": _cpu("check"),
            "all again": _cpu("warm"),
            "one chart changes": _cpu("one chart"),
            "one chart, with a cache": _cpu("one chart, kept"),
            "the library changes": _cpu("library"),
            "an edge breaks, with a cache": _cpu("broken edge, kept"),
            "memory": lambda one: _mib(one["check"]),
        },
    )
    measured = [one for one in rows if "one chart, kept" in one]
    if len(measured) > 1:
        first, last = measured[0], measured[-1]
        ratio = last["one chart, kept"]["own"] / first["one chart, kept"]["own"]
        yield ""
        yield (
            f"With the cache that a check of the base has left, one chart of {last['key']} costs portproof {ratio:.2f} times "
            f"the processor time of one chart of {first['key']} (budget: 1.3)."
        )


def _second_text(rows: Rows) -> Iterator[str]:
    yield "## The second run"
    yield ""
    yield "Of an unchanged repository, with the renderings of the first run (budget: 10 times faster)."
    yield ""
    yield from _table(
        rows,
        {
            "repository": itemgetter("key"),
            "first": lambda one: _seconds("seconds")(one["first"]),
            "second": lambda one: _seconds("seconds")(one["second"]),
            "times faster": lambda one: f"{one['first']['seconds'] / one['second']['seconds']:.1f}",
            "times less processor time": lambda one: f"{_both(one['first']) / _both(one['second']):.1f}",
            "same report": _same,
        },
    )


def _both(one: dict[str, float]) -> float:
    return one["own"] + one["tools"]


def _shards_text(rows: Rows) -> Iterator[str]:
    yield "## Shards"
    yield ""
    yield "Processor seconds, the renderers' included, cut by what targets cost in the one run (budget: longest at most 1.2 times the mean)."
    yield ""
    yield from _table(
        rows,
        {
            "repository": itemgetter("repository"),
            "shards": itemgetter("shards"),
            "one run": _seconds("whole", 1),
            "longest shard": _seconds("longest", 1),
            "longest / mean": _ratio("longest", "mean"),
            "merge": _seconds("merge", 1),
            "same report": _same,
        },
    )


def _bare_text(rows: Rows) -> Iterator[str]:
    yield "## Beside the bare renders"
    yield ""
    yield "helm and kustomize alone, for the same targets, as many at a time (budget: 0.9 together)."
    yield ""
    yield from _table(
        rows,
        {
            "repository": itemgetter("key"),
            "renders": itemgetter("renders"),
            "portproof": _seconds("portproof"),
            "bare": _seconds("bare"),
            "ratio": _ratio("portproof", "bare"),
            "memory": _mib,
        },
    )
    ours, bare_ = (sum(one[name] for one in rows) for name in ("portproof", "bare"))
    yield ""
    yield f"Together: {ours / bare_:.2f} times the bare renders."


def _start_text(rows: Rows) -> Iterator[str]:
    (one,) = rows
    yield "## Start"
    yield ""
    yield f"`portproof rules` takes {one['portproof']:.3f} s (budget: 0.12 s), of which Python itself takes {one['python']:.3f} s."
    yield f"In processor time that is {one['portproof cpu']:.3f} s, and {one['python cpu']:.3f} s of it Python's."


def _timings_text(rows: Rows) -> Iterator[str]:
    one = rows[-1]
    yield "## The cost of `--timings`"
    yield ""
    share = 100 * (one["with"] / one["without"] - 1)
    yield f"{share:+.1f} % of portproof's own processor time, at {one['key']} charts (budget: 1 %)."


def _beside_text(rows: Rows) -> Iterator[str]:
    yield "## Beside kube-linter and kube-score"
    yield ""
    yield "Seconds for the same charts. kube-linter renders each chart once, in its own process. kube-score gets what helm renders"
    yield "with the defaults. portproof renders each chart with each of its values files, and runs everything in the repository."
    yield ""
    names = ("kube-linter", "kube-score", "portproof", "portproof again")
    columns = {name: partial(_seconds_or_not, name) for name in names}
    yield from _table(rows, {"repository": itemgetter("key"), "charts": itemgetter("charts"), **columns})


def _seconds_or_not(name: str, one: dict[str, Any]) -> object:
    return _seconds(name)(one) if name in one else NOT_RUN


def _found_text(rows: Rows) -> Iterator[str]:
    yield "### What they find"
    yield ""
    yield "Mutants in charts: one change of text after which a port reference no longer arrives ([how](../bench/README.md))."
    yield "Found: there is something new to say. Located: the changed line is named, and proven."
    yield ""
    names = ("mutants", "kube_linter", "kube_score", "portproof", "located")
    columns = {name.replace("_", "-"): partial(_number_or_not, name) for name in names}
    yield from _table(rows, {"repository": itemgetter("key"), **columns})


def _number_or_not(name: str, one: dict[str, Any]) -> object:
    return NOT_RUN if one[name] is None else one[name]


_WRITERS: dict[str, Callable[[Rows], Iterator[str]]] = {
    "growth": _growth_text,
    "second": _second_text,
    "shards": _shards_text,
    "bare": _bare_text,
    "start": _start_text,
    "timings": _timings_text,
    "beside": _beside_text,
    "found": _found_text,
}
