"""The fake serves what GitHub serves, to whom GitHub serves it."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from github import GithubException, UnknownObjectException
from github.ContentFile import ContentFile

from tests.github import File
from tests.github.conftest import CHANGED, Shop


def status_of(error: pytest.ExceptionInfo[GithubException]) -> int:
    return error.value.status


def raw(shop: Shop, path: str, **headers: str) -> requests.Response:
    headers.setdefault("Authorization", f"Bearer {shop.writer.value}")
    return requests.get(shop.fake.url + path, headers=headers, timeout=60, allow_redirects=False)


def test_a_pull_request_has_both_ends(shop: Shop) -> None:
    pull = shop.open()
    assert (pull.head.sha, pull.base.sha) == (shop.pull.head, shop.git.resolve("main"))
    assert (pull.head.ref, pull.base.ref, pull.head.repo.fork) == ("feature", "main", False)
    assert (pull.state, pull.draft, pull.locked if hasattr(pull, "locked") else False) == (
        "open",
        False,
        False,
    )
    assert all(url.startswith(shop.fake.url) for url in (pull.url, pull.issue_url, pull.head.repo.url))
    assert pull.get_files().totalCount == pull.changed_files


def test_the_open_pull_requests_of_a_branch_are_listed(shop: Shop) -> None:
    shop.git.commit({"more.yaml": "z: 1\n"}, branch="other", parent="main", message="more")
    later = shop.fake.open_pull(shop.pull.repository, head="other")
    repository = shop.open().base.repo

    def listed(**query: str) -> list[int]:
        return [one.number for one in repository.get_pulls(**query)]

    assert listed() == [later.number, shop.pull.number]
    owner = shop.pull.source.owner
    assert listed(head=f"{owner}:other") == [later.number]
    assert listed(head=f"{owner}:nothing") == listed(base="nothing") == []
    assert len(listed(head="other")) == 2  # no owner, no filter
    later.state = "closed"
    assert listed(head=f"{owner}:other") == []
    assert listed(head=f"{owner}:other", state="closed") == [later.number]
    assert len(listed(state="all")) == 2


def test_the_files_are_those_since_the_merge_base(shop: Shop) -> None:
    files = {one.filename: one for one in shop.open().get_files()}
    assert {name: one.status for name, one in files.items()} == {
        "added.yaml": "added",
        "gone.yaml": "removed",
        "new.yaml": "renamed",
        "values.yaml": "modified",
    }
    assert files["new.yaml"].previous_filename == "old.yaml"
    assert files["values.yaml"].patch.startswith("@@ -2,7 +2,7 @@")
    assert (files["values.yaml"].additions, files["values.yaml"].deletions) == (2, 2)
    assert shop.git.blob(files["values.yaml"].sha).decode() == CHANGED


def test_copies_modes_links_binaries_and_empty_files(shop: Shop) -> None:
    shop.push(
        {
            "copy.yaml": CHANGED.replace("line 9\n", "line nine\n"),
            "other.yaml": File("100755", b"y: 1\n"),
            "link": File("120000", b"values.yaml"),
            "binary": b"\0\1",
            "empty": "",
            "no newline": "a",
            "ünï": "a\r\nb\n",
        }
    )
    files = {one.filename: one for one in shop.open().get_files()}
    assert (files["copy.yaml"].status, files["copy.yaml"].previous_filename) == ("copied", "values.yaml")
    assert (files["other.yaml"].status, files["other.yaml"].raw_data.get("patch")) == ("changed", None)
    assert {files[name].raw_data.get("patch") for name in ("binary", "empty")} == {None}
    assert files["link"].patch == "@@ -0,0 +1 @@\n+values.yaml\n\\ No newline at end of file"
    assert files["no newline"].patch.endswith("\\ No newline at end of file")
    assert files["ünï"].patch == "@@ -0,0 +1,2 @@\n+a\r\n+b"


def test_large_files_have_no_patch_and_the_diff_is_refused(shop: Shop) -> None:
    shop.fake.limits.patch_lines = 10
    shop.fake.limits.diff_files = 3
    pull = shop.open()
    assert [one.filename for one in pull.get_files() if "patch" not in one.raw_data] == ["values.yaml"]
    with pytest.raises(GithubException) as refused:
        pull.requester.requestJsonAndCheck(
            "GET", pull.url, headers={"Accept": "application/vnd.github.v3.diff"}
        )
    assert status_of(refused) == 406
    assert refused.value.data["errors"][0]["code"] == "too_large"


def test_the_diff_by_accept_header(shop: Shop) -> None:
    pull = shop.open()
    _, data = pull.requester.requestJsonAndCheck(
        "GET", pull.url, headers={"Accept": "application/vnd.github.v3.diff"}
    )
    assert data is not None
    assert data["data"] == shop.pull.diff().text
    assert data["data"].startswith("diff --git a/added.yaml b/added.yaml")


def test_files_come_in_pages_up_to_a_cap(shop: Shop) -> None:
    shop.push({f"many/{number:04}.yaml": f"{number}\n" for number in range(250)})
    shop.fake.limits.files = 230
    pull = shop.open()
    assert len(list(pull.get_files())) == 230
    asked = shop.fake.log.select("GET", "/files$")
    assert [one.query for one in asked] == ["", *(f"page={page}" for page in range(2, 9))]
    answer = raw(shop, "/repos/octo/shop/pulls/1/files?per_page=500&page=2")
    assert len(answer.json()) == 100
    assert (
        f'<{shop.fake.url}/repos/octo/shop/pulls/1/files?per_page=500&page=3>; rel="next"'
        in answer.headers["Link"]
    )


def test_contents_of_files_folders_links_and_submodules(shop: Shop) -> None:
    shop.push(
        {
            "a b/ü.yaml": "k: 1\r\n",
            "link": File("120000", b"a b/\xc3\xbc.yaml"),
            "dangling": File("120000", b"../up"),
            "sub": File("160000", shop.pull.head.encode()),
        }
    )
    repository = shop.connect(shop.writer).get_repo("octo/shop")

    def read(path: str) -> ContentFile:
        found = repository.get_contents(path, ref=shop.pull.head)
        assert isinstance(found, ContentFile)
        return found

    assert read("a b/ü.yaml").decoded_content == read("link").decoded_content == b"k: 1\r\n"
    assert (read("dangling").type, read("sub").type) == ("symlink", "submodule")
    listed = repository.get_contents("", ref=shop.pull.head)
    assert isinstance(listed, list)
    assert {one.name: one.type for one in listed}["a b"] == "dir"
    with pytest.raises(UnknownObjectException):
        repository.get_contents("nowhere.yaml")
    with pytest.raises(GithubException, match="No commit found for the ref nobranch"):
        repository.get_contents("values.yaml", ref="nobranch")


def test_contents_beyond_a_megabyte_come_without_text_but_raw(shop: Shop) -> None:
    shop.fake.limits.inline_content = 100
    path = f"/repos/octo/shop/contents/values.yaml?ref={shop.pull.head}"
    found = raw(shop, path).json()
    assert (found["content"], found["encoding"], found["size"]) == ("", "none", len(CHANGED))
    assert raw(shop, path, Accept="application/vnd.github.raw+json").text == CHANGED
    repository = shop.connect(shop.writer).get_repo("octo/shop")
    assert repository.get_git_blob(found["sha"]).size == len(CHANGED)


def test_trees_commits_and_comparisons(shop: Shop) -> None:
    repository = shop.connect(shop.writer).get_repo("octo/shop")
    tree = repository.get_git_tree(shop.pull.head, recursive=True)
    assert {one.path for one in tree.tree} == {"added.yaml", "new.yaml", "other.yaml", "values.yaml"}
    commit = repository.get_commit(shop.pull.head)
    assert (commit.commit.message, commit.stats.total) == ("second", 8)
    assert repository.get_git_commit(shop.pull.head).tree.sha == tree.sha
    compared = repository.compare("main", "feature")
    assert (compared.status, compared.ahead_by, compared.behind_by) == ("diverged", 1, 1)
    assert compared.merge_base_commit.sha == shop.pull.diff().base
    shop.fake.limits.compare_files = 2
    assert len(repository.compare("main", "feature").files) == 2
    with pytest.raises(GithubException) as refused:
        repository.get_commit("nothing")
    assert status_of(refused) == 422


def test_a_wrong_token_and_none_at_all(shop: Shop) -> None:
    assert raw(shop, "/repos/octo/shop", Authorization="Bearer ghs_guess").status_code == 401
    assert raw(shop, "/repos/octo/shop", Authorization="").status_code == 401
    assert requests.get(shop.fake.url + "/repos/octo/shop", timeout=60).status_code == 404  # private
    assert [one.token for one in shop.fake.log] == ["wrong", "wrong", "none"]
    assert not any("authorization" in one.headers for one in shop.fake.log)


def test_a_read_only_token_reads_everything_and_writes_nothing(shop: Shop) -> None:
    pull = shop.open(shop.fake.read_only())
    assert list(pull.get_files())
    assert not [*pull.get_reviews(), *pull.get_review_comments(), *pull.get_issue_comments()]
    for write in (
        lambda: pull.create_review(body="x", event="COMMENT"),
        lambda: pull.create_issue_comment("x"),
    ):
        with pytest.raises(GithubException) as refused:
            write()
        assert (status_of(refused), refused.value.message) == (403, "Resource not accessible by integration")
    assert not shop.pull.reviews
    assert len(shop.fake.log.writes) == 2


@pytest.mark.parametrize(
    ("permissions", "path"),
    [
        ({"contents": "read"}, "/repos/octo/shop/pulls/1"),
        ({"pull_requests": "write"}, "/repos/octo/shop/contents/values.yaml"),
        ({"pull_requests": "write", "contents": "write"}, "/repos/octo/shop/actions/runs/1"),
    ],
)
def test_each_place_needs_its_own_permission(shop: Shop, permissions: dict[str, Any], path: str) -> None:
    token = shop.fake.token(**permissions)
    assert raw(shop, path, Authorization=f"token {token.value}").status_code == 403
    shop.repository.private = False
    assert raw(shop, path, Authorization=f"token {token.value}").status_code in {200, 404}


def test_an_app_has_no_user_and_a_person_has(shop: Shop) -> None:
    with pytest.raises(GithubException) as refused:
        assert shop.connect(shop.writer).get_user().login
    assert (status_of(refused), refused.value.message) == (403, "Resource not accessible by integration")
    assert shop.connect(shop.fake.token("maintainer")).get_user().login == "maintainer"


def test_a_forks_pull_request_and_what_its_run_tells(shop: Shop) -> None:
    fork = shop.fake.open_pull(shop.repository, head="feature", fork=True, draft=True)
    client = shop.connect(shop.writer)
    seen = client.get_repo("octo/shop").get_pull(fork.number)
    assert (seen.head.repo.full_name, seen.head.repo.fork, seen.draft) == ("contributor/shop", True, True)
    with pytest.raises(UnknownObjectException):  # an installation does not see a private fork
        client.get_repo("contributor/shop")
    run = shop.fake.run(fork, {"report": {"report.json": b"{}"}})
    assert client.get_repo("octo/shop").get_workflow_run(run.id).pull_requests == []
    ours = shop.fake.run(shop.pull, {})
    assert [one.number for one in client.get_repo("octo/shop").get_workflow_run(ours.id).pull_requests] == [1]
    event = shop.fake.event(fork, "opened")
    assert event["pull_request"]["head"]["sha"] == fork.head


def test_an_artifact_is_on_another_host_that_refuses_our_token(shop: Shop) -> None:
    run = shop.fake.run(shop.pull, {"report": {"report.json": b"{}"}})
    repository = shop.connect(shop.writer).get_repo("octo/shop")
    (artifact,) = repository.get_workflow_run(run.id).get_artifacts()
    headers = {"Authorization": f"Bearer {shop.writer.value}"}
    found = requests.get(artifact.archive_download_url, headers=headers, timeout=60)
    assert found.content == next(iter(run.artifacts.values())).data
    assert shop.fake.log[-1].host == "storage"
    assert shop.fake.log[-1].token == "none"
    location = found.history[0].headers["Location"]
    assert requests.get(location, headers=headers, timeout=60).status_code == 400
    next(iter(run.artifacts.values())).expired = True
    assert requests.get(artifact.archive_download_url, headers=headers, timeout=60).status_code == 410


def test_the_rate_limit_counts_and_ends(shop: Shop) -> None:
    client = shop.connect(shop.writer)
    client.get_repo("octo/shop")
    assert client.get_rate_limit().resources.core.used == 2
    shop.fake.limits.requests_per_hour = 2
    with pytest.raises(GithubException) as refused:
        client.get_repo("octo/shop")
    assert status_of(refused) == 403
    assert refused.value.headers is not None
    assert refused.value.headers["x-ratelimit-remaining"] == "0"


def test_an_unknown_endpoint_or_a_broken_answer_fails_the_test(shop: Shop) -> None:
    assert raw(shop, "/repos/octo/shop/issues/1").status_code == 404
    assert shop.fake.violations == ["no such endpoint: GET /repos/octo/shop/issues/1"]
    shop.fake.violations.clear()
    shop.pull.title = None  # type: ignore[assignment]
    assert raw(shop, "/repos/octo/shop/pulls/1").status_code == 200
    assert "None is not of type 'string'" in shop.fake.violations[0]
    with pytest.raises(AssertionError, match="is not of type"):
        shop.fake.verify()
    shop.fake.violations.clear()
