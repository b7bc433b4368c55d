"""The map for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.portmap import words
from portproof.portmap.cards import Card, Variant, cards, families, loose
from portproof.portmap.model import Loose, PortMap
from portproof.report.safe import discreet, log_line, one_line, visible
from portproof.report.summary_line import plural


def write(port_map: PortMap) -> str:
    """A block for each Service, then the ports that no Service leads to, what is not on the map, and a line that counts."""
    lines: list[str] = []
    count = 0
    for family, several in families(port_map.targets).items():
        found = cards(several)
        count += len(found)
        rest = loose(several)
        if found or rest:
            lines += [family, *(f"  {line}" for card in found for line in _card(card))]
            lines += [f"  {line}" for line in _loose(rest)]
            lines.append("")
    left = [one for one in port_map.targets if one.reason]
    if left:
        lines.append("Not on the map:")
        lines += [f"  {one.id}: {one_line(discreet(one.reason))}" for one in left]
        lines.append("")
    lines.append(_summary(port_map, count))
    return "".join(f"{log_line(visible(line))}\n" for line in lines)


def _summary(port_map: PortMap, services: int) -> str:
    rendered = sum(not one.reason for one in port_map.targets)
    broken = (
        f"; {plural(port_map.broken, 'edge')} broken: `portproof check` shows the fix"
        if port_map.broken
        else ""
    )
    return f"{plural(services, 'Service')} in {plural(rendered, 'target')}{broken}"


def _card(card: Card) -> Iterator[str]:
    yield f"Service/{card.name}"
    for one in card.variants:
        if len(card.variants) > 1:
            yield f"  in {', '.join(one.environments)}:"
        yield from (f"  {'  ' if len(card.variants) > 1 else ''}{line}" for line in _variant(one))


def _loose(rest: Sequence[tuple[Loose, tuple[str, ...]]]) -> Iterator[str]:
    if rest:
        yield "no Service leads to:"
    for one, environments in rest:
        name = f" ({one.name})" if one.name else ""
        where = f"  [{', '.join(environments)}]"
        yield f"  {one.workload}, container {one.container}: {one.number or '?'}{name}{where}"


def _variant(one: Variant) -> Iterator[str]:
    service = one.service
    if not service.ports:
        yield f"no ports: {service.note or 'none are listed'}"
    for port in service.ports:
        label = f"{words.asked(port)} -> {port.target}"
        first, *more = words.leads_to(port, service)
        yield f"{label}  {first}"
        yield from (f"{' ' * len(label)}  {line}" for line in more)
        named, others = words.first_callers(port.callers)
        if named:
            yield f"    called by {', '.join(named)}{f' and {others} more' if others else ''}"
    yield from (f"    {words.astray(each)}" for each in service.astray)
