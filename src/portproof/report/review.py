"""What a review of a pull request says, and on which lines: composed here, sent by `github`.

A comment stands on the line that has to be edited, if GitHub takes one there; else where the pull request made the
difference: on the edit of the best-supported fix, or of an alternative; else on the file; else it becomes an entry of
the review's body. A suggestion replaces the whole lines that the comment stands on, with nothing changed but the
proven edit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from portproof.diff import Changes, Hunk
from portproof.replacing import replace
from portproof.report import marks
from portproof.report.causes import Cause, causes, first_safe
from portproof.report.links import Links
from portproof.report.marks import Mark
from portproof.report.model import Fix, Result
from portproof.report.phrases import (
    code,
    ends,
    fix_lead,
    harm,
    link,
    opening,
    other_told,
    patch_shown,
    proof,
    prose,
    small_print,
)
from portproof.report.suggestion import Lines, Replaced, suggestion
from portproof.report.summary_line import plural
from portproof.report.wording import words
from portproof.rules.severity import Severity
from portproof.source import RelPath

MAX_INLINE = 30
"""Comments on lines in one review; what more there is goes into the body."""

MAX_FILES = 10
"""Comments on whole files in one run: each is a request of its own."""

ROOM = 45
"""Words that stand before a suggestion at most; what else led to the harm is folded."""

MAX_OTHERS = 3
"""Further findings of one cause that a comment tells of; the report has them all."""

BODY_LIMIT = 60_000
"""GitHub takes 65,536 characters; counted here in the largest unit, UTF-8 bytes."""

OPENING = "**portproof**:"
"""How the body of a review begins."""


class Diff(Struct, frozen=True):
    """What a pull request changes, as GitHub shows it, and the texts of the head's files that findings name."""

    changes: Changes
    texts: Mapping[RelPath, str]


class Comment(Struct, frozen=True):
    """A comment on lines of the head (`side` RIGHT), on one that is removed (LEFT), or on a whole file when `line` is None.

    It has a mark for each finding of its cause; that of the finding that leads also says what is suggested (`offer`).
    """

    cause: Cause
    marks: tuple[Mark, ...]
    body: str
    path: RelPath
    line: int | None = None
    start_line: int | None = None
    offer: Fix | None = None
    side: str = "RIGHT"

    @property
    def edit(self) -> str:
        """A short name for what it suggests; empty for nothing."""
        return self.marks[0].edit


class Review(Struct, frozen=True):
    """Everything that is to be said: comments on lines, comments on files, and the causes that only the body tells."""

    inline: tuple[Comment, ...]
    files: tuple[Comment, ...]
    rest: tuple[Cause, ...]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to say."""
        return not (self.inline or self.files or self.rest)

    @property
    def results(self) -> tuple[Result, ...]:
        """The findings that it tells of."""
        told = (*(one.cause for one in (*self.inline, *self.files)), *self.rest)
        return tuple(result for cause in told for result in cause.results)


def compose(
    results: Iterable[Result], links: Links, diff: Diff, key: str, standing: Iterable[Result] = ()
) -> Review:
    """The review of `results`, errors first; what does not fit becomes part of the rest. `key` is that of the job's marks.

    `standing` are findings whose comments are there already: what is suggested has to go with their suggestions.
    """
    taken: list[Comment] = []
    for cause in causes(standing):
        one = comment(cause, links, diff, key, taken)
        taken += [one] if one is not None and one.offer else []
    inline: list[Comment] = []
    files: list[Comment] = []
    rest: list[Cause] = []
    for cause in sorted(causes(results), key=lambda one: one.lead.severity.rank):
        one = comment(cause, links, diff, key, taken)
        room = (inline, MAX_INLINE) if one and one.line is not None else (files, MAX_FILES)
        if one is None or len(room[0]) >= room[1]:
            rest.append(cause)
        else:
            room[0].append(one)
            taken += [one] if one.offer else []
    return Review(tuple(inline), tuple(files), tuple(rest))


def comment(
    cause: Cause, links: Links, diff: Diff, key: str, taken: Sequence[Comment] = ()
) -> Comment | None:
    """The comment for one cause; None when no line and no file of the pull request is its place.

    Whoever reads the review may click every suggestion: one that does not go with those of `taken` is told in words.
    """
    result = cause.lead
    place = _lines(result, links, diff)
    if place is not None:
        offers = _offers(result, place, diff)
        fitting = [one for one in offers if not any(_excludes(one[0], other.offer) for other in taken)]
        offer = fitting[0] if fitting else None
        either = next(
            (one for one in taken if offers and not offer and _excludes(offers[0][0], one.offer)), None
        )
        named = _marks(cause, key, offer[1] if offer else "")
        start = place.first if place.first < place.last else None
        text = _text(cause, links, named, _Shown(offer, either))
        return Comment(cause, named, text, place.path, place.last, start, offer[0] if offer else None)
    named = _marks(cause, key)
    gone = _removed(result, diff)
    text = _text(cause, links, named, _Shown(away="Still used at" if gone else "At"))
    if gone is not None:
        return Comment(cause, named, text, gone[0], gone[1], side="LEFT")
    at = result.location
    changed = diff.changes.get(at.path) if at else None
    return Comment(cause, named, text, changed.path) if changed is not None and not changed.removed else None


def plain(cause: Cause, links: Links, key: str, *, away: bool = True) -> str:
    """What a comment says where no suggestion is possible; `away` from the line that it is about, that is named."""
    return _text(cause, links, _marks(cause, key), _Shown(away="At" if away else ""))


def _marks(cause: Cause, key: str, suggested: str = "") -> tuple[Mark, ...]:
    first = marks.of_result(cause.lead, key, suggested)
    return (first, *(marks.of_result(one, key) for one in cause.others))


def _excludes(one: Fix, other: Fix | None) -> bool:
    return other is not None and (other.id in one.excludes or one.id in other.excludes)


def body(review: Review, links: Links, key: str, aside: str = "") -> str:
    """The review's body: counts, the `aside`, and an entry for each finding of the rest, within GitHub's limit."""
    shown = review.inline or review.files
    entries = [plain(cause, links, key) for cause in review.rest]
    intro = "On lines outside this pull request's diff:" if shown else ""
    size = len(entries)
    while True:
        left = review.rest[size:]
        text = _fill(
            "review_body.md.jinja",
            headline=f"{OPENING} {_headline(review.results)}{f'; {aside}' if aside else ''}",
            intro=intro,
            entries=entries[:size],
            left=len(left),
            where=f"[job summary]({links.log})" if links.log else "job summary",
            marks="\n".join(str(marks.of_result(result, key)) for cause in left for result in cause.results),
        )
        if len(text.encode(errors="replace")) <= BODY_LIMIT:
            return text
        if size == 0:
            # So many that not even their marks fit: a later run will tell some of them again.
            return text.encode(errors="replace")[:BODY_LIMIT].rpartition(b"\n")[0].decode(errors="ignore")
        size = size * 3 // 4


def fixed(text: str, head: str) -> str:
    """A comment whose findings are gone: it says so, and offers nothing to click any more."""
    said = marks.without(text).replace("```suggestion\n", "```yaml\n")
    named = "\n".join(str(replace(one, fixed=True, edit="")) for one in marks.read(text))
    return (
        f"{named}\n**Fixed** as of {code(head[:10])}: this finding is gone.\n\n"
        f"<details><summary>Original comment</summary>\n\n{said.rstrip()}\n\n</details>\n"
    )


def fixed_entry(text: str, mark: Mark, head: str) -> str:
    """A review's body in which one entry's finding is gone."""
    return marks.with_state(
        text, mark, fixed=True, note=f"> **Fixed** as of {code(head[:10])}: this finding is gone.\n\n"
    )


def _headline(results: Sequence[Result]) -> str:
    counts = [
        plural(count, severity.value)
        for severity in Severity
        if (count := sum(one.severity is severity for one in results))
    ]
    new = (
        "new in this pull request"
        if all(one.introduced for one in results)
        else "in this pull request's files"
    )
    return f"{' and '.join(counts)} {new if results else ''}".strip()


def _lines(result: Result, links: Links, diff: Diff) -> Lines | None:
    """The lines to comment on: those that the change has touched, if possible such that a fix can be clicked there."""
    known = [place for place in _places(result, diff) if _hunk(place, links, diff)]
    ranks = {place: (not _touched(place, diff), not _offers(result, place, diff)) for place in known}
    return min(known, key=ranks.__getitem__, default=None)


def _hunk(place: Lines, links: Links, diff: Diff) -> Hunk | None:
    """The hunk that holds these lines, where the head reads as it says."""
    changed = diff.changes.get(place.path)
    hunk = changed.hunk(place.first, place.last) if changed and not changed.removed else None
    if hunk is None or not links.has_line(place.path, place.first):
        return None
    text = diff.texts.get(place.path)
    shown = [hunk.right[number] for number in range(place.first, place.last + 1)]
    return hunk if text is None or text.split("\n")[place.first - 1 : place.last] == shown else None


def _places(result: Result, diff: Diff) -> list[Lines]:
    """Where the comment may stand: on the lines of the finding, else on those of a fix."""
    places = [Lines.of(result.location)] if result.location else []
    if result.location and result.resource is None:
        places += _first_touched(result.location.path, diff)
    fixes = [one for one in (result.fix, *result.alternatives) if one]
    places += [place for fix in fixes if (place := Lines.of_all(fix.edits))]
    return places + [Lines.of(edit) for fix in fixes for edit in fix.edits]


def _removed(result: Result, diff: Diff) -> tuple[RelPath, int] | None:
    """The line that the change has removed with what the finding misses, by its number in the base; None for none.

    It is looked for by its words (``name: cart``), in what is removed of an object of that kind.
    """
    change = result.change
    if change is None or change.after is not None:
        return None
    kind, _, rest = change.end.partition("/")
    of_kind, line = f"kind: {kind}", f"{rest.rpartition('.')[2]}: {change.before}"
    for path, one in sorted(diff.changes.items()):
        removed = {number: text.strip(" -") for hunk in one.hunks for number, text in hunk.left.items()}
        if of_kind in removed.values():
            for number, text in removed.items():
                if text == line:
                    return path, number
    return None


def _first_touched(path: RelPath, diff: Diff) -> list[Lines]:
    """The first line of a file that the change has brought: what is said of the file as a whole is said there."""
    changed = diff.changes.get(path)
    added = sorted(number for hunk in changed.hunks for number in hunk.added) if changed else []
    return [Lines(path, number, number) for number in added[:1]]


def _touched(place: Lines, diff: Diff) -> bool:
    changed = diff.changes.get(place.path)
    return changed is not None and any(
        changed.is_added(number) for number in range(place.first, place.last + 1)
    )


def _offers(result: Result, place: Lines, diff: Diff) -> list[tuple[Fix, str]]:
    """The proven, safe fixes that edit nothing but the lines in question, each with its suggestion block."""
    text, changed = diff.texts.get(place.path), diff.changes.get(place.path)
    hunk = changed.hunk(place.first, place.last) if changed else None
    if text is None or hunk is None:
        return []
    replaced = Replaced.by(hunk)
    fixes = [fix for fix in (result.fix, *result.alternatives) if fix and fix.is_safe]
    return [(fix, block) for fix in fixes if (block := suggestion(fix.edits, place, text, replaced))]


class _Shown(Struct, frozen=True):
    """What a comment can show: the fix that it suggests, with its block; a comment whose suggestion excludes it; what introduces the place."""

    offer: tuple[Fix, str] | None = None
    either: Comment | None = None
    away: str = ""


def _text(cause: Cause, links: Links, named: Sequence[Mark], said: _Shown) -> str:
    result = cause.lead
    offered = said.offer[0] if said.offer else None
    # The best fix is told with its patch where it cannot be clicked.
    best = first_safe(result)
    elsewhere = None if offered is best else best
    lead = _lead(elsewhere, said, links)
    opened = opening(result, ROOM - words(lead))
    others = [one for one in (result.fix, *result.alternatives) if one and one not in (offered, elsewhere)]
    shown = offered or elsewhere
    return _fill(
        "review_comment.md.jinja",
        marks=named,
        opening=opened,
        place=f"{said.away} {link(result.location, links)}." if said.away and result.location else "",
        lead=lead,
        block=said.offer[1] if said.offer else "",
        patch=patch_shown(elsewhere) if elsewhere else "",
        cured=_cured(cause, shown),
        small=small_print(cause, shown, links),
        folded="Evidence and other fixes" if others else "Evidence",
        ends=list(ends(result, links)),
        proof=proof(result, shown) if shown else "",
        others=[other_told(result, one, links) for one in others],
        patches=[patch_shown(one) if one.is_safe else "" for one in others],
    )


def _lead(elsewhere: Fix | None, said: _Shown, links: Links) -> str:
    """What stands before the suggestion or the patch; empty for a suggestion that speaks for itself."""
    if elsewhere is None:
        return ""
    if said.offer is not None:
        return f"{fix_lead(elsewhere, links)} Or here: {prose(said.offer[0].description)}."
    if said.either is not None:
        at = code(f"{said.either.path}:{said.either.line}")
        return f"Either the suggestion at {at}, or this: {prose(elsewhere.description)}."
    return fix_lead(elsewhere, links)


def _cured(cause: Cause, fix: Fix | None) -> list[tuple[str, list[str]]]:
    """The other findings of a cause: those that the fix cures too, and those that it does not."""
    gone = [one for one in cause.others if fix and one.fingerprint in fix.cures]
    left = [one for one in cause.others if one not in gone]
    parts = [("The same edit cures:", gone), ("Also wrong here:", left)]
    return [(lead, _harms(found)) for lead, found in parts if found]


def _harms(results: Sequence[Result]) -> list[str]:
    more = len(results) - MAX_OTHERS
    told = [harm(one) for one in results[:MAX_OTHERS]]
    return [*told, f"And {more} more."] if more > 0 else told


def _fill(template: str, **names: object) -> str:
    from portproof.report.templating import render  # noqa: PLC0415 - Jinja is slow to import

    return render(template, **names)
