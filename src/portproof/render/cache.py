"""A renderer that remembers another's answers, within a budget of text."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from pathlib import Path
from typing import TypeAlias

from portproof.discover.model import Target
from portproof.render.model import NotRendered, Renderer, RenderFailure, Rendering
from portproof.source import Tree

_Key: TypeAlias = tuple[Path, Target, tuple[tuple[str, str], ...]]
_Answer: TypeAlias = "Rendering | RenderFailure | NotRendered"

BUDGET = 32 * 1024 * 1024
"""Characters of rendered text that are kept; the least recently used go first, so memory stays flat."""


def remember(render: Renderer, budget: int = BUDGET) -> Renderer:
    """Wrap `render` so that the same target in the same tree is rendered once, whoever asks for it and when.

    Two trees are the same to a target when they have the same root, and the same overlay of the files it reads: the key
    is the input, never the output, because nearly a fifth of public charts render differently each time.
    """
    return _Memory(render, budget)


class _Memory:
    """The answers that were given last, and those that are being made: who asks for one of these waits for it."""

    def __init__(self, render: Renderer, budget: int) -> None:
        self._render = render
        self._budget = budget
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, tuple[_Answer, int]] = OrderedDict()
        self._size = 0
        self._begun: dict[_Key, Future[_Answer]] = {}

    def __call__(self, target: Target, tree: Tree) -> _Answer:
        key = _key(target, tree)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
            own: Future[_Answer] = Future()
            made = self._begun.setdefault(key, own)
        return self._make(key, own, tree) if made is own else made.result()

    def _make(self, key: _Key, made: Future[_Answer], tree: Tree) -> _Answer:
        try:
            answer = self._render(key[1], tree)
        except BaseException as error:
            with self._lock:
                del self._begun[key]
            made.set_exception(error)
            raise
        with self._lock:
            del self._begun[key]
            self._keep(key, answer)
        made.set_result(answer)
        return answer

    def _keep(self, key: _Key, answer: _Answer) -> None:
        texts = answer.documents if isinstance(answer, Rendering) else ()
        weight = 1000 + sum(len(one.text) for one in texts)
        self._kept[key] = (answer, weight)
        self._size += weight
        while self._size > self._budget and self._kept:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._size -= dropped


def _key(target: Target, tree: Tree) -> _Key:
    overlay = sorted((path, text) for path, text in tree.overlay.items() if target.reads(path))
    return tree.root, target, tuple(overlay)
