"""What GitHub tells of a pull request, and the ways in which it says no."""

from __future__ import annotations

from msgspec import Struct

from portproof.diff import Changes
from portproof.report.marks import Mark
from portproof.source import RelPath


class GithubError(Exception):
    """GitHub did not do what was asked of it; the message is a line for the log."""


class ForbiddenError(GithubError):
    """The token may not do this."""


class MissingError(ForbiddenError):
    """There is no such thing, or the token must not know (404, 410)."""


class MovedError(GithubError):
    """The pull request is no longer what this run has looked at; its own run reports."""


class LimitedError(GithubError):
    """Too many requests; `seconds` is how long to wait, None when GitHub does not say."""

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class RejectedError(GithubError):
    """The request makes no sense to GitHub (422), for instance a line outside of the diff."""


class UnclearError(GithubError):
    """No answer, or a broken one: a write may have taken effect."""


class Pull(Struct, frozen=True):
    """A pull request as it is now. `changed_files` is how many files it has, listed or not."""

    number: int
    state: str
    locked: bool
    draft: bool
    head: str
    head_repository: str
    base: str
    base_ref: str
    changed_files: int

    @property
    def refusal(self) -> str | None:
        """Why it gets no review."""
        if self.state != "open":
            return f"the pull request is {self.state}"
        return "the pull request's conversation is locked" if self.locked else None


class ChangedFiles(Struct, frozen=True):
    """The changed files: what can be commented on, and the blob of each in the head. Past 3,000 GitHub lists no more."""

    changes: Changes
    blobs: dict[RelPath, str]

    @property
    def moved(self) -> frozenset[RelPath]:
        """The paths that files were moved away from; another file may have taken their place."""
        return frozenset(
            one.previous for one in self.changes.values() if one.previous and one.status == "renamed"
        )

    @property
    def touched(self) -> frozenset[RelPath]:
        """The paths that differ from the base."""
        return self.moved.union(self.changes)


class Author(Struct, frozen=True):
    """Who wrote a comment; `bot` because a person could be called like an App."""

    login: str
    bot: bool


class Said(Struct, frozen=True):
    """A comment of ours that is there already.

    `line` is None when it is outdated or about a whole file. `discussed` says that others have answered; `review`
    tells a review's body from a comment.
    """

    id: int
    mark: Mark
    body: str
    path: RelPath = ""
    line: int | None = None
    start_line: int | None = None
    discussed: bool = False
    review: bool = False


class Remark(Struct, frozen=True):
    """A comment of ours in the conversation."""

    id: int
    body: str
