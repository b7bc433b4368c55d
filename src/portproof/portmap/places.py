"""Where a number is written, as committed text may say it: the file and the way to the key, which stay when lines move."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from portproof import yamldoc
from portproof.portmap.model import Place
from portproof.source import LineIndex, RelPath, Tree
from portproof.trace.model import Origin, Proof
from portproof.yamldoc import FieldPath, format_path


class Places:
    """The places of one tree; each file is read and parsed once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._files: dict[RelPath, _File] = {}

    def of(self, origin: Origin | None) -> Place | None:
        """The place of an origin; None when there is none, or when its file cannot be read."""
        if origin is None:
            return None
        path = origin.span.path
        if path not in self._files:
            text = self._tree.text_or_none(path)
            if text is None:
                return None
            self._files[path] = _File(text, is_template="/templates/" in f"/{path}")
        file = self._files[path]
        line, column = file.lines.position(origin.span.start)
        end_line, end_column = file.lines.position(origin.span.end)
        proven = origin.proof is Proof.PROVEN
        return Place(path, file.key(origin.span.start), line, proven, column, end_line, end_column)


class _File:
    def __init__(self, text: str, *, is_template: bool) -> None:
        self._text = text
        self.lines = LineIndex.of(text)
        # A template is no YAML, and what happens to parse says nothing of the object that it makes.
        self._keys = {} if is_template else _keys(text)
        self._starts = sorted(self._keys)

    def key(self, offset: int) -> str:
        """The way to the scalar there, or to what a key there names."""
        at = bisect_right(self._starts, offset) - 1
        if at >= 0:
            end, whose, path = self._keys[self._starts[at]]
            if offset < end:
                return f"{whose}{format_path(path)}"
        return self._named(offset, at + 1)

    def _named(self, offset: int, following: int) -> str:
        """The way to what the key at an offset names: a part of the way to the first scalar behind it."""
        if following >= len(self._starts):
            return ""
        start = self._starts[following]
        _, whose, path = self._keys[start]
        steps = [
            length
            for length, step in enumerate(path, 1)
            if isinstance(step, str) and self._text.startswith(step, offset)
        ]
        if not steps:
            return ""
        length = steps[-1]
        # `http: {http: 80}`: between the outer key and the scalar is more than a colon.
        name = str(path[length - 1])
        if self._text[offset + len(name) : start].strip("\"' :\r\n"):
            length = steps[0]
        return f"{whose}{format_path(path[:length])}"


def _keys(text: str) -> Mapping[int, tuple[int, str, FieldPath]]:
    """The scalars of a text by where they start: where each ends, whose it is, and the way to it."""
    try:
        documents = yamldoc.documents(text)
    except yamldoc.YamlError:
        return {}
    return {
        span.start: (span.end, _whose(one.data), path)
        for one in documents
        for path, span in one.spans.items()
    }


def _whose(data: Any) -> str:
    """``Service/web `` in front of a path of a manifest, of which a file may hold several."""
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
        return ""
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{data['kind']}/{name} " if isinstance(name, str) else ""
