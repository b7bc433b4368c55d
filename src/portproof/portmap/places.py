"""Where a number is written, as committed text may say it: the file and the way to the key, which stay when lines move."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from portproof import yamldoc
from portproof.portmap.model import Place
from portproof.source import LineIndex, RelPath, Tree
from portproof.trace.model import Origin, Proof
from portproof.yamldoc import format_path


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
        self.lines = LineIndex.of(text)
        # A template is no YAML, and what happens to parse says nothing of the object that it makes.
        self._keys = {} if is_template else _keys(text)
        self._starts = sorted(self._keys)

    def key(self, offset: int) -> str:
        at = bisect_right(self._starts, offset) - 1
        if at < 0:
            return ""
        end, key = self._keys[self._starts[at]]
        return key if offset < end else ""


def _keys(text: str) -> Mapping[int, tuple[int, str]]:
    """The scalars of a text by where they start: where each ends, and the way to it."""
    try:
        documents = yamldoc.documents(text)
    except yamldoc.YamlError:
        return {}
    return {
        span.start: (span.end, f"{_whose(one.data)}{format_path(path)}")
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
