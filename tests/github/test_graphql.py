"""Conversations over GraphQL: documents against GitHub's schema, resolution, permissions."""

from __future__ import annotations

from typing import Any

import pytest
from github import GithubException

from tests.github import FakeGitHub
from tests.github.conftest import Shop
from tests.github.test_reviews import at

THREADS = """
query($owner: String!, $name: String!, $number: Int!, $after: String, $size: Int = 50) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) {
    reviewThreads(first: $size, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes { id isResolved isOutdated line comments(first: 50) { nodes { id databaseId author { __typename login } body } } }
    } } }
}"""
WHERE: dict[str, Any] = {"owner": "octo", "name": "shop", "number": 1}


def threads(shop: Shop, **variables: Any) -> dict[str, Any]:
    _, data = shop.connect(shop.writer).requester.graphql_query(THREADS, WHERE | variables)
    found: dict[str, Any] = data["data"]["repository"]["pullRequest"]["reviewThreads"]
    return found


def test_conversations_with_replies_and_resolution(shop: Shop) -> None:
    pull = shop.open()
    pull.create_review(event="COMMENT", comments=[at(5, body="one"), at(6, body="two")])
    first, second = pull.get_review_comments()
    shop.open(shop.fake.token("maintainer", pull_requests="write")).create_review_comment_reply(
        first.id, "why?"
    )
    shop.fake.resolve(shop.pull, second.id)
    nodes = threads(shop)["nodes"]
    assert [one["isResolved"] for one in nodes] == [False, True]
    said = [(one["databaseId"], one["author"], one["body"]) for one in nodes[0]["comments"]["nodes"]]
    # GraphQL's login has no [bot]
    assert said[0] == (first.id, {"__typename": "Bot", "login": "github-actions"}, "one")
    assert said[1][1:] == ({"__typename": "User", "login": "maintainer"}, "why?")


def test_pages_and_their_bounds(shop: Shop) -> None:
    shop.open().create_review(event="COMMENT", comments=[at(4), at(5), at(6)])
    page = threads(shop, size=2)
    assert ([one["line"] for one in page["nodes"]], page["pageInfo"]["hasNextPage"]) == ([4, 5], True)
    rest = threads(shop, size=2, after=page["pageInfo"]["endCursor"])
    assert ([one["line"] for one in rest["nodes"]], rest["pageInfo"]["hasNextPage"]) == ([6], False)
    with pytest.raises(GithubException, match="exceeds the limit of 100"):
        threads(shop, size=101)
    with pytest.raises(GithubException, match="You must provide a `first` or `last`"):
        threads(shop, size=None)


@pytest.mark.parametrize(
    "document",
    [
        "{ repository(owner: 1) { id } }",
        "{ viewer { nickname } }",
        "query {",
        "{ repository(owner: $o, name: $o) { id } }",
    ],
)
def test_documents_are_checked_against_the_schema(shop: Shop, document: str) -> None:
    with pytest.raises(GithubException) as error:
        shop.connect(shop.writer).requester.graphql_query(document, {})
    assert error.value.status == 400


def test_resolving_needs_contents_write(shop: Shop) -> None:
    pull = shop.open()
    pull.create_review(event="COMMENT", comments=[at(5)])
    (thread,) = threads(shop)["nodes"]
    given = {"threadId": thread["id"]}
    with pytest.raises(GithubException, match="Resource not accessible by integration") as error:
        pull.requester.graphql_named_mutation("resolveReviewThread", given, "thread { isResolved }")
    assert error.value.status == 400  # PyGithub's, for a FORBIDDEN inside a 200
    assert [one.status for one in shop.fake.log.select("POST", "/graphql")] == [200, 200]
    able = shop.connect(shop.fake.token(contents="write", pull_requests="write"))
    _, done = able.requester.graphql_named_mutation("resolveReviewThread", given, "thread { isResolved }")
    assert done == {"thread": {"isResolved": True}}
    assert threads(shop)["nodes"][0]["isResolved"]


def test_minimizing_comments(shop: Shop) -> None:
    pull = shop.open()
    remark = pull.create_issue_comment("old")
    given = {"subjectId": remark.node_id, "classifier": "OUTDATED"}
    _, done = pull.requester.graphql_named_mutation(
        "minimizeComment", given, "minimizedComment { isMinimized minimizedReason }"
    )
    assert done == {"minimizedComment": {"isMinimized": True, "minimizedReason": "outdated"}}
    reader = shop.connect(shop.fake.read_only())
    with pytest.raises(GithubException, match="Resource not accessible"):
        reader.requester.graphql_named_mutation("minimizeComment", given, "clientMutationId")
    with pytest.raises(GithubException):
        pull.requester.graphql_named_mutation(
            "minimizeComment", given | {"classifier": "OLD"}, "clientMutationId"
        )


def test_nodes_are_found_by_their_id(shop: Shop) -> None:
    pull = shop.open()
    pull.create_review(event="COMMENT", comments=[at(5)])
    (comment,) = pull.get_review_comments()
    _, data = pull.requester.graphql_node(comment.node_id, "databaseId outdated", "PullRequestReviewComment")
    assert data["data"]["node"]["databaseId"] == comment.id
    with pytest.raises(GithubException):
        pull.requester.graphql_node("PRRC_none", "databaseId", "PullRequestReviewComment")


def test_an_enterprise_prefix_moves_graphql_too(shop: Shop) -> None:
    with FakeGitHub(prefix="/api/v3") as fake:
        fake.repository("octo/shop", shop.git)
        shop.fake.url, local = fake.url, shop.fake.url
        try:
            client = shop.connect(fake.token(pull_requests="read"))
        finally:
            shop.fake.url = local
        assert client.get_repo("octo/shop").full_name == "octo/shop"
        client.requester.graphql_query("{ viewer { login } }", {})
        assert [one.path for one in fake.log] == ["/api/v3/repos/octo/shop", "/api/graphql"]
