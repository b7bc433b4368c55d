"""What git ignores, told by the ``.gitignore`` files of the tree and by git's index; no program is started.

Patterns are those of `gitignore(5)`. A file that was committed all the same is not ignored: the index names it.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct, field

from portproof import git_index
from portproof.discover.walk import ancestors
from portproof.source import RelPath, Tree

if TYPE_CHECKING:
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

MAX_PATH = 200
MAX_PATTERNS = 600
"""Longer paths and more patterns are not looked at: whoever writes both can make the search long."""

_SLOW = re.compile(r"\*{3}|(?:\*++[^*]*+){4}|\[(?![!^]?(?:\w-\w|\w)+\])")
"""More wildcards than anybody needs, each of which multiplies the search, and sets that Python reads otherwise."""


def ignored_by_git(files: Collection[RelPath], tree: Tree) -> frozenset[RelPath]:
    """Those of `files` that git ignores, or the folders above them that it does; nothing outside of a work tree."""
    if not (tree.root / ".git").exists():
        return frozenset()
    rules = _Rules(tree)
    found = {path: top for path in files if (top := rules.ignored(path))}
    if not found:
        return frozenset()
    index = git_index.read(tree.root)
    if index is None:  # then nobody can tell what was committed all the same
        return frozenset()
    return frozenset(top for path, top in found.items() if not _is_committed(top, path, index))


def patterns_of(text: str, *, of_folders: bool = True) -> Iterator[GitIgnoreSpecPattern]:
    """The patterns of a .gitignore. Like git, we pass over a line that is none; and over one that takes long.

    Without `of_folders` those are left out that only folders can match: pathspec matches what lies in them, too.
    """
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - start-up; hardly ever needed

    for line in _lines(text):
        if not of_folders and line.rstrip().endswith("/"):
            continue
        with suppress(ValueError, re.error):
            yield from GitIgnoreSpec.from_lines([line]).patterns


def matches(patterns: Iterable[GitIgnoreSpecPattern], path: str) -> bool:
    """Whether the last pattern that is about `path` ignores it; a folder ends in a slash.

    pathspec's own `GitIgnoreSpec` weighs patterns of folders in another way.
    """
    return bool(
        next(
            (
                one.include
                for one in reversed([*patterns])
                if one.include is not None and one.match_file(path)
            ),
            False,
        )
    )


class _Rules(Struct):
    """The .gitignore files of a tree, each read once."""

    tree: Tree
    texts: dict[RelPath, str] = field(default_factory=dict)
    patterns: dict[tuple[RelPath, bool], tuple[GitIgnoreSpecPattern, ...]] = field(default_factory=dict)
    known: dict[RelPath, bool] = field(default_factory=dict)
    ends: dict[RelPath, re.Pattern[str] | None] = field(default_factory=dict)
    fit: dict[tuple[RelPath, str], bool] = field(default_factory=dict)

    def ignored(self, path: RelPath) -> RelPath:
        """`path`, or the outermost folder above it, if git ignores that; else empty."""
        if len(path) > MAX_PATH or not self._may_be(path):
            return ""
        for one in (*reversed([*ancestors(path)][:-1]), path):
            if one not in self.known:
                self.known[one] = self._is(one, is_folder=one != path)
            if self.known[one]:
                return one
        return ""

    def _may_be(self, path: RelPath) -> bool:
        """Whether the last step of a pattern fits any step of the path: this is cheap, and hardly ever true."""
        steps = path.split("/")
        return any(self._fits(folder, step) for folder in ancestors(path) for step in steps)

    def _fits(self, folder: RelPath, step: str) -> bool:
        """Whether any pattern of a folder ends in something like `step`."""
        if folder not in self.ends:
            ends = sorted(set(_last_steps(self._text(folder))))
            self.ends[folder] = re.compile("|".join(map(fnmatch.translate, ends))) if ends else None
        ending = self.ends[folder]
        if ending is None:
            return False
        if (folder, step) not in self.fit:
            self.fit[folder, step] = ending.match(step) is not None
        return self.fit[folder, step]

    def _is(self, path: RelPath, *, is_folder: bool) -> bool:
        """Whether the .gitignore files above a path ignore it; the nearest that is about it decides."""
        left = MAX_PATTERNS
        for folder in ancestors(path):
            patterns = self._patterns(folder, of_folders=is_folder)[:left]
            left -= len(patterns)
            inside = path if folder == "." else path[len(folder) + 1 :]
            if patterns and matches(patterns, f"{inside}/" if is_folder else inside):
                return True
        return False

    def _patterns(self, folder: RelPath, *, of_folders: bool) -> tuple[GitIgnoreSpecPattern, ...]:
        if (folder, of_folders) not in self.patterns:
            some = islice(patterns_of(self._text(folder), of_folders=of_folders), MAX_PATTERNS)
            self.patterns[folder, of_folders] = tuple(some)
        return self.patterns[folder, of_folders]

    def _text(self, folder: RelPath) -> str:
        if folder not in self.texts:
            file = ".gitignore" if folder == "." else f"{folder}/.gitignore"
            self.texts[folder] = self.tree.text_or_none(file) or ""
        return self.texts[folder]


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.strip() and not line.startswith("#") and not _SLOW.search(line):
            yield line


def _last_steps(text: str) -> Iterator[str]:
    several = islice((line for line in _lines(text) if line[0] != "!"), MAX_PATTERNS)
    return (line.strip().rstrip("/").rpartition("/")[2] for line in several)


def _is_committed(top: RelPath, path: RelPath, index: bytes) -> bool:
    """Whether the index has `path`, or anything of the ignored folder `top`: a name may also end like that, which is rare."""
    return (path.encode() + b"\0" if top == path else top.encode() + b"/") in index
