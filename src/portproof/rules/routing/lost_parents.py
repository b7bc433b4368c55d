"""Parents of routes that a change takes away: the Gateway is renamed or removed, or the route names another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct

from portproof.graph.meant import only
from portproof.graph.model import PortGraph
from portproof.graph.names import is_near_name
from portproof.resources import Resource, ResourceKey
from portproof.rules.base import Finding, Remedy, Severity
from portproof.rules.routing.gateways import LISTENING, Parent, is_settled, parents

_Place: TypeAlias = tuple[str, str, str]
"""Kind, namespace and name."""


class LostParents(Struct, frozen=True):
    """What the parents of a rendering's routes were in the base, and which Gateways there were."""

    graph: PortGraph
    asked: Mapping[ResourceKey, frozenset[_Place]]
    then: Mapping[_Place, Resource]
    now: Mapping[_Place, Resource]

    @classmethod
    def of(cls, graph: PortGraph) -> LostParents:
        """Those of `graph`; without a base nothing is known to be lost."""
        asked: dict[ResourceKey, set[_Place]] = {}
        for one in parents(graph.base) if graph.base is not None else ():
            asked.setdefault(one.route.key, set()).add(place(one))
        then = {} if graph.base is None else _gateways(graph.base)
        return cls(graph, {key: frozenset(places) for key, places in asked.items()}, then, _gateways(graph))

    def finding(self, parent: Parent, beside: Iterable[_Place]) -> Finding | None:
        """What to say of a parent that is not here, beside those of the same route; None when it was not lost."""
        old = self.graph.before.keys.get(parent.route.key)
        asked = self.asked.get(old, frozenset()) if old is not None else frozenset()
        wanted = place(parent)
        if wanted in asked:
            gone = self.then.get(wanted)
            return None if gone is None else self._gone(parent, gone)
        left = only(one for one in asked if one not in beside and one in self.then and one in self.now)
        return None if left is None else _sent_away(parent, self.now[left])

    def _gone(self, parent: Parent, gone: Resource) -> Finding:
        known = self.graph.before.keys
        new = only(
            one.key
            for one in self.now.values()
            if known.get(one.key) == gone.key or (one.key not in known and _looks_like(one, gone))
        )
        if new is None:
            return Finding(
                message=(
                    f"This change removes {gone.key}, which {parent.route.key} still refers to: the route gets no "
                    "requests."
                ),
                severity=Severity.WARNING,
                primary=parent.name,
            )
        moved = new.name == gone.key.name
        what = (
            f"moves {gone.key} from namespace {gone.key.namespace!r} to {new.namespace!r}"
            if moved
            else f"renames {gone.key} to {new.name!r}"
        )
        sure = is_settled(parent.route) and is_settled(gone) if moved else True
        return Finding(
            message=f"This change {what}, but {parent.route.key} still refers to the old one: the route gets no requests.",
            severity=Severity.ERROR if sure else Severity.WARNING,
            primary=parent.name,
            expected=None if moved else new.name,
            remedies=()
            if moved
            else (Remedy(f"set the parent's name to {new.name}", ((parent.name, new.name),)),),
        )


def place(parent: Parent) -> _Place:
    """Kind, namespace and name of the parent that is meant."""
    return parent.kind, parent.namespace, str(parent.name.value)


def _gateways(graph: PortGraph) -> Mapping[_Place, Resource]:
    found: dict[_Place, list[Resource]] = {}
    for kind, group in LISTENING.items():
        for one in graph.of_kind(kind, group):
            found.setdefault((kind, one.key.namespace, one.key.name), []).append(one)
    return {where: several[0] for where, several in found.items() if len(several) == 1}


def _looks_like(one: Resource, other: Resource) -> bool:
    """Whether a new Gateway is the old one under another name."""
    same = one.key.kind == other.key.kind and one.key.namespace == other.key.namespace
    return same and one.data.get("spec") == other.data.get("spec")


def _sent_away(parent: Parent, left: Resource) -> Finding:
    name, old = str(parent.name.value), left.key.name
    typo = is_near_name(name, old) and left.key.namespace == parent.namespace
    harm = "" if typo else ", unless another release has it"
    same = left.key.namespace == parent.namespace
    return Finding(
        message=(
            f"This change attaches {parent.route.key} to {parent.kind}/{name} instead of {left.key}, which still exists. "
            f"{parent.kind}/{name} does not exist here: the route gets no requests{harm}."
        ),
        severity=Severity.ERROR if typo else Severity.WARNING,
        primary=parent.name,
        expected=old if same else None,
        remedies=(Remedy(f"set the parent's name back to {old}", ((parent.name, old),)),) if same else (),
    )
