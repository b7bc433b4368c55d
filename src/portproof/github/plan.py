"""What is to be said, and what of the said no longer holds: findings against the marks of earlier runs."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from portproof.github.model import Said
from portproof.report import marks
from portproof.report.model import Report, Result


class ReviewPlan(Struct, frozen=True):
    """`new` was never said; `known` is said already; `back` was said to be fixed; `gone` no longer holds."""

    new: tuple[Result, ...]
    known: tuple[tuple[Said, Result], ...]
    back: tuple[tuple[Said, Result], ...]
    gone: tuple[Said, ...]


def plan(report: Report, said: Iterable[Said], key: str) -> ReviewPlan:
    """Match the findings of a report with what is there.

    A finding and a comment belong together when the fingerprint is the same; several of one fingerprint (one chart,
    two values files) are told apart by the file that they are about. Findings that the base has too are never new,
    but what was said of them still holds. A finding of a target that was not checked this time is not gone, and what
    another job said is that job's to take back.
    """
    left = sorted(said, key=lambda one: one.mark.fixed)  # what still stands is matched first
    pairs: list[tuple[Said, Result]] = []
    missing: list[Result] = []
    for result in report.results:
        mark = marks.of_result(result, key)
        found = _find(left, mark.fingerprint, mark.place)
        if found is None:
            missing.append(result)
        else:
            left.remove(found)
            pairs.append((found, result))
    new = []
    for result in missing:
        found = _find(left, marks.of_result(result, key).fingerprint, None)
        if found is not None:
            left.remove(found)
            pairs.append((found, result))
        elif result.introduced is not False:
            new.append(result)
    told = {(one.mark.fingerprint, one.mark.place) for one, _ in pairs}
    unsettled = {marks.digest(marks.target_of(one.id)) for one in report.targets if one.status != "checked"}
    return ReviewPlan(
        tuple(new),
        tuple(pair for pair in pairs if not pair[0].mark.fixed),
        tuple(pair for pair in pairs if pair[0].mark.fixed and pair[1].introduced is not False),
        tuple(
            one
            for one in left
            if not one.mark.fixed
            and one.mark.key == key
            and one.mark.target not in unsettled
            and (one.mark.fingerprint, one.mark.place) not in told  # a duplicate, by a run beside that one
        ),
    )


def _find(said: Iterable[Said], fingerprint: str, place: str | None) -> Said | None:
    return next(
        (
            one
            for one in said
            if one.mark.fingerprint == fingerprint and (place is None or one.mark.place == place)
        ),
        None,
    )
