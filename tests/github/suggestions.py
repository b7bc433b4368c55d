"""Applies suggestions as the web interface does: the oracle for what a reviewer's click would commit."""

from __future__ import annotations

from dataclasses import dataclass

from markdown_it import MarkdownIt

from tests.github import diffs
from tests.github.gitrepo import File
from tests.github.state import Pull, ReviewComment

MARKDOWN = MarkdownIt("commonmark")


class SuggestionRefused(Exception):  # noqa: N818 - the interface's answer, not a failure of ours
    """The button is not there, or says no."""


@dataclass(frozen=True)
class Replacement:
    path: str
    first: int
    last: int
    lines: tuple[str, ...]


def suggested(body: str) -> tuple[str, ...] | None:
    """The lines of the first suggestion fence, whatever its length; None without one. No line = delete."""
    for token in MARKDOWN.parse(body):
        if token.type == "fence" and token.info.split()[:1] == ["suggestion"]:
            return tuple(token.content.removesuffix("\n").split("\n")) if token.content else ()
    return None


def replacement(pull: Pull, comment: ReviewComment) -> Replacement:
    """What one click would replace, or why the click is refused."""
    lines, place, anchor = suggested(comment.body), pull.place(comment), comment.anchor
    if pull.state != "open":
        raise SuggestionRefused("suggestions cannot be applied while the pull request is closed")
    if lines is None:
        raise SuggestionRefused("the comment holds no suggestion")
    if comment.review.state == "PENDING":
        raise SuggestionRefused("suggestions cannot be applied from pending reviews")
    if anchor.line is None:
        raise SuggestionRefused("suggestions cannot be applied on a file-level comment")
    if diffs.LEFT in {anchor.side, anchor.start_side}:
        raise SuggestionRefused("suggestions cannot be applied on deleted lines")
    if place.outdated or place.line is None:
        raise SuggestionRefused("the suggestion is outdated")
    return Replacement(anchor.path, place.start_line or place.line, place.line, lines)


def edited(text: str, wanted: list[Replacement]) -> str:
    """The file with every replacement. Files with CRLF lose it everywhere, and the last line gains its newline.

    Both are what was seen (w3c-fedid/digital-credentials#572, raspberrypi/pico-sdk#2980, code-suggester#503): a
    suggestion for such a file is a mistake, and here it shows.
    """
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    below = len(lines) + 1
    for one in sorted(wanted, key=lambda one: one.first, reverse=True):
        if one.last >= below:
            raise SuggestionRefused("two suggestions on one line")
        if tuple(lines[one.first - 1 : one.last]) == one.lines:
            raise SuggestionRefused("the suggestion changes nothing")
        lines[one.first - 1 : one.last] = one.lines
        below = one.first
    return "\n".join(lines) + "\n" if lines else ""


def apply(pull: Pull, numbers: list[int]) -> str:
    """One commit with all of these suggestions on the head branch; returns it."""
    by_path: dict[str, list[Replacement]] = {}
    for number in numbers:
        if number not in pull.comments:
            raise SuggestionRefused(f"there is no comment {number}")
        one = replacement(pull, pull.comments[number])
        by_path.setdefault(one.path, []).append(one)
    files = {}
    for path, wanted in by_path.items():
        entry = pull.git.entry(pull.head, path)
        if entry is None or entry.mode not in {"100644", "100755"}:
            raise SuggestionRefused("the file is not there")
        text = pull.git.blob(entry.sha).decode("utf-8", "surrogateescape")
        files[path] = File(entry.mode, edited(text, wanted).encode("utf-8", "surrogateescape"))
    message = f"Apply {'suggestion' if len(numbers) == 1 else 'suggestions'} from code review"
    sha = pull.git.commit(files, branch=None, parent=pull.head, message=message)
    if pull.git.resolve(f"refs/heads/{pull.head_ref}") == pull.head:
        pull.git.advance(pull.head_ref, sha)
    pull.heads.append(sha)
    return sha
