"""Publishing against the fake GitHub, through PyGithub's real HTTP stack; the least privileged token comes first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from portproof.diff import FileDiff
from portproof.errors import UsageError
from portproof.github.client import Client, Waits, checked_address
from portproof.github.files import ApiFiles, comparison
from portproof.github.model import ChangedFiles, GithubError
from portproof.github.publish import Budget, Job, Publisher, PublishOutcome
from portproof.replacing import replace
from portproof.report import marks
from portproof.report.links import Links
from portproof.report.model import Report, Result
from tests.github import BOT, FakeGitHub, File, GitRepo, Limits, Pull, Token
from tests.support.reports import FIX, OTHER, RESULT, SOURCE, VALUES, place, report, status

BASE = SOURCE.replace("8081", "8080")
REVIEWS = "/pulls/1/reviews$"
COMMENTS = "/pulls/1/comments$"


@dataclass
class Hub:
    """One pull request that turned 8080 into 8081, and a publisher for its head."""

    fake: FakeGitHub
    git: GitRepo
    pull: Pull
    slept: list[float] = field(default_factory=list)
    backoff: float = 0

    def client(self, token: Token | str, patience: float = 1.0) -> Client:
        value = token if isinstance(token, str) else token.value
        return Client("octo/shop", value, self.fake.url, Waits(patience, None, self.backoff))

    def publisher(
        self, given: Report, token: Token | str, *, budget: float = 60.0, key: str = "job"
    ) -> Publisher:
        head = self.pull.head

        def texts(paths: Any) -> dict[str, str]:
            found = {path: self.git.entry(head, path) for path in paths}
            return {path: self.git.blob(entry.sha).decode() for path, entry in found.items() if entry}

        job = Job(self.pull.number, given, Links("https://github.com/octo/shop", head), key, texts)
        return Publisher(self.client(token), job, Budget(budget, self.slept.append))

    def review(self, given: Report, token: Token | str, **options: Any) -> PublishOutcome:
        return self.publisher(given, token, **options).review()

    def writing(self, **more: Any) -> Token:
        return self.fake.token(contents="read", pull_requests="write", **more)

    def bodies(self) -> list[str]:
        return [one.body for one in self.fake.comments(self.pull)]

    @property
    def posts(self) -> int:
        return len(self.fake.log.select("POST", REVIEWS))

    def said(self) -> set[str]:
        """The fingerprints that a reader of the pull request can find."""
        texts = [*self.bodies(), *(one.body for one in self.pull.reviews.values())]
        return {mark.fingerprint for text in texts for mark in marks.read(text) if not mark.fixed}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    git = GitRepo.create(tmp_path / "shop.git")
    git.commit({VALUES: BASE, "far.yaml": SOURCE, "README.md": "x\n"}, message="base")
    git.commit(
        {VALUES: SOURCE, "far.yaml": "# new\n" + SOURCE}, branch="feature", parent="main", message="change"
    )
    with FakeGitHub() as fake:
        shop = fake.repository("octo/shop", git)
        yield Hub(fake, git, fake.open_pull(shop, head="feature"))


def numbered(count: int, **other: Any) -> list[Result]:
    """Findings of different causes: what is only hinted may have nothing to do with the rest of its line."""
    given = {"location": place(proof="hinted"), **other}
    return [replace(RESULT, fingerprint=f"{number:032x}", **given) for number in range(1, count + 1)]


IN_FILE = replace(RESULT, fingerprint="f" * 32, location=place("far.yaml", 15), fix=None, alternatives=())
NOWHERE = replace(RESULT, fingerprint="e" * 32, location=place("README.txt"), fix=None, alternatives=())
GONE = report()


# who may not


def test_a_fork_is_told_why_there_are_no_comments(hub: Hub) -> None:
    outcome = hub.review(report(RESULT), hub.fake.read_only())
    assert outcome.problem
    assert "403 Resource not accessible by integration" in outcome.message
    assert "permissions: { contents: read, pull-requests: write }" in outcome.message
    assert hub.posts == 1
    assert hub.slept == []


@pytest.mark.parametrize("path", ["/pulls/1$", "/pulls/1/files$", COMMENTS])
@pytest.mark.parametrize("status_code", [401, 404])
def test_what_may_not_even_be_read_is_told_and_not_tried_again(hub: Hub, path: str, status_code: int) -> None:
    fault = hub.fake.faults.status("GET", path, status_code)
    outcome = hub.review(report(RESULT), hub.writing())
    assert outcome.problem
    assert str(status_code) in outcome.message
    assert fault.fired == 1
    assert hub.fake.log.writes == []


def test_a_wrong_token_is_told(hub: Hub) -> None:
    outcome = hub.review(report(RESULT), "ghs_wrong")
    assert outcome.problem
    assert "401 Bad credentials" in outcome.message


# what is posted


def test_one_review_with_a_comment_on_the_line_one_on_the_file_and_the_rest(hub: Hub) -> None:
    outcome = hub.review(report(RESULT, IN_FILE, NOWHERE), hub.writing())
    assert outcome == PublishOutcome("posted 3 findings")
    assert hub.posts == 1
    first, second = hub.fake.comments(hub.pull)
    assert {(one.anchor.path, one.anchor.line) for one in (first, second)} == {
        (VALUES, 14),
        ("far.yaml", None),
    }
    (review,) = [one for one in hub.pull.reviews.values() if one.body]
    assert review.state == "COMMENTED"
    assert review.commit == hub.pull.head
    assert [mark.fingerprint for mark in marks.read(review.body)] == [NOWHERE.fingerprint]
    sent = hub.fake.log.select("POST", REVIEWS)[0].body
    assert sent["event"] == "COMMENT"
    assert sent["comments"][0].keys() == {"path", "line", "side", "body"}


def test_applying_the_suggestion_gives_the_line_back(hub: Hub) -> None:
    hub.review(report(RESULT), hub.writing())
    (comment,) = hub.fake.comments(hub.pull)
    sha = hub.fake.apply_suggestion(hub.pull, comment.id)
    entry = hub.git.entry(sha, VALUES)
    assert entry is not None
    assert hub.git.blob(entry.sha).decode() == BASE


def test_findings_that_the_base_has_too_are_not_posted(hub: Hub) -> None:
    outcome = hub.review(report(replace(RESULT, introduced=False)), hub.writing())
    assert outcome == PublishOutcome("nothing new to report")
    assert hub.fake.log.writes == []


def test_thirty_comments_are_enough_and_nothing_is_lost(hub: Hub) -> None:
    hub.review(report(*numbered(33)), hub.writing())
    assert hub.posts == 1
    assert len(hub.bodies()) == 30
    assert hub.said() == {one.fingerprint for one in numbered(33)}


# files whose patch is not listed


LARGE = "".join(f"# line {number}\n" for number in range(200))


@pytest.fixture
def large(hub: Hub) -> Hub:
    """A pull request that also rewrites so many lines of the file that GitHub leaves its patch out."""
    hub.fake.limits.patch_lines = 100
    hub.git.commit({VALUES: BASE + LARGE.replace("#", "# old")}, branch="main", message="large")
    hub.git.commit({VALUES: SOURCE + LARGE}, branch="large", parent="main", message="rewritten")
    hub.pull = hub.fake.open_pull(hub.pull.repository, head="large")
    return hub


def test_a_file_whose_patch_is_not_listed_takes_comments_on_its_lines(large: Hub) -> None:
    outcome = large.review(report(RESULT), large.writing())
    assert outcome.message == "posted 1 finding"
    (comment,) = large.fake.comments(large.pull)
    assert (comment.anchor.path, comment.anchor.line) == (VALUES, 14)
    assert "```suggestion" in comment.body


def test_its_lines_are_those_since_the_head_left_the_base(large: Hub) -> None:
    moved = "# meanwhile\n" * 3 + BASE + LARGE.replace("#", "# other")
    large.fake.push_base(large.pull, large.git.commit({VALUES: moved}, branch="main"))
    large.review(report(RESULT), large.writing())
    assert [one.anchor.line for one in large.fake.comments(large.pull)] == [14]


def test_where_github_takes_none_the_finding_is_told_all_the_same(large: Hub) -> None:
    large.fake.limits.hunk_lines = 100
    large.review(report(RESULT), large.writing())
    assert large.said() == {RESULT.fingerprint}


def test_a_large_new_file_takes_comments_too(hub: Hub) -> None:
    hub.fake.limits.patch_lines = 100
    hub.git.commit({"new.yaml": SOURCE + LARGE}, branch="fresh", parent="main", message="new")
    hub.pull = hub.fake.open_pull(hub.pull.repository, head="fresh")
    hub.review(report(replace(RESULT, location=place("new.yaml"), fix=None, alternatives=())), hub.writing())
    assert [(one.anchor.path, one.anchor.line) for one in hub.fake.comments(hub.pull)] == [("new.yaml", 14)]


# again and again


def test_a_second_run_writes_nothing(hub: Hub) -> None:
    given = report(RESULT, IN_FILE, NOWHERE)
    token = hub.writing()
    hub.review(given, token)
    before = len(hub.fake.log.writes)
    assert hub.review(given, token) == PublishOutcome("nothing new to report")
    assert len(hub.fake.log.writes) == before


def test_a_moved_line_or_a_reworded_message_is_not_new(hub: Hub) -> None:
    token = hub.writing()
    hub.review(report(RESULT), token)
    before = len(hub.fake.log.writes)
    hub.fake.push(hub.pull, hub.git.commit({VALUES: "# moved\n" + SOURCE}, branch="feature"))
    fix = replace(FIX, edits=(replace(FIX.edits[0], line=15, end_line=15),))
    moved = replace(RESULT, message="In other words.", location=place(line=15), fix=fix, alternatives=())
    assert hub.review(report(moved), token) == PublishOutcome("nothing new to report")
    assert len(hub.fake.log.writes) == before


def test_two_findings_of_one_fingerprint_in_two_files_are_two(hub: Hub) -> None:
    other = replace(RESULT, location=place("far.yaml", 15), fix=None, alternatives=())
    token = hub.writing()
    hub.review(report(RESULT, other), token)
    assert len(hub.bodies()) == 2
    assert hub.review(report(RESULT, other), token) == PublishOutcome("nothing new to report")
    assert hub.review(report(RESULT), token) == PublishOutcome("marked 1 finding as fixed")
    gone = [one for one in hub.fake.comments(hub.pull) if marks.read(one.body)[0].fixed]
    assert [one.anchor.path for one in gone] == ["far.yaml"]


def test_marks_of_others_do_not_count(hub: Hub) -> None:
    for login in ("somebody", "github-actions"):
        hub.review(report(RESULT, NOWHERE), hub.fake.token(login, contents="read", pull_requests="write"))
    hub.review(report(RESULT, NOWHERE), hub.writing())
    assert len(hub.bodies()) == 3
    assert hub.posts == 3


def test_a_review_of_somebody_else_that_carries_our_mark_silences_nothing(hub: Hub) -> None:
    hub.review(report(NOWHERE), hub.fake.token("somebody", contents="read", pull_requests="write"))
    assert hub.review(report(NOWHERE), hub.writing()) == PublishOutcome("posted 1 finding")
    assert len(hub.pull.reviews) == 2


def test_the_token_of_an_app_knows_its_own_marks(hub: Hub) -> None:
    token = hub.fake.token("porty[bot]", contents="read", pull_requests="write")
    hub.review(report(RESULT), token)
    assert hub.review(report(RESULT), token) == PublishOutcome("nothing new to report")


def test_a_fixed_finding_is_said_to_be_fixed_where_the_token_may_not_resolve(hub: Hub) -> None:
    token = hub.writing()
    hub.review(report(RESULT, NOWHERE), token)
    assert hub.review(GONE, token) == PublishOutcome("marked 2 findings as fixed")
    (comment,) = hub.fake.comments(hub.pull)
    assert marks.read(comment.body)[0].fixed
    assert "suggestion" not in comment.body
    assert hub.pull.resolved == {}
    (review,) = [one for one in hub.pull.reviews.values() if one.body]
    assert "> **Fixed** as of" in review.body
    before = len(hub.fake.log.writes)
    assert hub.review(GONE, token) == PublishOutcome("nothing new to report")
    assert len(hub.fake.log.writes) == before


def test_a_fixed_finding_is_resolved_where_the_token_may(hub: Hub) -> None:
    token = hub.fake.token(contents="write", pull_requests="write")
    hub.review(report(RESULT), token)
    hub.review(GONE, token)
    (comment,) = hub.fake.comments(hub.pull)
    assert comment.id in hub.pull.resolved
    assert hub.review(report(RESULT), token) == PublishOutcome("updated 1 comment")
    assert hub.pull.resolved == {}
    assert marks.read(hub.bodies()[0])[0].fixed is False
    assert "```suggestion" in hub.bodies()[0]
    assert len(hub.bodies()) == 1


def test_what_others_have_answered_is_neither_deleted_nor_resolved(hub: Hub) -> None:
    token = hub.fake.token(contents="write", pull_requests="write")
    hub.review(report(RESULT), token)
    (comment,) = hub.fake.comments(hub.pull)
    person = hub.client(hub.fake.token("maintainer", contents="read", pull_requests="write"))
    person._send("POST", f"pulls/1/comments/{comment.id}/replies", {"body": "on purpose?"})
    hub.review(GONE, token)
    assert hub.pull.resolved == {}
    assert len(hub.bodies()) == 2
    assert marks.read(hub.bodies()[0])[0].fixed
    assert hub.fake.log.select("DELETE") == []


def test_a_finding_that_comes_back_elsewhere_is_said_anew(hub: Hub) -> None:
    token = hub.writing()
    hub.review(report(RESULT), token)
    hub.review(GONE, token)
    back = replace(RESULT, location=place(line=13, column=9, width=2), fix=None, alternatives=())
    assert hub.review(report(back), token) == PublishOutcome("posted 1 finding")
    assert len(hub.bodies()) == 2
    assert hub.review(report(back), token) == PublishOutcome("nothing new to report")


def test_a_target_that_could_not_be_checked_has_no_fixed_findings(hub: Hub) -> None:
    token = hub.writing()
    hub.review(report(RESULT), token)
    failed = report(targets=(status("helm:charts/backend?values=x.yaml", "failed", "no"),))
    assert hub.review(failed, token) == PublishOutcome("nothing new to report")


def test_another_jobs_findings_are_known_but_not_taken_back(hub: Hub) -> None:
    token = hub.writing()
    hub.review(report(RESULT), token, key="one")
    assert hub.review(report(RESULT), token, key="two") == PublishOutcome("nothing new to report")
    assert hub.review(GONE, token, key="two") == PublishOutcome("nothing new to report")
    assert hub.review(GONE, token, key="one") == PublishOutcome("marked 1 finding as fixed")


def test_a_suggestion_that_is_no_longer_proven_is_taken_away(hub: Hub) -> None:
    token = hub.writing()
    hub.review(report(RESULT), token)
    other = replace(FIX, edits=(replace(FIX.edits[0], new="8090"),), description="set targetPort to 8090")
    assert hub.review(report(replace(RESULT, fix=other, alternatives=())), token) == PublishOutcome(
        "updated 1 comment"
    )
    assert "targetPort: 8090" in hub.bodies()[0]
    assert hub.review(report(replace(RESULT, fix=None, alternatives=())), token) == PublishOutcome(
        "updated 1 comment"
    )
    assert "suggestion" not in hub.bodies()[0]
    assert hub.posts == 1


def test_a_comment_that_somebody_deleted_meanwhile_is_no_trouble(hub: Hub) -> None:
    token = hub.writing()
    hub.review(report(RESULT), token)
    (comment,) = hub.fake.comments(hub.pull)
    hub.fake.faults.call("PATCH", f"/comments/{comment.id}$", lambda: hub.pull.comments.pop(comment.id))
    assert hub.review(GONE, token) == PublishOutcome("marked 1 finding as fixed")


# when GitHub fails


@pytest.mark.parametrize("path", ["/pulls/1$", "/pulls/1/files$", COMMENTS, REVIEWS])
def test_reads_are_tried_again(hub: Hub, path: str) -> None:
    fault = hub.fake.faults.status("GET", path, 502, times=2)
    reset = hub.fake.faults.reset("GET", path, nth=4)
    reset.optional = True
    assert hub.review(report(RESULT), hub.writing()) == PublishOutcome("posted 1 finding")
    assert fault.fired == 2


@pytest.mark.slow
@pytest.mark.parametrize("backoff", [0, 0.1])
def test_reads_that_keep_failing_end_the_posting_and_not_the_run(hub: Hub, backoff: float) -> None:
    fault = hub.fake.faults.status("GET", "/pulls/1$", 503, times=9)
    hub.backoff = backoff
    started = time.monotonic()
    outcome = hub.review(report(RESULT), hub.writing())
    assert outcome.problem
    assert "503" in outcome.message
    assert fault.fired == 4
    assert (
        time.monotonic() - started > 3 * backoff
    )  # nothing before the second try, then once, then twice the time


def test_broken_json_is_no_answer(hub: Hub) -> None:
    hub.fake.faults.malformed("GET", COMMENTS)
    outcome = hub.review(report(RESULT), hub.writing())
    assert outcome.problem
    assert hub.fake.log.writes == []


@pytest.mark.parametrize("kind", ["status", "reset"])
def test_a_write_that_took_effect_is_not_repeated(hub: Hub, kind: str) -> None:
    fault: Any = getattr(hub.fake.faults, kind)
    fault("POST", REVIEWS, after=True)
    assert hub.review(report(RESULT, NOWHERE), hub.writing()) == PublishOutcome("posted 2 findings")
    assert hub.posts == 1
    assert len(hub.bodies()) == 1


@pytest.mark.parametrize("kind", ["status", "reset"])
def test_a_write_that_did_not_is_tried_one_more_time(hub: Hub, kind: str) -> None:
    fault: Any = getattr(hub.fake.faults, kind)
    fault("POST", REVIEWS)
    assert hub.review(report(RESULT), hub.writing()) == PublishOutcome("posted 1 finding")
    assert hub.posts == 2
    assert len(hub.bodies()) == 1


def test_and_not_more_often_than_that(hub: Hub) -> None:
    hub.fake.faults.status("POST", REVIEWS, times=2)
    assert hub.review(report(RESULT), hub.writing()).problem
    assert hub.posts == 2


def test_when_the_marks_cannot_be_read_back_nothing_is_sent_again(hub: Hub) -> None:
    hub.fake.faults.status("POST", REVIEWS, after=True)
    hub.fake.faults.status("GET", COMMENTS, 404, nth=2)
    assert hub.review(report(RESULT), hub.writing()).problem
    assert hub.posts == 1


@pytest.mark.parametrize(
    ("code", "after", "waited"), [(403, 2, 2), (429, 3, 3), (403, None, 60), (429, None, 60)]
)
def test_a_secondary_limit_is_waited_for_within_the_budget(
    hub: Hub, code: int, after: int | None, waited: int
) -> None:
    hub.fake.faults.secondary("POST", REVIEWS, code, retry_after=after)
    assert hub.review(report(RESULT), hub.writing()) == PublishOutcome("posted 1 finding")
    assert hub.slept == [waited]
    assert hub.posts == 2


@pytest.mark.parametrize("code", [403, 429])
def test_beyond_the_budget_there_is_no_waiting(hub: Hub, code: int) -> None:
    hub.fake.faults.secondary("POST", REVIEWS, code, retry_after=120)
    outcome = hub.review(report(RESULT), hub.writing())
    assert outcome.problem
    assert "limit" in outcome.message
    assert hub.slept == []


def test_the_primary_limit_is_not_slept_through(hub: Hub) -> None:
    hub.fake.faults.primary("GET", "/pulls/1$")
    outcome = hub.review(report(RESULT), hub.writing())
    assert outcome.problem
    assert "rate limit" in outcome.message


def test_one_bad_comment_does_not_lose_the_others(hub: Hub) -> None:
    """Their diff is ours; so one comment is refused on order, wherever it is among the comments of a review."""
    given = numbered(6)
    bad = rf'"comments": \[.*{given[2].fingerprint}'
    fault = hub.fake.faults.status("POST", REVIEWS, 422, within=bad, times=99)
    outcome = hub.review(report(*given), hub.writing())
    assert outcome.message.startswith("posted 6 findings")
    assert fault.fired > 1
    assert len(hub.bodies()) == 5
    assert hub.said() == {one.fingerprint for one in given}
    assert hub.posts <= 9


def test_when_every_comment_is_bad_github_is_asked_so_often_and_no_more(hub: Hub) -> None:
    given = numbered(30)
    hub.fake.faults.status("POST", REVIEWS, 422, within=r'"comments": \[\{', times=99)
    hub.review(report(*given), hub.writing())
    assert hub.posts <= 15
    assert hub.said() == {one.fingerprint for one in given}


def test_a_diff_that_changed_between_reading_and_writing_is_read_again(hub: Hub) -> None:
    moved = hub.git.commit({VALUES: "new: 1\n" * 40 + SOURCE}, branch="feature")
    hub.fake.faults.call("POST", REVIEWS, lambda: hub.fake.push(hub.pull, moved))
    hub.fake.faults.status("POST", REVIEWS, 422)
    outcome = hub.review(report(RESULT), hub.writing())
    assert "the head moved" in outcome.message
    assert hub.bodies() == []


def test_a_pending_review_of_ours_that_stands_in_the_way_is_removed(hub: Hub) -> None:
    token = hub.writing()
    hub.client(token)._send("POST", "pulls/1/reviews", {"body": "**portproof**: crashed"})
    assert hub.review(report(RESULT), token).message.startswith("posted 1 finding")
    assert [one.state for one in hub.pull.reviews.values()] == ["COMMENTED"]


def test_a_file_comment_that_is_refused_becomes_an_entry_of_the_body(hub: Hub) -> None:
    hub.fake.faults.status("POST", COMMENTS, 422)
    assert hub.review(report(IN_FILE), hub.writing()) == PublishOutcome("posted 1 finding")
    assert hub.said() == {IN_FILE.fingerprint}
    assert hub.bodies() == []


# when there is nothing to post to


def test_a_head_that_moved_is_not_commented_on(hub: Hub) -> None:
    publisher = hub.publisher(report(RESULT), hub.writing())
    hub.fake.push(hub.pull, hub.git.commit({"README.md": "y\n"}, branch="feature"))
    outcome = publisher.review()
    assert not outcome.problem
    assert "the head moved" in outcome.message
    assert hub.fake.log.writes == []


def test_a_head_that_moves_at_the_last_moment_is_not_commented_on(hub: Hub) -> None:
    push = hub.git.commit({"README.md": "y\n"}, branch="feature")
    hub.fake.faults.call("GET", "/pulls/1/files$", lambda: hub.fake.push(hub.pull, push))
    assert "the head moved" in hub.review(report(RESULT, IN_FILE), hub.writing()).message
    assert hub.fake.log.writes == []


@pytest.mark.parametrize("merged", [False, True])
def test_a_closed_pull_request_gets_no_review(hub: Hub, merged: bool) -> None:
    hub.fake.close(hub.pull, merged=merged)
    outcome = hub.review(report(RESULT), hub.writing())
    assert outcome == PublishOutcome(f"no review: the pull request is {'merged' if merged else 'closed'}")
    assert hub.fake.log.writes == []


def test_a_locked_conversation_gets_no_review(hub: Hub) -> None:
    hub.pull.locked = True
    assert "locked" in hub.review(report(RESULT), hub.writing()).message
    assert hub.fake.log.writes == []


# the summary


def test_one_sticky_summary_is_kept_up_to_date(hub: Hub) -> None:
    token = hub.writing()
    assert hub.publisher(report(RESULT), token).summary("one") == PublishOutcome("the summary was posted")
    assert hub.publisher(report(RESULT), token).summary("one") == PublishOutcome("the summary is up to date")
    assert hub.publisher(GONE, token).summary("none") == PublishOutcome("the summary was updated")
    (remark,) = hub.pull.talk.values()
    assert remark.body == f"{marks.summary('job')}\nnone"


def test_without_findings_no_summary_is_begun(hub: Hub) -> None:
    assert hub.publisher(GONE, hub.writing()).summary("none") == PublishOutcome(
        "no findings, so no summary was posted"
    )
    assert hub.fake.log.writes == []


def test_a_summary_of_somebody_else_is_left_alone(hub: Hub) -> None:
    hub.fake.remark(hub.pull, f"{marks.summary('job')}\nforged")
    hub.publisher(report(RESULT), hub.writing()).summary("one")
    assert [one.author.login for one in hub.pull.talk.values()] == ["maintainer", BOT]


def test_a_summary_that_took_effect_is_not_posted_twice(hub: Hub) -> None:
    hub.fake.faults.status("POST", "/issues/1/comments$", after=True)
    assert hub.publisher(report(RESULT), hub.writing()).summary("one") == PublishOutcome(
        "the summary was posted"
    )
    assert len(hub.pull.talk) == 1


def test_a_fork_gets_no_summary_and_is_told(hub: Hub) -> None:
    assert hub.publisher(report(RESULT), hub.fake.read_only()).summary("one").problem


# the client


@pytest.mark.parametrize(
    "address",
    [
        "http://api.github.com",
        "https://u:p@api.github.com",
        "ftp://x",
        "https://",
        "http://127.0.0.1.evil.example",
        "https://h/?q",
    ],
)
def test_the_token_goes_to_https_or_this_machine_only(address: str) -> None:
    with pytest.raises(UsageError):
        checked_address(address)


@pytest.mark.parametrize(
    "address",
    ["https://api.github.com", "https://ghe.example/api/v3/", "http://127.0.0.1:80", "http://[::1]:8080"],
)
def test_addresses_that_are_fine(address: str) -> None:
    assert checked_address(address) == address.rstrip("/")


def test_every_request_names_the_version_and_none_goes_elsewhere(hub: Hub) -> None:
    hub.review(report(RESULT, IN_FILE), hub.writing())
    assert {one.headers.get("x-github-api-version") for one in hub.fake.log} == {"2022-11-28"}
    assert {one.host for one in hub.fake.log} == {"api"}


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../b", "./a", "a//b", "a/./b"])
def test_a_path_that_git_does_not_write_is_no_file_of_the_pull_request(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [{"filename": one, "status": "added", "sha": "1" * 40} for one in (path, "a.yaml")]
    client = Client("octo/shop", "x", "https://api.github.com")
    monkeypatch.setattr(client, "_all", lambda *_: iter(listed))
    found = client.files(1)
    assert list(found.changes) == list(found.blobs) == ["a.yaml"]


def test_enterprise_addresses_work(tmp_path: Path) -> None:
    git = GitRepo.create(tmp_path / "shop.git")
    git.commit({VALUES: BASE})
    git.commit({VALUES: SOURCE}, branch="feature", parent="main")
    with FakeGitHub(prefix="/api/v3") as fake:
        hub = Hub(fake, git, fake.open_pull(fake.repository("octo/shop", git), head="feature"))
        token = fake.token(contents="write", pull_requests="write")
        assert hub.review(report(RESULT), token) == PublishOutcome("posted 1 finding")
        assert hub.review(GONE, token) == PublishOutcome("marked 1 finding as fixed")
        assert len(hub.pull.resolved) == 1


def test_all_pages_are_read(tmp_path: Path) -> None:
    git = GitRepo.create(tmp_path / "shop.git")
    many = {f"f/{number:03}.yaml": "a: 1\n" for number in range(250)}
    git.commit({VALUES: BASE, **many})
    git.commit({VALUES: SOURCE, **dict.fromkeys(many, "a: 2\n")}, branch="feature", parent="main")
    with FakeGitHub() as fake:
        hub = Hub(fake, git, fake.open_pull(fake.repository("octo/shop", git), head="feature"))
        fake.faults.status("GET", "/files$", 502, nth=2)
        files = hub.client(hub.writing()).files(1)
        assert len(files.changes) == 251
        assert files.changes[VALUES].is_added(14)


def test_a_pull_request_beyond_githubs_list_is_not_compared(tmp_path: Path) -> None:
    git = GitRepo.create(tmp_path / "shop.git")
    git.commit({"a": "1", "b": "1", "c": "1"})
    git.commit({"a": "2", "b": "2", "c": "2"}, branch="feature", parent="main")
    with FakeGitHub(limits=Limits(files=2)) as fake:
        hub = Hub(fake, git, fake.open_pull(fake.repository("octo/shop", git), head="feature"))
        client = hub.client(hub.writing())
        with pytest.raises(GithubError, match="lists only 2 of 3 changed files"):
            comparison(client, client.pull(1), client.files(1), hub.pull.head)


@pytest.mark.parametrize(("status", "fetched"), [("modified", False), ("removed", False), ("added", True)])
def test_a_pull_request_with_more_files_than_are_fetched_is_not_compared(
    hub: Hub, status: str, fetched: bool
) -> None:
    client = hub.client(hub.writing())
    names = [f"{number}.yaml" for number in range(301)]
    files = ChangedFiles({name: FileDiff(name, status) for name in names}, {})
    refused = pytest.raises(
        GithubError, match="301 files changed, more than the 300 that are fetched one by one"
    )
    with nullcontext() if fetched else refused:  # a new file has nothing in the base
        comparison(client, replace(client.pull(1), changed_files=301), files, hub.pull.head)


def test_the_base_through_the_api(tmp_path: Path) -> None:
    git = GitRepo.create(tmp_path / "shop.git")
    text = "".join(f"line {number}\n" for number in range(30))
    large = "x" * 600
    files = {
        "kept.yaml": text,
        "gone.yaml": "g\n",
        "old name.yaml": "old\n" + text,
        "large.yaml": large,
        "dir": "file\n",
    }
    git.commit({**files, "link": File("120000", b"kept.yaml")})
    after = {
        "kept.yaml": "new\n",
        "gone.yaml": None,
        "old name.yaml": None,
        "new é.yaml": "new\n" + text,
        "large.yaml": "y",
    }
    git.commit(
        {**after, "added.yaml": "a\n", "dir": None, "dir/inner.yaml": "i\n", "link": None},
        branch="feature",
        parent="main",
    )
    with FakeGitHub(limits=Limits(inline_content=500)) as fake:
        hub = Hub(fake, git, fake.open_pull(fake.repository("octo/shop", git), head="feature"))
        client = hub.client(hub.writing())
        found = comparison(client, client.pull(1), client.files(1), hub.pull.head)
        assert found.revision == git.text("rev-parse", "main")
        assert found.changed == {
            "kept.yaml", "gone.yaml", "old name.yaml", "new é.yaml", "large.yaml", "added.yaml", "dir", "dir/inner.yaml", "link",
        }  # fmt: skip
        into = tmp_path / "into"
        (into / "dir").mkdir(parents=True)
        (into / "dir/inner.yaml").write_text("i\n")
        found.old.restore(sorted(found.changed), into)
        assert (into / "kept.yaml").read_text() == text
        assert (into / "gone.yaml").read_text() == "g\n"
        assert (into / "old name.yaml").read_text() == "old\n" + text
        assert (into / "large.yaml").read_text() == large
        assert (into / "dir").read_text() == "file\n"
        assert not (into / "added.yaml").exists()
        asked = len(fake.log)
        found.old.restore(sorted(found.changed), tmp_path / "into")
        assert len(fake.log) == asked


def test_a_checkout_that_is_neither_head_nor_merge_is_not_compared(hub: Hub) -> None:
    client = hub.client(hub.writing())
    with pytest.raises(GithubError, match="neither the pull request's head nor its merge commit"):
        comparison(client, client.pull(1), client.files(1), hub.git.text("rev-parse", "main"))


def test_restoring_never_follows_a_link(tmp_path: Path, hub: Hub) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    into = tmp_path / "into"
    into.mkdir()
    (into / "charts").symlink_to(outside)
    ApiFiles(hub.client(hub.writing()), hub.git.text("rev-parse", "main"), frozenset()).restore(
        [VALUES], into
    )
    assert list(outside.iterdir()) == []
    assert (into / VALUES).read_text() == BASE
    assert OTHER.edits[0].path == VALUES
