"""Numbers and names inside longer texts: ``http://web:8081/api`` in a variable, ``shop/web:http`` in a ConfigMap."""

from __future__ import annotations

import re
from collections.abc import Mapping

from portproof.graph.model import Piece

_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")


def origin_of(piece: Piece, before: object, after: object, stand_ins: Mapping[str, str]) -> str | None:
    """The stand-in that took the place of `piece`, when nothing else but stand-ins changed in the text; else None.

    `stand_ins` maps each text that was put into the source to the one that it replaced. Others may have changed the
    same text, so places are counted in the text that is had by putting every one of them back.
    """
    if not isinstance(before, str) or not isinstance(after, str):
        return None
    found, restored, last = None, "", 0
    form = _NUMBER if before[piece.start : piece.end].isdigit() else _WORD
    for match in form.finditer(after):
        if match[0] not in stand_ins:
            continue
        restored += after[last : match.start()]
        if len(restored) == piece.start:
            found = match[0]
        restored += stand_ins[match[0]]
        last = match.end()
    return found if restored + after[last:] == before else None


def place_in(source: str, text: str, piece: Piece) -> int | None:
    """Where `piece` of the scalar that means `text` stands in its `source` (quoted, indented, folded); None if unclear."""
    if source == text:
        return piece.start
    number = re.compile(rf"(?<!\d){re.escape(text[piece.start : piece.end])}(?!\d)")
    in_text = [match.start() for match in number.finditer(text)]
    in_source = [match.start() for match in number.finditer(source)]
    if piece.start not in in_text or len(in_text) != len(in_source):
        return None
    return in_source[in_text.index(piece.start)]
