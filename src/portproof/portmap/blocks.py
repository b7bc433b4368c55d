"""Marked blocks of Markdown files: ``<!-- portproof map: GLOB -->`` to ``<!-- portproof map: end -->``.

The words after the colon are a glob of target ids, so a team decides what is shown where. What is between the markers is
the map's, everything else is the team's: not a byte of it changes, line ends included.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from portproof.errors import UsageError
from portproof.portmap import markdown
from portproof.portmap.model import PortMap, TargetMap

END = "end"
_MARKER = re.compile(
    r"^[ \t]{0,3}<!--[ \t]*portproof map:[ \t]*(?P<glob>[^\r\n]*?)[ \t]*-->[ \t]*(?=\r?$)", re.MULTILINE
)
_FENCE = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})", re.MULTILINE)


class Block(Struct, frozen=True):
    """What is between two markers, by offsets, and the glob of target ids that it shows; `line` is the first marker's."""

    glob: str
    start: int
    end: int
    line: int


def blocks(text: str, name: str) -> list[Block]:
    """The blocks of a file; markers inside of fenced code are examples. Raises `UsageError` where they do not pair."""
    found: list[Block] = []
    opened: re.Match[str] | None = None
    code = _code(text)
    for match in _MARKER.finditer(text):
        if any(start <= match.start() < end for start, end in code):
            continue
        line = text.count("\n", 0, match.start()) + 1
        if match["glob"] != END and opened is not None:
            raise _unpaired(
                name, text.count("\n", 0, opened.start()) + 1, "has no end before the next block begins"
            )
        if match["glob"] != END:
            if not match["glob"]:
                raise _unpaired(name, line, "names no targets")
            opened = match
        elif opened is None:
            raise _unpaired(name, line, "ends a block that never began")
        else:
            first = text.count("\n", 0, opened.start()) + 1
            found.append(Block(opened["glob"], opened.end(), match.start(), first))
            opened = None
    if opened is not None:
        raise _unpaired(name, text.count("\n", 0, opened.start()) + 1, "has no end")
    return found


def _unpaired(name: str, line: int, problem: str) -> UsageError:
    return UsageError(
        f"{name}:{line}: the marker {problem}",
        next_step="A block is `<!-- portproof map: GLOB -->`, then `<!-- portproof map: end -->`, each on its own line; "
        "GLOB matches ids of `portproof targets`.",
    )


def _code(text: str) -> list[tuple[int, int]]:
    """Where fenced code is; a block's own is between markers, and is found with everything else."""
    found: list[tuple[int, int]] = []
    opened: re.Match[str] | None = None
    for match in _FENCE.finditer(text):
        if opened is None:
            opened = match
        elif match[1][0] == opened[1][0] and len(match[1]) >= len(opened[1]):
            found.append((opened.start(), match.end()))
            opened = None
    if opened is not None:
        found.append((opened.start(), len(text)))
    return found


def filled(text: str, port_map: PortMap, name: str) -> str:
    """`text` with its blocks as the map has them now. Raises `UsageError` for markers that do not pair or show nothing."""
    parts: list[str] = []
    last = 0
    for number, block in enumerate(blocks(text, name)):
        shown = _shown(port_map, block, name)
        content = markdown.document(port_map, shown, symptoms=number == 0)
        parts += [text[last : block.start], _between(content, "\r\n" if "\r\n" in text else "\n")]
        last = block.end
    return "".join(parts) + text[last:]


def new(port_map: PortMap, glob: str = "*") -> str:
    """A file that is not there yet: one block of everything."""
    content = _between(markdown.write(port_map), "\n")
    return f"# Ports\n\n<!-- portproof map: {glob} -->{content}<!-- portproof map: {END} -->\n"


def _between(content: str, line_end: str) -> str:
    return f"\n\n{content}\n".replace("\n", line_end) if content else line_end


def _shown(port_map: PortMap, block: Block, name: str) -> Sequence[TargetMap]:
    shown = [one for one in port_map.targets if fnmatch.fnmatchcase(one.id, block.glob)]
    if not shown:
        raise UsageError(
            f"{name}:{block.line}: no target matches {block.glob!r}",
            next_step="Use a glob of ids that `portproof targets` lists, or remove the block.",
        )
    return shown


def has_blocks(text: str) -> bool:
    """Whether a file may have a block; cheap, for the many that have none."""
    return "portproof map:" in text and any(True for _ in _markers(text))


def _markers(text: str) -> Iterator[str]:
    return (match["glob"] for match in _MARKER.finditer(text))
