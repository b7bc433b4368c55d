"""docs/benchmarks.md, of what `benchmarks` has measured."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

Rows: TypeAlias = list[dict[str, Any]]


def page(rows_of: Callable[[str], Rows]) -> str:
    """The page, of what has been measured: `rows_of` a part."""
    text = [_INTRODUCTION, *_machine()]
    for part, write in _WRITERS.items():
        if rows := rows_of(part):
            text += ["", *write(rows), "", f"Measured on {max(one['date'] for one in rows)}."]
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


def _table(*rows: Sequence[object]) -> Iterator[str]:
    head, *rest = rows
    yield "| " + " | ".join(map(str, head)) + " |"
    yield "|---" + "|---:" * (len(head) - 1) + "|"
    for row in rest:
        yield "| " + " | ".join(map(str, row)) + " |"


def _cell(one: dict[str, float] | None) -> str:
    return "" if one is None else f"{one['own']:.1f} + {one['tools']:.1f}"


def _growth_text(rows: Rows) -> Iterator[str]:
    yield "## Growth"
    yield ""
    yield "A generated repository: charts with two values files each, an overlay for every fifth, a library for every tenth."
    yield "Each cell has processor seconds: those of portproof itself, and those of helm and kustomize."
    yield ""
    columns = ("check", "warm", "one chart", "one chart, kept", "library", "broken edge, kept")
    heads = (
        "charts",
        "all",
        "all again",
        "one chart changes",
        "one chart, with a cache",
        "the library changes",
        "an edge breaks, with a cache",
        "memory",
    )
    cells = [
        (one["key"], *(_cell(one.get(name)) for name in columns), f"{one['check']['mib']:.0f} MiB")
        for one in rows
    ]
    yield from _table(heads, *cells)
    if len(rows) > 1:
        first, last = rows[0], rows[-1]
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
        ("repository", "first", "second", "times faster", "times less processor time", "same report"),
        *(
            (
                one["key"],
                f"{one['first']['seconds']:.2f} s",
                f"{one['second']['seconds']:.2f} s",
                f"{one['first']['seconds'] / one['second']['seconds']:.1f}",
                f"{_cpu(one['first']) / _cpu(one['second']):.1f}",
                _yes(one["same"]),
            )
            for one in rows
        ),
    )


def _cpu(one: dict[str, float]) -> float:
    return one["own"] + one["tools"]


def _yes(one: bool) -> str:
    return "yes" if one else "**no**"


def _shards_text(rows: Rows) -> Iterator[str]:
    yield "## Shards"
    yield ""
    yield "Processor seconds, the renderers' included, cut by what targets cost in the one run (budget: longest at most 1.2 times the mean)."
    yield ""
    yield from _table(
        ("repository", "shards", "one run", "longest shard", "longest / mean", "merge", "same report"),
        *(
            (
                one["repository"],
                one["shards"],
                f"{one['whole']:.1f} s",
                f"{one['longest']:.1f} s",
                f"{one['longest'] / one['mean']:.2f}",
                f"{one['merge']:.1f} s",
                _yes(one["same"]),
            )
            for one in rows
        ),
    )


def _bare_text(rows: Rows) -> Iterator[str]:
    yield "## Beside the bare renders"
    yield ""
    yield "helm and kustomize alone, for the same targets, as many at a time (budget: 0.9 together)."
    yield ""
    yield from _table(
        ("repository", "renders", "portproof", "bare", "ratio", "memory"),
        *(
            (
                one["key"],
                one["renders"],
                f"{one['portproof']:.2f} s",
                f"{one['bare']:.2f} s",
                f"{one['portproof'] / one['bare']:.2f}",
                f"{one['mib']:.0f} MiB",
            )
            for one in rows
        ),
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
    yield from _table(
        ("repository", "charts", *names),
        *((one["key"], one["charts"], *(f"{one[name]:.2f} s" for name in names)) for one in rows),
    )


def _found_text(rows: Rows) -> Iterator[str]:
    yield "### What they find"
    yield ""
    yield "Mutants in charts: one change of text after which a port reference no longer arrives ([how](../bench/README.md))."
    yield "Found: there is something new to say. Located: the changed line is named, and proven."
    yield ""
    yield from _table(
        ("repository", "mutants", "kube-linter", "kube-score", "portproof", "located"),
        *(
            (
                one["key"],
                one["mutants"],
                one["kube_linter"],
                one["kube_score"],
                one["portproof"],
                one["located"],
            )
            for one in rows
        ),
    )


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
