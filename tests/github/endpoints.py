"""Repositories, pull requests, their files, the conversation, people, runs."""

from __future__ import annotations

import hashlib
import time
from typing import Any
from urllib.parse import quote

from tests.github import diffs
from tests.github.reviews import PULL, check_unlocked
from tests.github.routing import FORBIDDEN, Answer, Call, invalid, route, too_long
from tests.github.state import Artifact, IssueComment, Json, Pull, Refusal, Run, fresh_id, now

REPOSITORY = "/repos/{owner}/{repo}"
TALK = REPOSITORY + "/issues/{issue_number}/comments"
REMARK = REPOSITORY + "/issues/comments/{comment_id}"
RUN = REPOSITORY + "/actions/runs/{run_id}"
ARTIFACT = REPOSITORY + "/actions/artifacts/{artifact_id}/{archive_format}"


@route("GET", REPOSITORY)
def get_repository(call: Call) -> Answer:
    return Answer(200, call.shapes.repository(call.repository))


@route("GET", REPOSITORY + "/pulls", "pull_requests")
def list_pulls(call: Call) -> Answer:
    """Newest first. `head` is ``owner:branch``; one without an owner is no filter at all."""
    state, head, base = (call.query.get(name, "") for name in ("state", "head", "base"))
    found = [
        one
        for one in sorted(call.repository.pulls.values(), key=lambda one: -one.number)
        if (state == "all" or one.state == (state or "open"))
        and (":" not in head or head == f"{one.source.owner}:{one.head_ref}")
        and base in ("", one.base_ref)
    ]
    page = call.page(found)
    return Answer(200, [call.shapes.listed_pull(one) for one in page.items], page.headers)


@route("GET", PULL, "pull_requests")
def get_pull(call: Call) -> Answer:
    if call.asks_for("diff"):
        return Answer(
            200, diff_text(call, call.pull.diff()), media="application/vnd.github.v3.diff; charset=utf-8"
        )
    return Answer(200, call.shapes.pull(call.pull))


def diff_text(call: Call, diff: diffs.Diff) -> bytes:
    """The whole diff, or 406 (reviewdog#2150)."""
    lines = diff.text.count("\n")
    for number, cap, thing in (
        (len(diff.files), call.limits.diff_files, "files"),
        (lines, call.limits.diff_lines, "lines"),
    ):
        if number > cap:
            problem = {"resource": "PullRequest", "field": "diff", "code": "too_large"}
            raise Refusal(406, f"Sorry, the diff exceeded the maximum number of {thing} ({cap}).", [problem])
    return diff.text.encode()


@route("GET", PULL + "/files", "pull_requests")
def list_files(call: Call) -> Answer:
    page = call.page(list(call.pull.diff().files), call.limits.files)
    return Answer(200, [file_shape(call, one, call.pull.head) for one in page.items], page.headers)


def file_shape(call: Call, one: diffs.FileDiff, revision: str) -> Json:
    name = quote(one.path)
    web = f"{call.shapes.web}/{call.repository.name}"
    shape: dict[str, Any] = {
        "sha": one.sha,
        "filename": one.path,
        "status": one.status,
        "additions": one.additions,
        "deletions": one.deletions,
        "changes": one.additions + one.deletions,
        "blob_url": f"{web}/blob/{revision}/{name}",
        "raw_url": f"{web}/raw/{revision}/{name}",
        "contents_url": f"{call.shapes.api}/repos/{call.repository.name}/contents/{name}?ref={revision}",
    }
    if one.patch is not None:
        shape["patch"] = one.patch
    return shape | ({"previous_filename": one.previous} if one.previous else {})


def check_remark(call: Call) -> str:
    body: str = call.body["body"]
    if too_long(body, call.limits):
        problem = invalid(
            "IssueComment", "data", "unprocessable", "Body is too long (maximum is 65536 characters)"
        )
        raise Refusal(422, "Validation Failed", [problem])
    if not body.strip():
        problem = invalid("IssueComment", "data", "unprocessable", "Body cannot be blank")
        raise Refusal(422, "Validation Failed", [problem])
    return body


@route("GET", TALK, "issues", "pull_requests")
def list_talk(call: Call) -> Answer:
    shown = [one for one in call.pull.talk.values() if one.updated >= call.query.get("since", "")]
    page = call.page(shown)
    return Answer(200, [call.shapes.issue_comment(call.pull, one) for one in page.items], page.headers)


@route("POST", TALK, "issues", "pull_requests")
def create_remark(call: Call) -> Answer:
    check_unlocked(call)
    comment = IssueComment(fresh_id(), call.who, check_remark(call))
    call.pull.talk[comment.id] = comment
    shape = call.shapes.issue_comment(call.pull, comment)
    return Answer(201, shape, {"Location": shape["url"]})


def the_remark(call: Call) -> tuple[Pull, IssueComment]:
    for pull in call.repository.pulls.values():
        if comment := pull.talk.get(call.number("comment_id")):
            return pull, comment
    raise Refusal(404, "Not Found")


@route("GET", REMARK, "issues", "pull_requests")
def get_remark(call: Call) -> Answer:
    return Answer(200, call.shapes.issue_comment(*the_remark(call)))


@route("PATCH", REMARK, "issues", "pull_requests")
def update_remark(call: Call) -> Answer:
    pull, comment = the_remark(call)
    comment.body, comment.updated = check_remark(call), now()
    return Answer(200, call.shapes.issue_comment(pull, comment))


@route("DELETE", REMARK, "issues", "pull_requests")
def delete_remark(call: Call) -> Answer:
    pull, comment = the_remark(call)
    del pull.talk[comment.id]
    return Answer(204)


@route("GET", "/user")
def get_user(call: Call) -> Answer:
    if call.who.app:
        raise Refusal(403, FORBIDDEN)
    return Answer(200, call.shapes.me(call.who))


@route("GET", "/rate_limit")
def get_rate_limit(call: Call) -> Answer:
    used, limit = (call.token.used if call.token else 0), call.limits.requests_per_hour
    reset = call.token.reset if call.token else int(time.time()) + 3600
    rate = {"limit": limit, "used": used, "remaining": max(0, limit - used), "reset": reset}
    return Answer(200, {"rate": rate, "resources": dict.fromkeys(("core", "search", "graphql"), rate)})


def the_run(call: Call) -> Run:
    run = call.repository.runs.get(call.number("run_id"))
    if run is None:
        raise Refusal(404, "Not Found")
    return run


@route("GET", RUN, "actions")
def get_run(call: Call) -> Answer:
    return Answer(200, call.shapes.run(the_run(call)))


@route("GET", RUN + "/artifacts", "actions")
def list_artifacts(call: Call) -> Answer:
    run = the_run(call)
    named = [one for one in run.artifacts.values() if call.query.get("name") in {None, one.name}]
    page = call.page(named)
    shown = [artifact_shape(call, run, one) for one in page.items]
    return Answer(200, {"total_count": page.total, "artifacts": shown}, page.headers)


def artifact_shape(call: Call, run: Run, one: Artifact) -> Json:
    url = f"{call.shapes.api}/repos/{run.repository.name}/actions/artifacts/{one.id}"
    source = {"id": run.id, "repository_id": run.repository.id, "head_repository_id": run.source.id}
    return {
        "id": one.id,
        "node_id": f"A_{one.id}",
        "name": one.name,
        "size_in_bytes": len(one.data),
        "url": url,
        "archive_download_url": f"{url}/zip",
        "expired": one.expired,
        "digest": f"sha256:{hashlib.sha256(one.data).hexdigest()}",
        "created_at": now(),
        "updated_at": now(),
        "expires_at": now(),
        "workflow_run": source | {"head_branch": run.branch, "head_sha": run.sha},
    }


@route("GET", ARTIFACT, "actions")
def download_artifact(call: Call) -> Answer:
    """Redirects to another host, which refuses whoever shows it a token."""
    for run in call.repository.runs.values():
        if one := run.artifacts.get(call.number("artifact_id")):
            if one.expired:
                raise Refusal(410, "Artifact has expired")
            return Answer(
                302, None, {"Location": f"{call.world.storage}/zip/{run.repository.name}/{one.id}?sig=signed"}
            )
    raise Refusal(404, "Not Found")
