"""Whether a chart draws lots: renders to something else each time, by a password, a certificate or the clock.

Templates are read, not run. What only might be drawn counts as drawn, so that a chart is taken for steady only where it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from msgspec import Struct

_WORDS = (
    r"rand[A-Z]\w*|shuffle|uuidv4|now|ago|date|dateInZone|date_in_zone|dateModify|mustDateModify|htmlDate|htmlDateInZone"
    r"|toDate|mustToDate|gen[A-Z]\w*|bcrypt|htpasswd|encryptAES|getHostByName|keys|values"
)
"""Functions of helm and sprig whose answer is another each time, depends on the time zone, or comes in any order."""

_COMMENT = re.compile(r"\{\{-?\s*/\*.*?\*/\s*-?\}\}", re.DOTALL)
_FUNCTION = re.compile(rf"(?<![\w.$\"'-])(?:{_WORDS})(?![\w\"':-])")
_WORD = re.compile(rf"(?<!\w)(?:{_WORDS})(?!\w)")
"""Such a word, whatever is around it: whoever has none asks no such function."""
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.){0,500}\"")
_SORTED = re.compile(r"\b(?:keys|values)\b[^|}]*\|\s*(?:sortAlpha|len)\b")
_DEFINES = re.compile(r"\{\{-?\s*(?:define|block)\s+[\"`]([^\"`]+)[\"`]")
_INCLUDES = re.compile(
    r"\b(?:include|template|block)\s+(?:[\"`]([^\"`]+)[\"`]|\(\s*printf?\b[^()]*\.Template\.BasePath|(\S))"
)
"""Another template, by its name or by its file (which is rendered in any case), or by what only the run tells."""

_MAIN = ""


class _Part(Struct, frozen=True):
    """A named template, or what a file holds outside of them: whether it draws, and which named templates it asks for.

    With None among them it asks for any.
    """

    draws: bool
    asks: frozenset[str | None]


def draws_lots(files: Iterable[tuple[str, str]]) -> bool:
    """Whether a chart may render differently each time; `files` are its files, those of its subcharts too: path and text."""
    texts = [(path, text) for path, text in files if not _is_note(path)]
    if not any(_WORD.search("\n".join(_actions(text))) for _, text in texts):
        return False  # nearly always; telling the named templates of a chart apart takes far longer
    named: dict[str, list[_Part]] = {}
    rendered: list[_Part] = []
    for path, text in texts:
        if not _is_template(path):
            # Text that a template may take for one: `tpl` of a value or of a file.
            if _draws(text):
                return True
            continue
        for name, part in _parts(text):
            if name:
                named.setdefault(name, []).append(part)
            else:
                rendered.append(part)
    if not any(part.draws for parts in (*named.values(), rendered) for part in parts):
        return False
    return _reached(rendered, named)


def _reached(rendered: list[_Part], named: dict[str, list[_Part]]) -> bool:
    """Whether anything that is rendered comes to a part that draws."""
    pending, seen = list(rendered), set[str]()
    while pending:
        part = pending.pop()
        if part.draws:
            return True
        asked = set(named) if None in part.asks else {one for one in part.asks if one is not None}
        for name in asked - seen:
            seen.add(name)
            pending += named.get(name, ())
    return False


def _is_template(path: str) -> bool:
    return "templates" in path.split("/")[:-1]


def _is_note(path: str) -> bool:
    """Whether a file is one whose text goes nowhere: notes are rendered, and not printed."""
    return path.endswith(("/NOTES.txt", ".md"))


def _parts(text: str) -> Iterator[tuple[str, _Part]]:
    """The named templates of a file, each with the text up to the next, and what stands before the first.

    What follows the end of a named template counts as the template's: that asks for more than there is, never for less,
    as long as the file's own part asks for what its last template does.
    """
    text = _COMMENT.sub("", text)
    found = list(_DEFINES.finditer(text))
    bounds = pairwise([*(one.start() for one in found), len(text)])
    for one, (start, end) in zip(found, bounds, strict=True):
        yield one[1], _part(text[start:end])
    outside = _outside(text, [one.start() for one in found])
    if outside.strip():
        yield _MAIN, _part(outside)


def _outside(text: str, starts: list[int]) -> str:
    """The text of a file that is in no named template."""
    if not starts:
        return text
    kept: list[str] = []
    position = 0
    for start in starts:
        if start < position:
            continue
        kept.append(text[position:start])
        position = _end(text, start)
    return "".join((*kept, text[position:]))


_BLOCK = re.compile(r"\{\{-?\s*(if|range|with|define|block|end)\b")


def _end(text: str, start: int) -> int:
    """Where the named template ends that begins at `start`."""
    depth = 0
    for one in _BLOCK.finditer(text, start):
        depth += -1 if one[1] == "end" else 1
        if depth == 0:
            return one.end()
    return len(text)


def _part(text: str) -> _Part:
    asks: set[str | None] = set()
    for action in _actions(text):
        for name, other in _INCLUDES.findall(action):
            if name or other:
                asks.add(name or None)
    return _Part(_draws(text), frozenset(asks))


def _draws(text: str) -> bool:
    """Whether an action of a text asks a function that draws."""
    for action in _actions(text):
        bare = _SORTED.sub("", _QUOTED.sub('""', action))
        if _FUNCTION.search(bare):
            return True
    return False


def _actions(text: str) -> Iterator[str]:
    """What stands between braces, however long it is; one that never ends counts to the next."""
    return (one.partition("}}")[0] for one in text.split("{{")[1:])
