"""The values and APIs that a guarded ``fail`` asks for: ``{{ if not .Values.auth.secret }}{{ fail "set auth.secret" }}{{ end }}``.

Nothing is evaluated. The conditions around the ``fail`` and its words name values; those that are empty here are likely to
be wanted. Which one it is, a render shows: the words are gone, or they are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from portproof.render.actions import TemplateAction, actions
from portproof.render.chartpaths import ChartPaths
from portproof.render.tool_output import error_text
from portproof.source import RelPath, Tree
from portproof.yamldoc import YamlError, load, lookup

ValuePath: TypeAlias = tuple[str, ...]

MAX_FILES = 300
"""As many templates are searched for the words of a refusal."""

FRAME = re.compile(
    r"(?:^|(?<=template: )|(?<=\n)|(?<=error at \())(?P<name>[^\s:(][^:\n]{0,500}):(?P<line>\d{1,9}):(?:\d{1,9})"
)
"""A template and a line, as helm's errors name them."""
VALUE = re.compile(r"\$?\.Values((?:\.\w+)+)")
"""A value that a template reads."""
_API = re.compile(r"\.Capabilities\.APIVersions\.Has\s+\"([\w./-]{1,253})\"")
_NAMED = re.compile(r"(?<![\w.-])\.?((?:\w+\.)*\w+)(?![\w-]|\.\w)")
_VARIABLE = re.compile(r"\$(\w+)")
_ASSIGNED = re.compile(r"\$(\w+)\s*:?=\s*(.*)", re.DOTALL)


def refusal(stderr: str) -> tuple[str, str] | None:
    """The template that helm names and the words, if the chart rejects its values or its cluster."""
    text = error_text(stderr)
    frame = FRAME.search(text)
    if frame is None or "execution error at" not in text:
        return None
    return frame["name"], text.partition("): ")[2].strip()


def guarding(message: str, tree: Tree, paths: ChartPaths) -> Iterator[ValuePath]:
    """The values that a refusal with the words `message` may want, the likeliest first, as its own chart reads them.

    First what both the condition and the words name, then what the condition does, the innermost first, then the words:
    a word alone names a value only if the chart has that.
    """
    named = tuple(value_path(one) for one in _NAMED.findall(message.replace(".Values.", "")))
    own = _data(tree, paths.on_tree("values.yaml"))
    for path in _templates(tree, paths):
        text = tree.text_or_none(path) or ""
        if "fail" not in text:
            continue
        assigned: dict[str, str] = {}
        for action in actions(text):
            given = _ASSIGNED.match(action.body)
            if given is not None:
                assigned[given[1]] = given[2]
            if action.refuses and not action.demands and action.says(message):
                read = tuple(_read(action, assigned))
                yield from (one for one in read if one in named)
                yield from read
    yield from (one for one in named if len(one) > 1 or (isinstance(own, dict) and one[0] in own))


def missing_apis(message: str, tree: Tree, paths: ChartPaths) -> Iterator[str]:
    """The APIs of a cluster that the conditions around a refusal with the words `message` ask for, the innermost first."""
    for path in _templates(tree, paths):
        text = tree.text_or_none(path) or ""
        if "fail" not in text or "APIVersions" not in text:
            continue
        for action in actions(text):
            if action.refuses and not action.demands and action.says(message):
                yield from (api for one in reversed(action.conditions) for api in _API.findall(one))


def is_empty(path: ValuePath, tree: Tree, paths: ChartPaths, subchart: ValuePath = ()) -> bool:
    """Whether the chart's values have nothing at `path`: no such key, null, no text or no entries.

    A switch that is off and a zero are values. `subchart` names the charts between the top and the one that reads it.
    """
    own = paths.on_tree("/".join([*(f"charts/{one}" for one in subchart), "values.yaml"]))
    layers = [(own, path)]
    layers += [(file, (*subchart, *path)) for file in (paths.on_tree("values.yaml"), *paths.target.values)]
    found = None
    for file, steps in layers:
        value = lookup(_data(tree, file), steps)
        found = value if value is not None else found
    return found is None or found in ("", [], {})


def is_list(path: ValuePath, tree: Tree, paths: ChartPaths) -> bool:
    """Whether the chart's own values have a list at `path`."""
    return isinstance(lookup(_data(tree, paths.on_tree("values.yaml")), path), list)


def _read(action: TemplateAction, assigned: dict[str, str]) -> Iterator[ValuePath]:
    """The values that the conditions of an action read, by themselves or through a variable of the same file."""
    for condition in reversed(action.conditions):
        through = [assigned.get(one, "") for one in _VARIABLE.findall(condition)]
        for text in (condition, *through):
            yield from (value_path(one) for one in VALUE.findall(text))


def value_path(text: str) -> ValuePath:
    """A value as templates name it, such as ``.image.tag``, step by step."""
    return tuple(text.strip(".").split("."))


def _templates(tree: Tree, paths: ChartPaths) -> Iterator[RelPath]:
    from portproof.discover.chart_files import chart_files  # noqa: PLC0415 - only for a failure

    found = chart_files((mount.source for mount in paths.target.mounts), tree)
    yield from [path for path in found if "/templates/" in f"/{path}"][:MAX_FILES]


def _data(tree: Tree, path: RelPath) -> Any:
    try:
        return load(tree.text_or_none(path) or "")
    except YamlError:
        return None
