"""What tests have printed: the lines of ``connect``, found between all that logs have besides.

``kubectl logs --prefix --timestamps`` and most collectors put something in front of a line; pods that are killed leave a part
of one; other containers print what they like.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from portproof.connect import CONNECTED, FAILURES

_BEGIN = '{"from":'
_DECODER = json.JSONDecoder()
_TEXTS = ("from", "edge", "result", "detail")


class Line(Struct, frozen=True):
    """What ``connect`` said of an edge, as it wrote both; `milliseconds` is what the last attempt took."""

    caller: str
    edge: str
    result: str
    milliseconds: int
    detail: str

    @property
    def is_failure(self) -> bool:
        """Whether the edge does not work."""
        return self.result != CONNECTED


class Log(Struct, frozen=True):
    """The lines of ``connect`` in their order, and how many `others` there were, empty ones apart."""

    lines: tuple[Line, ...]
    others: int


def read(data: bytes) -> Log:
    """Read a log. PowerShell writes what it redirects as UTF-16, and says so with a mark."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    lines: list[Line] = []
    others = 0
    for text in data.decode(encoding, "replace").split("\n"):
        found = list(_lines(text))
        lines += found
        others += not found and bool(text.strip())
    return Log(tuple(lines), others)


def joined(logs: list[Log]) -> Log:
    """Several logs as one."""
    return Log(tuple(line for one in logs for line in one.lines), sum(one.others for one in logs))


def _lines(text: str) -> Iterator[Line]:
    """The lines of ``connect`` in one line of a log: two, when a line end got lost between containers."""
    at = text.find(_BEGIN)
    while at >= 0:
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            value, end = None, at + 1
        if (line := _line(value)) is not None:
            yield line
        at = text.find(_BEGIN, end)


def _line(value: Any) -> Line | None:
    if not isinstance(value, dict) or not all(isinstance(value.get(key), str) for key in _TEXTS):
        return None
    took = value.get("milliseconds")
    if value["result"] not in (CONNECTED, *FAILURES) or type(took) is not int or took < 0:
        return None
    return Line(value["from"], value["edge"], value["result"], took, value["detail"])
