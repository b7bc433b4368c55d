"""What a work tree holds, in git's words: what a commit has, but for files that differ, and what git does not have.

Git knows that of a hundred thousand files in a fraction of the time that it takes to list them here. Where its words could
hide something, nothing is known.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from portproof.git import Git
from portproof.process import Completed
from portproof.source import RelPath

MAX_FILES = 500
MAX_BYTES = 64 * 1024 * 1024
"""More that git does not have is not looked through: listing the tree may be less work."""

_PLAIN = re.compile(r"(?:H (?:100644|100755|120000) [0-9a-f]+ 0\t[^\0]+\0)*")
"""The index as ``ls-files -v -s`` has it: no conflict, no submodule, nothing that git takes for unchanged or leaves away."""

_LINK = re.compile(r"(?:\A|\0)H 120000 ")
_EDIT = re.compile(r":(100644|100755) \1 [0-9a-f]+ [0-9a-f]+ M")
_DIFF = ("--raw", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty", "-z")


def trees(git: Git, commits: Iterable[str], *, back: int) -> list[str]:
    """The trees of commits and of `back` commits before the first of them, each once, the first ones first."""
    found: list[str] = []
    for number, commit in enumerate(commits):
        count = 1 if number else back + 1
        done = git.attempt("log", "--first-parent", f"--max-count={count}", "--format=%T", commit, "--")
        found += done.stdout.split() if done.ok else []
    return list(dict.fromkeys(found))


def has_links(git: Git) -> bool | None:
    """Whether git has symbolic links here; None where its index has more than files and links, all of them looked at."""
    index = _said(git.attempt("ls-files", "-v", "-s", "-z"))
    return None if index is None or not _PLAIN.fullmatch(index) else _LINK.search(index) is not None


def edited(git: Git, tree: str) -> frozenset[RelPath] | None:
    """The files of a tree that read otherwise here; None where more differs than what files say.

    Files that git does not have are no part of that.
    """
    said = _said(git.attempt("diff", *_DIFF, tree, "--"))
    if said is None:
        return None
    words = said.split("\0")[:-1]
    return frozenset(words[1::2]) if all(map(_EDIT.fullmatch, words[::2])) else None


def foreign(git: Git, shortened: Callable[[RelPath], RelPath]) -> str | None:
    """A digest of what lies here and git does not have, ignored or not; empty for nothing, None where that is too much.

    `shortened` gives the folder of a path in which nothing counts but that it is there, else the path; empty for what
    does not count at all.
    """
    folders = _said(git.attempt("ls-files", "--others", "--directory", "-z"))
    if not folders:
        return folders
    files = _said(git.attempt("ls-files", "--others", "-z"))
    if files is None:
        return None
    seen = {short for path in (folders + files).split("\0")[:-1] if (short := shortened(path))}
    left = MAX_BYTES
    found = hashlib.sha256()
    if len(seen) > MAX_FILES or any(path.endswith("/") and path in files.split("\0") for path in seen):
        return None  # a repository in this one is listed as a folder only
    for path in sorted(seen):
        content = _content(git.root / path, left)
        if content is None:
            return None
        left -= len(content)
        for part in (os.fsencode(path), content):
            found.update(b"%d:%s" % (len(part), part))
    return found.hexdigest() if seen else ""


def _content(file: Path, most: int) -> bytes | None:
    """What a file says, where a link leads to, nothing for a folder; None for anything else, and for more than `most`."""
    try:
        status = file.lstat()
        if stat.S_ISLNK(status.st_mode):
            return b"link " + os.fsencode(file.readlink())
        if stat.S_ISDIR(status.st_mode):
            return b"folder"
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            return None
        return b"file " + file.read_bytes()
    except OSError:
        return None


def _said(done: Completed) -> str | None:
    """What git has printed; None where it failed, or had to say that it could not look at something."""
    return done.stdout if done.ok and not done.stderr else None
