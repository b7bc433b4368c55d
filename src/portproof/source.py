r"""Places in files, edits of them, and the repository under an overlay of edits.

Positions are offsets in Unicode code points, counted from 0, half-open::

    p o r t :   8 0 8 1 \n
    0 1 2 3 4 5 6 7 8 9 10          Span(path, 6, 10) is "8081"

Lines and columns counted from 1 exist only in reports (`position`).
Text is decoded from UTF-8 without touching line ends; a byte order mark stays
the first code point, so offsets hold for the file as it is.
"""

from __future__ import annotations

import bisect
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from portproof.errors import UsageError

RelPath: TypeAlias = str
"""A path relative to the root of the tree, with forward slashes, never starting with ``/`` or ``..``.

The root itself is ``"."``.
"""

MAX_SOURCE_BYTES = 5 * 1024 * 1024
"""Larger files are not read as source (helm's own loader stops at the same size)."""


_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe without a writer would keep us waiting


class SourceError(Exception):
    """A file of the tree cannot be read as text; the message says why."""

    def __init__(self, path: RelPath, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Span(Struct, frozen=True, order=True):
    """A half-open range of code points in one file."""

    path: RelPath
    start: int
    end: int


class Edit(Struct, frozen=True, order=True):
    """Replace the text of `span`, which is `old` today, by `new`."""

    span: Span
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Tree:
    """The repository as it would be with some edits; files on disk are never changed.

    `overlay` maps paths to their whole new text. Two trees with equal root and
    overlay read the same.
    """

    root: Path
    overlay: Mapping[RelPath, str] = field(default_factory=dict)

    def on_disk(self, path: RelPath) -> Path:
        """Where `path` lies on disk, whatever the overlay says about its text."""
        return self.root / path if path != "." else self.root

    def text(self, path: RelPath) -> str:
        """Return the text of a file.

        Raises `SourceError` for a missing, unreadable, oversized or binary file, and for one that is none of the tree's.
        """
        if path in self.overlay:
            return self.overlay[path]
        if not is_inside(path):
            raise SourceError(path, "not a file in the repository")
        return read_text(f"{self.root}/{path}", path)  # thousands are read, and a Path for each costs more

    def text_or_none(self, path: RelPath) -> str | None:
        """The text of a file; None where `text` raises: whoever has to have the file says what is wrong with it."""
        try:
            return self.text(path)
        except SourceError:
            return None

    def with_edits(self, edits: Iterable[Edit]) -> Tree:
        """The same tree with `edits` applied on top; spans refer to this tree's text."""
        by_file: dict[RelPath, list[Edit]] = defaultdict(list)
        for edit in edits:
            by_file[edit.span.path].append(edit)
        overlay = dict(self.overlay)
        for path, group in by_file.items():
            overlay[path] = apply(self.text(path), group)
        return Tree(self.root, overlay)


def read_text(file: Path | str, path: RelPath) -> str:
    """Read `file`, named `path` in messages, as UTF-8 with its line ends untouched."""
    try:
        with os.fdopen(os.open(file, _READING), "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(path, "not a regular file")
            if status.st_size > MAX_SOURCE_BYTES:
                raise SourceError(path, f"larger than {MAX_SOURCE_BYTES // 1024 // 1024} MiB")
            data = stream.read(MAX_SOURCE_BYTES + 1)
    except OSError as error:
        raise SourceError(path, (error.strerror or str(error)).lower()) from error
    if b"\0" in data:
        raise SourceError(path, "a binary file")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SourceError(path, f"not UTF-8 (byte {error.start})") from error


def apply(text: str, edits: Iterable[Edit]) -> str:
    """Apply edits of one file; raises `ValueError` when they overlap or no longer fit the text."""
    pieces: list[str] = []
    position = 0
    for edit in sorted(set(edits)):
        start, end = edit.span.start, edit.span.end
        if start < position or (pieces and start == position and start == end):
            raise ValueError(f"edits of {edit.span.path} overlap at offset {start}")
        if text[start:end] != edit.old:
            raise ValueError(f"{edit.span.path} no longer reads {edit.old!r} at offset {start}")
        pieces += [text[position:start], edit.new]
        position = end
    pieces.append(text[position:])
    return "".join(pieces)


class LineIndex(Struct, frozen=True):
    """Turns offsets of one text into lines and columns. Lines end at a line feed only, as in git."""

    starts: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> LineIndex:
        """Index `text`."""
        starts = [0]
        at = text.find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = text.find("\n", at + 1)
        return cls(tuple(starts))

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of `offset`, both counted from 1, columns in code points."""
        line = bisect.bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1


def work_tree(path: Path) -> Path | None:
    """The git work tree that `path` lies in: the nearest folder at or above it that holds ``.git``; None without one."""
    return next((folder for folder in (path, *path.parents) if (folder / ".git").exists()), None)


def root_and_paths(given: tuple[str, ...], known: Path | None = None) -> tuple[Path, tuple[RelPath, ...]]:
    """The root (the enclosing git work tree, else the PATH itself) and the paths relative to it."""
    absolute = [Path(text).absolute() for text in given or (".",)]
    for text, path in zip(given or (".",), absolute, strict=True):
        if not path.exists():
            raise UsageError(f"{text}: no such file or folder", next_step="Name a path that exists.")
        if not (path.is_file() or path.is_dir()):
            raise UsageError(
                f"{text} is neither a file nor a folder",
                next_step="Pipe manifests into standard input: `portproof check - < FILE`.",
            )
    resolved = [path.resolve() for path in absolute]
    root = known or work_tree(resolved[0])
    if root is None:
        folders = [path if path.is_dir() else path.parent for path in resolved]
        root = Path(os.path.commonpath(folders))
    relative = []
    for text, path in zip(given or (".",), resolved, strict=True):
        if not path.is_relative_to(root):
            raise UsageError(f"{text} is outside {root.name}", next_step="Check one repository at a time.")
        relative.append(normalise(path.relative_to(root).as_posix()) or ".")
    return root, tuple(relative)


def normalise(path: str) -> RelPath | None:
    """`path` without ``.`` and ``..`` steps; None when it leads out of the root."""
    steps: list[str] = []
    for step in path.split("/"):
        if step in ("", "."):
            continue
        if step == "..":
            if not steps:
                return None
            steps.pop()
        else:
            steps.append(step)
    return "/".join(steps) or "."


def is_inside(path: str) -> bool:
    """Whether `path` is one of the tree's files by its words: written as a `RelPath`, and none of git's own."""
    return (
        not path.startswith("/")
        and "\0" not in path
        and normalise(path) == path
        and ".git" not in path.split("/")
    )


def join(folder: RelPath, path: str) -> RelPath | None:
    """`path`, written relative to `folder`, as a path of the tree; None when it leads out of it."""
    if path.startswith("/"):
        return None
    return normalise(path if folder == "." else f"{folder}/{path}")


def below(folder: RelPath, name: str) -> RelPath:
    """What is called `name` in `folder`; that is a plain name or path, without ``..``."""
    return name if folder == "." else f"{folder}/{name}"


def parent(path: RelPath) -> RelPath:
    """The folder that holds `path`."""
    return path.rpartition("/")[0] or "."


def is_within(path: RelPath, folder: RelPath) -> bool:
    """Whether `path` is `folder` or lies below it."""
    return folder in (".", path) or path.startswith(folder + "/")
