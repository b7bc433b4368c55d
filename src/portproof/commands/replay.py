"""A run that has been before: what it printed, if everything that it could read is as it was then.

That is known before anything is loaded that reads a chart: the whole tree is taken as bytes, whatever of it counts. A run
is kept only where it is certain that nothing else was read: no network, no chart that draws lots, no tool that may be
another one.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from msgspec import Struct

from portproof import git_index
from portproof.commands.output import print_document, write_text
from portproof.console import say
from portproof.errors import PortproofError
from portproof.flags import STANDARD_INPUT, Flags
from portproof.own_code import own_code
from portproof.renderings import renderings_folder
from portproof.source import root_and_paths
from portproof.textstore import Entry, TextStore
from portproof.tool_file import identity
from portproof.toolchain import cache_folder, find_helm, find_kustomize

FORMAT = "runs/1"
"""Part of every key: raised when the same words mean something else."""

MAX_FILES = 200_000
MAX_BYTES = 1024 * 1024 * 1024
"""A larger tree is not looked through: checking it may be less work."""

_PIECE = 256 * 1024
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Printed(Struct, frozen=True):
    """What a run has said: on standard output, into files in the order they were asked for, and as notes."""

    code: int
    output: str
    reports: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def say(self, kind: str, files: Sequence[Path], root: Path | None) -> int:
        """Say it again, in the format `kind`, of the tree at `root`; gives the exit code."""
        for note in self.notes:
            say(note)
        for file, text in zip(files, self.reports, strict=True):
            write_text(file, text, root=root)
        print_document(self.output, kind)
        return self.code


class _UncertainError(Exception):
    """It cannot be said what a run would read."""


@dataclass(slots=True)
class Replay:
    """The run that is asked for, as `words` say it, of the tree at `root`."""

    words: Sequence[str]
    flags: Flags
    root: Path
    store: TextStore
    environ: Mapping[str, str]
    _key: str | None = field(init=False)

    def __post_init__(self) -> None:
        self._key = self._read()

    def printed(self) -> Printed | None:
        """What the same run has said before; None where there was none."""
        entry = self.store.get(self._key) if self._key else None
        if entry is None or not all(self._is_same(name, entry.get(name)) for name in ("helm", "kustomize")):
            return None
        return _printed(entry)

    def keep(self, printed: Printed, tools: Mapping[str, str | None]) -> None:
        """Keep what a run has said that was certain; `tools` are the paths of those that it names, by their names."""
        known = {name: identity(path, cache_folder(self.environ)) for name, path in tools.items() if path}
        texts = (printed.output, *printed.reports)
        if None in known.values() or any(str(self.root) in text for text in texts):
            return
        if self._key is not None and self._read() == self._key:
            more = {f"report-{number}": text for number, text in enumerate(printed.reports)}
            said: Entry = {
                "code": int(printed.code),
                "output": printed.output,
                "notes": json.dumps(printed.notes),
                **{name: known.get(name) or "" for name in ("helm", "kustomize")},
                **more,
            }
            self.store.put(self._key, said)
            self.store.close()

    def _is_same(self, name: str, known: object) -> bool:
        """Whether a tool is the one that a run has named, if it has named one."""
        if known == "":
            return True
        find, given = (
            (find_helm, self.flags.helm) if name == "helm" else (find_kustomize, self.flags.kustomize)
        )
        try:
            tool = find(given, offline=True, environ=self.environ, notify=say)
        except PortproofError:
            return False
        return identity(tool.path, cache_folder(self.environ)) == known

    def _read(self) -> str | None:
        """The key: all that goes into a run but for the tools. None where that cannot be said."""
        found = hashlib.sha256()
        here = os.path.realpath(os.curdir)
        try:
            parts = [
                FORMAT,
                own_code(),
                repr(self.words),
                repr(self.flags),
                os.path.relpath(self.root, here),
            ]
            parts += [_file(name) for name in (self.flags.config, self.flags.baseline) if name]
            tree = _tree(str(self.root), os.path.realpath(self.store.folder))
            for part in chain(parts, tree, (_index(self.root),)):
                data = part.encode("utf-8", "surrogateescape")
                found.update(b"%d:%s" % (len(data), data))
        except (OSError, _UncertainError):
            return None
        return found.hexdigest()


def replay(
    paths: tuple[str, ...], flags: Flags, words: Sequence[str], environ: Mapping[str, str]
) -> Replay | None:
    """The run that is asked for; None for one that is never kept. Raises `UsageError` for a path that is not there.

    Such are comparisons, which read git, as do shards; what comes through a pipe, what writes files that the next run reads,
    and a run that is to be measured.
    """
    reads_git = flags.base is not None or flags.shard is not None
    is_not_kept = flags.no_cache or flags.write_baseline or flags.timings
    if is_not_kept or reads_git or not STANDARD_INPUT.isdisjoint(paths):
        return None
    root, _ = root_and_paths(paths)
    folder = renderings_folder(environ, root)
    if folder is None:
        return None
    return Replay((*words, *paths), flags, root, TextStore(folder), environ)


def _printed(entry: Entry) -> Printed | None:
    code, output, notes = entry.get("code"), entry.get("output"), entry.get("notes")
    reports = [text for name, text in sorted(entry.items()) if name.startswith("report-")]
    texts = [one for one in (output, notes, *reports) if isinstance(one, str)]
    if code not in (0, 1) or not isinstance(code, int) or len(texts) != len(reports) + 2:
        return None
    try:
        said = json.loads(texts[1])
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, list) or not all(isinstance(one, str) for one in said):
        return None
    return Printed(code, texts[0], tuple(texts[2:]), tuple(said))


def _tree(root: str, leave_out: str) -> Iterator[str]:
    """Names, kinds and contents of all that lies below a folder, but for git's own and what is at the path `leave_out`.

    Raises `OSError` for what cannot be read, `_UncertainError` for more than can be looked through.
    """
    files, left, room = MAX_FILES, MAX_BYTES, _room()
    pending = [(root, "")]
    while pending:
        folder, prefix = pending.pop()
        with os.scandir(folder) as entries:
            for one in sorted(entries, key=lambda entry: entry.name):
                name = prefix + one.name
                files -= 1
                if one.name == ".git":
                    yield f"git {name}"
                elif one.path == leave_out:
                    pass
                elif one.is_symlink():
                    yield f"link {name} {os.readlink(one.path)}"  # noqa: PTH115
                elif one.is_dir():
                    yield f"folder {name}"
                    pending.append((one.path, f"{name}/"))
                else:
                    size, digest = _content(one.path, room)
                    left -= size
                    yield f"{digest} {name}"
        if left < 0 or files < 0:
            raise _UncertainError


def _content(path: str, room: memoryview) -> tuple[int, str]:
    """Size and digest of a file, which passes through a `room`; of what is none, that."""
    try:
        handle = os.open(path, _READING)
    except OSError:
        if stat.S_ISREG(os.lstat(path).st_mode):
            raise
        return 0, "odd"
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return 0, "odd"
        if status.st_size > MAX_BYTES:
            raise _UncertainError
        read = os.readv(handle, (room,))
        found = hashlib.sha256(room[:read])
        while read == len(room):  # of a file there is less only at its end
            read = os.readv(handle, (room,))
            found.update(room[:read])
        return status.st_size, found.hexdigest()
    finally:
        os.close(handle)


def _file(name: str) -> str:
    path = os.path.realpath(name)
    return _content(path, _room())[1] if os.path.lexists(path) else ""


def _room() -> memoryview:
    """One for all files: new memory for each would cost as much as their digests."""
    return memoryview(bytearray(_PIECE))


def _index(root: Path) -> str:
    """What git has committed, or is about to: a file that a .gitignore names counts if it is among that."""
    index = git_index.read(root)
    return "" if index is None else hashlib.sha256(git_index.names(index)).hexdigest()
