"""The same Service of several environments on one card, and what differs between them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from portproof.portmap.model import Loose, Place, PortLine, PortMap, ServiceMap, TargetMap
from portproof.portmap.words import asked
from portproof.replacing import replace
from portproof.source import RelPath

_NOT_IN_ANCHORS = re.compile(r"[^A-Za-z0-9._-]+")


class Variant(Struct, frozen=True):
    """A Service as it is in these environments; `targets` are the ids of theirs."""

    environments: tuple[str, ...]
    targets: tuple[str, ...]
    namespaces: tuple[str, ...]
    service: ServiceMap


class Card(Struct, frozen=True):
    """A Service of one family of targets, as its environments have it, the first target's first."""

    family: str
    name: str
    variants: tuple[Variant, ...]

    @property
    def anchors(self) -> tuple[str, ...]:
        """What alerts and tables link to: ``namespace-service``, for each namespace that is stated."""
        stated = sorted({space for one in self.variants for space in one.namespaces if space})
        return tuple(anchor(f"{space}-{self.name}") for space in stated) or (anchor(self.name),)

    @property
    def environments(self) -> tuple[str, ...]:
        """All environments of the card, each once."""
        return tuple(dict.fromkeys(name for one in self.variants for name in one.environments))


def families(several: Iterable[TargetMap]) -> dict[str, list[TargetMap]]:
    """The targets of each family, in a fixed order."""
    found: dict[str, list[TargetMap]] = {}
    for one in sorted(several, key=lambda each: each.family):
        found.setdefault(one.family, []).append(one)
    return found


def cards(several: Iterable[TargetMap]) -> tuple[Card, ...]:
    """The cards of these targets, by family and name."""
    found: dict[tuple[str, str], list[tuple[TargetMap, ServiceMap]]] = {}
    for target in several:
        for service in target.services:
            found.setdefault((target.family, service.name), []).append((target, service))
    return tuple(Card(family, name, _variants(members)) for (family, name), members in sorted(found.items()))


def _variants(members: Sequence[tuple[TargetMap, ServiceMap]]) -> tuple[Variant, ...]:
    alike: dict[ServiceMap, list[tuple[TargetMap, ServiceMap]]] = {}
    for target, service in members:
        alike.setdefault(_facts(service), []).append((target, service))
    return tuple(
        Variant(
            tuple(dict.fromkeys(target.environment for target, _ in several)),
            tuple(target.id for target, _ in several),
            tuple(dict.fromkeys(one.namespace if one.settled else "" for _, one in several)),
            several[0][1],
        )
        for several in alike.values()
    )


def _facts(service: ServiceMap) -> ServiceMap:
    """A Service without what may differ between environments that are the same: namespace, and where it is written."""
    return replace(
        service,
        namespace="",
        settled=False,
        ports=tuple(_without_places(port) for port in service.ports),
    )


def _without_places(port: PortLine) -> PortLine:
    return replace(
        port,
        written=None,
        target_written=None,
        ends=tuple(replace(end, place=None) for end in port.ends),
        callers=tuple(replace(one, target="") for one in port.callers),
    )


class Written(Struct, frozen=True):
    """A number or name and one place that it is written at, with the environments that read it there."""

    what: str
    place: Place
    environments: tuple[str, ...]


def written(card: Card, port_map: PortMap) -> tuple[Written, ...]:
    """Where each number of a card is written, each place once, in the order of the ports."""
    found: dict[tuple[str, RelPath, str, bool], tuple[Place, list[str]]] = {}
    ids = {id_ for one in card.variants for id_ in one.targets}
    for target in port_map.targets:
        if target.id not in ids:
            continue
        for service in target.services:
            if service.name != card.name:
                continue
            for what, place in _places(service):
                key = (what, place.path, place.key, place.proven)
                found.setdefault(key, (place, []))[1].append(target.environment)
    return tuple(
        Written(what, place, tuple(dict.fromkeys(names))) for (what, *_), (place, names) in found.items()
    )


def _places(service: ServiceMap) -> Iterable[tuple[str, Place]]:
    for port in service.ports:
        label = f"port {asked(port)}"
        if port.written:
            yield label, port.written
        if port.target_written and port.target_written != port.written:
            yield f"target of {label}", port.target_written
        for end in port.ends:
            if end.place:
                yield f"{end.number or end.name} of container {end.container}", end.place


def loose(several: Iterable[TargetMap]) -> tuple[tuple[Loose, tuple[str, ...]], ...]:
    """The ports that no Service leads to, each once, with the environments that have it."""
    found: dict[Loose, list[str]] = {}
    for target in several:
        for one in target.loose:
            found.setdefault(replace(one, place=None), []).append(target.environment)
    return tuple(
        (one, tuple(dict.fromkeys(names)))
        for one, names in sorted(
            found.items(), key=lambda each: (each[0].workload, each[0].container, each[0].number or 0)
        )
    )


def anchor(text: str) -> str:
    """A text as the name of a place on a page; empty when it has no letter, digit, dot or underscore."""
    return _NOT_IN_ANCHORS.sub("-", text).strip("-").lower()
