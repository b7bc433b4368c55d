"""Results in any of the formats of ``portproof connectivity --report``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from portproof.connectivity import junit
from portproof.connectivity.results import Results
from portproof.report import annotations as workflow_commands
from portproof.report import json_, text
from portproof.report.model import Report
from portproof.report.summary_line import listed, plural
from portproof.source import RelPath

_SHOWN = 10


def write(
    kind: str, results: Results, report: Report, *, color: bool = False, seen: Callable[[RelPath], str] = str
) -> str:
    """The results, of which `report` has the findings; in text, paths are as the reader sees them."""
    match kind:
        case "junit":
            return junit.write(results)
        case "json":
            return json_.write(report)
        case "github":
            return workflow_commands.write(report, headline=summary(results))
        case _:
            return text.with_closing(report, list(closing(results)), color=color, seen=seen)


def summary(results: Results) -> str:
    """``1 of 31 edges failed, 29 connected, 1 without a result``."""
    missing, strange = len(results.missing), len(results.strange)
    parts = (
        f"{len(results.failed)} of {plural(len(results.tested), 'edge')} failed",
        f"{results.passed} connected",
        f"{missing} without a result" if missing else "",
        f"{plural(strange, 'result')} of edges that are not in the repository" if strange else "",
    )
    return ", ".join(filter(None, parts))


def closing(results: Results) -> Iterator[str]:
    """What a person reads below the findings."""
    yield summary(results)
    if results.silent:
        yield f"No result at all for {plural(len(results.silent), 'environment')}: {listed(results.silent, _SHOWN)}"
    if results.skipped:
        yield f"{plural(len(results.skipped), 'edge')} not tested; `portproof connectivity` says why"
    if results.others:
        verb = "is" if results.others == 1 else "are"
        yield f"{plural(results.others, 'line')} of the log {verb} not from connect"
