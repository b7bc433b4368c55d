"""A value that others share, given anew where one target alone reads it.

A chart's ``values.yaml`` speaks for everybody who installs the chart. Where one environment is wrong, its own values file
(or the values in the object that installs it) is the place to say so: this finds where the line goes.
"""

from __future__ import annotations

import json
import re

from portproof.discover.model import HelmTarget, Install
from portproof.source import Edit, SourceError, Span, Tree
from portproof.yamldoc import FieldPath, YamlError, blocks, documents, load_all, lookup, plain_value

_KEY = re.compile(r"[A-Za-z_][\w.-]*")
"""A key that needs no quotes."""


def override(target: HelmTarget, shared: Span, new: str | int, tree: Tree) -> Edit | None:
    """The line that gives the value at `shared` anew, in the last of the values files of `target`.

    None when `shared` is no value of the chart or of an earlier file, when the last file has none to add to, or when it
    would have to be written into a list, a flow mapping or a text.
    """
    chart = "values.yaml" if target.chart == "." else f"{target.chart}/values.yaml"
    if not target.values or shared.path not in (chart, *target.values[:-1]):
        return None
    try:
        path = _path_of(tree.text(shared.path), shared)
        text = tree.text(target.values[-1])
        number = target.install.document if target.install else 0
        found, data = blocks(text), load_all(text)
    except (SourceError, YamlError):
        return None
    if path is None or number >= len(found) or (target.install and not _holds_values(target.install)):
        return None
    whole = (*(target.install.values if target.install else ()), *path)
    depth = max((len(block) for block in found[number] if block == whole[: len(block)]), default=-1)
    if not len(whole) - len(path) <= depth < len(whole) or whole[depth] in lookup(
        data[number], whole[:depth]
    ):
        return None
    return _added(text, found[number][whole[:depth]], whole[depth:], new, Span(target.values[-1], 0, 0))


def _holds_values(install: Install) -> bool:
    """Whether the description has values of its own, which nobody shares."""
    return bool(install.values) and install.fill is None


def _path_of(text: str, span: Span) -> FieldPath | None:
    """The keys that lead to the scalar at `span`; None when lists do, or more than keys."""
    for one in documents(text):
        for path, place in one.spans.items():
            quoted = len(place.quote)
            if (place.start + quoted, place.end - quoted) == (span.start, span.end):
                return path if all(isinstance(step, str) and _KEY.fullmatch(step) for step in path) else None
    return None


def _added(text: str, before: int, steps: FieldPath, new: str | int, file: Span) -> Edit | None:
    """The lines for `steps` in front of the key at `before`, as far in as that is."""
    start = text.rfind("\n", 0, before) + 1 or len(text) - len(text.removeprefix("\ufeff"))
    margin = text[start:before]
    if margin.strip(" "):
        return None  # the key shares its line with the dash of a list, or with a document marker
    if "\ufeff" in text[1:]:
        return None  # the parser does not count a byte order mark that stands within
    end = "\r\n" if "\r\n" in text else "\n"
    lines = [f"{margin}{'  ' * depth}{step}:" for depth, step in enumerate(steps)]
    lines[-1] += f" {new}" if plain_value(str(new)) == new else f" {json.dumps(new)}"
    return Edit(Span(file.path, start, start), "", "".join(line + end for line in lines))
