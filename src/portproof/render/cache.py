"""A renderer that remembers another's answers, within a budget of memory."""

from __future__ import annotations

import marshal
import threading
import zlib
from collections import OrderedDict
from concurrent.futures import Future
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from portproof.discover.model import Target
from portproof.render.model import NotRendered, RenderedDocument, Renderer, RenderFailure, Rendering
from portproof.replacing import replace
from portproof.source import Tree

_Key: TypeAlias = tuple[Path, Target, tuple[tuple[str, str], ...]]
_Answer: TypeAlias = "Rendering | RenderFailure | NotRendered"

AT_HAND = 1024 * 1024
"""Characters of rendered text that are kept as they are, and one rendering at least: whoever asks next, asks for these."""

PACKED = 4 * 1024 * 1024
"""Bytes that older renderings take, packed: manifests shrink to a tenth. The least recently used go first."""

_ENTRY = 1000
"""Bytes that an entry takes besides."""


def remember(render: Renderer, at_hand: int = AT_HAND, packed: int = PACKED) -> Renderer:
    """Wrap `render` so that the same target in the same tree is rendered once, whoever asks for it and when.

    Two trees are the same to a target when they have the same root, and the same overlay of the files it reads: the key
    is the input, never the output, because nearly a fifth of public charts render differently each time.
    """
    return _Memory(render, at_hand, packed)


class _Memory:
    """The answers that were given last, and those that are being made: who asks for one of these waits for it."""

    def __init__(self, render: Renderer, at_hand: int, packed: int) -> None:
        self._render = render
        self._lock = threading.Lock()
        self._at_hand: OrderedDict[_Key, _Answer] = OrderedDict()
        self._packed: OrderedDict[_Key, _Packed] = OrderedDict()
        self._left = at_hand
        self._left_packed = packed
        self._begun: dict[_Key, Future[_Answer]] = {}

    def __call__(self, target: Target, tree: Tree) -> _Answer:
        key = _key(target, tree)
        with self._lock:
            known = self._known(key)
            if known is not None:
                return known
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

    def _known(self, key: _Key) -> _Answer | None:
        packed = self._packed.pop(key, None)
        if packed is not None:
            self._left_packed += packed.weight
            self._keep(key, packed.answer)
        elif key in self._at_hand:
            self._at_hand.move_to_end(key)
        return self._at_hand.get(key)

    def _keep(self, key: _Key, answer: _Answer) -> None:
        self._at_hand[key] = answer
        self._left -= _weight(answer)
        while self._left < 0 and len(self._at_hand) > 1:
            older, given = self._at_hand.popitem(last=False)
            self._left += _weight(given)
            self._packed[older] = packed = _Packed.of(given)
            self._left_packed -= packed.weight
        while self._left_packed < 0:
            _, dropped = self._packed.popitem(last=False)
            self._left_packed += dropped.weight


def _weight(answer: _Answer) -> int:
    texts = answer.documents if isinstance(answer, Rendering) else ()
    return _ENTRY + sum(len(one.text) for one in texts)


class _Packed(Struct, frozen=True):
    """An answer whose documents take little room."""

    rest: _Answer
    documents: bytes = b""

    @classmethod
    def of(cls, answer: _Answer) -> _Packed:
        if not isinstance(answer, Rendering):
            return cls(answer)
        several = [(one.text, one.source, one.offset, one.line, one.elsewhere) for one in answer.documents]
        return cls(replace(answer, documents=()), zlib.compress(marshal.dumps(several), 1))

    @property
    def weight(self) -> int:
        return _ENTRY + len(self.documents)

    @property
    def answer(self) -> _Answer:
        if not isinstance(self.rest, Rendering):
            return self.rest
        several = marshal.loads(zlib.decompress(self.documents))  # noqa: S302 - written by this very process
        return replace(self.rest, documents=tuple(RenderedDocument(*each) for each in several))


def _key(target: Target, tree: Tree) -> _Key:
    overlay = sorted((path, text) for path, text in tree.overlay.items() if target.reads(path))
    return tree.root, target, tuple(overlay)
