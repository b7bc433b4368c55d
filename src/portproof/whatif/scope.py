"""For which charts other values are tried, with how many renders, and what the base has to say of the same values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias, TypeVar

from msgspec import Struct

from portproof.discover.model import HelmTarget, Target
from portproof.replacing import replace
from portproof.rules.evaluate import FindingKey
from portproof.source import RelPath, Tree, is_within
from portproof.whatif.search import MAX_RENDERS, Search, Shown

RENDERS_OF_A_CHANGE = 120
"""Renders that look for values in all charts of a change together; a chart with nothing to find takes two or three."""

_LEAST = 4
"""With fewer renders a chart is not worth a look."""

Past: TypeAlias = Callable[[Target], "tuple[Target, Tree] | None"]
"""A target as it was in the base, and the tree that it rendered in; None where there is none."""

_Chart = TypeVar("_Chart")


class Scope(Struct, frozen=True):
    """Which charts get other values. `past` asks the base; None where nothing is compared.

    Where nobody has asked for other values, the `changed` paths say which charts are tried: then only what is certain
    counts, and only what the change brings in.
    """

    past: Past | None = None
    changed: frozenset[RelPath] | None = None

    @property
    def is_by_itself(self) -> bool:
        """Whether nobody has asked for other values."""
        return self.changed is not None

    def takes(self, target: HelmTarget) -> bool:
        """Whether a chart gets other values: all charts, or those whose templates or own values a change touches."""
        return self.changed is None or any(_decides(path, target.chart) for path in self.changed)

    def limited(self, charts: Sequence[_Chart]) -> tuple[Sequence[_Chart], int]:
        """The charts that are tried, and the renders for each of them: the same whatever runs at once."""
        if not self.is_by_itself:
            return charts, MAX_RENDERS
        some = charts[: RENDERS_OF_A_CHANGE // _LEAST]
        return some, min(MAX_RENDERS, RENDERS_OF_A_CHANGE // max(len(some), 1))


def _decides(path: RelPath, chart: RelPath) -> bool:
    inside = path if chart == "." else path.removeprefix(f"{chart}/")
    return is_within(path, chart) and (inside == "values.yaml" or inside.startswith("templates/"))


def known_before(scope: Scope, search: Search, shown: Shown) -> frozenset[FindingKey] | None:
    """What of the findings of a search the base shows with the same values; None where that is not known."""
    found = None if scope.past is None else scope.past(search.target)
    if found is None:
        return None
    old, tree = found
    if not isinstance(old, HelmTarget):
        return None
    past = Search(replace(search.plan, tree=tree), search.rule_set, old, search.values, frozenset())
    evaluation = past.asked(shown.settings, moves=shown.moves)
    if evaluation is None:
        return None
    known = {_rough(one) for one in evaluation.keys}
    return frozenset(one for one in shown.keys if _rough(one) in known)


def _rough(key: FindingKey) -> tuple[object, ...]:
    """A finding wherever its field stands in a list."""
    rule, resource, path = key
    return rule, resource, _without_numbers(path)


def _without_numbers(path: Iterable[str | int]) -> tuple[str, ...]:
    return tuple(one for one in path if isinstance(one, str))
