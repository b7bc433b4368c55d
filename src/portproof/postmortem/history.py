"""The history of a repository, as far as a post-mortem asks: which commits touched a line or a file, and what they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from msgspec import Struct

from portproof.errors import UsageError
from portproof.git import Git
from portproof.postmortem.model import Commit
from portproof.source import RelPath

_MERGED = re.compile(r"^(Merge pull request #\d+) from \S+")
_BRANCH = re.compile(r"^(Merge (?:remote-tracking )?branch )'(?:[^']*/)?([^'/]*)'(?: of \S+)?")
_MAIL = re.compile(r"<?(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}>?")
_MENTION = re.compile(r"(?<![\w/])@[A-Za-z0-9][\w-]*(?:\[bot\])?")
_SOMEBODY = "…"
_LONGEST_DIFF = 8_000


class History(Struct, frozen=True, dict=True):
    """The commits that `end` has, without those that `start` has, where there is one."""

    git: Git
    end: str
    start: str | None = None

    @property
    def _range(self) -> tuple[str, ...]:
        return (self.end,) if self.start is None else (self.end, f"^{self.start}")

    @cached_property
    def is_shallow(self) -> bool:
        """Whether the clone lacks older commits."""
        return self.git.run("rev-parse", "--is-shallow-repository").strip() == "true"

    @cached_property
    def _order(self) -> dict[str, int]:
        """The commits, newest first: each before its parents."""
        found = self.git.run("rev-list", "--topo-order", *self._range).split()
        return {commit: number for number, commit in enumerate(found)}

    def newest_first(self, commits: Iterable[str]) -> list[str]:
        """Those of the commits that are in question, each once, in the order of history."""
        known = {one for one in commits if one in self._order}
        return sorted(known, key=self._order.__getitem__)

    def of_line(self, path: RelPath, line: int) -> list[str]:
        """The commits that touched a line, which counts from 1 in `end`, under whichever name the file had."""
        place = f"-L{line},{line}:{path}"
        found = self.git.attempt(
            "log", place, "--no-patch", "--format=%H", "--no-ext-diff", *self._range, "--"
        )
        return self.newest_first(found.stdout.split()) if found.ok else []

    def of_file(self, path: RelPath) -> list[str]:
        """The commits that touched a file, under whichever name it had."""
        found = self.git.attempt("log", "--follow", "--format=%H", *self._range, "--", path)
        return self.newest_first(found.stdout.split()) if found.ok else []

    def of_paths(self, paths: Sequence[RelPath]) -> list[str]:
        """The commits that touched any of these files or folders, merges of two that did included."""
        if not paths:
            return []
        literal = [f":(literal){path}" for path in paths]
        found = self.git.attempt("log", "--format=%H", *self._range, "--", *literal)
        return self.newest_first(found.stdout.split()) if found.ok else []

    def between(self, lack: Sequence[str], has: str) -> frozenset[str]:
        """The commits that `has` has, itself included, and none of `lack` has."""
        found = self.git.run("rev-list", has, *(f"^{one}" for one in lack), "--").split()
        return frozenset(found)

    @cached_property
    def people(self) -> tuple[str, ...]:
        """The full names and mail addresses of all who committed something; a single word may be any word."""
        found = self.git.run("log", "--format=%an%n%ae%n%cn%n%ce", self.end, "--").splitlines()
        return tuple(sorted({one for one in found if " " in one.strip() or "@" in one}))

    def commit(self, name: str) -> Commit:
        """What there is to say of a commit."""
        found = self.git.run(
            "log",
            "--max-count=1",
            "--no-show-signature",
            "--date=format-local:%Y-%m-%d %H:%M",
            "--format=%H%x00%cd%x00%P%x00%s%x00%an%x00%ae%x00%cn%x00%ce",
            name,
            "--",
            env={"TZ": "UTC"},
        )
        hash_, when, parents, subject, *people = found.rstrip("\n").split("\0")
        return Commit(
            hash_, when, nameless(subject, (*self.people, *_persons(people))), tuple(parents.split())
        )

    def difference(self, old: str | None, new: str, paths: Sequence[RelPath]) -> str:
        """What a commit did to these files since its parent, as a diff; empty when it did nothing to them, or too much."""
        literal = [f":(literal){path}" for path in paths]
        before = ["--root", new] if old is None else [old, new]
        found = self.git.attempt(
            "diff-tree",
            "-p",
            "-r",
            "-M",
            "--abbrev=8",
            "--no-commit-id",
            "--no-ext-diff",
            "--no-textconv",
            *before,
            "--",
            *literal,
        )
        text = found.stdout if found.ok and len(found.stdout) <= _LONGEST_DIFF else ""
        return _without(self.people, text)


def nameless(subject: str, people: Iterable[str]) -> str:
    """A subject without the names, mail addresses and accounts of people: what broke is a change, and not its author."""
    text = _MERGED.sub(r"\1", subject)
    text = _BRANCH.sub(r"\1'\2'", text)
    text = _MENTION.sub(_SOMEBODY, _MAIL.sub(_SOMEBODY, text))
    return _without(people, text)


def _without(people: Iterable[str], text: str) -> str:
    for name in sorted({one.strip() for one in people}, key=lambda one: (-len(one), one)):
        if len(name) > 1 and name in text:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", _SOMEBODY, text)
    return text


def _persons(people: Sequence[str]) -> Iterator[str]:
    """Names and mail addresses in pairs, without those of GitHub, which commits what people merge there."""
    for name, mail in zip(people[::2], people[1::2], strict=True):
        if mail != "noreply@github.com":
            yield from (name, mail)


def newest(history: History) -> Commit:
    """The newest commit. Raises `UsageError` when there is none."""
    if not history.git.attempt("rev-parse", "--verify", "--quiet", f"{history.end}^{{commit}}").ok:
        raise UsageError(
            "postmortem needs a history, and this repository has no commit yet",
            next_step="Commit the files first.",
        )
    return history.commit(history.end)
