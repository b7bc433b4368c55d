"""The report as Azure Pipelines' logging commands, which mark the run and name the line.

A command knows errors and warnings only, so a note is a warning. Azure takes ``##vso[`` for a command wherever it is in
a line, and unescapes percent signs, line ends, brackets and semicolons (azure-pipelines-task-lib, ``taskcommand.ts``).
https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands
"""

from __future__ import annotations

from portproof.report import plain, summary_line
from portproof.report.model import Report, Result
from portproof.report.safe import log_line, shortened, visible
from portproof.rules.severity import Severity

_MESSAGE = 4_000
_DATA = {"%": "%AZP25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = _DATA | {"]": "%5D", ";": "%3B"}


def write(report: Report) -> str:
    """A command a finding, errors first, then what was not checked, and the report in one plain line."""
    commands = [
        _issue(result) for severity in Severity for result in report.results if result.severity is severity
    ]
    commands += [_command({"type": "warning"}, f"Not checked: {line}") for line in plain.unchecked(report)]
    if unread := summary_line.unread(report):
        where = summary_line.unread_where(report)
        commands.append(_command({"type": "warning"}, f"{unread} ({where})" if where else unread))
    headline = log_line(f"portproof: {summary_line.headline(report, visible)}")
    return "".join(f"{line}\n" for line in (*commands, headline))


def _issue(result: Result) -> str:
    properties = {"type": "error" if result.severity is Severity.ERROR else "warning"}
    if place := result.location:
        properties |= {
            "sourcepath": place.path,
            "linenumber": str(place.line),
            "columnnumber": str(place.column),
        }
    return _command({**properties, "code": result.rule}, plain.whole(result))


def _command(properties: dict[str, str], message: str) -> str:
    named = "".join(f"{name}={_escaped(value, _PROPERTY)};" for name, value in properties.items())
    lines = "\n".join(map(visible, shortened(message, _MESSAGE).split("\n")))
    return f"##vso[task.logissue {named}]{_escaped(lines, _DATA)}"


def _escaped(text: str, table: dict[str, str]) -> str:
    # What a value holds must not look like a command itself, to this runner or to one that reads the log later.
    return "".join(table.get(char, char) for char in log_line(text))
