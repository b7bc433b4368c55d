"""The report as the body of a pull request of fixes: what is changed and why, and what is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from portproof.report import phrases
from portproof.report.causes import first_safe
from portproof.report.links import Links
from portproof.report.model import Fix, Report, Result
from portproof.report.safe import code_span
from portproof.report.summary_line import headline, listed, plural

BODY_LIMIT = 60_000
"""GitHub takes 65,536 characters for the body of a pull request; counted here in the largest unit, UTF-8 bytes."""

_SIZES = ((50, 100), (20, 50), (10, 20), (3, 10), (0, 3), (0, 0))
"""Fixes and rows of what is left, tried until the text is short enough."""

_ROOM = 45


class Fixes(Struct, frozen=True):
    """The safe fixes that go together, as one patch that is itself proven; empty where there is none.

    `taken` are the ids of the fixes in it, `cured` the fingerprints of all findings that are gone with it.
    """

    patch: str = ""
    taken: frozenset[str] = frozenset()
    cured: frozenset[str] = frozenset()


class _Entry(Struct, frozen=True):
    """One fix, the finding that asks for it, and the others that it cures."""

    fix: Fix
    lead: Result
    others: tuple[Result, ...]


def body(report: Report, fixes: Fixes, *, links: Links | None = None, limit: int = BODY_LIMIT) -> str:
    """Markdown of at most `limit` bytes for whoever reviews the patch; what has no room is counted."""
    from portproof.report.templating import render  # noqa: PLC0415 - Jinja is slow to import

    cured = [one for one in report.results if one.fingerprint in fixes.cured]
    left = [one for one in report.results if one.fingerprint not in fixes.cured]
    entries = _entries(cured, fixes)
    text = ""
    for shown, rows in _SIZES:
        text = render(
            "fixes.md.jinja",
            headline=headline(report, code_span),
            cured=plural(len(cured), "finding") if fixes.patch else "",
            together=len(entries) > 1,
            entries=[_told(one, links) for one in entries[:shown]],
            more=max(0, len(entries) - shown),
            left=[_left(one, fixes, links) for one in left[:rows]],
            left_more=max(0, len(left) - rows),
            unchecked=_unchecked(report),
            log=links.log if links else "",
        )
        if len(text.encode(errors="replace")) <= limit:
            break
    return text


def _entries(cured: Sequence[Result], fixes: Fixes) -> list[_Entry]:
    """Each fix of the patch once, in the order of the findings; a finding that several cure is told with the first."""
    own = {one.id: (one, result) for result in reversed(cured) if (one := _taken(result, fixes))}
    leads = [result for result in cured if (fix := _taken(result, fixes)) and own[fix.id][1] is result]
    told = {id(result) for result in leads}
    entries = []
    for lead in leads:
        fix = _taken(lead, fixes)
        assert fix is not None  # noqa: S101 - it leads because of it
        others = [one for one in cured if id(one) not in told and _cures(fix, one, fixes)]
        told |= {id(one) for one in others}
        entries.append(_Entry(fix, lead, tuple(others)))
    return entries


def _taken(result: Result, fixes: Fixes) -> Fix | None:
    """The fix of a finding's own that is in the patch."""
    fix = first_safe(result)
    return fix if fix is not None and fix.id in fixes.taken else None


def _cures(fix: Fix, result: Result, fixes: Fixes) -> bool:
    own = _taken(result, fixes)
    return result.fingerprint in fix.cures or (own is not None and own.id == fix.id)


def _told(entry: _Entry, links: Links | None) -> dict[str, object]:
    opened = phrases.opening(entry.lead, _ROOM)
    return {
        "headline": opened.headline.removesuffix("."),
        "why": [text for text in (opened.cause, *opened.rest) if text],
        "ends": list(phrases.ends(entry.lead, links)),
        "fix": phrases.fix_lead(entry.fix, links),
        "proof": phrases.proof(entry.lead, entry.fix),
        "others": [phrases.harm(one) for one in entry.others],
        "rule": phrases.rule_told(entry.lead.rule, links),
    }


def _left(result: Result, fixes: Fixes, links: Links | None) -> dict[str, str]:
    at = result.location
    return {
        "severity": result.severity.value,
        "finding": phrases.harm(result),
        "place": phrases.link(at, links) if at else "",
        "why": " ".join(_why(result, fixes)),
    }


def _why(result: Result, fixes: Fixes) -> Iterator[str]:
    """Why a finding is not cured."""
    safe, unsafe = first_safe(result), result.fix
    if safe is not None and safe.id not in fixes.taken:
        yield "Its fix does not go together with the others."
    elif safe is not None:
        yield "The same edit does not cure it in every target."
    elif unsafe is not None:
        yield f"The fix is unsafe: {phrases.prose(unsafe.description)}."
        yield from (f"{phrases.prose(phrases.capital(text))}." for _, text in unsafe.risks[:1])
    else:
        yield "No fix is proven."


def _unchecked(report: Report) -> str:
    names = tuple(code_span(one.id) for one in report.targets if one.status != "checked")
    return f"{plural(len(names), 'target')} could not be checked: {listed(names)}" if names else ""
