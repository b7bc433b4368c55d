"""Files, trees, commits and comparisons, out of git."""

from __future__ import annotations

import posixpath
from base64 import encodebytes
from typing import Any
from urllib.parse import quote

from tests.github import diffs
from tests.github.endpoints import REPOSITORY, diff_text, file_shape
from tests.github.gitrepo import Commit, Entry, GitError
from tests.github.routing import Answer, Call, route
from tests.github.state import Json, Refusal

KINDS = {"tree": "dir", "commit": "submodule", "blob": "file"}
LARGEST = 100_000_000


def revision(call: Call, name: str | None, status: int = 404) -> str:
    """The commit that a branch, a tag or an id names."""
    name = name or call.repository.default_branch
    git = call.repository.git
    sha = git.resolve(f"refs/heads/{name}") or git.resolve(f"refs/tags/{name}") or git.resolve(name)
    if sha is None:
        raise Refusal(status, f"No commit found for the ref {name}")
    return sha


@route("GET", REPOSITORY + "/contents/{path}", "contents")
def get_contents(call: Call) -> Answer:
    commit, path = revision(call, call.query.get("ref")), call.params["path"].strip("/")
    git = call.repository.git
    entry = git.entry(commit, path) if path else None
    if path and entry is None:
        raise Refusal(404, "Not Found")
    if entry is None or entry.type == "tree":
        found = git.entries(f"{commit}:{path}")[:1000]
        return Answer(
            200, [content_shape(call, one, posixpath.join(path, one.path), commit) for one in found]
        )
    if entry.mode == "120000":
        target = posixpath.normpath(
            posixpath.join(posixpath.dirname(path), git.blob(entry.sha).decode("utf-8", "replace"))
        )
        behind = None if target.startswith(("..", "/")) else git.entry(commit, target)
        if behind is None or behind.type != "blob" or behind.mode == "120000":
            shape = content_shape(call, entry, path, commit) | {"type": "symlink"}
            return Answer(200, shape | {"target": git.blob(entry.sha).decode("utf-8", "replace")})
        entry = behind
    if entry.type == "commit":
        shape = content_shape(call, entry, path, commit)
        return Answer(200, shape | {"submodule_git_url": f"{call.shapes.web}/{path}.git"})
    return file_contents(call, entry, path, commit)


def file_contents(call: Call, entry: Entry, path: str, commit: str) -> Answer:
    """Up to 1 MB inline; up to 100 MB without content, or raw; nothing beyond."""
    size = entry.size or 0
    if size > LARGEST:
        problem = {"resource": "Blob", "field": "data", "code": "too_large"}
        raise Refusal(403, "This API returns blobs up to 100 MB in size.", [problem])
    data = call.repository.git.blob(entry.sha)
    if call.asks_for("raw"):
        return Answer(200, data, media="application/vnd.github.raw+json; charset=utf-8")
    inline = size <= call.limits.inline_content
    content = {
        "content": encodebytes(data).decode() if inline else "",
        "encoding": "base64" if inline else "none",
    }
    return Answer(200, content_shape(call, entry, path, commit) | content)


def content_shape(call: Call, entry: Entry, path: str, commit: str) -> Json:
    api, web = f"{call.shapes.api}/repos/{call.repository.name}", f"{call.shapes.web}/{call.repository.name}"
    kind, name = KINDS[entry.type], quote(path)
    urls: dict[str, str | None] = {
        "self": f"{api}/contents/{name}?ref={commit}",
        "git": f"{api}/git/{'trees' if kind == 'dir' else 'blobs'}/{entry.sha}",
        "html": f"{web}/{'tree' if kind == 'dir' else 'blob'}/{commit}/{name}",
    }
    return {
        "type": kind,
        "name": posixpath.basename(path),
        "path": path,
        "sha": entry.sha,
        "size": entry.size or 0,
        "url": urls["self"],
        "git_url": urls["git"],
        "html_url": urls["html"],
        "download_url": f"{web}/raw/{commit}/{name}" if kind == "file" else None,
        "_links": urls,
    }


@route("GET", REPOSITORY + "/git/blobs/{file_sha}", "contents")
def get_blob(call: Call) -> Answer:
    sha = call.params["file_sha"]
    try:
        data = call.repository.git.blob(sha)
    except GitError:
        raise Refusal(404, "Not Found") from None
    if call.asks_for("raw"):
        return Answer(200, data, media="application/vnd.github.raw+json; charset=utf-8")
    url = f"{call.shapes.api}/repos/{call.repository.name}/git/blobs/{sha}"
    shape: Json = {"sha": sha, "node_id": f"B_{sha}", "size": len(data), "url": url}
    return Answer(200, shape | {"content": encodebytes(data).decode(), "encoding": "base64"})


@route("GET", REPOSITORY + "/git/trees/{tree_sha}", "contents")
def get_tree(call: Call) -> Answer:
    git = call.repository.git
    sha = git.resolve(call.params["tree_sha"], "tree")
    if sha is None:
        raise Refusal(404, "Not Found")
    entries = git.entries(sha, recursive="recursive" in call.query)
    shown = entries[: call.limits.tree_entries]
    url = f"{call.shapes.api}/repos/{call.repository.name}/git"

    def shape(one: Entry) -> Json:
        found: Json = {"path": one.path, "mode": one.mode, "type": one.type, "sha": one.sha}
        found |= {} if one.size is None else {"size": one.size}
        return found | ({} if one.type == "commit" else {"url": f"{url}/{one.type}s/{one.sha}"})

    tree = [shape(one) for one in shown]
    return Answer(
        200, {"sha": sha, "url": f"{url}/trees/{sha}", "tree": tree, "truncated": len(shown) < len(entries)}
    )


def person(commit: Commit) -> Json:
    return {"name": commit.name, "email": commit.email, "date": commit.date}


def unsigned() -> Json:
    return {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}


def commit_urls(call: Call, sha: str) -> Json:
    api, web = f"{call.shapes.api}/repos/{call.repository.name}", f"{call.shapes.web}/{call.repository.name}"
    return {"sha": sha, "url": f"{api}/commits/{sha}", "html_url": f"{web}/commit/{sha}"}


@route("GET", REPOSITORY + "/git/commits/{commit_sha}", "contents")
def get_git_commit(call: Call) -> Answer:
    sha = call.repository.git.resolve(call.params["commit_sha"])
    if sha is None:
        raise Refusal(404, "Not Found")
    commit = call.repository.git.info(sha)
    api = f"{call.shapes.api}/repos/{call.repository.name}/git"
    return Answer(
        200,
        commit_urls(call, sha)
        | {
            "node_id": f"C_{sha}",
            "url": f"{api}/commits/{sha}",
            "author": person(commit),
            "committer": person(commit),
            "message": commit.message,
            "tree": {"sha": commit.tree, "url": f"{api}/trees/{commit.tree}"},
            "parents": [commit_urls(call, one) for one in commit.parents],
            "verification": unsigned(),
        },
    )


def commit_shape(call: Call, sha: str) -> Json:
    commit = call.repository.git.info(sha)
    urls = commit_urls(call, sha)
    api = f"{call.shapes.api}/repos/{call.repository.name}/git"
    return urls | {
        "node_id": f"C_{sha}",
        "comments_url": f"{urls['url']}/comments",
        "author": None,
        "committer": None,
        "parents": [commit_urls(call, one) for one in commit.parents],
        "commit": {
            "url": f"{api}/commits/{sha}",
            "author": person(commit),
            "committer": person(commit),
            "message": commit.message,
            "tree": {"sha": commit.tree, "url": f"{api}/trees/{commit.tree}"},
            "comment_count": 0,
            "verification": unsigned(),
        },
    }


@route("GET", REPOSITORY + "/commits/{ref}", "contents")
def get_commit(call: Call) -> Answer:
    sha = revision(call, call.params["ref"], status=422)
    commit = call.repository.git.info(sha)
    base = (
        commit.parents[0] if commit.parents else "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    )  # the empty tree
    diff = diffs.two_dot(call.repository.git, base, sha, call.limits.sizes)
    if call.asks_for("diff"):
        return Answer(200, diff_text(call, diff), media="application/vnd.github.v3.diff; charset=utf-8")
    page = call.page(list(diff.files), call.limits.files, size=300)
    added, removed = sum(one.additions for one in diff.files), sum(one.deletions for one in diff.files)
    shape: dict[str, Any] = {"stats": {"additions": added, "deletions": removed, "total": added + removed}}
    shape["files"] = [file_shape(call, one, sha) for one in page.items]
    return Answer(200, commit_shape(call, sha) | shape, page.headers)


@route("GET", REPOSITORY + "/compare/{basehead}", "contents")
def compare(call: Call) -> Answer:
    names = call.params["basehead"].split("...")
    if len(names) != 2:
        raise Refusal(404, "Not Found")
    base, head = (revision(call, one.rpartition(":")[2]) for one in names)
    git, limits = call.repository.git, call.limits
    try:
        fork = git.merge_base(base, head)
    except GitError:
        raise Refusal(404, f"No common ancestor between {names[0]} and {names[1]}.") from None
    diff = diffs.three_dot(git, base, head, limits.sizes)
    if call.asks_for("diff"):
        return Answer(200, diff_text(call, diff), media="application/vnd.github.v3.diff; charset=utf-8")
    ahead, behind = git.commits(base, head), git.commits(head, base)
    status = ("diverged" if behind else "ahead") if ahead else ("behind" if behind else "identical")
    page = call.page(ahead, size=limits.compare_commits)
    files = diff.files[: limits.compare_files] if call.query.get("page", "1") == "1" else ()
    web = f"{call.shapes.web}/{call.repository.name}/compare/{base}...{head}"
    shape: Json = {
        "url": f"{call.shapes.api}{call.path}",
        "html_url": web,
        "permalink_url": web,
        "diff_url": f"{web}.diff",
        "patch_url": f"{web}.patch",
        "base_commit": commit_shape(call, base),
        "merge_base_commit": commit_shape(call, fork),
        "status": status,
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": [commit_shape(call, one) for one in page.items],
        "files": [file_shape(call, one, head) for one in files],
    }
    return Answer(200, shape, page.headers)
