"""What a shard reports of all that it had to look at."""

from __future__ import annotations

from portproof.parts.model import Part
from portproof.replacing import replace


def without(part: Part, others: frozenset[str]) -> Part:
    """The part without what is only about the targets of others, by their ids."""
    return replace(
        part,
        targets=tuple(one for one in part.targets if one.id not in others),
        results=tuple(one for one in part.results if not others.issuperset(one.targets)),
        ignored=tuple(one for one in part.ignored if not others.issuperset(one.result.targets)),
        failures=tuple(one for one in part.failures if one.target not in others),
    )
