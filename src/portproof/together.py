"""Which fixes of a review go together: whoever reads it may click all suggestions, or any of them.

Each fix is proven alone before it comes here. Two can meet only in a target that reads the files of both: each such pair is
rendered together, and so are the first fixes of all findings. Three that break something which no two of them break, and not
all of them either, are not looked for. Of more than `MAX_PAIRS` pairs the rest is left to the proof of all first fixes together;
a pair with a second fix has no such proof, and counts as excluded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, pairwise
from typing import Protocol, TypeAlias

from msgspec import Struct

from portproof.discover.kept import near
from portproof.discover.model import Target
from portproof.fix import Proposal, Proven
from portproof.outcome import FindingGroup
from portproof.rules.evaluate import FindingKey
from portproof.source import Edit

MAX_PAIRS = 20
"""Pairs that are rendered in one run; a review has at most 30 comments, and most of them never meet."""

MAX_OFFERS = 2
"""Fixes of one finding that may become its suggestion, best first: one for either end."""

Edits: TypeAlias = tuple[Edit, ...]
Exclusions: TypeAlias = Mapping[Edits, frozenset[Edits]]
"""Fixes, by their edits, and those that do not go together with them."""


class Prove(Protocol):
    """`fix.Prover.prove`."""

    def __call__(self, edits: Sequence[Edit], cured: frozenset[FindingKey], /) -> Proven | None:
        """What the edits do if they cure all of `cured` and break nothing; else None."""


class _Offer(Struct, frozen=True):
    """A fix of a finding that may become a suggestion; `readers` are the targets that read the files it edits.

    `is_first` says that it is the best of its finding.
    """

    group: FindingGroup
    proposal: Proposal
    readers: frozenset[str]
    is_first: bool

    @property
    def keys(self) -> frozenset[FindingKey]:
        return frozenset(member.found.key for member in self.group.members)

    def cures(self, other: _Offer) -> bool:
        """Whether one click is enough for both findings: then only one of them has a suggestion."""
        mine = self.proposal.proven.cures
        return {(target.id, key) for target, key in other.group.keys} <= mine


def exclusions(
    groups: Sequence[FindingGroup], prove: Prove, targets: Sequence[Target], jobs: int = 1
) -> Exclusions:
    """Which safe fixes of different findings exclude each other, whatever the number of `jobs` is."""
    found: dict[Edits, set[Edits]] = defaultdict(set)

    def exclude(one: _Offer, other: _Offer) -> None:
        found[one.proposal.edits].add(other.proposal.edits)
        found[other.proposal.edits].add(one.proposal.edits)

    pairs = list(_meeting([_offers(group, targets) for group in groups]))
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        go = list(pool.map(lambda pair: _go_together(pair, prove), pairs[:MAX_PAIRS]))
    go += [one.is_first and other.is_first for one, other in pairs[MAX_PAIRS:]]
    for (one, other), together in zip(pairs, go, strict=True):
        if not together:
            exclude(one, other)
    chosen = _chosen(groups, targets, found)
    if len(chosen) > 2 and not _go_together(chosen, prove):
        taken: list[_Offer] = []
        for offer in chosen:
            if _go_together([*taken, offer], prove):
                taken.append(offer)
            else:
                for each in taken:
                    exclude(each, offer)
    return {edits: frozenset(others) for edits, others in found.items()}


def _offers(group: FindingGroup, targets: Sequence[Target]) -> list[_Offer]:
    safe = [one for one in group.proposals if one.is_safe][:MAX_OFFERS]
    return [_Offer(group, one, _readers(one.edits, targets), one is safe[0]) for one in safe]


def _readers(edits: Iterable[Edit], targets: Sequence[Target]) -> frozenset[str]:
    paths = {edit.span.path for edit in edits}
    return frozenset(one.id for one in near(targets, paths) if any(one.reads(path) for path in paths))


def _meeting(offers: Sequence[Sequence[_Offer]]) -> Iterator[tuple[_Offer, _Offer]]:
    """The pairs of fixes of two findings that can have to do with each other."""
    for ours, theirs in combinations(offers, 2):
        for one in ours:
            for other in theirs:
                same = one.proposal.edits == other.proposal.edits
                if not (
                    same or one.readers.isdisjoint(other.readers) or one.cures(other) or other.cures(one)
                ):
                    yield one, other


def _chosen(
    groups: Sequence[FindingGroup], targets: Sequence[Target], excluded: Mapping[Edits, set[Edits]]
) -> list[_Offer]:
    """The first fix of each finding that still needs one, those of later findings only if they go with the earlier."""
    chosen: list[_Offer] = []
    for group in groups:
        for offer in _offers(group, targets)[:1]:
            edits = offer.proposal.edits
            if not any(one.cures(offer) or one.proposal.edits in excluded.get(edits, ()) for one in chosen):
                chosen.append(offer)
    return chosen


def _go_together(offers: Sequence[_Offer], prove: Prove) -> bool:
    """Whether all findings are cured and nothing breaks with all these fixes; two for one place never do."""
    edits = {edit for one in offers for edit in one.proposal.edits}
    keys = frozenset[FindingKey]().union(*(one.keys for one in offers))
    return not _overlap(edits) and prove(tuple(sorted(edits)), keys) is not None


def _overlap(edits: Iterable[Edit]) -> bool:
    spans = sorted(one.span for one in edits)
    return any(
        one.path == two.path and (two.start < one.end or one.start == two.start)
        for one, two in pairwise(spans)
    )
