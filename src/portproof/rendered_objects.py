"""The rendered objects behind findings, as a few lines of YAML around the field: what ``check --show-rendered`` prints."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from portproof import yamldoc
from portproof.discover.model import Target
from portproof.graph.model import Piece, Site
from portproof.outcome import Outcome
from portproof.render.model import NotRendered, RenderFailure, Rendering
from portproof.report.model import RenderedObject
from portproof.report.safe import discreet
from portproof.resources import Resource, ResourceKey, read
from portproof.yamldoc import FieldPath, ScalarSpan

CONTEXT = 6
"""Lines of the object on either side of the field."""

_SHOWN = re.compile(r"\S")


def rendered_objects(
    outcome: Outcome, render: Callable[[Target], Rendering | RenderFailure | NotRendered]
) -> dict[str, RenderedObject]:
    """The object of each finding by the finding's fingerprint; of what appears with other values only there is none.

    `render` gives what a target rendered to; it is asked for those of which the outcome keeps nothing.
    """
    kept = {
        one.target.id: one.evaluation.manifests.resources
        for one in outcome.checked
        if one.evaluation is not None
    }
    found: dict[str, RenderedObject] = {}
    for one in outcome.merged:
        target, site = one.first.target, one.finding.primary
        if one.first.when:
            continue
        if target.id not in kept:
            answer = render(target)
            kept[target.id] = read(answer).resources if isinstance(answer, Rendering) else ()
        resource = _of_key(kept[target.id], site.resource)
        shown = None if resource is None else around(target.id, resource, site)
        if shown is not None:
            found[one.fingerprint] = shown
    return found


def _of_key(resources: Iterable[Resource], key: ResourceKey) -> Resource | None:
    return next((one for one in resources if one.key == key), None)


def around(target: str, resource: Resource, site: Site) -> RenderedObject | None:
    """The lines of an object around a field, or around what is there of its path; None for more than is parsed."""
    data = masked(resource.key.kind, resource.data)
    text = yamldoc.dump(data, literal=True)
    try:
        spans = yamldoc.documents(text)[0].spans
    except yamldoc.YamlError:
        return None
    lines = text.split("\n")[:-1]
    span = spans.get(site.path)
    if span is None:
        mark = _beginning(lines, text, spans, site.path)
    else:
        mark = _mark(lines, text, span, str(yamldoc.lookup(data, site.path)), site.piece)
    first, stop = max(0, mark.line - CONTEXT), mark.line + CONTEXT + 1
    # With one more line than is shown: the name of a variable stands before its value.
    extra = min(first, 1)
    shown = discreet("\n".join(lines[first - extra : stop])).split("\n")[extra:]
    return RenderedObject(
        target,
        str(resource.key),
        tuple(shown),
        mark.line - first,
        mark.column,
        mark.end_column,
        first > 0,
        stop < len(lines),
    )


class _Mark(Struct, frozen=True):
    """What is underlined: a line from 0, its columns from 1, the end exclusive."""

    line: int
    column: int
    end_column: int


def _mark(lines: list[str], text: str, span: ScalarSpan, value: str, piece: Piece | None) -> _Mark:
    """The field, or the piece of its `value` that is meant."""
    line = text.count("\n", 0, span.start)
    column = span.start - (text.rfind("\n", 0, span.start) + 1)
    end = span.end - span.start + column
    if text[span.start] == "|":
        before = value[: piece.start] if piece else ""
        line += 1 + before.count("\n")
        said = value.split("\n")[before.count("\n")]
        indent = len(lines[line]) - len(said)
        column = indent + len(before) - (before.rfind("\n") + 1)
        end = column + piece.end - piece.start if piece else len(lines[line])
    elif piece and text[span.start : span.end].strip("'\"") == value:
        column += len(span.quote) + piece.start
        end = column + piece.end - piece.start
    return _Mark(line, column + 1, min(end, len(lines[line])) + 1)


def _beginning(lines: list[str], text: str, spans: Mapping[FieldPath, ScalarSpan], path: FieldPath) -> _Mark:
    """The first line of what is there of a path: of a field that is absent, the list or mapping that lacks it."""
    line = 0
    for length in range(len(path), 0, -1):
        inside = next((one for one in spans if one[:length] == path[:length]), None)
        if inside is not None:
            line = text.count("\n", 0, spans[inside].start)
            # A key has a line of its own, unless it is the first of an entry of a list.
            line -= sum(not isinstance(step, int) for step in inside[length - 1 : -1])
            break
    row = lines[line]
    return _Mark(line, len(row) - len(row.lstrip()) + 1, len(row) + 1)


def masked(kind: str, data: Any) -> Any:
    """The data of an object with stars for all that a Secret holds, and for what a name tells to be one elsewhere."""
    if kind != "Secret" or not isinstance(data, dict):
        return _masked(data)
    return {
        key: _starred(value) if key in ("data", "stringData") else _masked(value)
        for key, value in data.items()
    }


def _masked(data: Any) -> Any:
    if isinstance(data, list):
        return [_masked(item) for item in data]
    if not isinstance(data, dict):
        return data
    named = _tells(f"name: {data.get('name')}\nvalue: xx")
    return {
        key: _masked(value)
        if isinstance(value, dict) or not (_tells(f"{key}: xx") or (named and key == "value"))
        else _starred(value)
        for key, value in data.items()
    }


def _tells(line: str) -> bool:
    """Whether a name says that its value is a secret, as the report's other excerpts see it."""
    return discreet(line) != line


def _starred(value: Any) -> Any:
    """Stars for every character of the texts and numbers in a value; line ends stay."""
    if isinstance(value, dict):
        return {key: _starred(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_starred(item) for item in value]
    return value if value is None or isinstance(value, bool) else _SHOWN.sub("*", str(value))
