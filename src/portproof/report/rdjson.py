"""The report as reviewdog's rdjson, for reviews where portproof has no reviewer of its own (GitLab, Gitea, Bitbucket).

reviewdog's columns count bytes of UTF-8 from 1, ends are exclusive. A range without columns is whole lines, both
included; GitLab takes a suggestion for whole lines in any case. Only what is new since the base is written: reviewdog
compares with nothing. https://github.com/reviewdog/reviewdog/tree/master/proto/rdf
"""

from __future__ import annotations

from typing import Any

from portproof.report import plain
from portproof.report.json_ import dumps
from portproof.report.links import rule_page
from portproof.report.model import Fix, Location, Report, Result, TargetStatus
from portproof.report.safe import visible
from portproof.report.suggestion import Lines, applied
from portproof.rules.severity import Severity

_SEVERITIES = {Severity.ERROR: "ERROR", Severity.WARNING: "WARNING", Severity.NOTE: "INFO"}


def write(report: Report) -> str:
    """One object with a diagnostic for each finding."""
    targets = {one.id: one for one in report.targets}
    return dumps(
        {
            "source": {"name": "portproof"},
            "diagnostics": [
                *(_diagnostic(report, one, targets) for one in report.news.results),
                *(_unseen(*one) for one in plain.unseen(report)),
            ],
        }
    )


def _diagnostic(report: Report, result: Result, targets: dict[str, TargetStatus]) -> dict[str, Any]:
    offer = _suggestion(report, result)
    path, line = plain.file_of(result, targets)
    if offer:
        where = offer["range"]
    elif result.location:
        where = _range(report, result.location)
    else:
        where = {"start": {"line": line}}
    return {
        "message": "\n".join(map(visible, plain.whole(result).split("\n"))),
        "location": {"path": path, "range": where},
        "severity": _SEVERITIES[result.severity],
        "code": {"value": result.rule, "url": rule_page(result.rule)},
        **({"suggestions": [offer]} if offer else {}),
        **_related(report, result),
    }


def _unseen(name: str, path: str, reason: str) -> dict[str, Any]:
    return {
        "message": visible(f"{name}: {reason}"),
        "location": {"path": path, "range": {"start": {"line": 1}}},
        "severity": "INFO",
        "code": {"value": "not-checked"},
    }


def _related(report: Report, result: Result) -> dict[str, Any]:
    places = [
        {
            "message": visible(one.message),
            "location": {"path": one.location.path, "range": _range(report, one.location)},
        }
        for one in result.related
        if one.location
    ]
    return {"related_locations": places} if places else {}


def _range(report: Report, place: Location) -> dict[str, Any]:
    """A range by bytes; whole lines where a line is not at hand."""
    rows = report.lines.get(place.path, {})
    first, last = rows.get(place.line), rows.get(place.end_line)
    if first is None or last is None:
        return {"start": {"line": place.line}, "end": {"line": place.end_line}}
    return {
        "start": {"line": place.line, "column": _bytes(first, place.column)},
        "end": {"line": place.end_line, "column": _bytes(last, place.end_column)},
    }


def _bytes(row: str, column: int) -> int:
    return len(row[: column - 1].encode("utf-8", "replace")) + 1


def _suggestion(report: Report, result: Result) -> dict[str, Any] | None:
    """Whole lines in place of those of the finding, when a safe fix of one file has edits on its lines only."""
    if not (result.fix and result.fix.is_safe and result.location):
        return None
    lines = _lines_of(result.fix, result.location)
    rows = report.lines.get(result.location.path, {})
    if lines is None or any(number not in rows for number in range(lines.first, lines.last + 1)):
        return None
    before = [rows[number] for number in range(lines.first, lines.last + 1)]
    after = applied(before, result.fix.edits, lines)
    if not after or after == before:
        return None
    where = {"start": {"line": lines.first}, "end": {"line": lines.last}}
    return {"range": where, "text": "\n".join(after)}


def _lines_of(fix: Fix, location: Location) -> Lines | None:
    lines = Lines.of_all(fix.edits)
    if lines is None or lines.path != location.path:
        return None
    return lines if lines.first <= location.line <= lines.last else None
