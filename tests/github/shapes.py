"""GitHub's JSON for people, repositories, pull requests, reviews, comments and runs."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from tests.github.state import Identity, IssueComment, Json, Pull, Repository, Review, ReviewComment, Run

USER_URLS = {
    "followers_url": "followers",
    "following_url": "following{/other_user}",
    "gists_url": "gists{/gist_id}",
    "starred_url": "starred{/owner}{/repo}",
    "subscriptions_url": "subscriptions",
    "organizations_url": "orgs",
    "repos_url": "repos",
    "events_url": "events{/privacy}",
    "received_events_url": "received_events",
}
ONLY_ALONE = {
    "merged",
    "mergeable",
    "rebaseable",
    "mergeable_state",
    "maintainer_can_modify",
    "comments",
    "review_comments",
    "commits",
    "additions",
    "deletions",
    "changed_files",
    "merged_by",
}
REPOSITORY_URLS = {
    "archive_url": "{archive_format}{/ref}",
    "assignees_url": "assignees{/user}",
    "blobs_url": "git/blobs{/sha}",
    "branches_url": "branches{/branch}",
    "collaborators_url": "collaborators{/collaborator}",
    "comments_url": "comments{/number}",
    "commits_url": "commits{/sha}",
    "compare_url": "compare/{base}...{head}",
    "contents_url": "contents/{+path}",
    "contributors_url": "contributors",
    "deployments_url": "deployments",
    "downloads_url": "downloads",
    "events_url": "events",
    "forks_url": "forks",
    "git_commits_url": "git/commits{/sha}",
    "git_refs_url": "git/refs{/sha}",
    "git_tags_url": "git/tags{/sha}",
    "hooks_url": "hooks",
    "issue_comment_url": "issues/comments{/number}",
    "issue_events_url": "issues/events{/number}",
    "issues_url": "issues{/number}",
    "keys_url": "keys{/key_id}",
    "labels_url": "labels{/name}",
    "languages_url": "languages",
    "merges_url": "merges",
    "milestones_url": "milestones{/number}",
    "notifications_url": "notifications{?since,all,participating}",
    "pulls_url": "pulls{/number}",
    "releases_url": "releases{/id}",
    "stargazers_url": "stargazers",
    "statuses_url": "statuses/{sha}",
    "subscribers_url": "subscribers",
    "subscription_url": "subscription",
    "tags_url": "tags",
    "teams_url": "teams",
    "trees_url": "git/trees{/sha}",
}
LONG_AGO = "2020-01-01T00:00:00Z"


def node_id(kind: str, number: int) -> str:
    return f"{kind}_{b64encode(str(number).encode()).decode().rstrip('=')}"


class Shapes:
    """Every answer's form, with URLs of one base."""

    def __init__(self, api: str, web: str) -> None:
        self.api = api
        self.web = web

    def user(self, identity: Identity) -> Json:
        path = identity.login.replace("[", "%5B").replace("]", "%5D")
        url = f"{self.api}/users/{path}"
        shown = identity.login.removesuffix("[bot]")
        return {
            "login": identity.login,
            "id": identity.id,
            "node_id": node_id("BOT" if identity.app else "U", identity.id),
            "avatar_url": f"{self.web}/avatars/{identity.id}",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{self.web}/apps/{shown}" if identity.app else f"{self.web}/{shown}",
            "type": "Bot" if identity.app else "User",
            "site_admin": False,
        } | {key: f"{url}/{tail}" for key, tail in USER_URLS.items()}

    def me(self, identity: Identity) -> Json:
        empty = dict.fromkeys(
            ["bio", "blog", "company", "email", "hireable", "location", "name", "twitter_username"]
        )
        numbers = dict.fromkeys(["followers", "following", "public_gists", "public_repos"], 0)
        return self.user(identity) | empty | numbers | {"created_at": LONG_AGO, "updated_at": LONG_AGO}

    def repository(self, repository: Repository) -> Json:
        url = f"{self.api}/repos/{repository.name}"
        web = f"{self.web}/{repository.name}"
        shape: Json = {key: f"{url}/{tail}" for key, tail in REPOSITORY_URLS.items()}
        shape |= dict.fromkeys(["description", "homepage", "language", "mirror_url", "license"])
        shape |= dict.fromkeys(["has_issues", "has_projects", "has_wiki", "has_downloads"], True)
        shape |= dict.fromkeys(["has_pages", "has_discussions", "archived", "disabled"], False)
        counts = (
            "forks forks_count open_issues open_issues_count size stargazers_count watchers watchers_count"
        )
        shape |= dict.fromkeys([*counts.split(), "network_count", "subscribers_count"], 0)
        return shape | {
            "id": repository.id,
            "node_id": node_id("R", repository.id),
            "name": repository.name.partition("/")[2],
            "full_name": repository.name,
            "owner": self.user(Identity(repository.owner, repository.id + 1)),
            "private": repository.private,
            "fork": repository.parent is not None,
            "url": url,
            "html_url": web,
            "clone_url": f"{web}.git",
            "git_url": f"git:{web.partition(':')[2]}.git",
            "ssh_url": f"git@localhost:{repository.name}.git",
            "svn_url": web,
            "default_branch": repository.default_branch,
            "created_at": LONG_AGO,
            "updated_at": LONG_AGO,
            "pushed_at": LONG_AGO,
        }

    def end(self, repository: Repository, ref: str, sha: str) -> Json:
        owner = self.user(Identity(repository.owner, repository.id + 1))
        label = f"{repository.owner}:{ref}"
        return {"label": label, "ref": ref, "sha": sha, "user": owner, "repo": self.repository(repository)}

    def pull(self, pull: Pull) -> Json:
        repository = f"{self.api}/repos/{pull.repository.name}"
        url = f"{repository}/pulls/{pull.number}"
        issue = f"{repository}/issues/{pull.number}"
        web = f"{self.web}/{pull.repository.name}/pull/{pull.number}"
        files = pull.diff().files
        shape: Json = dict.fromkeys(
            ["assignee", "body", "milestone", "active_lock_reason", "auto_merge", "merged_by"]
        )
        links = {
            "self": url,
            "html": web,
            "issue": issue,
            "comments": f"{issue}/comments",
            "review_comments": f"{url}/comments",
            "review_comment": f"{repository}/pulls/comments{{/number}}",
            "commits": f"{url}/commits",
            "statuses": f"{repository}/statuses/{pull.head}",
        }
        shape |= {f"{key}_url": link for key, link in links.items() if key != "self"}
        return shape | {
            "_links": {key: {"href": link} for key, link in links.items()},
            "id": pull.id,
            "node_id": node_id("PR", pull.id),
            "number": pull.number,
            "url": url,
            "diff_url": f"{web}.diff",
            "patch_url": f"{web}.patch",
            "state": pull.state,
            "locked": pull.locked,
            "draft": pull.draft,
            "title": pull.title,
            "user": self.user(pull.author),
            "author_association": pull.author.association,
            "labels": [],
            "assignees": [],
            "requested_reviewers": [],
            "requested_teams": [],
            "head": self.end(pull.source, pull.head_ref, pull.head),
            "base": self.end(pull.repository, pull.base_ref, pull.base),
            "created_at": pull.created,
            "updated_at": pull.created,
            "closed_at": None if pull.state == "open" else pull.created,
            "merged_at": pull.created if pull.merged else None,
            "merge_commit_sha": None,
            "merged": pull.merged,
            "mergeable": None,
            "rebaseable": None,
            "mergeable_state": "draft" if pull.draft else "unknown",
            "maintainer_can_modify": False,
            "comments": len(pull.talk),
            "review_comments": sum(one.review.state != "PENDING" for one in pull.comments.values()),
            "commits": len(pull.git.commits(pull.diff().base, pull.head)),
            "additions": sum(one.additions for one in files),
            "deletions": sum(one.deletions for one in files),
            "changed_files": len(files),
        }

    def listed_pull(self, pull: Pull) -> Json:
        """A pull request as lists have it: without what has to be counted."""
        return {key: value for key, value in self.pull(pull).items() if key not in ONLY_ALONE}

    def review(self, pull: Pull, review: Review) -> Json:
        url = f"{self.api}/repos/{pull.repository.name}/pulls/{pull.number}"
        web = f"{self.web}/{pull.repository.name}/pull/{pull.number}#pullrequestreview-{review.id}"
        shape = {
            "id": review.id,
            "node_id": node_id("PRR", review.id),
            "user": self.user(review.author),
            "body": review.body,
            "state": review.state,
            "commit_id": review.commit,
            "html_url": web,
            "pull_request_url": url,
            "author_association": review.author.association,
            "_links": {"html": {"href": web}, "pull_request": {"href": url}},
        }
        return shape | ({"submitted_at": review.submitted} if review.submitted else {})

    def review_comment(self, pull: Pull, comment: ReviewComment) -> Json:
        repository = f"{self.api}/repos/{pull.repository.name}"
        url = f"{repository}/pulls/comments/{comment.id}"
        web = f"{self.web}/{pull.repository.name}/pull/{pull.number}#discussion_r{comment.id}"
        anchor, place = comment.anchor, pull.place(comment)
        links = {"self": url, "html": web, "pull_request": f"{repository}/pulls/{pull.number}"}
        shape: Json = {
            "id": comment.id,
            "node_id": node_id("PRRC", comment.id),
            "url": url,
            "html_url": web,
            "pull_request_url": links["pull_request"],
            "pull_request_review_id": comment.review.id,
            "user": self.user(comment.author),
            "author_association": comment.author.association,
            "body": comment.body,
            "path": anchor.path,
            "diff_hunk": anchor.hunk,
            "commit_id": anchor.commit if place.outdated else pull.head,
            "original_commit_id": anchor.commit,
            "position": place.position if anchor.line else 1,
            "original_position": anchor.position if anchor.line else 1,
            "line": place.line,
            "original_line": anchor.line,
            "start_line": place.start_line,
            "original_start_line": anchor.start_line,
            "side": anchor.side,
            "start_side": anchor.start_side if anchor.start_line else None,
            "subject_type": anchor.subject,
            "created_at": comment.created,
            "updated_at": comment.updated,
            "_links": {key: {"href": link} for key, link in links.items()},
        }
        return shape | ({"in_reply_to_id": comment.root} if comment.root else {})

    def issue_comment(self, pull: Pull, comment: IssueComment) -> Json:
        repository = f"{self.api}/repos/{pull.repository.name}"
        return {
            "id": comment.id,
            "node_id": node_id("IC", comment.id),
            "url": f"{repository}/issues/comments/{comment.id}",
            "html_url": f"{self.web}/{pull.repository.name}/pull/{pull.number}#issuecomment-{comment.id}",
            "issue_url": f"{repository}/issues/{pull.number}",
            "user": self.user(comment.author),
            "author_association": comment.author.association,
            "body": comment.body,
            "created_at": comment.created,
            "updated_at": comment.updated,
            "performed_via_github_app": None,
        }

    def run(self, run: Run) -> Json:
        url = f"{self.api}/repos/{run.repository.name}/actions/runs/{run.id}"
        commit = run.repository.git.info(run.sha)
        person = {"name": commit.name, "email": commit.email}
        tails = {
            "jobs": "jobs",
            "logs": "logs",
            "artifacts": "artifacts",
            "cancel": "cancel",
            "rerun": "rerun",
        }
        shape: Json = {f"{key}_url": f"{url}/{tail}" for key, tail in tails.items()}
        return shape | {
            "id": run.id,
            "node_id": node_id("WFR", run.id),
            "name": "ports",
            "display_title": commit.message.partition("\n")[0],
            "path": ".github/workflows/ports.yaml",
            "run_number": 1,
            "run_attempt": 1,
            "event": run.event,
            "status": "completed",
            "conclusion": "success",
            "workflow_id": 1,
            "head_branch": run.branch,
            "head_sha": run.sha,
            "head_commit": {
                "id": run.sha,
                "tree_id": commit.tree,
                "message": commit.message,
                "timestamp": commit.date,
                "author": person,
                "committer": person,
            },
            "repository": self.repository(run.repository),
            "head_repository": self.repository(run.source),
            "pull_requests": [self.pull_minimal(pull) for pull in run.pulls],
            "url": url,
            "html_url": f"{self.web}/{run.repository.name}/actions/runs/{run.id}",
            "check_suite_url": f"{self.api}/repos/{run.repository.name}/check-suites/1",
            "workflow_url": f"{self.api}/repos/{run.repository.name}/actions/workflows/1",
            "created_at": LONG_AGO,
            "updated_at": LONG_AGO,
        }

    def pull_minimal(self, pull: Pull) -> Json:
        def end(repository: Repository, ref: str, sha: str) -> Json:
            url = f"{self.api}/repos/{repository.name}"
            return {
                "ref": ref,
                "sha": sha,
                "repo": {"id": repository.id, "name": repository.name, "url": url},
            }

        shape: dict[str, Any] = {"id": pull.id, "number": pull.number}
        return shape | {
            "url": f"{self.api}/repos/{pull.repository.name}/pulls/{pull.number}",
            "head": end(pull.source, pull.head_ref, pull.head),
            "base": end(pull.repository, pull.base_ref, pull.base),
        }
