"""YAML text -> nodes -> plain data and spans: the only module that imports yaml; `yamldoc` is its front."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from portproof.yamldoc import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_UNFOLDED,
    MAX_VALUES,
    TEXT_UNIT,
    FieldPath,
    ScalarSpan,
    YamlError,
    plain_value,
)

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNTAGGED = "?"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


_TOO_DEEP = f"nested too deeply (more than {MAX_DEPTH} levels)"
_HALF = re.compile(r"[\ud800-\udfff]")
_ALIAS = re.compile(r"\*(?<=[\s,\[{:]\*)[\w-]")
"""What may be an alias; an asterisk elsewhere is text."""
_LENIENT_BYTES = 100_000
"""Where the slow parser gives up; it takes seconds for so much."""


class _Bounds:
    """Stops a parser at the bounds: libyaml alone would overflow the stack, or fill the memory.

    The methods are PyYAML's resolver, which is asked for each node before what is in it is read. Types of plain
    scalars are decided by `_scalar`, so nothing is resolved here.
    """

    depth = 0
    nodes = 0

    def resolve(self, _kind: Any, _value: Any, _implicit: Any) -> str:
        return _UNTAGGED

    def descend_resolver(self, _node: Any, _index: Any) -> None:
        self.depth += 1
        self.nodes += 1
        if self.depth > MAX_DEPTH or self.nodes > MAX_VALUES:
            mark = self.peek_event().start_mark  # type: ignore[attr-defined]
            problem = _TOO_DEEP if self.depth > MAX_DEPTH else f"too many values (more than {MAX_VALUES:,})"
            raise YamlError(problem, *_place_of(mark))

    def ascend_resolver(self) -> None:
        self.depth -= 1


class _Loader(_Bounds, _BASE):  # type: ignore[misc]
    """Composes nodes."""


class _LenientLoader(_Bounds, yaml.SafeLoader):
    """Accepts an anchor that is defined twice, as Go's parser does; slow, used only then.

    What libyaml refuses it refuses too: half of a surrogate pair is no character, and no file could hold it.
    """

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if not isinstance(event, yaml.AliasEvent) and getattr(event, "anchor", None) is not None:
            self.anchors.pop(event.anchor, None)
        if isinstance(event, yaml.ScalarEvent) and _HALF.search(event.value):
            raise YamlError("invalid Unicode character escape code", *_place_of(event.start_mark))
        return super().compose_node(parent, index)


def _place_of(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def compose(text: str, *, only_first: bool = False) -> list[Node]:
    """The nodes of all documents of `text`, or of the first one: trees, or with aliases at least no bombs.

    Raises `YamlError`.
    """
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_BYTES:
        raise YamlError(f"larger than {MAX_BYTES // 1024 // 1024} MiB")
    try:
        nodes = _compose_with(_Loader, text, only_first=only_first)
    except yaml.YAMLError as error:
        if "duplicate anchor" not in str(error):
            raise _yaml_error(error) from error
        nodes = _compose_leniently(text, only_first=only_first)
    if "*" in text and _ALIAS.search(text):  # without an alias nothing is shared
        for node in nodes:
            _Measure().measure(node)
    return nodes


def _compose_leniently(text: str, *, only_first: bool) -> list[Node]:
    if len(text) > _LENIENT_BYTES:
        raise YamlError("an anchor that is defined twice, in a text too long to tell which one is meant")
    try:
        return _compose_with(_LenientLoader, text, only_first=only_first)
    except yaml.YAMLError as error:
        raise _yaml_error(error) from error
    except ValueError as error:  # an escape beyond Unicode, a version of thousands of digits
        raise YamlError(_one_line(str(error))) from error


def _compose_with(loader_class: Any, text: str, *, only_first: bool) -> list[Node]:
    try:
        loader = loader_class(text)
    except (yaml.YAMLError, UnicodeError) as error:
        raise YamlError(_one_line(str(error))) from error
    try:
        nodes: list[Node] = []
        while loader.check_node() and not (only_first and nodes):
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
    return YamlError(text, *_place_of(mark)) if mark else YamlError(text)


def _one_line(text: str) -> str:
    return " ".join(text.split())


class _Measure:
    """How large and how deep a document would be with its aliases unfolded, told without unfolding them."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[int, int]] = {}
        self.open: set[int] = set()
        self.gained = 0

    def measure(self, node: Node, depth: int = 1) -> tuple[int, int]:
        """Values and levels of `node`. Raises `YamlError` for what is circular, too deep or too large."""
        key = id(node)
        if key in self.open:
            raise _at(node, "an alias that contains itself")
        if key in self.known:
            values, levels = self.known[key]
            self.gained += values
            if self.gained > MAX_UNFOLDED:
                raise _at(node, f"aliases and merges unfold to too many values (more than {MAX_UNFOLDED:,})")
        else:
            self.open.add(key)
            values, levels = self._inside(node, depth)
            self.open.discard(key)
            self.known[key] = values, levels
        if depth + levels > MAX_DEPTH + 1:
            raise _at(node, _TOO_DEEP)
        return values, levels

    def _inside(self, node: Node, depth: int) -> tuple[int, int]:
        if isinstance(node, ScalarNode):
            return 1 + len(node.value) // TEXT_UNIT, 1
        parts = [value for _, value in node.value] if isinstance(node, MappingNode) else node.value
        sizes = [self.measure(part, depth + 1) for part in parts]
        return 1 + sum(values for values, _ in sizes), 1 + max((levels for _, levels in sizes), default=0)


def build(node: Node) -> Any:
    """The plain data of a document. Raises `YamlError` for what cannot be a manifest's."""
    return _Builder().build(node)


def dump(data: Any, *, literal: bool = False) -> str:
    """Plain data as YAML for people, keys in the order of the data; what would read as something else is quoted.

    With `literal`, text of several lines stays several lines where YAML can say it so.
    """
    dumper = _LiteralDumper if literal else _Dumper
    text: str = yaml.dump(data, Dumper=dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return text


class _Dumper(yaml.SafeDumper):
    """Writes lists below their key with the indent that most manifests have, and no anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - the base class calls it so
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class calls it so
        return True


class _LiteralDumper(_Dumper):
    """Writes text of several lines as a literal block."""

    def represent_scalar(self, tag: str, value: Any, style: str | None = None) -> ScalarNode:
        literal = isinstance(value, str) and "\n" in value
        return super().represent_scalar(tag, value, "|" if literal else style)


def spans(node: Node, text: str, shift: int) -> dict[FieldPath, ScalarSpan]:
    """Where each scalar of a document of `text` stands; `shift` is 1 when a byte order mark came before it."""
    places = _Places(text, shift)
    places.collect(node, ())
    return places.found


def blocks(node: Node, shift: int) -> dict[FieldPath, int]:
    """The offset of the first key of each mapping in block style that is below no list, and stands for itself alone.

    One that an alias names stands for others too; and of a key that is there twice only the last counts in the data.
    """
    found: dict[FieldPath, int] = {}
    shared: set[FieldPath] = set()
    first: dict[int, FieldPath] = {}
    pending: list[tuple[Node, FieldPath]] = [(node, ())]
    while pending:
        here, path = pending.pop()
        if id(here) in first:
            shared |= {path, first[id(here)]}
        elif isinstance(here, MappingNode):
            first[id(here)] = path
            if here.value and not here.flow_style:
                found[path] = here.value[0][0].start_mark.index + shift
            last = {key.value: value for key, value in here.value if isinstance(key, ScalarNode)}
            pending += [(value, (*path, key)) for key, value in last.items()]
        elif isinstance(here, SequenceNode):
            first[id(here)] = path
            pending += [(item, (*path, index)) for index, item in enumerate(here.value)]
    return {path: at for path, at in found.items() if not _is_below(path, shared)}


def repeated_keys(text: str) -> list[tuple[str, int, int]]:
    """The keys that a mapping of `text` has once more, each with its line and column. Raises `YamlError`."""
    found: list[tuple[str, int, int]] = []
    pending, met = compose(text), set[int]()
    while pending:
        node = pending.pop()
        if id(node) in met:  # behind an alias
            continue
        met.add(id(node))
        if isinstance(node, SequenceNode):
            pending += node.value
        elif isinstance(node, MappingNode):
            keys = [key for key, _ in node.value if isinstance(key, ScalarNode)]
            seen: set[str] = set()
            for key in keys:
                if key.value in seen and key.value != "<<":
                    found.append((key.value, *_place_of(key.start_mark)))
                seen.add(key.value)
            pending += [value for _, value in node.value]
    return sorted(found, key=lambda one: one[1:])


def _is_below(path: FieldPath, shared: Collection[FieldPath]) -> bool:
    """Whether `path` leads through a list, or through one of `shared`."""
    through = (path[:length] for length in range(len(path) + 1))
    return any(isinstance(step, int) for step in path) or any(one in shared for one in through)


_MAX_WORD = 64
_MAX_WORDS = 20_000
_words: dict[str, str] = {}


def _shared(text: str) -> str:
    """The same text, as one object for all documents: manifests say the same few words again and again.

    That is half of what their data takes. `sys.intern` would keep the words of every text, in some versions of Python.
    """
    if len(text) > _MAX_WORD:
        return text
    if len(_words) >= _MAX_WORDS:
        _words.clear()
    return _words.setdefault(text, text)


class _Builder:
    """Builds plain data from nodes; a node that is referred to twice is built once."""

    def __init__(self) -> None:
        self.built: dict[int, Any] = {}

    def build(self, node: Node) -> Any:
        if type(node) is ScalarNode:
            return _scalar(node)
        key = id(node)
        if key not in self.built:
            is_list = isinstance(node, SequenceNode)
            self.built[key] = [self.build(item) for item in node.value] if is_list else self._mapping(node)
        return self.built[key]

    def _mapping(self, node: Node) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if type(key_node) is not ScalarNode:
                raise _at(key_node, "a mapping key that is not a scalar")
            key = key_node.value
            value = self.build(value_node)
            if key == "<<" and not key_node.style:
                # What comes later counts, merges too; of the mappings in one merge the first does (go-yaml v2, d.merge).
                for source in reversed(value if isinstance(value, list) else [value]):
                    if not isinstance(source, dict):
                        raise _at(node, "a merge of something that is not a mapping")
                    result.update(source)
            else:
                result[_shared(key)] = value
        return result


def _at(node: Node, problem: str) -> YamlError:
    return YamlError(problem, *_place_of(node.start_mark))


def _scalar(node: ScalarNode) -> Any:
    text: str = node.value
    if node.tag in _NUMBERS:  # such a tag makes a number of a quoted text, too
        value = plain_value(text)
        return text if value is None or isinstance(value, bool) else value
    is_text = node.style or node.tag == "tag:yaml.org,2002:str"  # quoted, a block, or tagged !!str
    value = text if is_text else plain_value(text)
    return _shared(text) if value is text else value


_PREFIX = re.compile(r"(?:[&!]\S*[ \t\r\n]+)+")


class _Places:
    """Finds the places of scalars."""

    def __init__(self, text: str, shift: int) -> None:
        self.found: dict[FieldPath, ScalarSpan] = {}
        self.text = text
        self.shift = shift

    def collect(self, node: Node, path: FieldPath) -> None:
        if isinstance(node, ScalarNode):
            self.found[path] = self._span(node)
        elif isinstance(node, SequenceNode):
            for index, item in enumerate(node.value):
                self.collect(item, (*path, index))
        elif isinstance(node, MappingNode):
            self._mapping(node, path)

    def _mapping(self, node: MappingNode, path: FieldPath, known: set[str] | None = None) -> None:
        """Collect below the keys that are not `known`; what a merge brings in is found at the place of the anchor."""
        if known is None and not any(key.value == "<<" and not key.style for key, _ in node.value):
            # Of a key that is there twice the last value counts, here as in the data.
            for key, value in {key.value: value for key, value in node.value}.items():
                self.collect(value, (*path, key))
            return
        known = set() if known is None else known
        for key_node, value_node in reversed(node.value):  # what comes later counts
            key = key_node.value
            if key == "<<" and not key_node.style:
                for merge in value_node.value if isinstance(value_node, SequenceNode) else [value_node]:
                    self._mapping(merge, path, known)
            elif key not in known:
                known.add(key)
                self.collect(value_node, (*path, key))

    def _span(self, node: ScalarNode) -> ScalarSpan:
        start, end = node.start_mark.index + self.shift, node.end_mark.index + self.shift
        prefix = _PREFIX.match(
            self.text, start, end
        )  # an anchor or a tag belongs to the node, not to its text
        start = prefix.end() if prefix else start
        return ScalarSpan(start, end, self.text[start] if node.style in ("'", '"') else "")
