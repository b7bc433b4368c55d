"""A finding's remedies -> proposals, each proven by rendering, best first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from portproof.discover.model import HelmTarget
from portproof.edits import attempts
from portproof.fix import Ends, Proposal, Prover
from portproof.outcome import FindingGroup, TracedFinding
from portproof.override import override
from portproof.replacing import replace
from portproof.resources import ResourceKey
from portproof.rules.base import Remedy, Scalar
from portproof.source import Edit, Span, Tree
from portproof.yamldoc import FieldPath


def votes(groups: Iterable[FindingGroup]) -> Counter[tuple[Span, Scalar]]:
    """How many findings would be cured by one and the same edit, as far as their rules offer it."""
    counted: Counter[tuple[Span, Scalar]] = Counter()
    for group in groups:
        offered = (_main_edit(remedy, group) for remedy in group.finding.remedies)
        counted.update({edit for edit in offered if edit is not None})
    return counted


def _main_edit(remedy: Remedy, group: FindingGroup) -> tuple[Span, Scalar] | None:
    site, new = remedy.changes[0]
    origin = group.first.sources.origins.get(site)
    return None if origin is None else (origin.span, new)


def propose(
    prover: Prover, asked: Counter[tuple[Span, Scalar]], ends: Ends, group: FindingGroup
) -> FindingGroup:
    """Try the remedies; keep those that a render proves, best first.

    An edit that several findings ask for goes before one that cures this finding alone: when a port's name is misspelt
    where it is declared, every reference to it is reported, and one edit heals them all. Else the rule's order stands.
    """
    proposals: list[tuple[int, Proposal]] = []
    for remedy in group.finding.remedies:
        main = _main_edit(remedy, group)
        count = asked[main] if main else 0
        offered = replace(remedy, recommended=remedy.recommended or count > 1)
        known = {frozenset(one.edits) for _, one in proposals}
        proposals += [(count, one) for one in _proven(prover, offered, ends, group, known)]
    ranked = tuple(one for _, one in sorted(proposals, key=lambda pair: -pair[0]))
    return _placed(replace(group, proposals=ranked))


def _proven(
    prover: Prover, remedy: Remedy, ends: Ends, group: FindingGroup, known: Collection[frozenset[Edit]]
) -> list[Proposal]:
    """What a render proves of the ways to make one remedy's changes, the better one first."""
    cured = frozenset(member.found.key for member in group.members)
    found: list[Proposal] = []
    expressed = False
    for attempt in attempts(group.finding, remedy, group.first.sources, prover.tree):
        if expressed:
            break  # one way to write it is enough, and better than a number that is right in one environment
        if frozenset(attempt.edits) in known:
            continue
        proposal = prover.propose(remedy, attempt, cured, ends)
        if proposal is None and remedy.recommended and not (attempt.follows or attempt.beside):
            own = _overrides(remedy, group, prover.tree)
            proposal = (
                _if_safe(prover.propose(remedy, replace(attempt, edits=own), cured, ends)) if own else None
            )
        if proposal is not None and not proposal.is_contradicted:
            found.append(proposal)
            expressed = attempt.follows is not None
    # A value that another port has, too, stays as it is where the template can read the right one.
    return sorted(found, key=lambda one: not one.is_safe) if expressed else found


def _if_safe(proposal: Proposal | None) -> Proposal | None:
    return proposal if proposal is not None and proposal.is_safe else None


def _overrides(remedy: Remedy, group: FindingGroup, tree: Tree) -> tuple[Edit, ...]:
    """Lines for the values files of the concerned targets alone, where a shared value cannot change; empty for none."""
    if len(remedy.changes) != 1:
        return ()
    site, new = remedy.changes[0]
    origin = group.first.sources.origins[site]  # attempts() has found it proven
    added = {
        override(target, origin.span, new, tree)
        for member in group.members
        if isinstance(target := member.target, HelmTarget)
    }
    edits = sorted(edit for edit in added if edit is not None)
    return tuple(edits) if len(edits) == len(added) else ()


def with_way_back(proposals: Sequence[Proposal], back: Proposal) -> tuple[Proposal, ...]:
    """The proposals with the one that takes a change back: in place of a rule's that does the same in other words.

    Before one that gives the same fields other values, for those of the base worked. Else behind what is safe, too: a rule
    knows which end is wrong.
    """
    for number, one in enumerate(proposals):
        if set(one.effects) == set(back.effects):
            same = replace(one, edits=back.edits, at=back.at, risks=back.risks)
            return (*proposals[:number], same, *proposals[number + 1 :])
    at = next((number for number, one in enumerate(proposals) if _fields(one) == _fields(back)), None)
    if at is None:
        at = max((number + 1 for number, one in enumerate(proposals) if one.is_safe), default=0)
    return (*proposals[:at], back, *proposals[at:])


def _fields(one: Proposal) -> set[tuple[ResourceKey, FieldPath]]:
    return {(change.resource, change.path) for change in one.effects}


def _placed(group: FindingGroup) -> FindingGroup:
    """The group at the action of the template, where its fix edits that line: the value is right, for another port."""
    fix = group.safe_fix
    if fix is None:
        return group
    return replace(group, members=tuple(_moved(one, fix.at) for one in group.members))


def _moved(one: TracedFinding, places: Collection[Span]) -> TracedFinding:
    primary = one.found.finding.primary
    action = one.written.get(primary)
    # What a change moved is shown where the change moved it.
    if action is None or action.span not in places or one.move is not None:
        return one
    return replace(one, origins={**one.origins, primary: action})
