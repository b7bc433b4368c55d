"""Sentences of Markdown, and how many words each has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

LONGEST = 30
"""Words of a sentence that people still read at once."""

_NO_PROSE = re.compile(
    r"^(?P<fence>```+|~~~+).*?^(?P=fence)\s*?$|<!--.*?-->|^---\n.*?\n---$", re.DOTALL | re.MULTILINE
)
_TABLE = re.compile(r"\s*\|")
_BORDER = re.compile(r"(?<!\\)\|")
_HEADING = re.compile(r"\s*#{1,6}\s|\s*\*\*[^*]+:\*\*\s*\Z")
_ITEM = re.compile(r"\A\s*(?:>\s*)*(?:[*+-]|\d+[.)])\s+")
_LINK = re.compile(r"!?\[(?P<text>[^\[\]]*)\]\([^()]*\)")
_CODE = re.compile(r"(?P<ticks>`+).+?(?P=ticks)", re.DOTALL)
_END = re.compile(
    r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!\betc\.)(?<!\bvs\.)[\"')\]*_]*\s+(?=[\"'(\[*_]*[A-Z0-9`])"
)
_CODE_WORD = "`code`"


def sentences(markdown: str) -> Iterator[str]:
    """The sentences of paragraphs, list items and headings. Blocks of code, tables and comments have none."""
    text = _LINK.sub(lambda found: found["text"], _NO_PROSE.sub("\n\n", markdown))
    for block in _blocks(text):
        yield from (one for one in map(str.strip, _split(block)) if one)


def cells(markdown: str) -> Iterator[str]:
    """What tables hold, cell by cell."""
    for line in _NO_PROSE.sub("", markdown).split("\n"):
        if _TABLE.match(line):
            yield from filter(None, map(str.strip, _BORDER.split(line)))


def words(sentence: str) -> int:
    """How many words it has; a span of code is one, however much stands in it."""
    return sum(any(letter.isalnum() for letter in word) for word in _CODE.sub(_CODE_WORD, sentence).split())


def too_long(texts: Iterable[str]) -> list[tuple[int, str]]:
    """The sentences above the bound with their words, longest first."""
    found = ((words(one), one) for text in texts for one in sentences(text))
    return sorted((one for one in found if one[0] > LONGEST), reverse=True)


def _blocks(text: str) -> Iterator[str]:
    """Paragraphs and list items, each as one line."""
    block: list[str] = []
    for line in [*text.split("\n"), ""]:
        begins = not line.strip() or _TABLE.match(line) or _HEADING.match(line) or _ITEM.match(line)
        if begins and block:
            yield " ".join(block)
            block = []
        if _HEADING.match(line):
            yield line.strip()
        elif line.strip() and not _TABLE.match(line):
            block.append(_ITEM.sub("", line).strip())


def _split(block: str) -> Iterator[str]:
    """The sentences of a block. What looks like an end within a span of code is none."""
    spans = [range(*found.span()) for found in _CODE.finditer(block)]
    begin = 0
    for found in _END.finditer(block):
        if not any(found.start() in span for span in spans):
            yield block[begin : found.start()]
            begin = found.end()
    yield block[begin:]
