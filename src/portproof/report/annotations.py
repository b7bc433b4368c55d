"""The report as workflow commands, which GitHub shows as annotations of the changed files.

GitHub keeps 10 errors, 10 warnings and 10 notices of a step, so the rest is counted in a closing notice, together
with the targets that were not checked. What the commands can say is described by the runner's ``ActionCommand.cs``:
columns are dropped when a range has several lines, and a value may hold no line end, colon or comma unescaped.
``endColumn`` is exclusive here, as in the JSON report; GitHub documents neither way and shows whole lines.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.report import plain, summary_line
from portproof.report.model import Location, Report, ReportVerdict, Result
from portproof.report.safe import log_line, shortened, visible
from portproof.rules.severity import Severity

LIMIT = 10
"""Annotations of one severity that GitHub keeps of a step."""

_MESSAGE = 4_000
_TITLE = 200
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def write(report: Report, headline: str = "") -> str:
    """Workflow commands, errors first, then the report in one plain line; it may have a `headline` of its own."""
    closing = list(_closing(report))
    commands = []
    for severity, command in _COMMANDS.items():
        results = [result for result in report.results if result.severity is severity]
        commands += [_annotation(command, result) for result in results[: _room(report, severity)]]
    if not headline:
        headline = _headline(report)
        if report.verdict not in (ReportVerdict.CLEAN, ReportVerdict.FINDINGS):
            commands.append(_command("warning", {"title": "portproof"}, headline))
    return "".join(f"{line}\n" for line in (*commands, *closing, log_line(f"portproof: {headline}")))


def _headline(report: Report) -> str:
    parts = (
        summary_line.headline(report, visible),
        summary_line.ignored(report),
        summary_line.unread(report),
    )
    return "; ".join(filter(None, parts))


def escaped_data(text: str) -> str:
    """`text` as the message of a command."""
    return "%0A".join(map(_harmless, text.replace("\r\n", "\n").split("\n")))


def escaped_property(text: str) -> str:
    """`text` as the value of a command's property."""
    return _harmless(text).replace(":", "%3A").replace(",", "%2C")


def _harmless(line: str) -> str:
    # "##[" is the older way to write a command; the runner tries the newer one first, and may change its mind.
    return visible(line).replace("%", "%25").replace("##[", "## [")


def _room(report: Report, severity: Severity) -> int:
    """How many annotations of `severity` there is room for; the closing notices need theirs."""
    if severity is not Severity.NOTE:
        return LIMIT
    others = sum(max(0, report.count(one) - LIMIT) for one in Severity if one is not Severity.NOTE)
    told = (summary_line.unchecked(report), summary_line.in_part(report), summary_line.brought(report))
    room = LIMIT - sum(map(bool, told))
    return room - 1 if others or report.count(severity) > room else room


def _annotation(command: str, result: Result) -> str:
    properties = {**_place(result.location), "title": f"portproof: {result.rule}"}
    return _command(command, properties, plain.whole(result))


def _place(location: Location | None) -> dict[str, str]:
    if location is None:
        return {}
    place = {"file": location.path, "line": str(location.line), "endLine": str(location.end_line)}
    if location.line == location.end_line:
        place |= {"col": str(location.column), "endColumn": str(location.end_column)}
    return place


def _closing(report: Report) -> Iterator[str]:
    if brought := summary_line.brought(report):
        yield _command("notice", {"title": "portproof"}, f"{brought}.")
    for groups, reasons, how in (
        (summary_line.unchecked(report), plain.unchecked(report), "not checked"),
        (summary_line.in_part(report), plain.in_part(report), "checked in part"),
    ):
        if groups:
            lines = reasons[:LIMIT] + ([f"and {len(reasons) - LIMIT} more"] if len(reasons) > LIMIT else [])
            title = f"portproof: {summary_line.plural(sum(map(len, groups.values())), 'target')} {how}"
            yield _command("notice", {"title": title}, "\n".join(lines))
    left = {severity: report.count(severity) - _room(report, severity) for severity in Severity}
    counts = [summary_line.plural(count, severity.value) for severity, count in left.items() if count > 0]
    if counts:
        yield _command(
            "notice",
            {"title": "portproof"},
            f"Not shown here: {', '.join(counts)}. See the job summary or the log.",
        )


def _command(command: str, properties: dict[str, str], message: str) -> str:
    named = ",".join(
        f"{name}={escaped_property(value if name == 'file' else shortened(value, _TITLE))}"
        for name, value in properties.items()
    )
    return f"::{command} {named}::{escaped_data(shortened(message, _MESSAGE))}"
