"""The way of a request to each port of a Service: where it comes in, who calls, the port, the containers behind it.

Where a caller is itself behind a Service, what comes in there comes in here; and a container leads on to what its workload
calls. So a reader can follow a request from one Service to the next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import TypeAlias

from msgspec import Struct

from portproof.graph.model import Relation
from portproof.portmap import words
from portproof.portmap.cards import Card, Variant
from portproof.portmap.model import ENTRIES, Caller, End, PortLine, PortMap, ServiceMap, TargetMap, Verdict
from portproof.replacing import replace

_ENTRIES = frozenset(one.value for one in ENTRIES)
_NOTHING = "nothing is known of its pods"
_SCRAPES = frozenset({Relation.MONITOR.value, Relation.SCRAPE.value})

Anchors: TypeAlias = Mapping[tuple[str, str], str]
"""The anchor of each Service, by the id of its target and its name."""


class Stop(Struct, frozen=True):
    """A stop of a request. `anchor` is the Service that it leads to on the page, and `land` the stop there.

    `key` is what `land` means it by. `number` counts the stops of a card, and `next` are those that follow.
    """

    name: str
    detail: str = ""
    key: str = ""
    anchor: str = ""
    land: str = ""
    verdict: Verdict = Verdict.REACHED
    number: int = 0
    next: tuple[int, ...] = ()


class Approach(Struct, frozen=True):
    """One line of how requests come to a port: through `entries` to one caller, or straight, or from callers alone."""

    entries: tuple[Stop, ...]
    callers: tuple[Stop, ...]


class Behind(Struct, frozen=True):
    """What a port leads to: a container, or why there is none; and where its workload sends requests `onward`."""

    stop: Stop
    onward: tuple[Stop, ...] = ()


class Way(Struct, frozen=True):
    """All that comes to one port, and what is behind it. No `environments`: it is the same in all of them."""

    environments: tuple[str, ...]
    approaches: tuple[Approach, ...]
    port: Stop
    behind: tuple[Behind, ...]


class Ways(Struct, frozen=True):
    """Finds the ways on one map."""

    anchors: Anchors
    _targets: Mapping[str, TargetMap]
    _fronts: Mapping[tuple[str, str], Sequence[tuple[ServiceMap, PortLine]]]
    _calls: Mapping[tuple[str, str], Sequence[Stop]]

    @classmethod
    def of(cls, port_map: PortMap, anchors: Anchors) -> Ways:
        """Look once at who is behind which Service, and who calls which."""
        fronts: dict[tuple[str, str], list[tuple[ServiceMap, PortLine]]] = defaultdict(list)
        calls: dict[tuple[str, str], list[Stop]] = defaultdict(list)
        for target in port_map.targets:
            for service in target.services:
                anchor = anchors.get((target.id, service.name), "")
                for port in service.ports:
                    met = (end.workload for end in port.ends if end.verdict is not Verdict.MISSED)
                    for workload in dict.fromkeys(one for one in met if one):
                        fronts[target.id, workload].append((service, port))
                    for one in port.callers:
                        stop = Stop(service.name, f"port {words.asked(port)}", "", anchor, _key(port))
                        calls[one.target or target.id, one.holder].append(stop)
                for one in service.astray:
                    stop = Stop(
                        service.name, f"port {one.asks}", "", anchor, _missing(one.asks), Verdict.MISSED
                    )
                    calls[one.target or target.id, one.holder].append(stop)
        return cls(anchors, {one.id: one for one in port_map.targets}, fronts, calls)

    def of_card(self, card: Card) -> tuple[Way, ...]:
        """The rows of a card: each port in the order of the Service, then what is asked for in vain."""
        found: dict[Way, list[str]] = {}
        for variant in card.variants:
            for way in self._of_variant(variant):
                found.setdefault(way, []).extend(variant.environments)
        order = list(dict.fromkeys(way.port.key for way in found))
        numbers = count()
        return tuple(
            _numbered(replace(way, environments=_where(names, card.environments)), numbers)
            for way, names in sorted(found.items(), key=lambda each: order.index(each[0].port.key))
        )

    def _of_variant(self, variant: Variant) -> Iterator[Way]:
        service, target = variant.service, variant.targets[0]
        for port in service.ports:
            yield Way(
                (),
                _approaches(
                    (*_from_outside(service, port), *self._entries(port.callers, target)),
                    self._callers(port.callers, target),
                ),
                Stop(words.asked(port), f"to {port.target}", _key(port), verdict=port.verdict),
                tuple(self._behind(end, port, service, target) for end in dict.fromkeys(port.ends))
                or (Behind(Stop(service.note or _NOTHING, verdict=Verdict.UNKNOWN)),),
            )
        has = ", ".join(words.asked(port) for port in service.ports) or "no ports"
        for asks in dict.fromkeys(one.asks for one in service.astray):
            several = [one for one in service.astray if one.asks == asks]
            yield Way(
                (),
                _approaches(self._entries(several, target), self._callers(several, target)),
                Stop(f"no port {asks}", f"the Service has {has}", _missing(asks), verdict=Verdict.MISSED),
                (),
            )

    def _entries(self, callers: Iterable[Caller], target: str) -> tuple[Stop, ...]:
        """What lets requests in to this port itself, or to a Service that one of its callers is behind."""
        found = []
        for one in callers:
            if one.relation in _ENTRIES:
                found.append(Stop(one.holder, _detail(_asks(one), _elsewhere(one, target))))
                continue
            home = one.target or target
            for service, port in self._fronts.get((home, one.holder), ()):
                names = [each.holder for each in port.callers if each.relation in _ENTRIES]
                names += [each.name for each in _from_outside(service, port)]
                found += [
                    Stop(
                        name,
                        f"through Service {service.name}",
                        f"caller {words.caller(one)}",
                        self.anchors.get((home, service.name), ""),
                        _key(port),
                    )
                    for name in names
                ]
        return tuple(dict.fromkeys(found))

    def _callers(self, callers: Iterable[Caller], target: str) -> tuple[Stop, ...]:
        found: dict[str, tuple[Caller, list[str]]] = {}
        for one in callers:
            if one.relation not in _ENTRIES:
                found.setdefault(words.caller(one), (one, []))[1].append(_asks(one))
        return tuple(self._caller(one, asks, target) for one, asks in found.values())

    def _caller(self, one: Caller, asks: Iterable[str], target: str) -> Stop:
        fronts = self._fronts.get((one.target or target, one.holder), ())
        service = next((each for each, _ in fronts), None)
        return Stop(
            one.holder,
            _detail(*dict.fromkeys(asks), _elsewhere(one, target)),
            f"caller {words.caller(one)}",
            self.anchors.get((one.target or target, service.name), "") if service else "",
            f"behind {one.holder}" if service else "",
        )

    def _behind(self, end: End, port: PortLine, service: ServiceMap, target: str) -> Behind:
        match end.verdict:
            case Verdict.REACHED:
                name = f" ({end.name})" if end.name else ""
                stop = Stop(f"{end.number or '?'}{name}", _of(end), f"behind {end.workload}")
                return Behind(stop, tuple(dict.fromkeys(self._calls.get((target, end.workload), ()))))
            case Verdict.MISSED:
                declares = f"{end.workload} declares {end.reason or 'no port'}"
                key = f"behind {end.workload}"
                return Behind(Stop(f"no port {port.target}", declares, key, verdict=Verdict.MISSED))
            case Verdict.UNKNOWN if end.workload:
                stop = Stop(port.target, end.reason, f"behind {end.workload}", verdict=Verdict.UNKNOWN)
                return Behind(stop, tuple(dict.fromkeys(self._calls.get((target, end.workload), ()))))
            case Verdict.UNKNOWN:
                reason = end.reason or service.note or _NOTHING
                return Behind(Stop(reason, verdict=Verdict.UNKNOWN))


def _approaches(entries: Sequence[Stop], callers: Sequence[Stop]) -> tuple[Approach, ...]:
    """A line for what comes straight, one for each caller that has entries of its own, one for all other callers."""
    through = {one.key: tuple(entry for entry in entries if entry.key == one.key) for one in callers}
    straight = tuple(one for one in entries if not through.get(one.key))
    alone = tuple(one for one in callers if not through[one.key])
    return (
        *([Approach(straight, ())] if straight else []),
        *(Approach(through[one.key], (one,)) for one in callers if through[one.key]),
        *([Approach((), alone)] if alone else []),
    )


def _of(end: End) -> str:
    return f"{end.workload}, container {end.container}"


def _asks(one: Caller) -> str:
    verb = "scrapes" if one.relation in _SCRAPES else "asks for"
    return f"{verb} port {one.asks}" if one.asks else ""


def _elsewhere(one: Caller, target: str) -> str:
    """The target of a caller, where it is another."""
    return f"in {one.target}" if one.target not in ("", target) else ""


def _detail(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _from_outside(service: ServiceMap, port: PortLine) -> tuple[Stop, ...]:
    """How requests reach the Service from outside without anybody's route."""
    if service.type == "LoadBalancer":
        return (Stop("Outside", "by a load balancer"),)
    if service.type == "NodePort":
        return (Stop("Outside", f"by node port {port.node_port}" if port.node_port else "by a node port"),)
    return ()


def _key(port: PortLine) -> str:
    return f"port {words.asked(port)}"


def _missing(asks: str) -> str:
    return f"no port {asks}"


def _where(names: Sequence[str], every: Sequence[str]) -> tuple[str, ...]:
    return () if set(names) == set(every) else tuple(dict.fromkeys(names))


def _numbered(way: Way, numbers: Iterator[int]) -> Way:
    """The same row, with its stops counted on and each told which follow."""
    behind = []
    for one in way.behind:
        onward = tuple(replace(stop, number=next(numbers)) for stop in one.onward)
        stop = replace(one.stop, number=next(numbers), next=tuple(each.number for each in onward))
        behind.append(replace(one, stop=stop, onward=onward))
    port = replace(way.port, number=next(numbers), next=tuple(one.stop.number for one in behind))
    approaches = []
    for line in way.approaches:
        callers = tuple(replace(one, number=next(numbers), next=(port.number,)) for one in line.callers)
        after = tuple(one.number for one in callers) or (port.number,)
        entries = tuple(replace(one, number=next(numbers), next=after) for one in line.entries)
        approaches.append(Approach(entries, callers))
    return replace(way, approaches=tuple(approaches), port=port, behind=tuple(behind))
