"""Which targets each of several machines checks: all of them cut alike, by what the tree holds.

What belongs together stays together: a chart with all its values, overlays that share a base, alternatives of a folder. Else
a shard would have to look at a part of another one. Only where something is too large for that, it is taken apart.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from portproof.discover.model import HelmTarget, KustomizeTarget, ManifestTarget, Target
from portproof.errors import UsageError
from portproof.replacing import replace
from portproof.source import RelPath, Tree, parent

_START = {"helm": 1.0, "kustomize": 1.0, "manifests": 0.02}
"""What a render costs by itself, in any unit: that of starting helm."""

_BYTE = {"helm": 2e-6, "kustomize": 5e-6, "manifests": 3e-6}
"""What each byte that is read costs besides, in the same unit."""


_LEAST = 0.001
"""Seconds of what took less than a report says."""

_RESOURCE = 0.001
"""Seconds that reading a resource and asking the rules about it takes: all that a folder of manifests costs."""

_TRACING = 3
"""Renders of a target beside the first one if it has findings, whatever their number; what is done between them takes one."""


class Costs(Struct, frozen=True):
    """What an earlier run took: `seconds` for each target, by its id, and which of them have `findings`."""

    seconds: Mapping[str, float]
    findings: frozenset[str] = frozenset()


class Share(Struct, frozen=True):
    """One of `total` shards; `index` counts from 1."""

    index: int
    total: int

    def __str__(self) -> str:
        return f"{self.index}/{self.total}"


MAX_SHARDS = 256
"""Jobs of one matrix on GitHub Actions."""


def parsed(text: str) -> Share:
    """``2/4``. Raises `UsageError` for anything else."""
    index, _, total = text.partition("/")
    if not (index.isascii() and index.isdecimal() and total.isascii() and total.isdecimal()):
        raise UsageError(f"shard {text[:40]!r} must be I/N", next_step="Write it like 2/4.")
    share = Share(int(index), int(total))
    if not 1 <= share.index <= share.total <= MAX_SHARDS:
        raise UsageError(
            f"shard {text[:40]!r}: I must be between 1 and N, and N at most {MAX_SHARDS}",
            next_step="Write it like 2/4.",
        )
    return share


class Cut(Struct, frozen=True):
    """The targets of each shard, in their order; `digest` is the same wherever they are cut alike."""

    shards: tuple[tuple[Target, ...], ...]
    digest: str

    def of(self, share: Share) -> tuple[Target, ...]:
        """The targets of one of the shards."""
        return self.shards[share.index - 1]


def cut(targets: Sequence[Target], total: int, costs: Costs, *, whole_charts: bool) -> Cut:
    """Give each of `total` shards about the same cost. With `whole_charts` none is ever taken apart.

    Nor is what has findings: they come from files in common, and each part would be traced and mended with all others.
    """
    cost_of = {one.id: costs.seconds[one.id] for one in targets}
    limit = sum(cost_of.values()) / total / 2
    units: list[tuple[float, tuple[Target, ...]]] = []
    for unit in _together(targets):
        cost = sum(cost_of[one.id] for one in unit)
        whole = _is_inseparable(unit, whole_charts=whole_charts) or any(
            one.id in costs.findings for one in unit
        )
        apart = cost > limit and len(unit) > 1 and not whole
        units += [(cost_of[one.id], (one,)) for one in unit] if apart else [(cost, unit)]
    units.sort(key=lambda unit: (-unit[0], unit[1][0].id))
    loads = [(0.0, number) for number in range(total)]
    shards: list[list[Target]] = [[] for _ in range(total)]
    for cost, unit in units:  # the heaviest first, to whoever has the least
        load, number = heapq.heappop(loads)
        shards[number] += unit
        heapq.heappush(loads, (load + cost, number))
    places = {one.id: number for number, shard in enumerate(shards) for one in shard}
    cut_so = tuple(tuple(one for one in targets if places[one.id] == number) for number in range(total))
    text = "\n".join(f"{places[one.id]} {one.id}" for one in targets)
    return Cut(cut_so, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())


def _is_inseparable(unit: Sequence[Target], *, whole_charts: bool) -> bool:
    first = unit[0]
    return (isinstance(first, HelmTarget) and whole_charts) or (
        isinstance(first, ManifestTarget) and first.is_alternative
    )


def _together(targets: Iterable[Target]) -> list[tuple[Target, ...]]:
    """The targets that have a key in common, directly or through others."""
    above: dict[Hashable, Hashable] = {}

    def top(key: Hashable) -> Hashable:
        while above.setdefault(key, key) != key:
            above[key] = key = above[above[key]]
        return key

    for target in targets:
        first, *rest = _keys(target)
        for other in rest:
            above[top(other)] = top(first)
    groups: dict[Hashable, list[Target]] = defaultdict(list)
    for target in targets:
        groups[top(_keys(target)[0])].append(target)
    return [tuple(group) for group in groups.values()]


def _keys(target: Target) -> tuple[Hashable, ...]:
    match target:
        case HelmTarget():
            return (("helm", target.chart),)
        case KustomizeTarget():
            return tuple(("kustomize", root) for root in sorted({target.folder, *target.roots}))
        case ManifestTarget() if target.is_alternative:
            return (("alternatives", parent(target.folder)),)
        case _:
            return (("manifests", target.path),)


def estimated(targets: Iterable[Target], tree: Tree) -> dict[str, float]:
    """What each target costs, by its id: a start of its program, and what it reads."""
    sizes: dict[RelPath, int] = {}
    charts: dict[Hashable, int] = {}
    found: dict[str, float] = {}
    for target in targets:
        if isinstance(target, HelmTarget):
            key = target.mounts
            if key not in charts:
                charts[key] = _bytes(replace(target, values=(), install=None).inputs(tree), tree, sizes)
            size = charts[key] + _bytes(target.values, tree, sizes)
        else:
            size = _bytes(target.inputs(tree), tree, sizes)
        found[target.id] = _START[target.kind] + _BYTE[target.kind] * size
    return found


def _bytes(paths: Iterable[RelPath], tree: Tree, sizes: dict[RelPath, int]) -> int:
    total = 0
    for path in paths:
        if path not in sizes:
            sizes[path] = 0
            with suppress(OSError):
                sizes[path] = tree.on_disk(path).stat().st_size
        total += sizes[path]
    return total


def measured(estimates: Mapping[str, float], costs: Costs) -> Costs:
    """The estimates, with what targets cost in another run in place of theirs."""
    seconds = costs.seconds
    known = {id_: max(seconds[id_], _LEAST) for id_ in estimates if id_ in seconds}
    scale = sum(known.values()) / sum(estimates[id_] for id_ in known) if known else 1.0
    return replace(costs, seconds={id_: known.get(id_, cost * scale) for id_, cost in estimates.items()})


def costs_in(file: Path) -> Costs:
    """What each target of a JSON report cost, in seconds: its renders, those for its findings too, and the rules.

    The report has the seconds of the first render; findings are traced by a few more, and each fix is proven by one. Of what
    was skipped it has none, although helm may have been started to see that: such targets are left out. Raises `UsageError`
    for what is no report.
    """
    try:
        data = json.loads(file.read_bytes())
        renders: dict[str, int] = {}
        for finding in data["findings"]:
            proofs = (finding["fix"] is not None) + len(finding["alternatives"])
            for id_ in finding["targets"]:
                renders[id_] = renders.get(id_, 1 + _TRACING) + proofs
        seconds = {
            str(one["id"]): float(one["seconds"]) * renders.get(one["id"], 1)
            + _RESOURCE * int(one["resources"])
            for one in data["targets"]
            if one["seconds"] or one["resources"]
        }
        return Costs(seconds, frozenset(map(str, renders)))
    except OSError as error:
        raise UsageError(
            f"--costs {file}: {(error.strerror or 'cannot be read').lower()}",
            next_step="Name a JSON report of an earlier check, or drop --costs.",
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"--costs {file}: not a JSON report", next_step="Write one: `portproof check --report json=FILE`."
        ) from error
