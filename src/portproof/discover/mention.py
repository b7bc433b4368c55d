"""Where a file says something: ``charts/shop/Chart.yaml:7``, for the reasons of refusals."""

from __future__ import annotations

from portproof.source import RelPath, SourceError, Tree


def mention(tree: Tree, path: RelPath, text: str) -> str:
    """The file and the first line of it that holds `text` (a scalar's); the file alone where none does."""
    needle = text.split("\n", maxsplit=1)[0].strip()
    try:
        at = tree.text(path).find(needle) if needle else -1
    except SourceError:
        return path
    return path if at < 0 else f"{path}:{tree.text(path).count(chr(10), 0, at) + 1}"
