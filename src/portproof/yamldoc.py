"""YAML text -> plain data, and a table of field path -> place in the text.

The only module that imports yaml. Scalars mean what they mean to Kubernetes
(sigs.k8s.io/yaml, a fork of go-yaml v2): ``010`` is octal, ``yes`` is a
boolean, but ``8080:30`` is a string and a date stays text, unlike PyYAML's own
reading of YAML 1.1.

Input is not trusted: depth, and the number of values that aliases and merges
can unfold to, are bounded (`MAX_DEPTH`, `MAX_VALUES`); shared nodes are built
once and shared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

FieldPath: TypeAlias = tuple[str | int, ...]
"""Keys and list indexes from the top of a document to a value."""

MAX_DEPTH = 100
MAX_VALUES = 500_000

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNTAGGED = "?"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
_INT = re.compile(r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)\Z")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z|[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"
)
_SEPARATOR = re.compile(r"^---(?=[ \t\r\n]|\Z)|^\.\.\.[ \t]*\r?$", re.MULTILINE)


class YamlError(Exception):
    """The text is not the YAML that Kubernetes would accept; `line` and `column` count from 1."""

    def __init__(self, problem: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"{problem} (line {line}, column {column})")
        self.problem = problem
        self.line = line
        self.column = column


class _Loader(_BASE):  # type: ignore[misc]
    """Composes nodes; types of plain scalars are decided by `_scalar`, so nothing is resolved here."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, Any]]] = {}  # noqa: RUF012 - the way PyYAML is configured
    DEFAULT_SCALAR_TAG = _UNTAGGED


class _LenientLoader(yaml.SafeLoader):
    """Accepts an anchor that is defined twice, as Go's parser does; slow, used only then."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, Any]]] = {}  # noqa: RUF012
    DEFAULT_SCALAR_TAG = _UNTAGGED  # type: ignore[misc]

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if not isinstance(event, yaml.AliasEvent) and getattr(event, "anchor", None) is not None:
            self.anchors.pop(event.anchor, None)
        return super().compose_node(parent, index)


@dataclass(frozen=True, slots=True)
class ScalarSpan:
    """Where a scalar stands: half-open offsets that include its quotes (`quote` is ``""`` for a plain one)."""

    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its data, the spans of its scalars, and where the document itself starts."""

    data: Any
    spans: Mapping[FieldPath, ScalarSpan]
    start: int


def split(text: str) -> Iterator[tuple[int, str]]:
    """Cut a stream at its document markers; yields the offset and text of each part, markers left out.

    A marker counts only at the start of a line, where neither a block scalar
    nor a quoted one can contain it (YAML 1.2, 9.1.2), so PEM blocks survive.
    """
    start = 0
    for match in _SEPARATOR.finditer(text):
        if match.start() > start:
            yield start, text[start : match.start()]
        start = match.end()
    if start < len(text):
        yield start, text[start:]


def load(text: str) -> Any:
    """The data of the first document of `text`; None when it is empty. Raises `YamlError`."""
    for node in _compose(text):
        return _Builder().build(node)
    return None


def load_all(text: str) -> list[Any]:
    """The data of all documents of `text` that are not empty. Raises `YamlError`."""
    return [data for node in _compose(text) if (data := _Builder().build(node)) is not None]


def documents(text: str) -> list[Document]:
    """All documents of `text` with the places of their scalars. Raises `YamlError`."""
    shift = 1 if text.startswith("\ufeff") else 0
    found = []
    for node in _compose(text):
        data = _Builder().build(node)
        spans: dict[FieldPath, ScalarSpan] = {}
        _collect_spans(node, (), spans, text, shift)
        found.append(Document(data, spans, node.start_mark.index + shift))
    return found


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
    budget = MAX_VALUES
    while stack:
        budget -= 1
        if budget < 0:
            raise YamlError("too many values, counting what aliases unfold to")
        path, value = stack.pop()
        if isinstance(value, dict) and value:
            stack.extend(((*path, key), item) for key, item in reversed(value.items()))
        elif isinstance(value, list) and value:
            stack.extend(((*path, index), value[index]) for index in range(len(value) - 1, -1, -1))
        else:
            yield path, value


def _compose(text: str) -> Iterator[Node]:
    text = text.removeprefix("\ufeff")
    try:
        yield from _compose_with(_Loader, text)
    except yaml.YAMLError as error:
        if "duplicate anchor" not in str(error):
            raise _yaml_error(error) from error
    else:
        return
    # The stream is composed again from its start, so the caller must not have been given a node yet; a
    # duplicate anchor shows inside the first document that has it.
    try:
        yield from _compose_with(_LenientLoader, text)
    except yaml.YAMLError as error:
        raise _yaml_error(error) from error


def _compose_with(loader_class: Any, text: str) -> list[Node]:
    try:
        loader = loader_class(text)
    except (yaml.YAMLError, UnicodeError) as error:
        raise YamlError(_one_line(str(error))) from error
    try:
        nodes = []
        while loader.check_node():
            nodes.append(loader.get_node())
        return nodes
    except RecursionError as error:
        raise YamlError("nested too deeply") from error
    finally:
        loader.dispose()


def _yaml_error(error: yaml.YAMLError) -> YamlError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or _one_line(str(error))
    context = getattr(error, "context", None)
    text = f"{context}: {problem}" if context else str(problem)
    return YamlError(text, mark.line + 1, mark.column + 1) if mark else YamlError(text)


def _one_line(text: str) -> str:
    return " ".join(text.split())


class _Builder:
    """Builds plain data from nodes; a node that is referred to twice is built once."""

    def __init__(self) -> None:
        self.built: dict[int, Any] = {}
        self.open: set[int] = set()
        self.budget = MAX_VALUES

    def build(self, node: Node, depth: int = 0) -> Any:
        if type(node) is ScalarNode:
            return _scalar(node)
        key = id(node)
        if key in self.built:
            return self.built[key]
        if key in self.open:
            raise _at(node, "an alias that contains itself")
        if depth > MAX_DEPTH:
            raise _at(node, "nested too deeply")
        self.open.add(key)
        self.budget -= len(node.value)
        if self.budget < 0:
            raise _at(node, "too many values")
        result: Any
        if isinstance(node, SequenceNode):
            result = [self.build(item, depth + 1) for item in node.value]
        else:
            assert isinstance(node, MappingNode)  # noqa: S101 - there are three kinds of nodes
            result = self._mapping(node, depth)
        self.open.discard(key)
        self.built[key] = result
        return result

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[Any] = []
        for key_node, value_node in node.value:
            if type(key_node) is not ScalarNode:
                raise _at(key_node, "a mapping key that is not a scalar")
            key = key_node.value
            if key == "<<" and not key_node.style:
                value = self.build(value_node, depth + 1)
                merged.extend(value if isinstance(value, list) else [value])
            else:
                result[key] = self.build(value_node, depth + 1)
        for source in merged:
            if not isinstance(source, dict):
                raise _at(node, "a merge of something that is not a mapping")
            self.budget -= len(source)
            if self.budget < 0:
                raise _at(node, "too many values, counting what merges unfold to")
            for key, value in source.items():
                result.setdefault(key, value)
        return result


def _at(node: Node, problem: str) -> YamlError:
    return YamlError(problem, node.start_mark.line + 1, node.start_mark.column + 1)


def _scalar(node: ScalarNode) -> Any:
    text: str = node.value
    if node.style or node.tag == "tag:yaml.org,2002:str":  # quoted, a block, or tagged !!str
        return text
    return plain_value(text)


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
            return sign * int(digits, 0)
        return sign * int(digits, 8 if digits.startswith("0") and len(digits) > 1 else 10)
    if text.isdecimal():  # 0808 is no octal number; go-yaml then reads it as a decimal one
        return int(text)
    if _FLOAT.match(text) and any(character.isdigit() for character in text):
        return float(text)
    return text


_PREFIX = re.compile(r"(?:[&!]\S*[ \t\r\n]+)+")


def _collect_spans(
    node: Node, path: FieldPath, spans: dict[FieldPath, ScalarSpan], text: str, shift: int
) -> None:
    """Fill `spans`; what an alias or merge brings in is found at the place of the anchor."""
    if len(spans) > MAX_VALUES or len(path) > MAX_DEPTH:
        raise _at(node, "too many values, counting what aliases unfold to")
    if isinstance(node, ScalarNode):
        start, end = node.start_mark.index + shift, node.end_mark.index + shift
        prefix = _PREFIX.match(text, start, end)  # an anchor or a tag belongs to the node, not to its text
        start = prefix.end() if prefix else start
        spans[path] = ScalarSpan(start, end, text[start] if node.style in ("'", '"') else "")
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            _collect_spans(item, (*path, index), spans, text, shift)
    elif isinstance(node, MappingNode):
        merges: list[Node] = []
        for key_node, value_node in node.value:
            if key_node.value == "<<" and not key_node.style:
                merges += value_node.value if isinstance(value_node, SequenceNode) else [value_node]
            else:
                _collect_spans(value_node, (*path, key_node.value), spans, text, shift)
        for merge in merges:
            inherited: dict[FieldPath, ScalarSpan] = {}
            _collect_spans(merge, path, inherited, text, shift)
            known = {
                found[len(path)] for found in spans if found[: len(path)] == path and len(found) > len(path)
            }
            spans.update((where, span) for where, span in inherited.items() if where[len(path)] not in known)
