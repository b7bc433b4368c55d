"""What ``portproof diff`` says: what a change does to ports in each environment; for programs, as JSON."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

from msgspec import Struct

from portproof.graph.differences import Caller, ChangeKind, EdgeChange, EdgeState
from portproof.replacing import replace
from portproof.report.json_ import dumps
from portproof.report.safe import discreet
from portproof.resources import ResourceKey

SCHEMA = "portproof/diff/1"
_INDEX = re.compile(r"\[\d+\]")


class TargetDiff(Struct, frozen=True):
    """A target in both revisions; with a `reason` it was not compared: it did not render in one of them."""

    id: str
    changes: tuple[EdgeChange, ...] = ()
    reason: str = ""


class Section(Struct, frozen=True):
    """The changes that are the same in each of some targets."""

    targets: tuple[str, ...]
    changes: tuple[EdgeChange, ...]


class PortDiff(Struct, frozen=True):
    """What a change does to ports since the commit `base`, by the targets that it concerns, in the order of their ids."""

    base: str
    targets: tuple[TargetDiff, ...]

    @property
    def counts(self) -> Counter[ChangeKind]:
        """How many changes there are of each kind in all targets."""
        return Counter(change.kind for one in self.targets for change in one.changes)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the targets."""
        return tuple(one.id for one in self.targets)

    @property
    def unknown(self) -> dict[str, list[str]]:
        """The targets that were not compared, by the reason."""
        found: dict[str, list[str]] = defaultdict(list)
        for one in self.targets:
            if one.reason:
                found[one.reason].append(one.id)
        return found

    def sections(self) -> tuple[Section, ...]:
        """The changes by the targets that they are equal in, those that break something first."""
        several: dict[Hashable, list[str]] = defaultdict(list)
        alike: dict[Hashable, list[EdgeChange]] = defaultdict(list)
        for target in self.targets:
            seen: Counter[Hashable] = Counter()
            for change in target.changes:
                same = _anywhere(change)
                seen[same] += 1
                key: Hashable = (same, seen[same])
                several[key].append(target.id)
                alike[key].append(change)
        groups: dict[tuple[str, ...], list[EdgeChange]] = defaultdict(list)
        for key, targets in several.items():
            groups[tuple(targets)].append(_union(alike[key]))
        kinds = list(ChangeKind)
        found = [Section(targets, tuple(changes)) for targets, changes in groups.items()]
        return tuple(
            sorted(found, key=lambda one: (min(kinds.index(each.kind) for each in one.changes), one.targets))
        )


def _anywhere(change: EdgeChange) -> EdgeChange:
    """A change without what differs between environments that are alike: namespaces, places in lists, who else asks."""
    return replace(
        change,
        holder=replace(change.holder, namespace=""),
        was=change.was and replace(change.was, namespace=""),
        field=_INDEX.sub("[]", change.field),
        callers=(),
    )


def _union(changes: Sequence[EdgeChange]) -> EdgeChange:
    """One change for several that are alike, with the callers of all."""
    callers = dict.fromkeys(caller for one in changes for caller in one.callers)
    return replace(changes[0], callers=tuple(callers))


def json(diff: PortDiff) -> str:
    """For programs."""
    return dumps(
        {
            "schema": SCHEMA,
            "base": diff.base,
            "targets": [
                {
                    "id": one.id,
                    "status": "failed" if one.reason else "compared",
                    "reason": discreet(one.reason) or None,
                    "changes": [_change(change) for change in one.changes],
                }
                for one in diff.targets
            ],
            "summary": {kind.value: diff.counts[kind] for kind in ChangeKind},
        }
    )


def _change(change: EdgeChange) -> dict[str, Any]:
    return {
        "kind": change.kind.value,
        **_end(change),
        "was": _resource(change.was) if change.was else None,
        "together": change.together,
        "also": change.also,
        "before": _state(change.before),
        "after": _state(change.after),
        "callers": [
            {
                "target": one.target or None,
                **_end(one),
                "kind": one.kind.value if one.kind else None,
            }
            for one in change.callers
        ],
    }


def _end(one: EdgeChange | Caller) -> dict[str, Any]:
    """Who asks for a port, and where."""
    return {"relation": one.relation.value, "resource": _resource(one.holder), "field": one.field}


def _resource(key: ResourceKey) -> dict[str, str]:
    return {
        "api_version": key.api_version,
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
    }


def _state(state: EdgeState | None) -> dict[str, Any] | None:
    if state is None:
        return None
    return {
        "whom": state.whom or None,
        "asked": state.asked,
        "last": state.last,
        "port": state.port,
        "meets": state.meets,
        "reaches": list(state.reaches),
        "offers": list(state.offers),
        "unknown": state.unknown or None,
    }
