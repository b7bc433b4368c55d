"""The loopback GitHub: HTTP, authentication, limits, faults, and the handle that a test holds."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, unquote

from tests.github import contents, endpoints, graphql, reviews, suggestions, validation
from tests.github.faults import PRIMARY, SECONDARY, Faults
from tests.github.gitrepo import GitRepo
from tests.github.routing import ROUTES, Answer, Call, World
from tests.github.shapes import Shapes
from tests.github.state import (
    Artifact,
    Identity,
    IssueComment,
    Json,
    Level,
    Limits,
    Pull,
    Refusal,
    Repository,
    ReviewComment,
    Run,
    Token,
    fresh_id,
)
from tests.github.wire import Log, Request, Seen, Server, Shown

MODULES = (contents, endpoints, reviews)  # importing them declares their routes
BOT = "github-actions[bot]"
VERSIONS = {None, "2022-11-28", "2026-03-10"}


class FakeGitHub:
    """A stateful GitHub on 127.0.0.1; see the package for an example.

    Leaving the context fails when an answer of the fake broke GitHub's description, or a scheduled fault never happened.
    """

    def __init__(self, *, prefix: str = "", limits: Limits | None = None) -> None:
        self.faults = Faults()
        self.log = Log()
        self.violations: list[str] = []
        self.prefix = prefix
        self.lock = threading.RLock()
        self._api = Server(self, "api")
        self._storage = Server(self, "storage")
        web = f"http://127.0.0.1:{self._api.port}"
        self.url = web + prefix
        self.graphql_path = prefix.removesuffix("/v3") + "/graphql"
        storage = f"http://localhost:{self._storage.port}"
        self.world = World(Shapes(self.url, web), storage, limits or Limits())
        self.people: dict[str, Identity] = {}

    @property
    def limits(self) -> Limits:
        return self.world.limits

    def __enter__(self) -> Self:
        self._api.thread.start()
        self._storage.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._api.stop()
        self._storage.stop()
        if kind is None:
            self.verify()

    def verify(self) -> None:
        """Every answer was one of GitHub's, and every fault that was ordered has happened."""
        assert not self.violations, "\n".join(self.violations)
        assert not self.faults.unfired, "never happened: " + "; ".join(map(str, self.faults.unfired))

    # what a test sets up

    def identity(self, login: str, association: str = "CONTRIBUTOR") -> Identity:
        return self.people.setdefault(login, Identity(login, fresh_id(), association))

    def token(self, login: str = BOT, **permissions: Level) -> Token:
        """A token; an App's when the login ends in [bot]. What is not named is `none`."""
        token = Token(f"ghs_{os.urandom(18).hex()}", self.identity(login), permissions)
        self.world.tokens[token.value] = token
        return token

    def read_only(self, login: str = BOT) -> Token:
        """What a fork's or Dependabot's run gets."""
        return self.token(login, contents="read", pull_requests="read", issues="read", actions="read")

    def repository(self, name: str, git_dir: Path | GitRepo, *, private: bool = True) -> Repository:
        git = git_dir if isinstance(git_dir, GitRepo) else GitRepo(git_dir)
        repository = Repository(name, git, fresh_id(), private=private)
        self.world.repositories[name] = repository
        return repository

    def open_pull(  # noqa: PLR0913 - a pull request has that many sides
        self,
        repository: Repository,
        *,
        head: str,
        base: str = "main",
        fork: bool = False,
        draft: bool = False,
        locked: bool = False,
        author: str = "contributor",
    ) -> Pull:
        """A pull request between two revisions; a fork's when `fork`, whose repository is `<author>/<name>`."""
        git = repository.git
        head_sha, base_sha = (
            git.text("rev-parse", f"{head}^{{commit}}"),
            git.text("rev-parse", f"{base}^{{commit}}"),
        )
        number = len(repository.pulls) + 1
        pull = Pull(
            repository=repository,
            source=self.fork(repository, author) if fork else repository,
            number=number,
            id=fresh_id(),
            author=self.identity(author),
            head_ref=head if git.resolve(f"refs/heads/{head}") else f"change-{number}",
            base_ref=base if git.resolve(f"refs/heads/{base}") else repository.default_branch,
            heads=[head_sha],
            base=base_sha,
            limits=self.limits,
            draft=draft,
            locked=locked,
        )
        with self.lock:
            repository.pulls[number] = pull
        return pull

    def fork(self, repository: Repository, owner: str) -> Repository:
        name = f"{owner}/{repository.name.partition('/')[2]}"
        fork = Repository(name, repository.git, fresh_id(), private=repository.private, parent=repository)
        return self.world.repositories.setdefault(name, fork)

    def push(self, pull: Pull, new_head: str) -> None:
        """The head moves; comments whose lines changed become outdated."""
        with self.lock:
            pull.heads.append(pull.git.text("rev-parse", f"{new_head}^{{commit}}"))

    def push_base(self, pull: Pull, new_base: str) -> None:
        with self.lock:
            pull.base = pull.git.text("rev-parse", f"{new_base}^{{commit}}")

    def close(self, pull: Pull, *, merged: bool = False) -> None:
        pull.state, pull.merged = "closed", merged

    def resolve(self, pull: Pull, comment_id: int, login: str = "maintainer") -> None:
        """A person resolves the conversation that this comment is in."""
        pull.resolved[pull.comments[comment_id].thread] = self.identity(login)

    def remark(self, pull: Pull, body: str, login: str = "maintainer") -> IssueComment:
        """Somebody says something in the conversation."""
        comment = IssueComment(fresh_id(), self.identity(login), body)
        pull.talk[comment.id] = comment
        return comment

    def run(
        self, pull: Pull, artifacts: Mapping[str, Mapping[str, bytes]], event: str = "pull_request"
    ) -> Run:
        """A finished run for the pull request's head. A fork's run lists no pull requests."""
        listed = () if pull.source is not pull.repository else (pull,)
        run = Run(fresh_id(), pull.repository, pull.source, event, pull.head_ref, pull.head, listed)
        for name, files in artifacts.items():
            artifact = Artifact(fresh_id(), name, files)
            run.artifacts[artifact.id] = artifact
        pull.repository.runs[run.id] = run
        return run

    def event(self, pull: Pull, action: str = "synchronize") -> Json:
        """The event file of a `pull_request` run at this moment."""
        shapes = self.world.shapes
        event: Json = {"action": action, "number": pull.number, "pull_request": shapes.pull(pull)}
        return event | {"repository": shapes.repository(pull.repository), "sender": shapes.user(pull.author)}

    def apply_suggestion(self, pull: Pull, comment_id: int) -> str:
        """Clicks `Commit suggestion`; the pull request's head moves to the commit that is returned."""
        return self.apply_suggestions(pull, [comment_id])

    def apply_suggestions(self, pull: Pull, comment_ids: list[int]) -> str:
        """The same for a batch."""
        with self.lock:
            return suggestions.apply(pull, comment_ids)

    def comments(self, pull: Pull) -> list[ReviewComment]:
        return list(pull.comments.values())

    # what happens to a request

    def see(self, request: Request) -> Seen:
        headers = {key.lower(): value for key, value in request.headers.items()}
        given = headers.pop("authorization", None)
        token = self.known(given)
        try:
            body = json.loads(request.data) if request.data else None
        except ValueError:
            body = request.data
        shown: Shown = "none" if given is None else "right" if token else "wrong"
        login = token.identity.login if token else None
        target = request.target
        seen = Seen(request.method, target.path, target.query, body, headers, request.host, shown, login)
        with self.lock:
            self.log.append(seen)
        return seen

    def known(self, authorization: str | None) -> Token | None:
        scheme, _, value = (authorization or "").partition(" ")
        return self.world.tokens.get(value.strip()) if scheme.lower() in {"token", "bearer"} else None

    def storage_answer(self, seen: Seen) -> Answer:
        """Signed addresses on another host; a token shown there is refused, as the real one refuses it."""
        if seen.token != "none":
            return Answer(400, b"InvalidAuthenticationInfo", media="application/xml")
        repository, _, number = seen.path.removeprefix("/zip/").rpartition("/")
        runs = (
            self.world.repositories[repository].runs.values() if repository in self.world.repositories else ()
        )
        found = next((run.artifacts[int(number)] for run in runs if int(number) in run.artifacts), None)
        if found is None or seen.query != "sig=signed":
            return Answer(404, b"BlobNotFound", media="application/xml")
        return Answer(200, found.data, media="application/zip")

    def answer(self, seen: Seen, authorization: str | None) -> Answer:
        with self.lock:
            token = self.known(authorization)
            try:
                self.count(seen, token)
                given = self.dispatch(seen, token)
            except Refusal as no:
                given = Answer(no.status, no.body(), no.headers)
            return Answer(given.status, given.body, given.headers | self.rate_headers(token), given.media)

    def count(self, seen: Seen, token: Token | None) -> None:
        """The primary limit of the hour, and the secondary one: 80 new contents a minute."""
        if seen.headers.get("x-github-api-version") not in VERSIONS:
            raise Refusal(400, "The X-GitHub-Api-Version header is not a supported version")
        if not seen.headers.get("user-agent"):
            raise Refusal(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
            )
        if token is None:
            if seen.token == "wrong":
                raise Refusal(401, "Bad credentials")
            return
        present = time.time()
        if present >= token.reset:
            token.used, token.reset = 0, int(present) + 3600
        if token.used >= self.limits.requests_per_hour:
            raise Refusal(403, PRIMARY)
        token.used += 1
        if seen.method == "POST" and seen.path != self.graphql_path:
            token.created = [one for one in token.created if one > present - 60]
            if len(token.created) >= self.limits.content_per_minute:
                raise Refusal(403, SECONDARY, headers={"Retry-After": "60"})
            token.created.append(present)

    def rate_headers(self, token: Token | None) -> dict[str, str]:
        limit = self.limits.requests_per_hour
        used, reset = (token.used, token.reset) if token else (0, int(time.time()) + 3600)
        rate = {
            "limit": limit,
            "used": used,
            "remaining": max(0, limit - used),
            "reset": reset,
            "resource": "core",
        }
        return {f"x-ratelimit-{key}": str(value) for key, value in rate.items()}

    def dispatch(self, seen: Seen, token: Token | None) -> Answer:
        if seen.path == self.graphql_path and seen.method == "POST":
            if token is None:
                raise Refusal(403, "API rate limit exceeded for an unauthenticated request.")
            return Answer(200, graphql.answer(self.world, token, seen.body))
        path = seen.path.removeprefix(self.prefix)
        matched = validation.load().match(seen.method, path)
        if matched is None or not seen.path.startswith(self.prefix):
            self.violations.append(f"no such endpoint: {seen.method} {seen.path}")
            raise Refusal(404, "Not Found")
        operation, found = matched
        route = ROUTES[seen.method, operation.template]
        params = {key: unquote(value) for key, value in found.items()}
        query = dict(parse_qsl(seen.query, keep_blank_values=True))
        call = Call(self.world, token, path, query, seen.body, seen.headers, params)
        try:
            if "owner" in params:
                call.needs("read" if seen.method == "GET" else "write", route.permissions)
            validation.check_request(operation, query, seen.body)
            given = route.handler(call)
        except Refusal as no:
            given = Answer(no.status, no.body(), no.headers)
        if not isinstance(given.body, bytes):
            self.violations += validation.load().check_answer(operation, given.status, given.body)
        return given
