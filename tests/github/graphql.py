"""The GraphQL end: conversations, their resolution, minimised comments. Run by graphql-core over GitHub's own schema."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from graphql import GraphQLError, GraphQLResolveInfo, GraphQLSchema, build_schema, graphql_sync

from tests.github.routing import FORBIDDEN, World
from tests.github.shapes import node_id
from tests.github.state import Identity, IssueComment, Json, Level, Pull, Repository, ReviewComment, Token

Info: TypeAlias = GraphQLResolveInfo[Any]
DATA = Path(__file__).with_name("data") / "schema.graphql"


@cache
def schema() -> GraphQLSchema:
    return build_schema(DATA.read_text(encoding="utf-8"))


def answer(world: World, token: Token, body: Any) -> Json:
    """Status is 200 whatever happens; errors are in the body, with GitHub's `type` beside the message."""
    if (
        not isinstance(body, dict)
        or not isinstance(body.get("query"), str)
        or set(body) - {"query", "variables", "operationName"}
    ):
        return {"errors": [{"message": "A query attribute must be specified and must be a string."}]}
    result = graphql_sync(
        schema(), body["query"], Root(world, token).fields(), variable_values=body.get("variables")
    )
    shape: Json = {} if result.data is None and result.errors else {"data": result.data}
    if result.errors:
        shape["errors"] = [formatted(one) for one in result.errors]
    return shape


def formatted(error: GraphQLError) -> Json:
    shape: Json = dict(error.formatted)
    kind = shape.pop("extensions", {}).get("type")
    return ({"type": kind} if kind else {}) | shape


def refused(kind: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"type": kind})


class Root:
    """Resolvers as plain values and functions, for one token."""

    def __init__(self, world: World, token: Token) -> None:
        self.world = world
        self.token = token

    def fields(self) -> Json:
        used, limit = self.token.used, self.world.limits.requests_per_hour
        reset = datetime.fromtimestamp(self.token.reset, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        rate = {"cost": 1, "limit": limit, "remaining": max(0, limit - used), "used": used, "resetAt": reset}
        return {
            "id": "Q",
            "repository": self.repository,
            "node": self.node,
            "viewer": actor(self.token.identity),
            "rateLimit": lambda _info, **_arguments: rate,
            "resolveReviewThread": self.settle(resolved=True),
            "unresolveReviewThread": self.settle(resolved=False),
            "minimizeComment": self.minimize("minimizedComment"),
            "unminimizeComment": self.minimize("unminimizedComment"),
        }

    def needs(self, level: Level, *names: str) -> None:
        if not self.token.may(level, *names):
            raise refused("FORBIDDEN", FORBIDDEN)

    def read(self, repository: Repository) -> None:
        if repository.private:
            self.needs("read", "pull_requests")

    def repository(self, _info: Info, owner: str, name: str, **_rest: object) -> Json:
        found = self.world.repositories.get(f"{owner}/{name}")
        if found is None:
            raise refused("NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'.")

        def pull(_info: Info, number: int) -> Json:
            if number not in found.pulls:
                raise refused("NOT_FOUND", f"Could not resolve to a PullRequest with the number of {number}.")
            self.read(found)
            return self.pull(found.pulls[number])

        return {
            "id": node_id("R", found.id),
            "name": name,
            "nameWithOwner": found.name,
            "pullRequest": pull,
            **kind("Repository"),
        }

    def node(self, _info: Info, id: str) -> Json:  # noqa: A002 - the argument's name in the schema
        for pull in self.pulls():
            self.read(pull.repository)
            for found in (self.thread(pull, id), self.comment(pull, id)):
                if found is not None:
                    return found
            if node_id("PR", pull.id) == id:
                return self.pull(pull)
        raise refused("NOT_FOUND", f"Could not resolve to a node with the global id of '{id}'.")

    def pulls(self) -> list[Pull]:
        return [pull for one in self.world.repositories.values() for pull in one.pulls.values()]

    def pull(self, pull: Pull) -> Json:
        threads = [self.thread_shape(pull, *one) for one in pull.threads()]
        remarks = [self.remark_shape(pull, one) for one in pull.talk.values()]
        return kind("PullRequest") | {
            "id": node_id("PR", pull.id),
            "number": pull.number,
            "title": pull.title,
            "state": "MERGED" if pull.merged else pull.state.upper(),
            "isDraft": pull.draft,
            "locked": pull.locked,
            "headRefOid": pull.head,
            "baseRefOid": pull.base,
            "url": f"{self.world.shapes.web}/{pull.repository.name}/pull/{pull.number}",
            "reviewThreads": connection("reviewThreads", threads),
            "comments": connection("comments", remarks),
        }

    def thread(self, pull: Pull, wanted: str) -> Json | None:
        for number, comments in pull.threads():
            if node_id("PRRT", number) == wanted:
                return self.thread_shape(pull, number, comments)
        return None

    def comment(self, pull: Pull, wanted: str) -> Json | None:
        for one in pull.comments.values():
            if node_id("PRRC", one.id) == wanted:
                return self.comment_shape(pull, one)
        for remark in pull.talk.values():
            if node_id("IC", remark.id) == wanted:
                return self.remark_shape(pull, remark)
        return None

    def thread_shape(self, pull: Pull, number: int, comments: list[ReviewComment]) -> Json:
        place, anchor = pull.place(comments[0]), comments[0].anchor
        by = pull.resolved.get(number)
        return kind("PullRequestReviewThread") | {
            "id": node_id("PRRT", number),
            "isResolved": by is not None,
            "isOutdated": place.outdated,
            "isCollapsed": by is not None or place.outdated,
            "path": anchor.path,
            "line": place.line,
            "originalLine": anchor.line,
            "startLine": place.start_line,
            "originalStartLine": anchor.start_line,
            "diffSide": anchor.side,
            "startDiffSide": anchor.start_side,
            "subjectType": anchor.subject.upper(),
            "resolvedBy": actor(by) if by else None,
            "comments": connection("comments", [self.comment_shape(pull, one) for one in comments]),
        }

    def comment_shape(self, pull: Pull, one: ReviewComment) -> Json:
        place = pull.place(one)
        above = pull.comments.get(one.root) if one.root else None
        return self.said(one) | {
            "__typename": "PullRequestReviewComment",
            "id": node_id("PRRC", one.id),
            "path": one.anchor.path,
            "line": place.line,
            "originalLine": one.anchor.line,
            "outdated": place.outdated,
            "url": self.world.shapes.review_comment(pull, one)["html_url"],
            "replyTo": self.comment_shape(pull, above) if above else None,
        }

    def remark_shape(self, pull: Pull, one: IssueComment) -> Json:
        url = self.world.shapes.issue_comment(pull, one)["html_url"]
        return self.said(one) | {"__typename": "IssueComment", "id": node_id("IC", one.id), "url": url}

    def said(self, one: ReviewComment | IssueComment) -> Json:
        return {
            "databaseId": one.id,
            "fullDatabaseId": str(one.id),
            "author": actor(one.author),
            "body": one.body,
            "isMinimized": one.minimized is not None,
            "minimizedReason": one.minimized,
            "createdAt": one.created,
            "updatedAt": one.updated,
            "viewerDidAuthor": one.author == self.token.identity,
        }

    def settle(self, *, resolved: bool) -> Callable[..., Json]:
        """Resolving wants contents: write of an App's token (github/gh-aw#35726)."""

        def mutation(_info: Info, input: Json) -> Json:  # noqa: A002 - the argument's name in the schema
            for pull in self.pulls():
                for number, comments in pull.threads():
                    if node_id("PRRT", number) == input["threadId"]:
                        self.needs("write", "pull_requests")
                        self.needs("write", "contents")
                        pull.resolved.pop(number, None)
                        if resolved:
                            pull.resolved[number] = self.token.identity
                        return payload(input, thread=self.thread_shape(pull, number, comments))
            raise refused(
                "NOT_FOUND", f"Could not resolve to a node with the global id of '{input['threadId']}'"
            )

        return mutation

    def minimize(self, name: str) -> Callable[..., Json]:
        def mutation(_info: Info, input: Json) -> Json:  # noqa: A002 - the argument's name in the schema
            for pull in self.pulls():
                said: list[ReviewComment | IssueComment] = [*pull.comments.values(), *pull.talk.values()]
                for one in said:
                    prefix, names = (
                        ("IC", ("issues", "pull_requests"))
                        if isinstance(one, IssueComment)
                        else ("PRRC", ("pull_requests",))
                    )
                    if node_id(prefix, one.id) == input["subjectId"]:
                        self.needs("write", *names)
                        one.minimized = input.get("classifier", "").lower() or None
                        return payload(input, **{name: self.comment(pull, input["subjectId"])})
            raise refused(
                "NOT_FOUND", f"Could not resolve to a node with the global id of '{input['subjectId']}'"
            )

        return mutation


def payload(given: Json, **fields: object) -> Json:
    return {"clientMutationId": given.get("clientMutationId"), **fields}


def kind(name: str) -> Json:
    return {"__typename": name}


def actor(identity: Identity) -> Json:
    """GraphQL's login of an App has no [bot], REST's has."""
    login = identity.login.removesuffix("[bot]")
    shape = kind("Bot" if identity.app else "User")
    return shape | {"id": node_id("U", identity.id), "login": login, "databaseId": identity.id}


def connection(name: str, items: list[Json]) -> Callable[..., Json]:
    """Relay's paging, with GitHub's demand for `first` or `last` of at most 100. Cursors are positions."""

    def resolve(
        _info: Info,
        first: int | None = None,
        last: int | None = None,
        after: str | None = None,
        before: str | None = None,
        **_rest: object,
    ) -> Json:
        if first is None and last is None:
            message = (
                f"You must provide a `first` or `last` value to properly paginate the `{name}` connection."
            )
            raise refused("MISSING_PAGINATION_BOUNDARIES", message)
        if max(first or 0, last or 0) > 100:
            message = f"Requesting {max(first or 0, last or 0)} records on the `{name}` connection exceeds the limit of 100 records."
            raise refused("EXCESSIVE_PAGINATION", message)
        low, high = int(after or 0), int(before or len(items) + 1) - 1
        low, high = (
            (low, min(high, low + first)) if first is not None else (max(low, high - (last or 0)), high)
        )
        return {
            "nodes": items[low:high],
            "totalCount": len(items),
            "pageInfo": {
                "hasNextPage": high < len(items),
                "hasPreviousPage": low > 0,
                "startCursor": str(low + 1) if high > low else None,
                "endCursor": str(high) if high > low else None,
            },
        }

    return resolve
