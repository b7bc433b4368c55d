"""Values for a chart that wants some which nobody gives it here: read from helm's error, one at a time.

``required`` names the value in the template, a nil pointer the path to it. A guarded ``fail`` names several: one is tried
after the other, and stays if the chart does not say the same again. The type of a placeholder is that of the chart's
schema, else what its name says. What it holds is like nothing else, so that what depends on it can be told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from msgspec import Struct, field

from portproof.render.chartpaths import ChartPaths
from portproof.render.guards import FRAME, VALUE, ValuePath, guarding, is_empty, is_list, refusal, value_path
from portproof.render.tool_output import error_text
from portproof.source import Tree

MAX_VALUES = 12
"""As many values are given to one chart; each takes a render."""

Value: TypeAlias = str | int | bool | tuple[str, ...]
"""What a placeholder may be: a list is empty, for what its entries hold is not known, unless entries are what is wanted."""

WORD = "x-placeholder"
NUMBER = 47113

_AT = re.compile(r"at <(.{0,1000}?)>:\s")
_NIL = re.compile(r"nil pointer evaluating [^\n]{1,200}?\.(\w+)")
_NO_STRING = re.compile(r"invalid value; expected string|wrong type for value; expected string")
_REQUIRED = re.compile(
    r"\brequired\s+(?:\"(?:[^\"\\]|\\.)*\"|`[^`]*`|\([^()]*\))\s+\(?\s*\$?\.Values((?:\.\w+)+)"
    r"|\$?\.Values((?:\.\w+)+)\s*\|\s*required\b"
)
_INDEX = re.compile(r"\bindex\s+\$?\.Values((?:\.\w+)+)\s+\"([\w.-]+)\"")
_RANGE = re.compile(r"\brange\s(?:[^{}]*:=)?\s*\$?\.Values((?:\.\w+)+)\s*-?\}\}")
_SUBCHART = re.compile(r"/charts/([^/]+)")
_NUMERIC = re.compile(
    r"(?:port|ports?number|replicas|count|size|seconds|timeout|\A[ug]id|limit)\Z", re.IGNORECASE
)
_SWITCH = re.compile(r"(?:enabled?|create|disabled?)\Z", re.IGNORECASE)


class Placeholders(Struct, frozen=True):
    """What a chart is given beyond its values, by the path of each.

    `guess` is the newest of them if it is one of several that a guarded ``fail`` may want, with the words of that; `vain`
    are those that did not help.
    """

    values: Mapping[ValuePath, Value] = field(default_factory=dict)
    guess: tuple[ValuePath, str] | None = None
    vain: frozenset[ValuePath] = frozenset()

    @property
    def tries(self) -> int:
        """How many renders it took to come here."""
        return len(self.values) + len(self.vain)

    @property
    def names(self) -> tuple[str, ...]:
        """The values, as people write them: ``image.tag``."""
        return tuple(".".join(path) for path in sorted(self.values))

    @property
    def text(self) -> str:
        """A values file with them."""
        data: dict[str, Any] = {}
        for path, value in sorted(self.values.items()):
            place = data
            for step in path[:-1]:
                place = place.setdefault(step, {})
            place[path[-1]] = value
        return json.dumps(data) + "\n"

    def further(self, stderr: str, tree: Tree, paths: ChartPaths) -> Placeholders | None:
        """These and the value that helm's error says is missing; None where it says of none.

        A guess after which helm says the same is taken back.
        """
        refused = refusal(stderr)
        if self.guess is not None and refused and self.guess[1] == refused[1]:
            path = self.guess[0]
            rest = {own: value for own, value in self.values.items() if own != path}
            return Placeholders(rest, vain=self.vain | {path}).further(stderr, tree, paths)
        for path, line in _wanted(stderr, tree, paths):
            if all(_apart(path, own) for own in self.values):
                steps = "." + ".".join(path)  # a subchart reads it without its own name
                is_list = any(steps.endswith(one[1]) for one in _RANGE.finditer(line))
                value: Value = () if is_list else _placeholder(path, tree, paths)
                return Placeholders({**self.values, path: value}, vain=self.vain)
        return self._guessed(refused, tree, paths) if refused else None

    def _guessed(self, refused: tuple[str, str], tree: Tree, paths: ChartPaths) -> Placeholders | None:
        """These and the likeliest value that a guarded ``fail`` may want and that has not been tried."""
        template, message = refused
        subchart = tuple(_SUBCHART.findall(template))
        for steps in guarding(message, tree, paths):
            path = _placed(steps, template)
            free = path not in self.vain and all(_apart(path, own) for own in self.values)
            if free and is_empty(steps, tree, paths, subchart):
                value: Value = (WORD,) if is_list(path, tree, paths) else _placeholder(path, tree, paths)
                return Placeholders({**self.values, path: value}, (path, message), self.vain)
        return None


def _apart(path: ValuePath, other: ValuePath) -> bool:
    """Whether neither of two values is, or lies in, the other."""
    length = min(len(path), len(other))
    return path[:length] != other[:length]


def _wanted(stderr: str, tree: Tree, paths: ChartPaths) -> Iterator[tuple[ValuePath, str]]:
    """The values that an error may be about, the likeliest first, each with the line that reads it."""
    text = error_text(stderr)
    frames = list(FRAME.finditer(text))
    if not frames:
        return
    # A helper sees the values of the chart whose template calls it.
    outer, inner = frames[0], frames[-1]
    nil = _NIL.search(text)
    said = _AT.findall(text)
    here = _line(tree, paths, inner)
    if nil is not None:
        texts = [*said[-1:], here]
        found = (value_path(one) for each in texts for one in VALUE.findall(each))
        yield from ((_placed(steps, outer["name"]), here) for steps in found if nil[1] in steps[1:])
    elif "index of untyped nil" in text or "index of nil pointer" in text:
        texts = [*said[-1:], here]
        for each in texts:
            for one in _INDEX.finditer(each):
                yield _placed((*value_path(one[1]), one[2]), outer["name"]), here
    elif "execution error at" in text:
        message = text.partition("): ")[2].strip()
        for line in (here, *_saying(message, tree, paths)):
            for one in _REQUIRED.finditer(line):
                yield _placed(value_path(one[1] or one[2]), outer["name"]), line
    elif _NO_STRING.search(text):
        found = (value_path(one) for each in (*said[-1:], here) for one in VALUE.findall(each))
        yield from ((_placed(steps, outer["name"]), here) for steps in found)


def _placed(path: ValuePath, template: str) -> ValuePath:
    """Where a value of the chart of `template` stands in those of the whole chart."""
    return path if path[0] == "global" else (*_SUBCHART.findall(template), *path)


def _line(tree: Tree, paths: ChartPaths, frame: re.Match[str]) -> str:
    """The line that a frame names."""
    path = paths.template(frame["name"])
    lines = (tree.text_or_none(path) or "").split("\n") if path else []
    number = int(frame["line"])
    return lines[number - 1] if 0 < number <= len(lines) else ""


def _saying(message: str, tree: Tree, paths: ChartPaths) -> Iterator[str]:
    """The lines of the chart's own templates that have the words of a refusal: helm names the outermost template only."""
    from portproof.discover.chart_files import chart_files  # noqa: PLC0415 - only for a failure

    words = message.partition("\n")[0].strip()
    for path in chart_files((mount.source for mount in paths.target.mounts), tree) if words else ():
        text = tree.text_or_none(path) or ""
        if words in text:
            yield from (line for line in text.split("\n") if words in line)


def _placeholder(path: ValuePath, tree: Tree, paths: ChartPaths) -> Value:
    given: dict[str, Value]
    given = {"integer": NUMBER, "number": NUMBER, "boolean": True, "string": WORD, "array": ()}
    kind = _schema_type(path, tree, paths)
    if kind in given:
        return given[kind]
    if _SWITCH.search(path[-1]):
        return True
    return NUMBER if _NUMERIC.search(path[-1]) else WORD


def _schema_type(path: ValuePath, tree: Tree, paths: ChartPaths) -> str:
    try:
        data = json.loads(tree.text_or_none(paths.on_tree("values.schema.json")) or "null")
    except (ValueError, RecursionError):
        return ""
    for step in path:
        properties = data.get("properties") if isinstance(data, dict) else None
        data = properties.get(step) if isinstance(properties, dict) else None
    kind = data.get("type") if isinstance(data, dict) else None
    return kind if isinstance(kind, str) else ""
