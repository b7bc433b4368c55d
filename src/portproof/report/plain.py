"""A finding in plain words, for formats that have one text and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from portproof.report import summary_line
from portproof.report.model import Report, Result, TargetStatus
from portproof.report.safe import one_line, shortened

_REASON = 300


def whole(result: Result) -> str:
    """All that is said of a finding, a sentence a line: what is wrong, where the other end is, in which targets, the fix."""
    return "\n".join(_sentences(result))


def _sentences(result: Result) -> Iterator[str]:
    yield result.message
    if result.location is None:
        yield f"In {summary_line.subject(result)}; the line to edit is unknown."
    elif result.location.proof != "proven":
        yield "This line is a best guess, not proven."
    for related in result.related:
        if related.location:
            yield f"{related.message.rstrip('.:')}: {summary_line.place(related.location)}"
    if len(result.targets) > 1:
        yield f"In {len(result.targets)} targets: {summary_line.listed(result.targets)}"
    if result.fix and result.fix.is_safe:
        yield f"Fix (proven by rendering again): {result.fix.description}"
    elif result.fix:
        yield f"Unsafe fix: {result.fix.description}: {'; '.join(text for _, text in result.fix.risks)}"


def unseen(report: Report) -> Iterator[tuple[str, str, str]]:
    """What nobody looked at, one by one: a name, the file to look at, and why. For readers that have a list and no headline."""
    for target in report.targets:
        if target.status == "skipped":
            yield f"skipped {target.id}", target.main_file, target.reason or "no reason known"
    for one in report.unread:
        yield f"unread: {one.kind} {one.path}", one.path, one.reason


def unchecked(report: Report) -> list[str]:
    """What was not checked, a line for each reason."""
    return [
        _told(status, targets, reason) for (status, reason), targets in summary_line.unchecked(report).items()
    ]


def in_part(report: Report) -> list[str]:
    """What was checked without a part or with placeholders, a line for each reason."""
    return [_told("checked", targets, reason) for reason, targets in summary_line.in_part(report).items()]


def _told(status: str, targets: list[TargetStatus], reason: str) -> str:
    names = summary_line.listed(tuple(one.id for one in targets))
    return f"{status} {names}: {shortened(one_line(reason), _REASON)}"


def file_of(result: Result, targets: dict[str, TargetStatus]) -> tuple[str, int]:
    """The file and the line of a finding; where the place is unknown, the first line of what describes its target."""
    if result.location:
        return result.location.path, result.location.line
    target = targets.get(result.targets[0]) if result.targets else None
    return (target.main_file if target else "."), 1
