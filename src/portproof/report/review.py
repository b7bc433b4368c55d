"""What a review of a pull request says, and on which lines: composed here, sent by `github`.

A comment stands on the line that has to be edited, if GitHub takes one there; else where the pull request made the
difference: on the edit of the best-supported fix, or of an alternative; else on the file; else it becomes an entry of
the review's body. A suggestion replaces the whole lines that the comment stands on, with nothing changed but the
proven edit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from portproof.diff import Changes
from portproof.report import marks
from portproof.report.links import Links
from portproof.report.marks import Mark
from portproof.report.model import Fix, Result
from portproof.report.phrases import code, ends, fix_told, has_safe_fix, other_told, proof, prose, rule_told
from portproof.report.suggestion import Lines, suggestion
from portproof.report.summary_line import plural
from portproof.rules.severity import Severity
from portproof.source import RelPath

MAX_INLINE = 30
"""Comments on lines in one review; what more there is goes into the body."""

MAX_FILES = 10
"""Comments on whole files in one run: each is a request of its own."""

BODY_LIMIT = 60_000
"""GitHub takes 65,536 characters; counted here in the largest unit, UTF-8 bytes."""

OPENING = "**portproof**:"
"""How the body of a review begins."""


@dataclass(frozen=True, slots=True)
class Diff:
    """What a pull request changes, as GitHub shows it, and the texts of the head's files that findings name."""

    changes: Changes
    texts: Mapping[RelPath, str]


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on lines of the head (RIGHT side), or on a whole file when `line` is None."""

    result: Result
    mark: Mark
    body: str
    path: RelPath
    line: int | None = None
    start_line: int | None = None

    side = "RIGHT"


@dataclass(frozen=True, slots=True)
class Review:
    """Everything that is to be said: comments on lines, comments on files, and the findings that only the body tells."""

    inline: tuple[Comment, ...]
    files: tuple[Comment, ...]
    rest: tuple[Result, ...]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to say."""
        return not (self.inline or self.files or self.rest)


def compose(results: Iterable[Result], links: Links, diff: Diff, key: str) -> Review:
    """The review of `results`, errors first; what does not fit becomes part of the rest. `key` is that of the job's marks."""
    inline: list[Comment] = []
    files: list[Comment] = []
    rest: list[Result] = []
    for result in sorted(results, key=lambda one: one.severity.rank):
        one = comment(result, links, diff, key)
        room = (inline, MAX_INLINE) if one and one.line is not None else (files, MAX_FILES)
        if one is None or len(room[0]) >= room[1]:
            rest.append(result)
        else:
            room[0].append(one)
    return Review(tuple(inline), tuple(files), tuple(rest))


def comment(result: Result, links: Links, diff: Diff, key: str) -> Comment | None:
    """The comment for one finding; None when no line and no file of the pull request is its place."""
    place = _lines(result, links, diff)
    if place is not None:
        offers = _offers(result, place, diff)
        offer = offers[0] if offers else None
        mark = marks.of_result(result, key, offer[1] if offer else "")
        start = place.first if place.first < place.last else None
        return Comment(result, mark, _text(result, links, mark, offer), place.path, place.last, start)
    at = result.location
    changed = diff.changes.get(at.path) if at else None
    if changed is None or changed.removed:
        return None
    mark = marks.of_result(result, key)
    return Comment(result, mark, _text(result, links, mark), changed.path)


def plain(result: Result, links: Links, key: str) -> str:
    """What a comment on the finding says where no suggestion is possible."""
    return _text(result, links, marks.of_result(result, key))


def body(review: Review, links: Links, key: str, aside: str = "") -> str:
    """The review's body: counts, the `aside`, and an entry for each finding of the rest, within GitHub's limit."""
    shown = [one.result for one in (*review.inline, *review.files)]
    everything = [*shown, *review.rest]
    entries = [plain(result, links, key) for result in review.rest]
    intro = "On lines outside this pull request's diff:" if shown else ""
    size = len(entries)
    while True:
        left = review.rest[size:]
        text = _fill(
            "review_body.md.jinja",
            headline=f"{OPENING} {_headline(everything)}{f'; {aside}' if aside else ''}",
            intro=intro,
            entries=entries[:size],
            left=len(left),
            where=f"[job summary]({links.log})" if links.log else "job summary",
            marks="\n".join(str(marks.of_result(result, key)) for result in left),
        )
        if len(text.encode(errors="replace")) <= BODY_LIMIT:
            return text
        if size == 0:
            # So many that not even their marks fit: a later run will tell some of them again.
            return text.encode(errors="replace")[:BODY_LIMIT].rpartition(b"\n")[0].decode(errors="ignore")
        size = size * 3 // 4


def fixed(text: str, mark: Mark, head: str) -> str:
    """A comment whose finding is gone: it says so, and offers nothing to click any more."""
    said = marks.without(text).replace("```suggestion\n", "```yaml\n")
    return (
        f"{replace(mark, fixed=True, edit='')}\n**Fixed** as of {code(head[:10])}: this finding is gone.\n\n"
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
    """The lines to comment on: the finding's own, else those of an edit that would cure it."""
    for place in _places(result, diff):
        if not links.has_line(place.path, place.first):
            continue
        changed = diff.changes.get(place.path)
        hunk = changed.hunk(place.first, place.last) if changed and not changed.removed else None
        if hunk is None:
            continue
        text = diff.texts.get(place.path)
        lines = None if text is None else text.split("\n")[place.first - 1 : place.last]
        if lines is None or lines == [hunk.right[number] for number in range(place.first, place.last + 1)]:
            return place
    return None


def _places(result: Result, diff: Diff) -> Iterator[Lines]:
    if result.location:
        yield Lines.of(result.location)
    if result.fix:
        yield from (Lines.of(edit) for edit in result.fix.edits)
    edits = [edit for fix in result.alternatives for edit in fix.edits]
    new = [edit for edit in edits if (at := diff.changes.get(edit.path)) and at.is_added(edit.line)]
    yield from (Lines.of(edit) for edit in (*new, *edits))


def _offers(result: Result, place: Lines, diff: Diff) -> list[tuple[Fix, str]]:
    """The proven, safe fixes that one edit of the lines in question makes, each with its suggestion block."""
    text = diff.texts.get(place.path)
    fixes = [fix for fix in (result.fix, *result.alternatives) if fix and fix.is_safe and len(fix.edits) == 1]
    if text is None:
        return []
    return [(fix, block) for fix in fixes if (block := suggestion(fix.edits[0], place, text))]


def _text(result: Result, links: Links, mark: Mark, offer: tuple[Fix, str] | None = None) -> str:
    offered = offer[0] if offer else None
    fix = result.fix if result.fix is not offered and has_safe_fix(result) else None
    others = [one for one in (result.fix, *result.alternatives) if one and one not in (offered, fix)]
    return _fill(
        "review_comment.md.jinja",
        mark=mark,
        severity=result.severity.value,
        message=prose(result.message),
        ends=list(ends(result, links)),
        fix=fix_told(result, fix, links) if fix else None,
        suggestion=_suggestion(result, offer) if offer else None,
        others=[other_told(result, one, links) for one in others],
        rule=rule_told(result.rule, links),
    )


def _suggestion(result: Result, offer: tuple[Fix, str]) -> dict[str, str]:
    fix, block = offer
    lead = "Alternative on this line, also proven" if has_safe_fix(result) else "Possible fix, proven"
    lead = "" if fix is result.fix else f"{lead}: {prose(fix.description)}."
    return {"lead": lead, "block": block, "proof": proof(result, fix)}


def _fill(template: str, **names: object) -> str:
    from portproof.report.templating import render  # noqa: PLC0415 - Jinja is slow to import

    return render(template, **names)
