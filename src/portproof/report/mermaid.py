"""A picture of the ports of one finding: caller, Ingress, Service, container, with the broken edge marked.

It knows what the finding tells: its field and value, the other ends, and what the field should hold. Names come from
strangers; in a label only letters, digits and a few signs stay as they are, all else becomes Mermaid's ``#number;``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from portproof.manifests import ResourceKey
from portproof.report.model import Result
from portproof.report.safe import one_line, shortened, stripped

_SAFE = re.compile(r"[^A-Za-z0-9 ./_-]")
_ROUTES = frozenset(
    {
        "Ingress",
        "HTTPRoute",
        "GRPCRoute",
        "TLSRoute",
        "TCPRoute",
        "UDPRoute",
        "VirtualService",
        "IngressRoute",
        "HTTPProxy",
        "Route",
    }
)
_WORKLOADS = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Job", "CronJob", "Rollout"}
)
_PROBE = re.compile(r"(liveness|readiness|startup)Probe|lifecycle")
_LABEL = 60


@dataclass(frozen=True, slots=True)
class _Node:
    text: str
    shape: tuple[str, str] = ("[", "]")


@dataclass(frozen=True, slots=True)
class _Edge:
    start: int
    end: int
    label: str
    broken: bool = False
    wanted: bool = False


def picture(result: Result) -> str | None:
    """The source of a Mermaid flow chart; None when the finding tells of no way from one port to another."""
    drawn = _drawn(result)
    if drawn is None:
        return None
    nodes, edges = drawn
    lines = ["flowchart LR"]
    lines += [
        f'  n{number}{node.shape[0]}"{escaped(node.text)}"{node.shape[1]}'
        for number, node in enumerate(nodes)
    ]
    lines += [f"  {_arrow(edge)}" for edge in edges]
    lines += [
        f"  linkStyle {number} stroke:#d1242f,stroke-width:3px"
        for number, edge in enumerate(edges)
        if edge.broken
    ]
    return "\n".join(lines)


def escaped(text: str) -> str:
    """`text` as part of a quoted label."""
    plain = shortened(one_line(stripped(text)), _LABEL)
    return _SAFE.sub(lambda found: f"#{ord(found[0])};", plain)


def _arrow(edge: _Edge) -> str:
    label = f'|"{escaped(edge.label)}"|' if edge.label else ""
    kind = "--x" if edge.broken else "-.->" if edge.wanted else "-->"
    return f"n{edge.start} {kind}{label} n{edge.end}"


def _drawn(result: Result) -> tuple[list[_Node], list[_Edge]] | None:
    primary = result.resource
    if primary is None or result.value is None:
        return None
    others = list(dict.fromkeys(one.resource for one in result.related if one.resource != primary))
    if primary.kind in _WORKLOADS and _PROBE.search(result.field):
        return _chain([_Node("kubelet", ("([", "])"))], [primary], result)
    if primary.kind == "Service":
        workloads = [one for one in others if one.kind in _WORKLOADS]
        return (
            _chain([_Node("caller", ("([", "])"))], [primary, *workloads[:3]], result) if workloads else None
        )
    if primary.kind in _ROUTES:
        services = [one for one in others if one.kind == "Service"]
        return _chain([_Node("caller", ("([", "])"))], [primary, *services[:3]], result) if services else None
    return None


def _chain(
    callers: list[_Node], keys: Sequence[ResourceKey], result: Result
) -> tuple[list[_Node], list[_Edge]]:
    nodes = callers + [_Node(str(key)) for key in keys]
    if len(keys) == 1:
        edges = list(_ends(0, [1], result))
    else:
        edges = [_Edge(0, 1, ""), *_ends(1, range(2, len(nodes)), result)]
    return nodes, edges


def _ends(start: int, ends: Sequence[int], result: Result) -> Iterator[_Edge]:
    """The edge that leads nowhere, and the one that would reach."""
    for end in ends:
        yield _Edge(start, end, f"{result.value}: not reached", broken=True)
    if result.expected is not None and result.expected != result.value:
        yield _Edge(start, ends[0], f"{result.expected} would", wanted=True)
