"""The requests, through PyGithub: reads are repeated when they fail, writes never are."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from github import Auth, Github, GithubRetry
from msgspec import Struct

from portproof import __version__
from portproof.diff import FileDiff, file_diff
from portproof.errors import UsageError
from portproof.github.model import (
    Author,
    ChangedFiles,
    ForbiddenError,
    GithubError,
    MissingError,
    Pull,
    Remark,
    Said,
)
from portproof.github.translate import translated
from portproof.report import marks
from portproof.report.review import OPENING, Comment
from portproof.report.safe import address_of
from portproof.source import RelPath, normalise

# PyGithub writes to standard error by itself; what goes wrong is told by us, encoded.
logging.getLogger("github").handlers.clear()
logging.getLogger("github").addHandler(logging.NullHandler())
logging.getLogger("github").propagate = False

API_VERSION = "2022-11-28"
_BOT = Author("github-actions[bot]", bot=True)
_TIMEOUT = 20
_MAX_FILES = 3_000
_PAGE = 100

_THREADS = """query($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) {
    reviewThreads(first: 100, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes { id isResolved comments(first: 1) { nodes { databaseId } } }
    } } } }"""
_RESOLVE = """mutation($id: ID!) { resolveReviewThread(input: {threadId: $id}) { thread { isResolved } } }"""
_UNRESOLVE = (
    """mutation($id: ID!) { unresolveReviewThread(input: {threadId: $id}) { thread { isResolved } } }"""
)


def checked_address(address: str) -> str:
    """The address of the API. Raises `UsageError` unless it is https, or http on this machine."""
    parts = urlsplit(address)
    try:
        loopback = ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        loopback = parts.hostname == "localhost"
    plain = not (parts.username or parts.password or parts.query or parts.fragment) and parts.hostname
    if not plain or not (parts.scheme == "https" or (parts.scheme == "http" and loopback)):
        raise UsageError(
            "GITHUB_API_URL is not an https address",
            next_step="Leave it to the runner, or set it to https://HOST/api/v3.",
        )
    return address.rstrip("/")


class Waits(Struct, frozen=True):
    """How long a client waits, in seconds.

    `patience` bounds each wait for a limit on reads, `pace` is the time between two writes, and `backoff` the one before
    a read is tried for the third time: the second try comes at once, the fourth after twice as long.
    """

    patience: float = 60.0
    pace: float | None = 1.0
    backoff: float = 1.0


USUAL = Waits()


class Client:
    """One repository of GitHub, seen with one token."""

    def __init__(self, repository: str, token: str, address: str, waits: Waits = USUAL) -> None:
        retry = GithubRetry(
            total=3,  # four tries
            backoff_factor=waits.backoff / 2,
            backoff_max=8,
            backoff_jitter=waits.backoff / 2,
            allowed_methods=frozenset({"GET", "HEAD"}),
            status_forcelist=[*range(500, 600), 429],
            max_rate_limit_wait=waits.patience,
            secondary_rate_wait=waits.patience,
            retry_after_max=int(waits.patience),
            raise_on_status=False,
        )
        self._github = Github(
            auth=Auth.Token(token) if token else None,
            base_url=checked_address(address),
            api_version=API_VERSION,
            user_agent=f"portproof/{__version__}",
            timeout=_TIMEOUT,
            per_page=100,
            retry=retry,
            seconds_between_requests=None,
            seconds_between_writes=waits.pace,
        )
        self._requester = self._github.requester
        self._name = repository
        self._me: Author | None = None

    def pull(self, number: int) -> Pull:
        """The pull request as it is now."""
        with translated("reading the pull request"):
            return _pull(self._get(f"pulls/{number}"))

    def pulls_of(self, owner: str, branch: str) -> list[Pull]:
        """The open pull requests from a branch; told for forks too, unlike those that a workflow run lists."""
        with translated("looking for the pull request"):
            found = self._get("pulls", state="open", head=f"{owner}:{branch}", per_page=10)
            numbers = [int(one["number"]) for one in found]
        return [self.pull(number) for number in numbers]

    def files(self, number: int) -> ChangedFiles:
        """The changed files, all pages of them."""
        changes: dict[RelPath, FileDiff] = {}
        blobs: dict[RelPath, str] = {}
        with translated("reading the changed files"):
            for one in self._all(f"pulls/{number}/files", _MAX_FILES):
                path = str(one["filename"])
                if normalise(path) == path:
                    changes[path] = file_diff(
                        path, one["status"], one.get("patch"), one.get("previous_filename")
                    )
                    blobs[path] = one.get("sha") or ""
        return ChangedFiles(changes, blobs)

    def parents(self, commit: str) -> list[str]:
        """The parents of a commit."""
        with translated("reading the checked-out commit"):
            return [str(one["sha"]) for one in self._get(f"git/commits/{commit}")["parents"]]

    def merge_base(self, base: str, head: str) -> str:
        """The commit at which `head` left `base`."""
        with translated("comparing with the base"):
            return str(self._get(f"compare/{base}...{head}", per_page=1)["merge_base_commit"]["sha"])

    def content(self, path: RelPath, commit: str) -> bytes | None:
        """A file of a commit; None when there is no such file (a folder and a submodule are none)."""
        try:
            with translated(f"reading a file of {commit[:10]}"):
                data = self._get(f"contents/{address_of(path)}", ref=commit)
                if not isinstance(data, dict) or data.get("type") != "file":
                    return None
                if data.get("encoding") != "base64":  # more than 1 MB
                    data = self._get(f"git/blobs/{data['sha']}")
                return base64.b64decode(data["content"])
        except MissingError:
            return None

    def identity(self) -> Author:
        """Who we are to GitHub: marks count only in comments by the same author."""
        if self._me is None:
            self._me = self._asked_identity()
        return self._me

    def said(self, number: int) -> list[Said]:
        """Our own comments on lines and files and our reviews that carry marks, as they are now."""
        me = self.identity()
        with translated("reading the comments"):
            comments = list(self._all(f"pulls/{number}/comments"))
            reviews = list(self._all(f"pulls/{number}/reviews"))
        discussed = {one.get("in_reply_to_id") for one in comments if _author(one) != me}
        found = [said for one in comments if _author(one) == me for said in _said(one, discussed)]
        for one in reviews:
            if _author(one) == me and one.get("state") != "PENDING":
                body = one.get("body") or ""
                found += [Said(one["id"], mark, body, review=True) for mark in marks.read(body)]
        return found

    def drop_pending(self, number: int) -> None:
        """Delete a review of ours that a crashed run left pending: it would stand in the way of ours."""
        me = self.identity()
        with translated("reading the reviews"):
            for one in self._all(f"pulls/{number}/reviews"):
                ours = _author(one) == me and (one.get("body") or "").startswith(OPENING)
                if one.get("state") == "PENDING" and ours:
                    self._send("DELETE", f"pulls/{number}/reviews/{one['id']}")

    def submit(self, number: int, head: str, body: str, comments: Iterable[Comment]) -> None:
        """Send one review, with all its comments or none."""
        wanted = [_comment(one) for one in comments]
        review = {"commit_id": head, "body": body, "event": "COMMENT", "comments": wanted}
        with translated("posting the review"):
            self._send("POST", f"pulls/{number}/reviews", review)

    def comment_on_file(self, number: int, head: str, comment: Comment) -> None:
        """Comment on a whole file of the pull request."""
        data = {"body": comment.body, "commit_id": head, "path": comment.path, "subject_type": "file"}
        with translated("commenting on a file"):
            self._send("POST", f"pulls/{number}/comments", data)

    def edit(self, number: int, said: Said, body: str) -> None:
        """Put another text into a comment or a review of ours."""
        with translated("editing a comment"):
            if said.review:
                self._send("PUT", f"pulls/{number}/reviews/{said.id}", {"body": body})
            else:
                self._send("PATCH", f"pulls/comments/{said.id}", {"body": body})

    def threads(self, number: int) -> dict[int, tuple[str, bool]]:
        """Conversations by the comment that began them: their id, and whether they are resolved."""
        owner, _, name = self._name.partition("/")
        found: dict[int, tuple[str, bool]] = {}
        after = None
        with translated("reading the conversations"):
            while True:
                variables = {"owner": owner, "name": name, "number": number, "after": after}
                _, data = self._requester.graphql_query(_THREADS, variables)
                page = data["data"]["repository"]["pullRequest"]["reviewThreads"]
                for node in page["nodes"]:
                    for first in node["comments"]["nodes"]:
                        found[first["databaseId"]] = (node["id"], node["isResolved"])
                if not page["pageInfo"]["hasNextPage"]:
                    return found
                after = page["pageInfo"]["endCursor"]

    def resolve(self, thread: str, *, resolved: bool) -> None:
        """Resolve a conversation, or open it again."""
        with translated("resolving a conversation"):
            self._requester.graphql_query(_RESOLVE if resolved else _UNRESOLVE, {"id": thread})

    def remarks(self, number: int) -> list[Remark]:
        """Our own comments in the conversation."""
        me = self.identity()
        with translated("reading the conversation"):
            every = list(self._all(f"issues/{number}/comments"))
        return [Remark(one["id"], one.get("body") or "") for one in every if _author(one) == me]

    def remark(self, number: int, body: str, known: int | None) -> None:
        """Say something in the conversation, or put another text into what we said (`known`)."""
        with translated("writing the summary"):
            if known is None:
                self._send("POST", f"issues/{number}/comments", {"body": body})
            else:
                self._send("PATCH", f"issues/comments/{known}", {"body": body})

    def _asked_identity(self) -> Author:
        try:
            with translated("reading the token's user"):
                _, data = self._requester.requestJsonAndCheck("GET", "/user")
                return Author(data["login"], bot=data.get("type") == "Bot")
        except ForbiddenError:
            pass
        # An App's token may not ask that; as "viewer" it may. The token of a workflow is github-actions[bot].
        try:
            with translated("reading the token's user"):
                _, data = self._requester.graphql_query("query { viewer { login } }", {})
                login = data["data"]["viewer"]["login"]
        except GithubError:
            return _BOT
        return Author(f"{login.removesuffix('[bot]')}[bot]", bot=True)

    def _get(self, address: str, **parameters: Any) -> Any:
        _, data = self._requester.requestJsonAndCheck(
            "GET", f"/repos/{self._name}/{address}", parameters=parameters
        )
        return data

    def _all(self, address: str, limit: int = 10_000) -> Iterator[Any]:
        """The entries of all pages of a list."""
        for page in range(1, limit // _PAGE + 1):
            found = self._get(address, per_page=_PAGE, page=page)
            yield from found
            if len(found) < _PAGE:
                return

    def _send(self, verb: str, address: str, data: Any = None) -> None:
        self._requester.requestJsonAndCheck(verb, f"/repos/{self._name}/{address}", input=data)


def blob_id(data: bytes) -> str:
    """What git calls a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _pull(data: Mapping[str, Any]) -> Pull:
    head, base = data["head"], data["base"]
    return Pull(
        number=data["number"],
        state="merged" if data.get("merged") else data["state"],
        locked=bool(data.get("locked")),
        draft=bool(data.get("draft")),
        head=head["sha"],
        head_repository=(head.get("repo") or {}).get("full_name") or "",
        base=base["sha"],
        base_ref=base["ref"],
        changed_files=int(data.get("changed_files") or 0),
    )


def _author(data: Mapping[str, Any]) -> Author:
    user = data.get("user") or {}
    return Author(user.get("login") or "", bot=user.get("type") == "Bot")


def _said(data: Mapping[str, Any], discussed: set[int | None]) -> list[Said]:
    body = data.get("body") or ""
    return [
        Said(
            data["id"],
            mark,
            body,
            data.get("path") or "",
            data.get("line"),
            data.get("start_line"),
            discussed=data["id"] in discussed,
        )
        for mark in marks.read(body)
    ]


def _comment(comment: Comment) -> dict[str, Any]:
    data: dict[str, Any] = {
        "path": comment.path,
        "body": comment.body,
        "line": comment.line,
        "side": comment.side,
    }
    if comment.start_line is not None:
        data |= {"start_line": comment.start_line, "start_side": comment.side}
    return data
