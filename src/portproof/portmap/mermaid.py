"""A picture of one Service: who calls it, itself, and what answers. Never one picture of everything."""

from __future__ import annotations

from portproof.portmap import words
from portproof.portmap.cards import cards
from portproof.portmap.model import PortMap, ServiceMap, Verdict
from portproof.report.mermaid import escaped
from portproof.report.safe import fenced

MOST_EDGES = 40
"""Arrows of one picture: beyond that nobody follows them, and Mermaid itself stops at 500."""


def write(port_map: PortMap) -> str:
    """A fenced flow chart for each variant of each Service, to be pasted into Markdown."""
    parts = []
    for card in cards(port_map.targets):
        for one in card.variants:
            title = card.name if len(card.variants) == 1 else f"{card.name} in {', '.join(one.environments)}"
            parts.append(fenced(picture(one.service, title), "mermaid"))
    return "\n\n".join(parts) + "\n" if parts else ""


def picture(service: ServiceMap, title: str = "") -> str:
    """The source of the flow chart of one Service."""
    edges = list(_edges(service))
    boxes = list(dict.fromkeys(box for start, end, *_ in edges for box in (start, end)))
    lines = ["---", f'title: "{escaped(title)}"', "---"] if title else []
    lines.append("flowchart LR")
    if not edges:
        return "\n".join([*lines, f'  n0["{escaped(f"Service/{service.name}")}"]'])
    lines += [f'  n{number}["{escaped(text)}"]' for number, text in enumerate(boxes)]
    for start, end, label, reached in edges[:MOST_EDGES]:
        arrow = {True: "-->", False: "--x", None: "-.->"}[reached]
        text = f'|"{escaped(label)}"|' if label else ""
        lines.append(f"  n{boxes.index(start)} {arrow}{text} n{boxes.index(end)}")
    if len(edges) > MOST_EDGES:
        lines.append(f'  more["and {len(edges) - MOST_EDGES} more"]')
    return "\n".join(lines)


def _edges(service: ServiceMap) -> list[tuple[str, str, str, bool | None]]:
    me = f"Service/{service.name}"
    found: list[tuple[str, str, str, bool | None]] = [
        (words.caller(one), me, one.asks, True) for port in service.ports for one in port.callers
    ]
    found += [(words.caller(one), me, f"no port {one.asks}", False) for one in service.astray]
    for port in service.ports:
        for end in port.ends:
            if end.verdict is Verdict.UNKNOWN:
                found.append((me, f"not known: {end.reason or service.note}", words.asked(port), None))
            elif end.verdict is Verdict.MISSED:
                found.append((me, end.workload, f"{words.asked(port)}: no port {port.target}", False))
            else:
                found.append(
                    (me, f"{end.workload} {end.container}", f"{words.asked(port)}: {end.number}", True)
                )
    return list(dict.fromkeys(found))
