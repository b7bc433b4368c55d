"""The table of ``portproof diff``, for people: as text, and as GitHub Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from portproof.graph.differences import ChangeKind, EdgeChange
from portproof.report.phrases import code, prose
from portproof.report.port_diff import PortDiff
from portproof.report.port_words import TITLES, URGENT, Words, callers, environments, title, what
from portproof.report.safe import cell, discreet, log_line, one_line, visible
from portproof.report.summary_line import plural

LIMIT = 60_000
"""Bytes of Markdown; GitHub takes 65,536 characters in a comment."""

_ROWS = (400, 150, 60, 25, 10, 3, 0)
"""Rows that are shown, tried until the Markdown is short enough."""

_MANY = 12
"""With more rows than that, what is new or gone is folded."""

_REASONS = 20
_TEXT = Words(lambda text: visible(one_line(text)), lambda text: visible(one_line(text)), "->")
_MARKDOWN = Words(code, prose, "→")


def text(diff: PortDiff) -> str:
    """A block for each group of targets with equal changes, then what was not compared, then one line that sums it up."""
    lines: list[str] = []
    for section in diff.sections():
        lines.append(environments(section.targets, _TEXT, diff.ids))
        width = max(len(title(one)) for one in section.changes)
        for change in _in_order(section.changes):
            lines.append(f"  {title(change):{width}}  {what(change, _TEXT)}")
            asking = callers(change, _TEXT)
            verb = "was asked by" if change.kind is ChangeKind.GONE else "asked by"
            lines += [f"  {'':{width}}    {verb} {asking}"] if asking else []
        lines.append("")
    if diff.unknown:
        lines += ["Not compared:"]
        for reason, targets in diff.unknown.items():
            lines += [f"  {environments(targets, _TEXT)}: {visible(one_line(discreet(reason)))}"]
        lines.append("")
    lines.append(headline(diff))
    return "".join(f"{log_line(line)}\n" for line in lines)


def markdown(diff: PortDiff, limit: int = LIMIT) -> str:
    """The same as tables of at most `limit` bytes: long ones folded, and what is cut is counted."""
    told = ""
    for rows in _ROWS:
        told = "\n".join(_markdown(diff, rows))
        if len(told.encode(errors="replace")) <= limit:
            break
    return f"{told}\n"


def folded(diff: PortDiff, limit: int = LIMIT) -> str:
    """The tables below a line to click on, for what has more important things to say; empty without a change."""
    if not diff.counts:
        return ""
    title_, _, tables = markdown(diff, limit - 100).partition("\n")
    return f"<details><summary>{title_.lstrip('# ')}</summary>\n{tables}\n</details>\n"


def headline(diff: PortDiff) -> str:
    """``4 port changes: 1 broken, 3 moved together``, or that there are none."""
    counts = Counter(title(change) for section in diff.sections() for change in section.changes)
    if not counts:
        return "No port changes" + (" in what could be compared." if diff.unknown else ".")
    some = ", ".join(f"{counts[one]} {one}" for one in TITLES if counts[one])
    return f"{plural(counts.total(), 'port change')}: {some}"


def _in_order(changes: Sequence[EdgeChange]) -> list[EdgeChange]:
    return sorted(changes, key=lambda one: TITLES.index(title(one)))


def _markdown(diff: PortDiff, room: int) -> Iterator[str]:
    """Lines with at most `room` rows."""
    sections = diff.sections()
    every = sum(len(one.changes) for one in sections)
    left = room
    yield f"### {headline(diff)}" if sections else headline(diff)
    for section in sections:
        shown = _in_order(section.changes)[:left]
        left -= len(shown)
        if shown:
            yield from ("", f"**{environments(section.targets, _MARKDOWN, diff.ids)}**")
            yield from _tables(shown, fold=every > _MANY)
    if every > room:
        command = code(f"portproof diff --base {diff.base[:12]}")
        yield from ("", f"And {every - room} more, not shown here: {command} lists them all.")
    yield from _not_compared(diff)


def _tables(changes: Sequence[EdgeChange], *, fold: bool) -> Iterator[str]:
    """The rows of a section; what comes and goes as a whole is folded, so that what moves is seen."""
    folded = [one for one in changes if fold and title(one) in ("new", "gone")]
    open_ = [one for one in changes if one not in folded]
    if open_:
        yield from ("", *_table(open_))
    if folded:
        counts = Counter(map(title, folded))
        summary = ", ".join(f"{count} {name}" for name, count in counts.items())
        yield from ("", f"<details><summary>{summary}</summary>", "", *_table(folded), "", "</details>")


def _table(changes: Sequence[EdgeChange]) -> Iterator[str]:
    asking = [callers(one, _MARKDOWN) for one in changes]
    called = any(asking)
    yield "| | port | asked by |" if called else "| | port |"
    yield "|---|---|---|" if called else "|---|---|"
    for one, who in zip(changes, asking, strict=True):
        kind = f"**{title(one)}**" if title(one) in URGENT else title(one)
        row = f"| {kind} | {cell(what(one, _MARKDOWN))} |"
        yield f"{row} {cell(who)} |" if called else row


def _not_compared(diff: PortDiff) -> Iterator[str]:
    reasons = diff.unknown
    if not reasons:
        return
    count = sum(map(len, reasons.values()))
    yield from ("", f"<details><summary>{plural(count, 'target')} not compared</summary>", "")
    for reason, targets in list(reasons.items())[:_REASONS]:
        yield f"* {environments(targets, _MARKDOWN)}: {prose(discreet(reason), 300)}"
    if len(reasons) > _REASONS:
        yield f"* and {plural(len(reasons) - _REASONS, 'more reason')}"
    yield from ("", "</details>")
