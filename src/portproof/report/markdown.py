"""The report as GitHub Markdown, for a job summary or a comment."""

from __future__ import annotations

from collections.abc import Sequence

from portproof.report import mermaid, words
from portproof.report.model import Related, Report, Result
from portproof.report.safe import code_span

SUMMARY_LIMIT = 1_000_000
"""Bytes of a job summary that GitHub accepts, and a little less."""

_SIZES = ((200, 50), (200, 20), (100, 10), (50, 3), (20, 0), (0, 0))
"""Rows of a table and findings in full, tried until the text is short enough."""

_PATCH = 6_000
_PICTURES = 3
_ORDER = ("failed", "skipped", "checked")


def write(report: Report, *, paths: Sequence[str] = (".",), limit: int = SUMMARY_LIMIT) -> str:
    """The report as Markdown of at most `limit` bytes; what is left out is counted."""
    from portproof.report.templating import render  # noqa: PLC0415 - Jinja is slow to import

    text = ""
    for rows, details in _SIZES:
        text = render(
            "summary.md.jinja",
            headline=words.headline(report, [code_span(path) for path in paths]),
            results=report.results,
            targets=sorted(report.targets, key=lambda target: _ORDER.index(target.status)),
            unchecked=bool(words.unchecked(report)),
            rows=rows,
            details=details,
            patch_limit=_PATCH,
            pictures=[mermaid.picture(result) for result in report.results[: min(details, _PICTURES)]],
            subject=words.subject,
            remark=_remark,
            field=_field,
            related_place=_related_place,
        )
        if len(text.encode(errors="replace")) <= limit:
            break
    return text


def _remark(result: Result) -> str:
    if result.location is None:
        return " (the line is not known)"
    return "" if result.location.proof == "proven" else " (a hint, not proven)"


def _field(result: Result) -> str:
    return words.field_of(result.resource, result.field)


def _related_place(related: Related) -> str:
    if related.location:
        return words.place(related.location)
    return words.field_of(related.resource, related.field)
