"""Template text read just well enough to say where a refusal stands and whether a condition guards it.

Nothing is evaluated: text is cut into its ``{{ … }}`` actions, and blocks are counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

MAX_ACTIONS = 100_000
MAX_CONDITION = 2_000
"""Characters of a condition that are kept."""
_INSIDE = re.compile(r"}}|\"|`|/\*")
_STRING_END = re.compile(r"\"|\\|\n")
_OPENS = re.compile(r"(if|with|range|define|block)\b")
_REFUSES = re.compile(r"\b(fail|required)\b")
# What never ends is a literal, too: if the search went on behind its beginning, time would grow with the square.
_LITERAL = re.compile(r"\"((?:[^\"\\\n]|\\.)*+)\"?|`([^`]*+)`?")
_VERB = re.compile(r"%[-+# 0-9.]*[a-zA-Z]")
_STEP = re.compile(r"{{.*?}}")


class TemplateAction(Struct, frozen=True):
    """One ``{{ … }}``: where it stands, what is inside, and the conditions and loops that are open around it.

    An ``else if`` adds its words to those of the ``if``.
    """

    start: int
    end: int
    body: str
    conditions: tuple[str, ...]

    @property
    def guards(self) -> int:
        """How many conditions and loops are open around it."""
        return len(self.conditions)

    @property
    def refuses(self) -> bool:
        """Whether it calls ``fail`` or ``required``."""
        return not self.body.startswith("/*") and _REFUSES.search(_LITERAL.sub('""', self.body)) is not None

    @property
    def demands(self) -> bool:
        """Whether it calls ``required``."""
        return self.refuses and "required" in _LITERAL.sub('""', self.body)

    def says(self, message: str) -> bool:
        """Whether one of its string literals, with ``%s`` and its like filled in, is `message`."""
        for found in _LITERAL.finditer(self.body):
            literal = found.group(2) if found.group(2) is not None else _unescape(found.group(1))
            words = [piece.strip() for piece in _VERB.split(literal.strip())]
            if sum(len(piece) for piece in words) >= 4 and fits(words, message):
                return True
        return False


def actions(text: str) -> Iterator[TemplateAction]:
    """The actions of a template in order; stops at one that never ends. Linear in the length of `text`."""
    opened: list[str] = []  # a definition has no condition
    start = text.find("{{")
    for _ in range(MAX_ACTIONS):
        if start < 0:
            return
        end = _end(text, start + 2)
        if end is None:
            return
        body = text[start + 2 : end - 2].removeprefix("-").removesuffix("-").strip()
        opens = _OPENS.match(body)
        if re.match(r"end\b", body) and opened:
            opened.pop()
        elif re.match(r"else\b", body) and opened and opened[-1]:
            opened[-1] = f"{opened[-1]} {body}"[:MAX_CONDITION]
        yield TemplateAction(start, end, body, tuple(one for one in opened if one))
        if opens:
            opened.append(body[:MAX_CONDITION] if opens.group(1) in ("if", "with", "range") else "")
        start = text.find("{{", end)


def pieces(line: str) -> tuple[str, ...]:
    """The text of a template's line between its actions; empty when that is too little to recognise the line by."""
    line = line.strip()
    last = (
        line.rfind("}}") + 2 if "}}" in line else 0
    )  # looked for here, or each step without an end would look for it
    *steps, rest = _STEP.split(line[:last])
    found = tuple(piece.strip() for piece in (*steps, rest + line[last:]))
    return found if sum(len(piece) for piece in found) >= 2 else ()


def fits(pieces: Sequence[str], text: str) -> bool:
    """Whether `text` is these pieces with anything in between. By `str.find`, so it cannot take long."""
    if len(pieces) == 1:
        return pieces[0] == text
    first, last = pieces[0], pieces[-1]
    if len(first) + len(last) > len(text) or not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in pieces[1:-1]:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _end(text: str, at: int) -> int | None:
    while found := _INSIDE.search(text, at):
        at = found.end()
        match found.group():
            case "}}":
                return at
            case "`":
                at = text.find("`", at) + 1
            case "/*":
                at = text.find("*/", at) + 1
            case _:
                at = _string_end(text, at)
        if at <= 0:
            return None
    return None


def _string_end(text: str, at: int) -> int:
    """Where the quoted string that `at` lies in ends; 0 when it does not."""
    while found := _STRING_END.search(text, at):
        if found.group() == '"':
            return found.end()
        if found.group() == "\n":
            return 0
        at = found.end() + 1
    return 0


def _unescape(literal: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found.group(1), found.group(1)), literal)
