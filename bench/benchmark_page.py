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
            text += ["", *write(rows), "", _measured(rows)]
    if missing := [part for part in _WRITERS if not rows_of(part)]:
        text += ["", f"Not run yet: {', '.join(missing)}."]
    return "\n".join(text) + "\n"


def _measured(rows: Rows) -> str:
    """When, and how busy the machine was if that was more than the runs themselves keep busy."""
    load = max(one.get("load", 0) for one in rows)
    busy = f", while {load:.0f} programs wanted its cores" if load > 2 * len(os.sched_getaffinity(0)) else ""
    return f"Measured on {max(one['date'] for one in rows)}{busy}."


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
    yield "* A chart that renders differently each time, such as by a random password, is rendered again: *renderers again*."
    yield "* A second run takes at least as long as Python and portproof take to start. So a short first run is less than 10 times as long."
    yield ""
    yield from _table(
        rows,
        {
            "repository": itemgetter("key"),
            "first": lambda one: _seconds("seconds")(one["first"]),
            "second": lambda one: _seconds("seconds")(one["second"]),
            "times faster": lambda one: f"{one['first']['seconds'] / one['second']['seconds']:.1f}",
            "times less processor time": lambda one: f"{_both(one['first']) / _both(one['second']):.1f}",
            "renderers again": lambda one: _seconds("tools")(one["second"]),
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
    yield "The budget is for repositories without findings, all of whose targets render. Elsewhere, portproof does more than the bare side:"
    yield ""
    yield "* It traces findings to their lines, and proves fixes by rendering again."
    yield "* A target of which a part is missing, such as a dependency, fails bare. portproof renders its other parts."
    yield ""
    yield from _table(
        rows,
        {
            "repository": itemgetter("key"),
            "renders": itemgetter("renders"),
            "findings": itemgetter("findings"),
            "targets with parts missing": itemgetter("in parts"),
            "portproof": _seconds("portproof"),
            "bare": _seconds("bare"),
            "ratio": _ratio("portproof", "bare"),
            "ratio of processor time": _ratio("portproof cpu", "bare cpu"),
            "memory": _mib,
        },
    )
    counted = [one for one in rows if not one["findings"] and not one["in parts"]]
    if not counted:
        return
    time, cpu = (
        sum(one[f"portproof{what}"] for one in counted) / sum(one[f"bare{what}"] for one in counted)
        for what in ("", " cpu")
    )
    yield ""
    yield (
        f"The {len(counted)} without findings and missing parts together: {time:.2f} times the bare renders; "
        f"{cpu:.2f} times in processor time."
    )


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
    yield "Processor seconds for the same charts, renderers included:"
    yield ""
    yield "* helm alone, and kube-score behind a pipe, render each chart once, with its defaults."
    yield "* kube-linter does the same in its own process. It starts no renderer."
    yield "* portproof renders each chart with each of its values files. It has to start a renderer, and traces what it finds."
    yield "* Again, it renders only the charts that differ each time, such as by a random password."
    yield ""
    columns: dict[str, _Column] = {
        "repository": itemgetter("key"),
        "charts": itemgetter("charts"),
        "helm alone": _cpu_or_not("helm"),
        "kube-linter": _cpu_or_not("kube-linter"),
        "kube-score": _cpu_or_not("kube-score"),
        "renderings of portproof": itemgetter("renderings"),
        "portproof": _cpu_or_not("portproof"),
        "portproof again": _cpu_or_not("portproof again"),
    }
    yield from _table(rows, columns)


def _cpu_or_not(name: str) -> _Column:
    return lambda one: f"{one[name]['cpu']:.2f} s" if name in one else NOT_RUN


def _found_text(rows: Rows) -> Iterator[str]:
    yield "### What they find"
    yield ""
    yield "Mutants in charts: one change of text after which a port reference no longer arrives ([how](../bench/README.md))."
    yield ""
    yield "* All three judge the same rendering of the chart, with the values of the target."
    yield "* kube-linter runs all its checks but `schema-validation`, which needs a network, and `privileged-ports`, which repeats each"
    yield "  low number whatever asks for it. kube-score runs all its checks."
    yield "* Found: anything new that they say; of portproof, an error or a warning. Located: the changed line is named, and proven."
    yield "* With `--base` the mutant is a pull request. The others cannot be asked that."
    yield ""
    mutants = [one | {"repository": row["key"]} for row in rows for one in row["mutants"]]
    yield from _found_table(mutants, "repository")
    yield ""
    yield from _found_table(mutants, "kind")
    missed = [one for one in mutants if not one["with_base"] and (one["kube_linter"] or one["kube_score"])]
    yield ""
    yield (
        f"Found by one of the others and not by portproof with `--base`: {len(missed)}, of which "
        f"{sum(one['noted'] for one in missed)} are notes of portproof."
    )


def _found_table(mutants: Rows, key: str) -> Iterator[str]:
    """A line for each value of `key`, and one for all."""
    groups = {
        name: [one for one in mutants if one[key] == name] for name in sorted({one[key] for one in mutants})
    }
    rows = [{"name": name, "some": some} for name, some in (groups | {"all": mutants}).items()]
    columns: dict[str, _Column] = {
        "what breaks" if key == "kind" else key: itemgetter("name"),
        "mutants": lambda one: len(one["some"]),
    }
    for name in ("kube_linter", "kube_score", "portproof", "located", "with_base"):
        columns[_HEADS.get(name, name.replace("_", "-"))] = partial(_count, name)
    yield from _table(rows, columns)


_HEADS = {"with_base": "portproof `--base`"}


def _count(name: str, one: dict[str, Any]) -> object:
    found = [each[name] for each in one["some"]]
    return NOT_RUN if None in found else sum(found)


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
