"""Where a file says something: ``charts/shop/Chart.yaml:7``, for the reasons of refusals."""

from __future__ import annotations

from portproof.source import RelPath, Tree


def mention(tree: Tree, path: RelPath, text: str) -> str:
    """The file and the first line of it that holds `text` (a scalar's); the file alone where none does."""
    needle = text.split("\n", maxsplit=1)[0].strip()
    content = tree.text_or_none(path) or ""
    at = content.find(needle) if needle else -1
    return path if at < 0 else f"{path}:{content.count(chr(10), 0, at) + 1}"
