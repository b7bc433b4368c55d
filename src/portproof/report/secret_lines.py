"""Which lines of a file hold what a Secret holds, whoever reads it: found in the text, because a broken file has no data.

What is too much is only hidden; so where a line may be one of a Secret, it counts as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_KIND = r"[\"']?kind[\"']?\s*:?\s*[\"']?Secret(?![\w-])"
_IS_SECRET = re.compile(rf"^(?:{_KIND}|\{{.{{0,5000}}?{_KIND})")
_HAS_SECRET = re.compile(rf"(?:^|[\s{{,-]){_KIND}")
_BLOCK = re.compile(
    r"^(?P<indent>[ \t]*(?:- +){0,9})[\"']?(?P<key>stringData|data|binaryData|secretGenerator)[\"']?\s*:"
)
_ALWAYS = ("stringData", "secretGenerator")
_SEPARATOR = re.compile(r"^---(?:\s|$)")
_WORD = re.compile(r"(?P<shown>\{\{.{0,1000}?\}\})|[^\s\"'{}\[\],:#&*!|>%@`]+")
_KEY = re.compile(r"^([ \t]*(?:- +){0,9}(?:[\"']?[A-Za-z_][\w./-]{0,100}[\"']?:(?=\s|\Z))?)(.*)$", re.DOTALL)
_TEXT = re.compile(r"\"[^\"]*\"|`[^`]*`|'[^']*'")
_SHOWN = re.compile(r"[^\s\"'{}\[\],:]")


def secret_lines(text: str, *, broken: bool = False) -> dict[int, bool]:
    """The lines, from 1, of documents of kind Secret and of what else holds secrets; whether each begins with a key of its own.

    In a file that is `broken` every block of data counts, because its kind may be what is broken.
    """
    if not broken and "Secret" not in text and "stringData" not in text and "secretGenerator" not in text:
        return {}
    found: dict[int, bool] = {}
    lines = text.split("\n")
    for first, stop in _documents(lines):
        document = lines[first:stop]
        whole = any(map(_IS_SECRET.match, document))
        every = broken or whole or any(map(_HAS_SECRET.search, document))
        if whole:
            found |= dict.fromkeys(range(first + 1, stop + 1), True)
        found |= {first + 1 + at: keyed for at, keyed in _blocks(document, every=every)}
    return found


def veiled(line: str, *, keyed: bool) -> str:
    """The structure of a line: stars for each word but its key, if it has one, and expressions of a template without their texts."""
    if not keyed:
        return _SHOWN.sub("*", line)
    return _KEY.sub(lambda one: one[1] + _WORD.sub(_masked, one[2]), line)


def _masked(found: re.Match[str]) -> str:
    if found["shown"]:
        return _TEXT.sub(lambda one: _SHOWN.sub("*", one[0]), found[0])
    return "*" * len(found[0])


def _documents(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where documents begin and end, without the lines between them."""
    first = 0
    for number, line in enumerate(lines):
        if _SEPARATOR.match(line):
            yield first, number
            first = number + 1
    yield first, len(lines)


def _blocks(lines: Sequence[str], *, every: bool) -> Iterator[tuple[int, bool]]:
    """The lines of blocks by their index: below their key, or behind it; and which of them are entries of the block itself."""
    indent = entries = -1
    for number, line in enumerate(lines):
        here = len(line) - len(line.lstrip(" \t"))
        if indent >= 0 and (here > indent or not line.strip() or line.lstrip().startswith(("#", "{{"))):
            entries = here if entries < 0 and line.strip() else entries
            yield number, here == entries
            continue
        indent = entries = -1
        found = _BLOCK.match(line)
        if found and (every or found["key"] in _ALWAYS):
            indent = len(found["indent"])
            yield number, True
