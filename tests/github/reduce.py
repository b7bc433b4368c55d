"""Reduces GitHub's published descriptions to what the fake serves.

    npm pack @octokit/openapi@23.0.2 @octokit/graphql-schema@15.26.1    (unpack both)
    python -m tests.github.reduce api.github.com.json schema.graphql

Writes data/openapi.json and data/schema.graphql. Descriptions and examples are dropped; what is left is GitHub's own,
but for CORRECTIONS: places where the description is stricter than what GitHub sends.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_input_type,
    print_type,
)

DATA = Path(__file__).with_name("data")

PULL = "/repos/{owner}/{repo}/pulls/{pull_number}"
ISSUE = "/repos/{owner}/{repo}/issues"
ACTIONS = "/repos/{owner}/{repo}/actions"
PATHS = {
    "/repos/{owner}/{repo}": "get",
    "/repos/{owner}/{repo}/pulls": "get",
    PULL: "get",
    PULL + "/files": "get",
    PULL + "/comments": "get post",
    PULL + "/comments/{comment_id}/replies": "post",
    PULL + "/reviews": "get post",
    PULL + "/reviews/{review_id}": "get put delete",
    PULL + "/reviews/{review_id}/comments": "get",
    PULL + "/reviews/{review_id}/dismissals": "put",
    "/repos/{owner}/{repo}/pulls/comments/{comment_id}": "get patch delete",
    ISSUE + "/{issue_number}/comments": "get post",
    ISSUE + "/comments/{comment_id}": "get patch delete",
    "/repos/{owner}/{repo}/contents/{path}": "get",
    "/repos/{owner}/{repo}/git/blobs/{file_sha}": "get",
    "/repos/{owner}/{repo}/git/trees/{tree_sha}": "get",
    "/repos/{owner}/{repo}/git/commits/{commit_sha}": "get",
    "/repos/{owner}/{repo}/commits/{ref}": "get",
    "/repos/{owner}/{repo}/compare/{basehead}": "get",
    ACTIONS + "/runs/{run_id}": "get",
    ACTIONS + "/runs/{run_id}/artifacts": "get",
    ACTIONS + "/artifacts/{artifact_id}/{archive_format}": "get",
    "/user": "get",
    "/rate_limit": "get",
}

DROPPED = {"description", "example", "examples", "externalDocs", "summary", "tags", "x-octokit", "x-github"}
DROPPED |= {"x-github-breaking-changes", "deprecated", "callbacks", "servers", "title"}

# GitHub sends null there for an outdated or file-level comment (vitali87/croft#454); the description forgets it.
CORRECTIONS = {
    ("pull-request-review-comment", "line"),
    ("pull-request-review-comment", "original_line"),
    ("pull-request-review-comment", "position"),
    ("pull-request-review-comment", "original_position"),
    ("review-comment", "line"),
    ("review-comment", "original_line"),
    ("review-comment", "original_position"),
}

TYPES = {
    "Query": "id repository node viewer rateLimit",
    "Repository": "id name nameWithOwner pullRequest",
    "PullRequest": "id number title state isDraft locked headRefOid baseRefOid url reviewThreads comments",
    "PullRequestReviewThread": "id isResolved isOutdated isCollapsed path line originalLine startLine"
    " originalStartLine diffSide startDiffSide subjectType resolvedBy comments",
    "PullRequestReviewComment": "id databaseId fullDatabaseId author body path line originalLine isMinimized"
    " minimizedReason outdated createdAt updatedAt url viewerDidAuthor replyTo",
    "IssueComment": "id databaseId fullDatabaseId author body isMinimized minimizedReason createdAt updatedAt url"
    " viewerDidAuthor",
    "PullRequestReviewThreadConnection": "nodes pageInfo totalCount",
    "PullRequestReviewCommentConnection": "nodes pageInfo totalCount",
    "IssueCommentConnection": "nodes pageInfo totalCount",
    "PageInfo": "endCursor hasNextPage hasPreviousPage startCursor",
    "RateLimit": "cost limit remaining resetAt used",
    "User": "id login databaseId",
    "Bot": "id login databaseId",
    "Actor": "login",
    "Node": "id",
    "Minimizable": "isMinimized minimizedReason",
    "Mutation": "resolveReviewThread unresolveReviewThread minimizeComment unminimizeComment",
    "ResolveReviewThreadPayload": "clientMutationId thread",
    "UnresolveReviewThreadPayload": "clientMutationId thread",
    "MinimizeCommentPayload": "clientMutationId minimizedComment",
    "UnminimizeCommentPayload": "clientMutationId unminimizedComment",
}


def stripped(value: Any, *, names: bool = False) -> Any:
    """The value without prose; `names` = the keys are names of properties or paths, none of which is prose."""
    if isinstance(value, dict):
        return {
            key: stripped(
                one, names=not names and key in {"properties", "schemas", "parameters", "responses"}
            )
            for key, one in value.items()
            if names or key not in DROPPED
        }
    return [stripped(one) for one in value] if isinstance(value, list) else value


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "$ref":
                yield one
            else:
                yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def reduced_openapi(whole: dict[str, Any]) -> dict[str, Any]:
    paths = {
        path: {verb: stripped(whole["paths"][path][verb]) for verb in verbs.split()}
        for path, verbs in PATHS.items()
    }
    components: dict[str, dict[str, Any]] = {}
    todo = list(references(paths))
    while todo:
        _, _, group, name = todo.pop().split("/")
        if name not in components.setdefault(group, {}):
            components[group][name] = stripped(whole["components"][group][name])
            todo += references(components[group][name])
    for schema, field in CORRECTIONS:
        components["schemas"][schema]["properties"][field]["nullable"] = True
    components = {group: dict(sorted(members.items())) for group, members in sorted(components.items())}
    return {
        "openapi": whole["openapi"],
        "info": {"version": whole["info"]["version"]},
        "paths": paths,
        "components": components,
    }


def kept_inputs(schema: GraphQLSchema, names: Iterable[str]) -> set[str]:
    """The named types and every scalar, enum and input that their fields and arguments mention."""
    kept: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in kept:
            continue
        kept.add(name)
        known = schema.type_map[name]
        for field in getattr(known, "fields", {}).values():
            mentioned = [field.type, *(one.type for one in getattr(field, "args", {}).values())]
            todo += [get_named_type(one).name for one in mentioned if is_input_type(get_named_type(one))]
    return kept


def reduced_schema(text: str) -> str:
    schema = build_schema(text, assume_valid=True)  # 15.26.1 defines two fields twice
    for name, fields in TYPES.items():
        known = schema.type_map[name]
        if isinstance(known, GraphQLObjectType | GraphQLInterfaceType):
            known.fields = {one: known.fields[one] for one in fields.split()}
            known.interfaces = tuple(one for one in known.interfaces if one.name in TYPES)
    builtin = {"String", "Int", "Float", "Boolean", "ID"}
    printed = [
        print_type(without_prose(schema.type_map[name]))
        for name in sorted(kept_inputs(schema, TYPES) - builtin)
    ]
    return "\n\n".join(printed) + "\n"


def without_prose(known: Any) -> Any:
    known.description = None
    for one in [*getattr(known, "fields", {}).values(), *getattr(known, "values", {}).values()]:
        one.description = None
        one.deprecation_reason = None
        for argument in getattr(one, "args", {}).values():
            argument.description = None
            argument.deprecation_reason = None
    return known


def main(openapi: str, graphql: str) -> None:
    whole = json.loads(Path(openapi).read_text(encoding="utf-8"))
    text = json.dumps(reduced_openapi(whole), indent=1, sort_keys=True)
    (DATA / "openapi.json").write_text(text + "\n", encoding="utf-8")
    schema = reduced_schema(Path(graphql).read_text(encoding="utf-8"))
    (DATA / "schema.graphql").write_text(schema, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
