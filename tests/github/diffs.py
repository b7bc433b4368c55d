"""The diff of a pull request by real git: files, patches, hunks, and where a line of one revision is in another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.github.gitrepo import GitRepo

LEFT, RIGHT = "LEFT", "RIGHT"
HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
STATUS = {"A": "added", "M": "modified", "D": "removed", "R": "renamed", "C": "copied", "T": "changed"}
OPTIONS = [
    "-c",
    "core.quotepath=false",
    "-c",
    "core.autocrlf=false",
    "-c",
    "diff.renameLimit=3000",
    "diff",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--submodule=short",
    "--find-renames",
    "--find-copies",
]
# A larger patch is left out of the list of files; the diff has it all the same, and its lines take comments.
PATCH_LINES = 3_000
# Limits of the repository page, section 3 of the reference: lines and bytes of one file's diff.
HUNK_LINES = 20_000
PATCH_BYTES = 500_000


@dataclass(frozen=True)
class Sizes:
    """Lines of one file's patch: above `patch_lines` it is not listed, above `hunk_lines` nobody can comment on them."""

    patch_lines: int = PATCH_LINES
    hunk_lines: int = HUNK_LINES


SIZES = Sizes()


@dataclass(frozen=True)
class Line:
    left: int | None
    right: int | None
    position: int
    text: str

    def number(self, side: str) -> int | None:
        return self.left if side == LEFT else self.right


@dataclass(frozen=True)
class Hunk:
    header: str
    lines: tuple[Line, ...]

    def find(self, side: str, number: int) -> Line | None:
        return next((line for line in self.lines if line.number(side) == number), None)

    def until(self, last: Line) -> str:
        """What GitHub gives as `diff_hunk`: from the header to the line that is commented on."""
        return "\n".join([self.header, *(line.text for line in self.lines if line.position <= last.position)])


@dataclass(frozen=True)
class FileDiff:
    path: str
    previous: str | None
    status: str
    sha: str
    additions: int
    deletions: int
    patch: str | None
    hunks: tuple[Hunk, ...]
    old_sha: str

    def find(self, side: str, number: int) -> tuple[Hunk, Line] | None:
        """The hunk and line, where this side's line may be commented on."""
        for hunk in self.hunks:
            if line := hunk.find(side, number):
                return hunk, line
        return None

    def at(self, position: int) -> Line | None:
        return next((line for hunk in self.hunks for line in hunk.lines if line.position == position), None)


@dataclass(frozen=True)
class Diff:
    base: str
    head: str
    files: tuple[FileDiff, ...]
    text: str

    def file(self, path: str) -> FileDiff | None:
        return next((one for one in self.files if one.path == path), None)


@cache
def three_dot(git: GitRepo, base: str, head: str, limits: Sizes = SIZES) -> Diff:
    """What `head` brings since it left `base`."""
    return two_dot(git, git.merge_base(base, head), head, limits)


@cache
def two_dot(git: GitRepo, base: str, head: str, limits: Sizes = SIZES) -> Diff:
    raw = git.run(*OPTIONS, "--raw", "-z", "--no-abbrev", base, head).decode("utf-8", "replace").split("\0")
    text = git.run(*OPTIONS, "--unified=3", base, head).decode("utf-8", "replace")
    sections = iter(re.split(r"(?m)^(?=diff --git )", text)[1:])
    return Diff(base, head, tuple(files(iter(raw), sections, limits)), text)


def files(raw: Iterator[str], sections: Iterator[str], limits: Sizes) -> Iterator[FileDiff]:
    for record in raw:
        if not record:
            continue
        old_mode, mode, old_sha, sha, letter = record.removeprefix(":").split(" ")
        first = next(raw)
        path = next(raw) if letter[0] in "RC" else first
        section = next(sections)
        if letter == "T":  # a deletion and a creation in the text, one entry in the list
            next(sections)
            section = ""
        body = section[section.index("\n@@ ") + 1 :] if "\n@@ " in section else ""
        hunks = tuple(hunks_of(body))
        lines = [line for hunk in hunks for line in hunk.lines]
        rows = body.count("\n")
        unseen = rows > limits.hunk_lines or len(body.encode()) > PATCH_BYTES
        unlisted = unseen or rows > limits.patch_lines
        yield FileDiff(
            path=path,
            previous=first if letter[0] in "RC" else None,
            status="changed" if letter == "M" and sha == old_sha and mode != old_mode else STATUS[letter[0]],
            sha=old_sha if letter == "D" else sha,
            additions=sum(line.text.startswith("+") for line in lines),
            deletions=sum(line.text.startswith("-") for line in lines),
            patch=None if unlisted or not body else body.removesuffix("\n"),
            hunks=() if unseen else hunks,
            old_sha=old_sha,
        )


def hunks_of(body: str) -> Iterator[Hunk]:
    """The hunks of one file. Positions count from the line below the first @@, further headers included."""
    position = -1
    header, lines, left, right = "", list[Line](), 0, 0
    for text in body.removesuffix("\n").split("\n") if body else []:
        position += 1
        if start := HUNK.match(text):
            if lines:
                yield Hunk(header, tuple(lines))
            header, lines, left, right = text, [], int(start[1]), int(start[3])
        elif text.startswith("-"):
            lines.append(Line(left, None, position, text))
            left += 1
        elif text.startswith("+"):
            lines.append(Line(None, right, position, text))
            right += 1
        elif text.startswith("\\"):
            lines.append(Line(None, None, position, text))
        else:
            lines.append(Line(left, right, position, text))
            left, right = left + 1, right + 1
    if lines:
        yield Hunk(header, tuple(lines))


@cache
def moved(git: GitRepo, old_blob: str, new_blob: str, line: int) -> int | None:
    """Where an untouched line of one blob is in another; None when it was changed or deleted."""
    if old_blob == new_blob:
        return line
    offset = 0
    text = git.run(*OPTIONS, "--unified=0", old_blob, new_blob).decode("utf-8", "replace")
    for found in re.finditer(r"(?m)^" + HUNK.pattern, text):
        start, count, added = int(found[1]), int(found[2] or 1), int(found[4] or 1)
        if line < start or (line == start and not count):
            break
        if count and line < start + count:
            return None
        offset += added - count
    return line + offset
