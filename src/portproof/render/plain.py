"""Plain manifests: nothing to run, the text itself is the rendering."""

from __future__ import annotations

import re
import time

from portproof import yamldoc
from portproof.discover.model import ManifestTarget
from portproof.render.model import FailureSite, RenderedDocument, RenderFailure, Rendering
from portproof.source import SourceError, Tree

MAX_CHARACTERS = 50 * 1024 * 1024
"""Text of one folder that is held in memory; what is parsed of it is bounded again (`manifests`)."""

_SOMETHING = re.compile(r"^[ \t\r\ufeff]*[^#\s\ufeff]", re.MULTILINE)


def render(target: ManifestTarget, tree: Tree) -> Rendering:
    """The documents of the target's files, each with its place; files that cannot be read become problems.

    Documents are cut apart here and parsed later, so a broken one does not lose the others.
    """
    started = time.monotonic()
    documents: list[RenderedDocument] = []
    problems: list[RenderFailure] = []
    room = MAX_CHARACTERS
    for path in target.files:
        try:
            text = tree.text(path)
        except SourceError as error:
            problems.append(RenderFailure(target, f"cannot be read: {error.reason}", FailureSite(path)))
            continue
        room -= len(text)
        if room < 0:
            reason = f"not checked: more than {MAX_CHARACTERS // 1024 // 1024} MiB of manifests in one folder; split the folder"
            problems.append(RenderFailure(target, reason, FailureSite(path)))
            break
        line, counted = 1, 0
        for offset, part in yamldoc.split(text):
            line += text.count("\n", counted, offset)
            counted = offset
            if _SOMETHING.search(part):
                documents.append(RenderedDocument(part, path, offset, line))
    return Rendering(target, tuple(documents), tuple(problems), time.monotonic() - started)
