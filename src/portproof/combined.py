"""The first fixes of all findings as one change, proven once more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from portproof.fix import Proposal, Prover
from portproof.outcome import FindingGroup, Outcome
from portproof.rules.evaluate import FindingKey
from portproof.source import Edit, Tree


class Combined(Struct, frozen=True):
    """The first fixes of all findings together, proven together.

    `tree` holds the text of the edited files as they were when this was proven; `cured` are the findings that are gone
    with them, whether by a fix of their own or by another's; `left_out` those whose fix does not go together with the others'.
    """

    tree: Tree
    edits: tuple[Edit, ...]
    cured: tuple[FindingGroup, ...]
    left_out: tuple[FindingGroup, ...]


def combine(outcome: Outcome, prover: Prover, *, unsafe: bool = False) -> Combined:
    """Join the proven, safe fixes into one change, and prove that as well; the others too where `unsafe` ones are wanted.

    The fixes that cure most are taken first; a finding that another's fix has cured already needs none of its own.
    """
    chosen_of = {id(one): one.safe_fix or (one.fix if unsafe else None) for one in outcome.merged}
    fixes = {key: fix for key, fix in chosen_of.items() if fix is not None}
    fixable = sorted(
        (one for one in outcome.merged if id(one) in fixes),
        key=lambda one: -len(fixes[id(one)].proven.cures),
    )
    paths = {edit.span.path for fix in fixes.values() for edit in fix.edits}
    texts = {path: prover.tree.text(path) for path in paths}
    pinned = Tree(prover.tree.root, {**prover.tree.overlay, **texts})
    taken: set[Edit] = set()
    cured: frozenset[tuple[str, FindingKey]] = frozenset()
    chosen: list[FindingGroup] = []
    for one in fixable:
        if not _keys_of(one) <= cured:
            chosen.append(one)
            cured |= fixes[id(one)].proven.cures
    every = {edit for one in chosen for edit in fixes[id(one)].edits}
    together = prover.prove(tuple(every), _finding_keys(chosen), pinned)
    if together is not None:
        return Combined(pinned, tuple(sorted(every)), _cured(outcome, together.cures, every, fixes), ())
    cured = frozenset()
    left_out: list[FindingGroup] = []
    for one in fixable:  # some do not go together: take them one by one, each proven on top of the others
        if _keys_of(one) <= cured:
            continue
        edits = taken | set(fixes[id(one)].edits)
        proven = prover.prove(tuple(edits), _finding_keys([one]), pinned)
        if proven is None or not cured <= proven.cures:
            left_out.append(one)
        else:
            taken, cured = edits, proven.cures
    return Combined(pinned, tuple(sorted(taken)), _cured(outcome, cured, taken, fixes), tuple(left_out))


def _cured(
    outcome: Outcome,
    cures: frozenset[tuple[str, FindingKey]],
    edits: Collection[Edit],
    fixes: Mapping[int, Proposal],
) -> tuple[FindingGroup, ...]:
    """The findings that are gone. One of other values is by its own fix, which was proven with those."""

    def is_gone(one: FindingGroup) -> bool:
        if not one.first.when:
            return _keys_of(one) <= cures
        fix = fixes.get(id(one))
        return fix is not None and set(edits).issuperset(fix.edits)

    return tuple(filter(is_gone, outcome.merged))


def _keys_of(one: FindingGroup) -> frozenset[tuple[str, FindingKey]]:
    return frozenset((member.target.id, member.found.key) for member in one.members)


def _finding_keys(several: Iterable[FindingGroup]) -> frozenset[FindingKey]:
    return frozenset(member.found.key for one in several for member in one.members)
