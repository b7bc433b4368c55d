"""What the fake remembers: who may what, repositories, pull requests, reviews, comments, runs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import count
from typing import Any, Literal, TypeAlias

from tests.github import diffs
from tests.github.gitrepo import GitRepo

Json: TypeAlias = dict[str, Any]
Level: TypeAlias = Literal["none", "read", "write"]
LEVELS = ("none", "read", "write")
COUNTER = count(1000)


def fresh_id() -> int:
    return next(COUNTER)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of ours
    """An answer that says no."""

    def __init__(
        self, status: int, message: str, errors: list[Any] | None = None, headers: Json | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.headers = headers or {}

    def body(self) -> Json:
        body: Json = {"message": self.message, "documentation_url": "https://docs.github.com/rest"}
        if self.errors is not None:
            body["errors"] = self.errors
        return body | {"status": str(self.status)}


@dataclass
class Limits:
    """GitHub's limits (section 3 of the reference); a test lowers them to meet them with small data."""

    body: int = 65_536
    files: int = 3_000
    compare_files: int = 300
    compare_commits: int = 250
    diff_files: int = 300
    diff_lines: int = 20_000
    patch_lines: int = diffs.PATCH_LINES
    hunk_lines: int = diffs.HUNK_LINES
    inline_content: int = 1_000_000
    tree_entries: int = 100_000
    content_per_minute: int = 80
    requests_per_hour: int = 1_000

    @property
    def sizes(self) -> diffs.Sizes:
        return diffs.Sizes(self.patch_lines, self.hunk_lines)


@dataclass(frozen=True)
class Identity:
    login: str
    id: int
    association: str = "CONTRIBUTOR"

    @property
    def app(self) -> bool:
        return self.login.endswith("[bot]")


@dataclass
class Token:
    """A secret, who speaks through it, and what it may do; what is not named is `none`."""

    value: str
    identity: Identity
    permissions: Mapping[str, Level]
    used: int = 0
    reset: int = 0
    created: list[float] = field(default_factory=list)

    def may(self, level: Level, *names: str) -> bool:
        """Whether one of the named permissions reaches the level."""
        return any(LEVELS.index(self.permissions.get(one, "none")) >= LEVELS.index(level) for one in names)


@dataclass(eq=False)
class Review:
    id: int
    author: Identity
    body: str
    state: str
    commit: str
    submitted: str | None


@dataclass(eq=False)
class IssueComment:
    id: int
    author: Identity
    body: str
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)
    minimized: str | None = None


@dataclass(frozen=True)
class Anchor:
    """Where a comment was put, in the numbers of the commit that it was put on."""

    path: str
    commit: str
    base: str
    side: str = diffs.RIGHT
    line: int | None = None
    start_line: int | None = None
    start_side: str | None = None
    hunk: str = ""
    position: int | None = None

    @property
    def subject(self) -> str:
        return "file" if self.line is None else "line"


@dataclass(frozen=True)
class Placement:
    line: int | None = None
    start_line: int | None = None
    position: int | None = None
    outdated: bool = False


@dataclass(eq=False)
class ReviewComment:
    id: int
    review: Review
    author: Identity
    body: str
    anchor: Anchor
    root: int | None = None
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)
    minimized: str | None = None

    @property
    def thread(self) -> int:
        return self.root or self.id


@dataclass(eq=False)
class Repository:
    name: str
    git: GitRepo
    id: int
    private: bool = True
    default_branch: str = "main"
    parent: Repository | None = None
    pulls: dict[int, Pull] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        return self.name.partition("/")[0]

    def open(self, number: int) -> Pull:
        if number not in self.pulls:
            raise Refusal(404, "Not Found")
        return self.pulls[number]


@dataclass(eq=False)
class Pull:
    repository: Repository
    source: Repository
    number: int
    id: int
    author: Identity
    head_ref: str
    base_ref: str
    heads: list[str]
    base: str
    limits: Limits
    title: str = "A change"
    draft: bool = False
    locked: bool = False
    state: str = "open"
    merged: bool = False
    created: str = field(default_factory=now)
    reviews: dict[int, Review] = field(default_factory=dict)
    comments: dict[int, ReviewComment] = field(default_factory=dict)
    talk: dict[int, IssueComment] = field(default_factory=dict)
    resolved: dict[int, Identity] = field(default_factory=dict)

    @property
    def git(self) -> GitRepo:
        return self.repository.git

    @property
    def head(self) -> str:
        return self.heads[-1]

    def diff(self, commit: str | None = None) -> diffs.Diff:
        return diffs.three_dot(self.git, self.base, commit or self.head, self.limits.sizes)

    def commits(self) -> list[str]:
        """Every commit that is or was one of the pull request's."""
        return [
            one for head in self.heads for one in self.git.commits(self.git.merge_base(self.base, head), head)
        ]

    def place(self, comment: ReviewComment) -> Placement:
        """Where the comment stands in the diff of today; outdated when its lines changed or left the diff."""
        anchor = comment.anchor
        found = self.diff().file(anchor.path)
        if found is None:
            return Placement(outdated=True)
        if anchor.line is None:
            return Placement()
        first = anchor.line if anchor.start_line is None else anchor.start_line
        mixed = anchor.start_side not in {None, anchor.side}
        numbers = [anchor.line] if mixed else range(first, anchor.line + 1)
        there = [self.line_today(anchor, found, anchor.side, number) for number in numbers]
        start = self.line_today(anchor, found, anchor.start_side or anchor.side, first)
        ends = (
            found.find(anchor.start_side or anchor.side, start or 0),
            found.find(anchor.side, there[-1] or 0),
        )
        if None in there or ends[0] is None or ends[1] is None or ends[0][0] != ends[1][0]:
            return Placement(outdated=True)
        return Placement(there[-1], start if anchor.start_line else None, ends[1][1].position)

    def line_today(self, anchor: Anchor, found: diffs.FileDiff, side: str, number: int) -> int | None:
        then = diffs.three_dot(self.git, anchor.base, anchor.commit, self.limits.sizes).file(anchor.path)
        if then is None:
            return None
        old, new = (then.old_sha, found.old_sha) if side == diffs.LEFT else (then.sha, found.sha)
        return diffs.moved(self.git, old, new, number)

    def threads(self) -> Iterator[tuple[int, list[ReviewComment]]]:
        """The visible conversations, by the id of the comment that began each."""
        shown = [one for one in self.comments.values() if one.review.state != "PENDING"]
        for thread in dict.fromkeys(one.thread for one in shown):
            yield thread, [one for one in shown if one.thread == thread]


@dataclass(eq=False)
class Run:
    """A workflow run; `pulls` is empty for a fork's pull request, as on GitHub."""

    id: int
    repository: Repository
    source: Repository
    event: str
    branch: str
    sha: str
    pulls: tuple[Pull, ...]
    artifacts: dict[int, Artifact] = field(default_factory=dict)


@dataclass(eq=False)
class Artifact:
    id: int
    name: str
    files: Mapping[str, bytes]
    expired: bool = False

    @cached_property
    def data(self) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in self.files.items():
                archive.writestr(name, content)
        return buffer.getvalue()
