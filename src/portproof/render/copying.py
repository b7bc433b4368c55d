"""Copies of charts and overlays as a tree's overlay of edits would have them.

A copy follows no link that leads out of the repository or into ``.git``; a
link inside it is copied as what it points to. Devices and pipes are skipped.

Most of a chart is the same in every copy of it, and writing hundreds of files
takes longer than rendering them. So what holds no edit, no link and nothing odd
is linked to as a whole: helm reads through links.
"""

# A chart has hundreds of files, and strings are several times faster than Path objects here.
# ruff: noqa: PTH103, PTH119, PTH120, PTH123, PTH208, PTH211

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from portproof.source import RelPath, Tree, is_within

MAX_FILES = 20_000
MAX_BYTES = 256 * 1024 * 1024
MAX_FILE_BYTES = 5 * 1024 * 1024
"""helm refuses to load a larger file, so a copy of one is only as large as it takes to be refused."""

_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class CopyError(Exception):
    """What should be copied is larger than any chart or overlay; the message says so."""


def copy_files(tree: Tree, files: Iterable[RelPath], to: Path) -> None:
    """Copy files of `tree` to the same places below `to`; what is missing stays missing. Raises `CopyError`."""
    copier = _Copier(tree)
    for path in files:
        copied = f"{to}/{path}"
        make_folder(os.path.dirname(copied), to)
        copier.entry(str(tree.on_disk(path)), path, copied)


def shadow_folder(
    tree: Tree,
    folder: RelPath,
    to: Path,
    leave_out: Iterable[RelPath] = (),
    own: Iterable[RelPath] | None = (),
) -> None:
    """Make `to`, which may exist already, look like a folder of `tree`.

    `leave_out` are paths relative to `folder` that are not there. `own`, relative to it too, are folders that the
    caller is going to write to: what is linked to must never be written to. None: all is copied. Raises `CopyError` when the folder is
    larger than any chart.
    """
    prefix = "" if folder == "." else f"{folder}/"
    left_out = frozenset(prefix + path for path in leave_out)
    kept = left_out | {prefix + path for path in own or ()} | set(tree.overlay)
    copier = _Copier(tree, left_out, frozenset(kept), linking=own is not None)
    real = os.path.realpath(tree.on_disk(folder))
    if real != copier.root and not real.startswith(copier.root + os.sep):
        raise CopyError(f"{folder} leads out of the repository")
    copier.folder(real, folder, str(to), ())
    for path in tree.overlay:  # files that are not on disk
        if is_within(path, folder) and not any(is_within(path, other) for other in left_out):
            copied = f"{to}/{path[len(prefix) :]}"
            if not os.path.lexists(copied):
                make_folder(os.path.dirname(copied), to)
                write_text(copied, tree.overlay[path])


def is_private(file: Path) -> bool:
    """Whether a file, no link, is there that not everybody may read."""
    try:
        mode = os.lstat(file).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and not mode & stat.S_IROTH


def make_folder(folder: str | Path, within: Path) -> None:
    """Make a folder of the copy `within`; raises `CopyError` when a link leads out of the copy."""
    os.makedirs(folder, exist_ok=True)
    real = os.path.realpath(within)
    if not f"{os.path.realpath(folder)}{os.sep}".startswith(real + os.sep):
        raise CopyError(f"{os.path.basename(folder)} is a link that leads out of the copy")


def write_text(file: str | Path, text: str) -> None:
    """Write `text` as it is, with its own line ends."""
    with open(file, "w", encoding="utf-8", newline="") as stream:
        stream.write(text)


@dataclass(slots=True)
class _Copier:
    """One copy, with what it may still take. `path` is always the place in the tree that `source` has on disk.

    With `linking` on, folders and files are linked to when no path of `kept` is in them.
    """

    tree: Tree
    left_out: frozenset[RelPath] = frozenset()
    kept: frozenset[RelPath] = frozenset()
    linking: bool = False
    root: str = field(init=False)
    files: int = MAX_FILES
    bytes: int = MAX_BYTES

    def __post_init__(self) -> None:
        self.root = os.path.realpath(self.tree.root).rstrip(os.sep)

    def entry(self, source: str, path: RelPath, to: str, parents: tuple[str, ...] = ()) -> None:
        """Copy whatever `source` is."""
        if path in self.tree.overlay:
            self._take(0)
            write_text(to, self.tree.overlay[path])
            return
        try:
            mode = os.lstat(source).st_mode
        except OSError:
            return  # the tool says what is missing better than we do
        if stat.S_ISLNK(mode):
            self._link(source, to, parents)
        elif stat.S_ISDIR(mode):
            self._take(0)
            if self.linking and self._is_simple(source, path):
                os.symlink(source, to)
            else:
                self.folder(source, path, to, parents)
        elif stat.S_ISREG(mode):
            if self.linking:
                self._take(0)
                os.symlink(source, to)
            else:
                self._file(source, to)

    def folder(self, source: str, path: RelPath, to: str, parents: tuple[str, ...]) -> None:
        """`parents` are the real paths of the folders that are being copied, so that a circle of links ends."""
        os.makedirs(to, exist_ok=True)
        try:
            names = os.listdir(source)
        except OSError:
            return
        prefix = "" if path == "." else f"{path}/"
        for name in names:
            below = prefix + name
            if name != ".git" and below not in self.left_out:
                self.entry(f"{source}/{name}", below, f"{to}/{name}", (*parents, source))

    def _is_simple(self, source: str, path: RelPath) -> bool:
        """Whether a folder and all below it are files and folders that nobody edits, leaves out or adds to."""
        if any(is_within(one, path) for one in self.kept):
            return False
        pending = [source]
        while pending:
            try:
                with os.scandir(pending.pop()) as entries:
                    for one in entries:
                        self._take(0)
                        if one.name == ".git":
                            return False
                        if one.is_dir(follow_symlinks=False):
                            pending.append(one.path)
                        elif not one.is_file(follow_symlinks=False):
                            return False
            except OSError:
                return False
        return True

    def _link(self, link: str, to: str, parents: tuple[str, ...]) -> None:
        """Copy what a link inside the tree leads to; never by a link, for `path` is not where the copy stands."""
        real = os.path.realpath(link)
        if not real.startswith(self.root + os.sep):
            return
        path = real[len(self.root) + 1 :].replace(os.sep, "/")
        around_itself = any(parent == real or parent.startswith(real + os.sep) for parent in parents)
        if ".git" not in path.split("/") and not around_itself:
            linking, self.linking = self.linking, False
            self.entry(real, path, to, parents)
            self.linking = linking

    def _file(self, source: str, to: str) -> None:
        try:
            descriptor = os.open(source, _OPEN_FLAGS)
        except OSError:
            return
        with open(descriptor, "rb", buffering=0) as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return
            too_large = status.st_size > MAX_FILE_BYTES
            self._take(0 if too_large else status.st_size)
            with open(to, "wb") as copied:  # buffered: it writes all or raises
                if too_large:
                    copied.truncate(MAX_FILE_BYTES + 1)
                else:
                    shutil.copyfileobj(stream, copied, MAX_FILE_BYTES)

    def _take(self, size: int) -> None:
        self.files -= 1
        self.bytes -= size
        if self.files < 0:
            raise CopyError(f"more than {MAX_FILES:,} files")
        if self.bytes < 0:
            raise CopyError(f"more than {MAX_BYTES // 1024 // 1024} MiB")
