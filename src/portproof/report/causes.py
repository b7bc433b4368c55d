"""Findings that have one cause are one thing to say: one edit cures them all, or one line brought them in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from portproof.report.model import Fix, Result
from portproof.rules import find, is_known
from portproof.rules.base import Trait


class Cause(Struct, frozen=True):
    """Findings with one cause, in the order of the report; the first one leads."""

    results: tuple[Result, ...]

    @property
    def lead(self) -> Result:
        """The finding that stands for all."""
        return self.results[0]

    @property
    def others(self) -> tuple[Result, ...]:
        """The further findings."""
        return self.results[1:]


def causes(results: Iterable[Result]) -> list[Cause]:
    """The findings by their cause, in the order in which the first of each comes.

    The worst leads; of several the one whose fix cures most, and then one that breaks a Service. A finding that nothing ties to others is alone.
    """
    every = list(results)
    known = Counter(one.fingerprint for one in every)
    parents = list(range(len(every)))

    def root(number: int) -> int:
        while parents[number] != number:
            number = parents[number]
        return number

    firsts: dict[Hashable, int] = {}
    for number, result in enumerate(every):
        for tie in _ties(result, known):
            first, second = sorted((root(firsts.setdefault(tie, number)), root(number)))
            parents[second] = first
    groups: dict[int, list[Result]] = {}
    for number, result in enumerate(every):
        groups.setdefault(root(number), []).append(result)
    return [_led(group) for group in groups.values()]


def _ties(result: Result, known: Mapping[str, int]) -> Iterator[Hashable]:
    """What a finding has in common with others of its cause: its proven line, and what its first safe fix cures.

    One chart may have a fingerprint in several of its values files: then it does not say which finding is meant.
    """
    at, fix = result.location, first_safe(result)
    if at is not None and at.proof == "proven" and result.resource is not None:
        yield at.path, at.line
    for name in (result.fingerprint, *(fix.cures if fix else ())):
        if known[name] == 1:
            yield name


def _led(results: Sequence[Result]) -> Cause:
    worst = min(one.severity.rank for one in results)
    lead = max((one for one in results if one.severity.rank == worst), key=_weight)
    return Cause((lead, *(one for one in results if one is not lead)))


def _weight(result: Result) -> tuple[int, bool]:
    """How much speaks for a finding as the one that leads: what its fix cures, and whether a Service's traffic fails."""
    fix = first_safe(result)
    reaches = is_known(result.rule) and Trait.REACHES_PODS in find(result.rule).traits
    return len(fix.cures) + 1 if fix else 0, reaches


def one_cause(results: Sequence[Result]) -> Cause:
    """These findings as one cause, which they are known to have."""
    return _led(results)


def first_safe(result: Result) -> Fix | None:
    """The best of the safe fixes."""
    return next((one for one in (result.fix, *result.alternatives) if one and one.is_safe), None)
