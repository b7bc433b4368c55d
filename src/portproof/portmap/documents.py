"""The Markdown files that hold blocks of the map: which they are, and what differs from what they should be."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from portproof.errors import UsageError
from portproof.portmap import blocks
from portproof.portmap.model import PortMap
from portproof.report.safe import visible
from portproof.source import SourceError, read_text

_ENDINGS = (".md", ".markdown")


class Document(Struct, frozen=True):
    """A file, its name as the reader sees it, and its text; None when it is not there yet."""

    file: Path
    name: str
    text: str | None


class Compared(Struct, frozen=True):
    """What a file holds, and what it should."""

    file: Path
    name: str
    before: str
    after: str


def find(given: Sequence[str], folder: Path) -> list[Document]:
    """The files that are named, and those with a block in the folders that are, or in `folder`. Raises `UsageError`."""
    found: dict[Path, Document] = {}
    for text in given or (str(folder),):
        path = Path(text)
        if path.is_dir():
            for one in _in_folder(path, folder):
                found.setdefault(one.file.resolve(), one)
        elif path.suffix.lower() in _ENDINGS:
            found.setdefault(path.resolve(), Document(path, text, _read(path) if path.exists() else None))
        else:
            raise UsageError(
                f"{text}: not a Markdown file or a folder",
                next_step="Name a .md file; --write makes one that is not there.",
            )
    if not found:
        raise UsageError(
            "no Markdown file has a block of the map",
            next_step="Make one: `portproof map --write PORTS.md`. Or put `<!-- portproof map: * -->` and "
            "`<!-- portproof map: end -->` on lines of their own into a file.",
        )
    return list(found.values())


def compared(documents: Sequence[Document], port_map: PortMap) -> Iterator[Compared]:
    """Each file as it is and as it should be. Raises `UsageError` for markers that do not pair, or a file without any."""
    for one in documents:
        if one.text is None:
            yield Compared(one.file, one.name, "", blocks.new(port_map))
        elif not blocks.has_blocks(one.text):
            raise UsageError(
                f"{one.name} has no block of the map",
                next_step="Put `<!-- portproof map: * -->` and `<!-- portproof map: end -->` on lines of their own where "
                "the map should be.",
            )
        else:
            yield Compared(one.file, one.name, one.text, blocks.filled(one.text, port_map, one.name))


def difference(one: Compared) -> str:
    """What is out of date in a file, as a diff for people."""
    import difflib  # noqa: PLC0415 - start-up: files are nearly always up to date

    lines = difflib.unified_diff(
        one.before.splitlines(), one.after.splitlines(), one.name, one.name, lineterm=""
    )
    return "".join(f"{visible(line)}\n" for line in lines)


def _in_folder(folder: Path, start: Path) -> Iterator[Document]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "node_modules")
        for name in sorted(names):
            if os.path.splitext(name)[1].lower() not in _ENDINGS:  # noqa: PTH122 - a Path for each file takes longer
                continue
            file = Path(where) / name
            if file.is_file() and not file.is_symlink():
                text = _read(file)
                if blocks.has_blocks(text):
                    yield Document(file, os.path.relpath(file, start), text)


def _read(file: Path) -> str:
    try:
        return read_text(file, str(file))
    except SourceError as error:
        raise UsageError(str(error), next_step="Name a text file.") from error
