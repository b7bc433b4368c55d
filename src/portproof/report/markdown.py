"""The report as GitHub Markdown, for a job summary or a comment."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from portproof.report import mermaid, phrases, summary_line
from portproof.report.links import Links
from portproof.report.model import Report, Result
from portproof.report.safe import code_span

SUMMARY_LIMIT = 1_000_000
"""Bytes of a job summary that GitHub accepts, and a little less."""

_SIZES = ((200, 50), (200, 20), (100, 10), (50, 3), (20, 0), (0, 0))
"""Rows of a table and findings in full, tried until the text is short enough."""

_FEW = 3
"""So many findings are shown in full at once, without a table before them; and so many have a picture."""

_ORDER = ("failed", "skipped", "checked")


def write(
    report: Report,
    *,
    limit: int = SUMMARY_LIMIT,
    links: Links | None = None,
    notes: Sequence[str] = (),
    ports: str = "",
) -> str:
    """The report as Markdown of at most `limit` bytes; what is left out is counted.

    Places are links where there are `links`. `notes` say how the report came about, `ports` is the table of what a
    change does to ports.
    """
    from portproof.report.templating import render  # noqa: PLC0415 - Jinja is slow to import

    text = ""
    for rows, details in _SIZES:
        text = render(
            "summary.md.jinja",
            headline=summary_line.headline(report, code_span),
            notes=notes,
            ports=ports,
            ignored=[text for text in (summary_line.ignored(report), summary_line.brought(report)) if text],
            results=report.results,
            targets=sorted(report.targets, key=lambda target: _ORDER.index(target.status)),
            unread=summary_line.unread(report),
            unread_where=summary_line.unread_where(report),
            unchecked=bool(summary_line.unchecked(report)),
            table=len(report.results) > min(details, _FEW),
            rows=rows,
            details=details,
            pictures=[mermaid.picture(result) for result in report.results[: min(details, _FEW)]],
            place=partial(_place, links=links),
            ends=partial(phrases.ends, links=links),
            told=partial(_told, links=links),
            other_told=partial(phrases.other_told, links=links),
            rule_told=partial(phrases.rule_told, links=links),
        )
        if len(text.encode(errors="replace")) <= limit:
            break
    return text


def _place(result: Result, links: Links | None) -> str:
    if result.location is None:
        return f"{code_span(summary_line.subject(result))} (the line is unknown)"
    hint = "" if result.location.proof == "proven" else " (best guess, not proven)"
    return f"{phrases.link(result.location, links)}{hint}"


def _told(result: Result, links: Links | None) -> dict[str, str]:
    return phrases.fix_told(result, result.fix, links) if result.fix and result.fix.is_safe else {}
