"""Manifests from a pipe, cut into documents; what ``kubectl get`` prints is one List, however large, and is cut into its items.

One broken document does not lose the others, and each document has the limits of a file's (`yamldoc`).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

from portproof import yamldoc
from portproof.discover.model import StreamTarget
from portproof.render.model import RenderedDocument, Rendering

_SOMETHING = re.compile(r"^[ \t\r\ufeff]*[^#\s\ufeff]", re.MULTILINE)
_LIST = re.compile(r"\nkind:[ \t]*[\"']?[A-Za-z]*List[\"']?[ \t]*\r?(?=\n|\Z)")
_ITEMS = re.compile(r"\nitems:[ \t]*\r?\n(?=- )")
_END = re.compile(r"\n(?=[^\s#-])")
_ITEM = re.compile(r"(?:\A|\n)(?=- )")
_ANCHOR = re.compile(r"[:-] &\w")
"""What an item may share with others; kubectl prints none."""

_JSON_ITEMS = re.compile(
    r"""\s*\{(?:\s*"\w{1,40}"\s*:\s*(?:"[^"\\]{0,1000}"|\{[^{}]{0,1000}\})\s*,){0,10}\s*"items"\s*:\s*\["""
)
_NEXT = re.compile(r"[\s,]*(?=\{)")
_DECODER = json.JSONDecoder()


def render(target: StreamTarget) -> Rendering:
    """The documents of the target's text, each with the line that it begins on."""
    started = time.monotonic()
    documents = []
    line, counted, text = 1, 0, target.text.removeprefix("\ufeff")
    for offset, part in yamldoc.split(text):
        for start, item in _items(part):
            at = offset + start
            line += text.count("\n", counted, at)
            counted = at
            if _SOMETHING.search(item):
                documents.append(RenderedDocument(item, line=line))
    return Rendering(target, tuple(documents), (), time.monotonic() - started)


def _items(text: str) -> Iterator[tuple[int, str]]:
    """The items of a List as kubectl prints it, each as a document of its own; any other text as it is."""
    if (found := _JSON_ITEMS.match(text)) is not None:
        yield from _json_items(text, found.end()) or [(0, text)]
        return
    lines = f"\n{text}"
    begin = _ITEMS.search(lines) if _LIST.search(lines) and not _ANCHOR.search(lines) else None
    if begin is None:
        yield 0, text
        return
    end = _END.search(lines, begin.end())
    block = lines[begin.end() : end.start() if end else len(lines)]
    starts = [one.end() for one in _ITEM.finditer(block)]
    for start, stop in zip(starts, (*starts[1:], len(block)), strict=True):
        # As it would be without the List: kinds are told by lines that are not indented.
        item = f"  {block[start + 2 : stop]}"
        yield begin.end() - 1 + start, re.sub(r"(?m)^  ", "", item)


def _json_items(text: str, at: int) -> list[tuple[int, str]]:
    """The items of a List in JSON; none of them where one cannot be read."""
    found = []
    while (begin := _NEXT.match(text, at)) is not None:
        try:
            item, at = _DECODER.raw_decode(text, begin.end())
        except (ValueError, RecursionError):
            return []
        # Half of what kubectl prints are spaces.
        found.append((begin.end(), json.dumps(item, ensure_ascii=False)))
    return found
