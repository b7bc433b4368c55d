"""YAML text -> nodes -> plain data and spans: the only module that imports yaml; `yamldoc` is its front."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from portproof.yamldoc import MAX_DEPTH, MAX_VALUES, FieldPath, ScalarSpan, YamlError, plain_value

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNTAGGED = "?"


class _Loader(_BASE):  # type: ignore[misc]
    """Composes nodes; types of plain scalars are decided by `_scalar`, so nothing is resolved here.

    The three methods are PyYAML's resolver, which it asks several times for each node.
    """

    def resolve(self, _kind: Any, _value: Any, _implicit: Any) -> str:
        return _UNTAGGED

    def descend_resolver(self, _node: Any, _index: Any) -> None:
        pass

    def ascend_resolver(self) -> None:
        pass


class _LenientLoader(yaml.SafeLoader):
    """Accepts an anchor that is defined twice, as Go's parser does; slow, used only then."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, Any]]] = {}  # noqa: RUF012
    DEFAULT_SCALAR_TAG = _UNTAGGED  # type: ignore[misc]

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if not isinstance(event, yaml.AliasEvent) and getattr(event, "anchor", None) is not None:
            self.anchors.pop(event.anchor, None)
        return super().compose_node(parent, index)


def compose(text: str) -> Iterator[Node]:
    """The nodes of all documents of `text`. Raises `YamlError`."""
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


def build(node: Node) -> Any:
    """The plain data of a document. Raises `YamlError` for what is too deep, too large or circular."""
    return _Builder().build(node)


def spans(node: Node, text: str, shift: int) -> dict[FieldPath, ScalarSpan]:
    """Where each scalar of a document of `text` stands; `shift` is 1 when a byte order mark came before it."""
    found: dict[FieldPath, ScalarSpan] = {}
    _collect_spans(node, (), found, text, shift)
    return found


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
