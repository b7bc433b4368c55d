"""A picture of the way that traffic takes to the field of a finding and on from there, with the broken edge marked.

Names come from strangers; in a label only letters, digits and a few signs stay as they are, all else becomes Mermaid's
``#number;``.
"""

from __future__ import annotations

import re

from portproof.graph.chains import Fate, Hop, Stop
from portproof.report.model import Result
from portproof.report.safe import one_line, shortened, stripped

_SAFE = re.compile(r"[^A-Za-z0-9 ./_-]")
_LABEL = 60
_ARROWS = {Fate.ARRIVES: "-->", Fate.FAILS: "--x", Fate.WOULD: "-.->"}
_STYLES = {Fate.FAILS: "stroke:#d1242f,stroke-width:3px", Fate.WOULD: "stroke:#1a7f37,stroke-width:2px"}
_WORDS = {Fate.ARRIVES: "{}", Fate.FAILS: "no port {}", Fate.WOULD: "{} would work"}


def picture(result: Result) -> str | None:
    """The source of a Mermaid flow chart; None when the finding is not about a way from one port to another."""
    hops = tuple(dict.fromkeys(result.chain))
    if not hops:
        return None
    stops = list(dict.fromkeys(stop for hop in hops for stop in (hop.start, hop.end)))
    lines = ["flowchart LR"]
    lines += [f"  n{number}{_box(stop)}" for number, stop in enumerate(stops)]
    lines += [f"  n{stops.index(hop.start)} {_arrow(hop)} n{stops.index(hop.end)}" for hop in hops]
    lines += [
        f"  linkStyle {number} {_STYLES[hop.fate]}" for number, hop in enumerate(hops) if hop.fate in _STYLES
    ]
    return "\n".join(lines)


def escaped(text: str) -> str:
    """`text` as part of a quoted label."""
    plain = shortened(one_line(stripped(text)), _LABEL)
    return _SAFE.sub(lambda found: f"#{ord(found[0])};", plain)


def _box(stop: Stop) -> str:
    label = "<br>".join(escaped(text) for text in (stop.name, *stop.ports))
    return f'(["{label}"])' if stop.outside else f'["{label}"]'


def _arrow(hop: Hop) -> str:
    if not hop.port:
        return _ARROWS[hop.fate]
    return f'{_ARROWS[hop.fate]}|"{escaped(_WORDS[hop.fate].format(hop.port))}"|'
