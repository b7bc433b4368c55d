"""A renderer that remembers another's answers, within a budget of text."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TypeAlias

from portproof.discover.model import Target
from portproof.render.model import NotRendered, Renderer, RenderFailure, Rendering
from portproof.source import Tree

_Key: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
_Answer: TypeAlias = "Rendering | RenderFailure | NotRendered"

BUDGET = 32 * 1024 * 1024
"""Characters of rendered text that are kept; the least recently used go first, so memory stays flat."""


def remember(render: Renderer, budget: int = BUDGET) -> Renderer:
    """Wrap `render` so that the same target in the same tree is rendered once.

    Two trees are the same to a target when the overlay of the files it reads is: the key is the input, never the
    output, because nearly a fifth of public charts render differently each time.
    """
    lock = threading.Lock()
    kept: OrderedDict[_Key, tuple[_Answer, int]] = OrderedDict()
    size = 0

    def remembered(target: Target, tree: Tree) -> _Answer:
        nonlocal size
        overlay = tuple(sorted((path, text) for path, text in tree.overlay.items() if target.reads(path)))
        key = (target.id, overlay)
        with lock:
            if key in kept:
                kept.move_to_end(key)
                return kept[key][0]
        answer = render(target, tree)
        weight = 1000 + (
            sum(len(one.text) for one in answer.documents) if isinstance(answer, Rendering) else 0
        )
        with lock:
            if key not in kept:
                kept[key] = (answer, weight)
                size += weight
            while size > budget and kept:
                _, (_, dropped) = kept.popitem(last=False)
                size -= dropped
        return answer

    return remembered
