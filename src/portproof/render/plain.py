"""Plain manifests: nothing to run, the text itself is the rendering."""

from __future__ import annotations

import re
import time

from portproof import yamldoc
from portproof.discover.model import ManifestTarget
from portproof.render.model import FailureSite, RenderedDocument, RenderFailure, Rendering
from portproof.source import SourceError, Tree

_SOMETHING = re.compile(r"^[ \t\r\ufeff]*[^#\s\ufeff]", re.MULTILINE)


def render(target: ManifestTarget, tree: Tree) -> Rendering:
    """The documents of the target's files, each with its place; files that cannot be read become problems.

    Documents are cut apart here and parsed later, so a broken one does not lose the others.
    """
    started = time.monotonic()
    documents: list[RenderedDocument] = []
    problems: list[RenderFailure] = []
    for path in target.files:
        try:
            text = tree.text(path)
        except SourceError as error:
            problems.append(RenderFailure(target, f"cannot be read: {error.reason}", FailureSite(path)))
            continue
        line, counted = 1, 0
        for offset, part in yamldoc.split(text):
            line += text.count("\n", counted, offset)
            counted = offset
            if _SOMETHING.search(part):
                documents.append(RenderedDocument(part, path, offset, line))
    return Rendering(target, tuple(documents), tuple(problems), time.monotonic() - started)
