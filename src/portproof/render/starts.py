"""Starts of helm and kustomize whose answers are kept from one run to the next.

The key is the whole question: the program, the command line, the environment, and the names and bytes of every file that
it may read. It does not matter where the checkout or the scratch folder lies. The answer is text.

https://bazel.build/remote/caching tells what goes wrong where a key leaves something out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from portproof.process import Completed, Ending
from portproof.render.contents import Contents, Digests, UnknownContentError
from portproof.source import Tree
from portproof.textstore import Entry, TextStore

FORMAT = "renderings/1"
"""Part of every key: raised when the same question means something else."""

_WITH_PATH = "--set-file="

_TROUBLES = (
    "out of memory", "cannot allocate", "failed to reserve", "failed to create new OS thread", "no space left",
    "too many open files", "resource temporarily unavailable", "input/output error", "permission denied",
    "operation not permitted", "text file busy", "stale file handle", "interrupted system call", "quota exceeded",
    "read-only file system", "dial tcp", "i/o timeout", "signal:",
)  # fmt: skip
_MACHINE = re.compile("|".join(_TROUBLES), re.IGNORECASE)
"""Words of errors that another run or another machine may not have."""


class Question(Struct, frozen=True):
    """A start of a tool: `argv` and `environ` as they are, and `places`, the paths in them, by what the key calls them.

    `given` are the places that the tool reads, files and folders. Both are in the `tree` or the `scratch` folder.
    """

    argv: Sequence[str]
    environ: Mapping[str, str]
    places: Mapping[str, Path]
    given: Sequence[str]
    tree: Tree
    scratch: Path

    @property
    def command(self) -> list[str]:
        """The command line without the program. Only what is a path, or an option that gives one, is put as a place."""
        return [self._word(one) for one in self.argv[1:]]

    def _word(self, word: str) -> str:
        option, name, path = word.rpartition("=") if word.startswith(_WITH_PATH) else ("", "", word)
        for place, where in self._longest:
            if path == str(where) or path.startswith(f"{where}/"):
                return f"{option}{name}{_mark(place)}{path[len(str(where)) :]}"
        return word

    @property
    def _longest(self) -> list[tuple[str, Path]]:
        return sorted(self.places.items(), key=lambda one: -len(str(one[1])))

    def said(self, text: str) -> str:
        """A text with the names of places instead of where they are."""
        for name, path in self._longest:
            text = text.replace(str(path), _mark(name))
        return text

    def here(self, text: str) -> str:
        """The reverse."""
        for name, path in self.places.items():
            text = text.replace(_mark(name), str(path))
        return text


class KeptStarts(Struct):
    """Answers from a store, if there is one; `identify` says which program a file is, or None where that may change.

    `is_certain` as long as all that was asked can be kept: then another run would say the same, as long as all that it
    reads is the same.
    """

    store: TextStore | None = None
    identify: Callable[[str], str | None] = lambda _path: None
    is_certain: bool = True
    _digests: Digests = field(default_factory=Digests)
    _programs: dict[str, str | None] = field(default_factory=dict)

    def run(
        self,
        question: Question,
        start: Callable[[], Completed],
        is_steady: Callable[[Contents], bool] = lambda _contents: True,
    ) -> Completed:
        """What the tool says: what it said last time, or what it says when it is started.

        That is kept unless it may be another one next time: where the tool was stopped, where the machine may be to
        blame, and where `is_steady` says so.
        """
        store = self.store
        key = None if store is None else self._key(question)
        if store is None or key is None:
            self.is_certain = False
            return start()
        entry = store.get(key)
        if entry is not None:
            known = _read(question, entry)
            if known is not None:
                return known
            store.drop(key)
        done = start()
        answer = _written(question, done) if _lasts(done) else None
        contents = Contents(self._digests, question.tree, question.scratch)
        try:
            # Somebody may have written to a file meanwhile.
            lasts = answer is not None and is_steady(contents) and self._key(question) == key
        except UnknownContentError:
            lasts = False
        if answer is not None and lasts:
            store.put(key, answer)
        else:
            self.is_certain = False
        return done

    def close(self) -> None:
        """Keep the store within its bounds."""
        if self.store is not None:
            self.store.close()

    def _key(self, question: Question) -> str | None:
        program = self._program(question.argv[0])
        if program is None:
            return None
        contents = Contents(self._digests, question.tree, question.scratch)
        try:
            read = [contents.of(question.places[name]) for name in question.given]
        except UnknownContentError:
            return None
        said = question.said
        parts = [
            FORMAT,
            program,
            question.command,
            sorted((name, said(value)) for name, value in question.environ.items()),
            [*zip(question.given, read, strict=True)],
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _program(self, path: str) -> str | None:
        if path not in self._programs:
            self._programs[path] = self.identify(path)
        return self._programs[path]


def _mark(name: str) -> str:
    """What stands for a place in a text of the store: no tool prints it."""
    return f"\0{name}\0"


def _lasts(done: Completed) -> bool:
    """Whether the same start would end like this anywhere, at any time."""
    if done.ending is not Ending.EXITED or done.returncode not in (0, 1):
        return False
    return done.returncode == 0 or not _MACHINE.search(done.stderr)


def _written(question: Question, done: Completed) -> Entry | None:
    """The answer as it is kept; what it prints says nothing of places. None where it cannot be kept."""
    if "\0" in done.stderr:
        return None
    return {
        "code": done.returncode,
        "stdout": done.stdout,
        "stderr": question.said(done.stderr),
        "seconds": done.seconds,
    }


def _read(question: Question, entry: Entry) -> Completed | None:
    """The answer; None for an entry of other types, which no run of portproof has written."""
    code, seconds = entry.get("code"), entry.get("seconds")
    stdout, stderr = entry.get("stdout"), entry.get("stderr")
    if code not in (0, 1) or not isinstance(code, int) or not isinstance(seconds, float):
        return None
    if not isinstance(stdout, str) or not isinstance(stderr, str):
        return None
    return Completed(tuple(question.argv), Ending.EXITED, code, stdout, question.here(stderr), seconds)
