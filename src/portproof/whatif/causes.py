"""Which findings with other values are one to whoever mends the chart: those of one line, and those of a value in one file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

from portproof.fix import Proposal, Prover
from portproof.outcome import FindingGroup
from portproof.replacing import replace


def by_line(groups: Sequence[FindingGroup]) -> list[FindingGroup]:
    """The findings, those of one rule at one line as one: a loop over ports is wrong once, whatever port shows it.

    What fewer values show needs no more of them. The first stands for all, with the proposals that all have.
    """
    lines: dict[Hashable, list[FindingGroup]] = defaultdict(list)
    for one in groups:
        lines[line_of(one)].append(one)
    found = []
    for several in lines.values():
        shown = [set(one.first.when) for one in several]
        least = [
            one for one, own in zip(several, shown, strict=True) if not any(own > each for each in shown)
        ]
        first, *others = sorted(least, key=lambda one: len(one.first.when))
        edits = [{each.edits for each in one.proposals} for one in others]
        cures = tuple(one for one in first.proposals if all(one.edits in each for each in edits))
        found.append(replace(first, proposals=cures, alike=tuple(others)))
    return found


def by_value(groups: Sequence[FindingGroup], prover: Prover) -> list[FindingGroup]:
    """The findings, those of one rule that the same values show in one file as one: three probes that keep a number.

    The first stands for all, with one fix for all of them. Where some have a fix and others have none, each is for itself.
    """
    shown: dict[tuple[Hashable, frozenset[str]], list[FindingGroup]] = {}
    for one in sorted(groups, key=lambda one: len(one.first.when)):
        file, values = _file_of(one), _deciding(one)
        first = next((key for key in shown if key[0] == file and key[1] <= values), (file, values))
        shown.setdefault(first, []).append(one)
    joined = {id(one): _as_one(several, prover) for several in shown.values() for one in several[:1]}
    return [one for each in groups for one in joined.get(id(each), ())]


def line_of(group: FindingGroup) -> Hashable:
    """The rule and the place; a finding without a place is at one of its own."""
    origin = group.first.origins.get(group.finding.primary)
    return group.first.found.rule.id, id(group) if origin is None else origin.span


def _file_of(group: FindingGroup) -> Hashable:
    """The rule and the file; a finding without a place is in one of its own."""
    origin = group.first.origins.get(group.finding.primary)
    return group.first.found.rule.id, id(group) if origin is None else origin.span.path


def _deciding(group: FindingGroup) -> frozenset[str]:
    """The values that show a finding: the ports that are moved, else the parts that are switched on."""
    shown = group.first.when
    return frozenset(key for key, value in shown if value is not True) or frozenset(key for key, _ in shown)


def _as_one(several: Sequence[FindingGroup], prover: Prover) -> Sequence[FindingGroup]:
    first, *others = sorted(several, key=lambda one: len(one.first.when))
    if not others:
        return several
    alike = tuple(one for each in others for one in (each, *each.alike))
    if not any(one.proposals for one in several):
        return [replace(first, alike=(*first.alike, *alike))]
    fix = _fix_of_all(several, prover)
    return several if fix is None else [replace(first, proposals=(fix,), alike=(*first.alike, *alike))]


def _fix_of_all(several: Sequence[FindingGroup], prover: Prover) -> Proposal | None:
    """The fixes of all of them together; None where one has none, or where they are not proven together."""
    fixes = [fix for one in several if (fix := one.fix) is not None]
    if len(fixes) < len(several):
        return None
    edits = tuple(sorted({edit for fix in fixes for edit in fix.edits}))
    cured = frozenset(member.found.key for one in several for member in one.members)
    proven = prover.prove(edits, cured)
    if proven is None:
        return None
    return replace(
        fixes[0],
        edits=edits,
        proven=proven,
        risks=tuple(dict.fromkeys(risk for fix in fixes for risk in fix.risks)),
        fixed=frozenset().union(*(fix.fixed for fix in fixes)),
        at=frozenset().union(*(fix.at for fix in fixes)),
    )
