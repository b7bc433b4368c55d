"""Settings that belong together: a host in one variable, its port in another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from portproof.graph.model import Site

NEAR = 6
"""How many lines of a file may lie between a host and its port."""

_HOST = re.compile(
    r"(?i)(?P<base>.*?)[._-]?(?:host|hostname|host[._-]?name|server|addr|address|service[._-]?host)\Z"
)
_PORT = re.compile(r"(?i)(?P<base>.*?)[._-]?(?:service[._-]?)?port\Z")
_HOST_TEXT = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\Z")


class NamedValue(Struct, frozen=True):
    """A named text: a variable, a flag, a `line` of a file. `offset` is where `text` begins in the field at `site`."""

    name: str
    site: Site
    text: str
    offset: int = 0
    line: bool = False


def paired(settings: Iterable[NamedValue]) -> Iterator[tuple[NamedValue, NamedValue]]:
    """Each host with the port that has the same name but for its last word (``DB_HOST`` and ``DB_PORT``).

    In a file, where names repeat, the two have to stand close to each other, with nothing in between that is
    indented less. Of variables, plain ``HOST`` and ``PORT`` do not count: that ``PORT`` is mostly the program's own.
    """
    ordered = list(settings)
    hosts = [
        (index, base, one) for index, one in enumerate(ordered) if (base := _base(_HOST, one)) is not None
    ]
    ports: dict[str, list[tuple[int, NamedValue]]] = {}
    for index, one in enumerate(ordered):
        base = _base(_PORT, one)
        if base is not None and one.text.strip().isdigit() and len(one.text.strip()) <= 5:
            ports.setdefault(base, []).append((index, one))
    for index, base, host in hosts:
        if not _HOST_TEXT.match(host.text.strip()) or host.text.strip().isdigit():
            continue
        if not base and not host.line and not host.name.startswith("-"):
            continue
        near = [one for at, one in ports.get(base, []) if not host.line or _together(ordered, index, at)]
        if len(near) == 1:
            yield host, near[0]


def names_host(name: str) -> bool:
    """Whether a setting of that name holds a host: ``REDIS_HOST``."""
    return _HOST.match(name) is not None


def _base(pattern: re.Pattern[str], one: NamedValue) -> str | None:
    match = pattern.match(one.name)
    return None if match is None else re.sub(r"[\s._\-\"']", "", match["base"].lower())


def _together(ordered: list[NamedValue], one: int, other: int) -> bool:
    first, last = sorted((one, other))
    indent = _indent(ordered[one])
    between = ordered[first + 1 : last]
    return last - first <= NEAR and all(item.name and _indent(item) >= indent for item in between)


def _indent(one: NamedValue) -> int:
    return len(one.name) - len(one.name.lstrip())
