"""YAML text -> plain data, and a table of field path -> place in the text.

Scalars mean what they mean to Kubernetes
(sigs.k8s.io/yaml, a fork of go-yaml v2): ``010`` is octal, ``yes`` is a
boolean, but ``8080:30`` is a string and a date stays text, unlike PyYAML's own
reading of YAML 1.1. What is read becomes JSON there, which has one kind of
number: ``8080.0`` and ``8.08e3`` are 8080.

Input is not trusted: size, depth, the number of values, and what aliases and
merges unfold to are bounded (`MAX_BYTES`, `MAX_DEPTH`, `MAX_VALUES`,
`MAX_UNFOLDED`); shared nodes are built once and shared. So whoever walks the
data that comes out of here may do so without counting. Loading yaml itself is
left to `yamlnodes`, which is imported when the first text is read: commands
that read none start faster.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any, TypeAlias

from msgspec import Struct

FieldPath: TypeAlias = tuple[str | int, ...]
"""Keys and list indexes from the top of a document to a value."""

MAX_BYTES = 5 * 1024 * 1024
"""Longer texts are not parsed (counted in code points, which are at least as many bytes)."""

MAX_DEPTH = 100
MAX_VALUES = 250_000
"""Keys and values of one text, all of its documents together."""

MAX_UNFOLDED = 100_000
"""Values that one document may gain by its aliases and merges; a text of `TEXT_UNIT` characters counts as one more."""

TEXT_UNIT = 100

_REMEMBERED = 1536 * 1024
"""Characters of text whose data is kept: renderings of one chart or folder have most of their documents in common."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
_INT = re.compile(r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)\Z")
_LARGEST_INTEGER = 1e21
"""From here on Go's JSON writes a number with an exponent, which no integer field takes."""
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z|[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"
)
# A line feed in front instead of ^: several times faster on large renderings.
_SEPARATOR = re.compile(r"\n(?:---(?=[ \t\r\n]|\Z)|\.\.\.[ \t]*\r?(?=\n|\Z))")


class _Memory:
    """The data of the texts that were read last.

    Bounded by the size of the texts, not by their number: data takes up to ten times the room of its text.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.largest = room // 2
        self.kept: OrderedDict[str, Any] = OrderedDict()
        self.lock = Lock()

    def get(self, text: str) -> tuple[Any] | None:
        with self.lock:
            if text not in self.kept:
                return None
            self.kept.move_to_end(text)
            return (self.kept[text],)

    def put(self, text: str, data: Any) -> None:
        with self.lock:
            if text in self.kept or len(text) > self.largest:
                return
            while len(text) > self.room:
                self.room += len(self.kept.popitem(last=False)[0])
            self.kept[text] = data
            self.room -= len(text)


_memory = _Memory(_REMEMBERED)


class YamlError(Exception):
    """The text is not the YAML that Kubernetes would accept; `line` and `column` count from 1."""

    def __init__(self, problem: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"{problem} (line {line}, column {column})")
        self.problem = problem
        self.line = line
        self.column = column


class ScalarSpan(Struct, frozen=True):
    """Where a scalar stands: half-open offsets that include its quotes (`quote` is ``""`` for a plain one)."""

    start: int
    end: int
    quote: str


class Document(Struct, frozen=True):
    """One document: its data, the spans of its scalars, and where the document itself starts."""

    data: Any
    spans: Mapping[FieldPath, ScalarSpan]
    start: int


def split(text: str) -> Iterator[tuple[int, str]]:
    """Cut a stream at its document markers; yields the offset and text of each part, markers left out.

    A marker counts only at the start of a line, where neither a block scalar
    nor a quoted one can contain it (YAML 1.2, 9.1.2), so PEM blocks survive.
    """
    start = 3 if re.match(r"---(?=[ \t\r\n]|\Z)", text) else 0
    for match in _SEPARATOR.finditer(text, max(0, start - 1)):
        end = match.start() + 1  # the line feed belongs to the part before
        if end > start:
            yield start, text[start:end]
        start = match.end()
    if start < len(text):
        yield start, text[start:]


def load(text: str) -> Any:
    """The data of the first document of `text`, not to be changed; None when it is empty. Raises `YamlError`."""
    known = _memory.get(text)
    if known is not None:
        return known[0]
    from portproof import yamlnodes  # noqa: PLC0415

    data = next((yamlnodes.build(node) for node in yamlnodes.compose(text, only_first=True)), None)
    _memory.put(text, data)
    return data


def load_all(text: str) -> list[Any]:
    """The data of all documents of `text` that are not empty. Raises `YamlError`."""
    from portproof import yamlnodes  # noqa: PLC0415

    return [data for node in yamlnodes.compose(text) if (data := yamlnodes.build(node)) is not None]


def repeated_keys(text: str) -> list[tuple[str, int, int]]:
    """The keys that a mapping of `text` has once more, each with its line and column from 1. Raises `YamlError`."""
    from portproof import yamlnodes  # noqa: PLC0415

    return yamlnodes.repeated_keys(text)


def documents(text: str) -> list[Document]:
    """All documents of `text` with the places of their scalars. Raises `YamlError`."""
    from portproof import yamlnodes  # noqa: PLC0415

    shift = 1 if text.startswith("\ufeff") else 0
    return [
        Document(yamlnodes.build(node), yamlnodes.spans(node, text, shift), node.start_mark.index + shift)
        for node in yamlnodes.compose(text)
    ]


def blocks(text: str) -> list[Mapping[FieldPath, int]]:
    """For each document of `text` that holds anything: where the first key of each mapping in block style stands.

    Raises `YamlError`.
    """
    from portproof import yamlnodes  # noqa: PLC0415

    shift = 1 if text.startswith("\ufeff") else 0
    nodes = (node for node in yamlnodes.compose(text) if yamlnodes.build(node) is not None)
    return [yamlnodes.blocks(node, shift) for node in nodes]


def dump(data: Any, *, literal: bool = False) -> str:
    """Plain data as YAML for people, keys in the order of the data; with `literal`, lines of a text stay lines."""
    from portproof import yamlnodes  # noqa: PLC0415

    return yamlnodes.dump(data, literal=literal)


def format_path(path: FieldPath) -> str:
    """Write a path the way people do: ``spec.ports[0].targetPort``."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif re.fullmatch(r"[A-Za-z0-9_$-]+", step):
            parts.append(f".{step}" if parts else step)
        else:
            parts.append(f'["{step}"]')
    return "".join(parts)


def lookup(data: Any, path: FieldPath) -> Any:
    """The value at `path`, or None when there is none."""
    for step in path:
        if isinstance(step, int):
            if not isinstance(data, list) or not -len(data) <= step < len(data):
                return None
            data = data[step]
        else:
            if not isinstance(data, dict):
                return None
            data = data.get(step)
    return data


def leaves(data: Any) -> Iterator[tuple[FieldPath, Any]]:
    """Every scalar of `data` with its path; an empty list or mapping counts as a leaf."""
    stack: list[tuple[FieldPath, Any]] = [((), data)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict) and value:
            stack.extend(((*path, key), item) for key, item in reversed(value.items()))
        elif isinstance(value, list) and value:
            stack.extend(((*path, index), value[index]) for index in range(len(value) - 1, -1, -1))
        else:
            yield path, value


def plain_value(text: str) -> Any:
    """What a plain (unquoted) scalar means."""
    first = text[:1]
    if not text or first in "~nN":
        if text in _NULLS:
            return None
        return False if text in _FALSE else text
    if first in "-+.0123456789":
        return _number(text)
    if first in "yYtToOfF":
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
    return text


def _number(text: str) -> Any:
    if len(text) > 40:  # no port and no quantity is that long; int() of thousands of digits would raise
        return text
    if _INT.match(text):
        digits = text.replace("_", "").lower()
        sign = -1 if digits.startswith("-") else 1
        digits = digits.lstrip("+-")
        if digits.startswith(("0x", "0b", "0o")):
            return sign * int(digits, 0) if len(digits) > 2 else text
        return sign * int(digits, 8 if digits.startswith("0") and len(digits) > 1 else 10)
    if text.isascii() and text.isdecimal():  # 0808 is no octal number; go-yaml then reads it as a decimal one
        return int(text)
    if _FLOAT.match(text) and any(character.isdigit() for character in text):
        value = float(text)
        if not math.isfinite(value):
            return text  # Go takes what is out of range for text
        return int(value) if value.is_integer() and abs(value) < _LARGEST_INTEGER else value
    return text
