"""What GitHub refuses in reviews and comments, in its words; each rule names the thread that it is known from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from github import GithubException, UnknownObjectException
from github.PullRequest import PullRequest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.github.conftest import CHANGED, Shop
from tests.github.routing import units

Json = dict[str, Any]
OUTSIDE = "Pull request review thread line must be part of the diff"
BLANK = "Pull request review thread diff hunk can't be blank"
OTHER_HUNK = "Pull request review thread start line must be part of the same hunk as the line."


def at(line: int, **more: Any) -> Any:
    return {"path": "values.yaml", "body": "here", "line": line, "side": "RIGHT"} | more


def refused(call: Callable[[], object]) -> Json:
    with pytest.raises(GithubException) as error:
        call()
    assert error.value.status == 422, error.value
    data: Json = error.value.data
    return data


def post(pull: PullRequest, **body: Any) -> Json:
    """Past PyGithub's own types, to send what they would not."""
    _, data = pull.requester.requestJsonAndCheck("POST", pull.url + "/reviews", input=body)
    assert isinstance(data, dict)
    return data


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (at(9), f"{OUTSIDE} and {BLANK}"),  # danobi/prr#11, pr-agent#592
        (at(30, side="LEFT") | {"line": 27}, f"{OUTSIDE} and {BLANK}"),
        (
            at(5, path="other.yaml"),
            f"Pull request review thread path is invalid and {BLANK}",
        ),  # villesau/ai-codereviewer#34
        (
            at(10, start_line=9, start_side="RIGHT"),
            f"{OUTSIDE}, {OTHER_HUNK}, and {BLANK}",
        ),  # suggest-changes#28
        (at(18, start_line=7, start_side="RIGHT"), OTHER_HUNK),
        (
            at(5, start_line=5, start_side="RIGHT"),
            "Pull request review thread start line must precede the end line.",
        ),
        (
            at(5, start_line=6, start_side="RIGHT"),
            "Pull request review thread start line must precede the end line.",
        ),
        (at(5, start_line=4), OTHER_HUNK),  # start_side is missing, the text misleads: PyGithub#3294
        (
            at(5, start_line=4, start_side="side"),
            "Pull request review thread start side is invalid",
        ),  # PyGithub#3534
        (at(5, start_side="RIGHT"), "Pull request review thread start side is invalid"),
        (at(5, side="BOTH"), "Pull request review thread side is invalid"),
        (at(20, side="RIGHT", path="gone.yaml"), f"{OUTSIDE} and {BLANK}"),
    ],
)
def test_a_line_must_be_in_the_diff_and_a_review_is_all_or_nothing(
    shop: Shop, wanted: Any, reason: str
) -> None:
    pull = shop.open()
    data = refused(lambda: pull.create_review(body="b", event="COMMENT", comments=[at(5), wanted]))
    assert (data["message"], data["errors"]) == ("Unprocessable Entity", [reason])
    assert not shop.pull.comments
    assert not shop.pull.reviews


def test_a_file_whose_patch_is_not_listed_takes_comments_on_its_lines(shop: Shop) -> None:
    shop.fake.limits.patch_lines = 10
    pull = shop.open()
    assert [one.filename for one in pull.get_files() if "patch" not in one.raw_data] == ["values.yaml"]
    pull.create_review(event="COMMENT", comments=[at(5)])
    assert [one.line for one in pull.get_review_comments()] == [5]


def test_a_file_without_diff_takes_comments_on_the_whole_only(shop: Shop) -> None:
    shop.fake.limits.hunk_lines = 10
    pull = shop.open()
    assert refused(lambda: pull.create_review(event="COMMENT", comments=[at(5)]))["errors"] == [
        f"{OUTSIDE} and {BLANK}"
    ]
    commit = shop.connect(shop.writer).get_repo("octo/shop").get_commit(pull.head.sha)
    assert (
        pull.create_review_comment("b", commit, "values.yaml", subject_type="file").id in shop.pull.comments
    )


def test_added_context_and_removed_lines_take_comments(shop: Shop) -> None:
    pull = shop.open()
    places = [
        at(5),
        at(2),
        at(8),
        at(30),
        at(5, side="LEFT"),
        at(20, side="LEFT"),
        at(22, start_line=17, start_side="RIGHT"),
    ]
    review = pull.create_review(body="b", event="COMMENT", comments=places)
    assert review.state == "COMMENTED"
    shown = list(pull.get_review_comments())
    assert [(one.line, one.side, one.start_line) for one in shown[-2:]] == [
        (20, "LEFT", None),
        (22, "RIGHT", 17),
    ]
    assert shown[0].diff_hunk == "\n".join(shop.open().get_files()[3].patch.split("\n")[:6])
    assert len(list(pull.get_single_review_comments(review.id))) == len(places)


def test_a_single_comment_is_told_apart_field_by_field(shop: Shop) -> None:
    pull = shop.open()
    commit = shop.connect(shop.writer).get_repo("octo/shop").get_commit(pull.head.sha)
    data = refused(lambda: pull.create_review_comment("b", commit, "values.yaml", line=12, side="RIGHT"))
    assert data["message"] == "Validation Failed"
    assert [(one["field"], one["code"]) for one in data["errors"]] == [
        ("pull_request_review_thread.line", "custom"),
        ("pull_request_review_thread.diff_hunk", "missing_field"),  # jenkinsci/pipeline-github-plugin#106
    ]
    made = pull.create_review_comment("b", commit, "values.yaml", line=5, side="RIGHT")
    assert (made.line, made.position, made.subject_type) == (5, 5, "line")
    assert [one.body for one in pull.get_reviews()] == [""]


def test_subject_type_stands_alone_and_not_in_a_review(shop: Shop) -> None:
    pull = shop.open()
    commit = shop.connect(shop.writer).get_repo("octo/shop").get_commit(pull.head.sha)
    refused(
        lambda: pull.create_review_comment("b", commit, "values.yaml", line=5, subject_type="line")
    )  # PyGithub#3293
    refused(lambda: pull.create_review_comment("b", commit, "values.yaml", line=5, subject_type="file"))
    data = refused(
        lambda: post(
            pull, event="COMMENT", comments=[{"path": "values.yaml", "body": "b", "subject_type": "file"}]
        )
    )
    assert '"subject_type" is not a permitted key' in data["message"]
    made = pull.create_review_comment("b", commit, "values.yaml", subject_type="file")
    assert (made.subject_type, made.raw_data["line"]) == ("file", None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"event": "COMMENTED", "body": "b"}, "'COMMENTED' is not one of"),
        ({"event": "COMMENT", "body": "b", "commit": "x"}, '"commit" is not a permitted key'),
        ({"event": "COMMENT", "comments": [at(5, startLine=4)]}, '"startLine" is not a permitted key'),
        (
            {"event": "COMMENT", "comments": [{"path": "values.yaml", "line": 5}]},
            "'body' is a required property",
        ),
        ({"event": "COMMENT", "comments": [at(5) | {"line": "5"}]}, "'5' is not of type 'integer'"),
    ],
)
def test_unknown_keys_and_wrong_enums_are_refused(shop: Shop, body: Json, message: str) -> None:
    pull = shop.open()
    assert message in refused(lambda: post(pull, **body))["message"]
    assert not shop.pull.reviews


def test_an_unknown_query_parameter_is_refused(shop: Shop) -> None:
    pull = shop.open()
    data = refused(
        lambda: pull.requester.requestJsonAndCheck("GET", pull.url + "/files", parameters={"pageSize": 3})
    )
    assert '"pageSize" is not a permitted parameter' in data["message"]


def test_bodies_are_counted_in_utf_16(shop: Shop) -> None:
    pull = shop.open()
    long, fitting = "😀" * 32_768 + "x", "😀" * 32_768
    too_long = "Body is too long (maximum is 65536 characters)"
    assert refused(lambda: pull.create_review(body=long, event="COMMENT"))["errors"] == [too_long]
    assert refused(lambda: pull.create_review(event="COMMENT", comments=[at(5, body=long)]))["errors"] == [
        too_long
    ]
    assert (
        refused(lambda: pull.create_issue_comment(long))["errors"][0]["message"] == too_long
    )  # github-pr-resource#259
    assert pull.create_review(body=fitting, event="COMMENT").body == fitting
    remark = pull.create_issue_comment(fitting)
    refused(lambda: remark.edit(long))
    assert remark.body == fitting


@settings(deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_units_is_what_javascript_calls_length(text: str) -> None:
    assert units(text) == sum(2 if ord(one) > 0xFFFF else 1 for one in text)


def test_an_empty_comment_review_is_refused(shop: Shop) -> None:
    pull = shop.open()
    refused(lambda: pull.create_review(event="COMMENT"))
    refused(lambda: pull.create_review(body=" ", event="COMMENT"))
    refused(lambda: pull.create_review(event="COMMENT", comments=[at(5, body="")]))
    refused(lambda: pull.create_issue_comment(" "))
    assert pull.create_review(event="COMMENT", comments=[at(5)]).state == "COMMENTED"


def test_one_pending_review_a_person_hidden_from_others(shop: Shop) -> None:
    token = shop.writer
    pull = shop.open(token)
    pending = pull.create_review(body="crashed", comments=[at(5)])
    assert pending.state == "PENDING"
    reason = "User can only have one pending review per pull request"
    assert refused(lambda: pull.create_review(body="again", event="COMMENT"))["errors"] == [
        reason
    ]  # max-sixty/tend#1171
    other = shop.open(shop.fake.token("maintainer", pull_requests="write"))
    assert list(other.get_reviews()) == []
    assert list(pull.get_review_comments()) == []
    assert [one.state for one in pull.get_reviews()] == ["PENDING"]
    pending.delete()
    assert not shop.pull.comments
    pull.create_review(body="again", event="COMMENT")


def test_submitted_reviews_stay_and_only_verdicts_are_dismissed(shop: Shop) -> None:
    pull = shop.open()
    review = pull.create_review(body="b", event="COMMENT")
    reason = "Can not delete a non-pending pull request review"  # apache/magpie#1300
    assert refused(review.delete)["errors"] == [reason]
    assert refused(lambda: review.dismiss("old"))["errors"] == [
        "Can not dismiss a commented pull request review"
    ]
    review.edit("edited")
    assert [one.body for one in pull.get_reviews()] == ["edited"]
    verdict = shop.open(shop.fake.token("maintainer", pull_requests="write")).create_review(
        body="no", event="REQUEST_CHANGES"
    )
    verdict.dismiss("fixed")
    assert [one.state for one in pull.get_reviews()] == ["COMMENTED", "DISMISSED"]


def test_who_may_not_approve(shop: Shop) -> None:
    reason = "GitHub Actions is not permitted to approve pull requests."  # github/docs#31550
    assert refused(lambda: shop.open().create_review(event="APPROVE"))["errors"] == [reason]
    own = shop.open(shop.fake.token("contributor", pull_requests="write"))
    assert refused(lambda: own.create_review(event="APPROVE"))["errors"] == [
        "Can not approve your own pull request"
    ]


def test_the_commit_must_be_one_of_the_pull_request(shop: Shop) -> None:
    repository = shop.connect(shop.writer).get_repo("octo/shop")
    pull = shop.open()
    main = repository.get_commit("main")
    data = refused(lambda: pull.create_review(main, body="b", event="COMMENT", comments=[at(5)]))
    assert data["errors"] == ["Pull request review thread end commit oid is not part of the pull request"]
    refused(lambda: pull.create_review(main, body="b", event="COMMENT"))


def test_a_comment_on_an_older_commit_is_outdated_where_its_line_changed(shop: Shop) -> None:
    first = shop.pull.head
    shop.push({"values.yaml": CHANGED.replace("line five\n", "LINE FIVE\n")})
    older = shop.connect(shop.writer).get_repo("octo/shop").get_commit(first)
    pull = shop.open()
    pull.create_review(older, body="b", event="COMMENT", comments=[at(5), at(8)])
    changed, same = pull.get_review_comments()
    assert (changed.raw_data["line"], changed.original_line, changed.commit_id) == (None, 5, first)
    assert (same.line, same.commit_id, same.original_commit_id) == (8, shop.pull.head, first)


def test_a_push_moves_lines_and_outdates_changed_ones(shop: Shop) -> None:
    pull = shop.open()
    places = [
        at(3),
        at(5),
        at(30),
        at(31, start_line=29, start_side="RIGHT"),
        at(20, side="LEFT"),
        at(1, path="added.yaml"),
    ]
    pull.create_review(body="b", event="COMMENT", comments=places)
    shop.push(
        {
            "values.yaml": "top\n" + CHANGED.replace("line five\n", "line 5\n").replace("new\n", "newer\n"),
            "added.yaml": None,
        }
    )
    shown = [
        (one.raw_data["line"], one.original_line, one.raw_data["start_line"])
        for one in pull.get_review_comments()
    ]
    # 3 is 4 now and still in a hunk; 5 changed; 30 changed, the range over it too; 20 was deleted and still is; the file is gone
    assert shown == [
        (4, 3, None),
        (None, 5, None),
        (None, 30, None),
        (None, 31, None),
        (20, 20, None),
        (None, 1, None),
    ]


def test_a_line_that_left_the_diff_is_outdated_though_unchanged(shop: Shop) -> None:
    pull = shop.open()
    pull.create_review(body="b", event="COMMENT", comments=[at(7)])
    shop.push({"values.yaml": CHANGED.replace("line five\n", "line 5\n")})
    (comment,) = pull.get_review_comments()
    assert (comment.raw_data["line"], comment.raw_data["position"], comment.original_line) == (None, None, 7)


def test_locked_and_closed(shop: Shop) -> None:
    shop.pull.locked = True
    pull = shop.open()
    for write in (
        lambda: pull.create_review(body="b", event="COMMENT"),
        lambda: pull.create_issue_comment("b"),
    ):
        with pytest.raises(GithubException, match="issue is locked") as error:
            write()
        assert error.value.status == 403
    shop.pull.locked = False
    shop.fake.close(shop.pull, merged=True)
    pull = shop.open()
    assert (pull.state, pull.merged) == ("closed", True)
    pull.create_review(body="late, but GitHub takes it", event="COMMENT")


def test_replies_by_people_and_forged_marks_by_bots(shop: Shop) -> None:
    ours = shop.open()
    ours.create_review(event="COMMENT", comments=[at(5, body="<!-- mark -->")])
    (comment,) = ours.get_review_comments()
    human = shop.open(shop.fake.token("maintainer", pull_requests="write"))
    reply = human.create_review_comment_reply(comment.id, "why?")
    assert (reply.in_reply_to_id, reply.user.login, reply.user.type) == (comment.id, "maintainer", "User")
    refused(lambda: human.create_review_comment_reply(reply.id, "replies to replies are not supported"))
    forger = shop.open(shop.fake.token("evil[bot]", pull_requests="write"))
    forged = forger.create_issue_comment("<!-- mark -->")
    assert (forged.user.login, forged.user.type) == ("evil[bot]", "Bot")
    with pytest.raises(UnknownObjectException):
        human.create_review_comment_reply(1, "to nobody")


def test_comments_are_edited_sorted_and_deleted(shop: Shop) -> None:
    pull = shop.open()
    pull.create_review(event="COMMENT", comments=[at(5), at(6)])
    first, second = pull.get_review_comments()
    first.edit("edited")
    assert [one.body for one in pull.get_review_comments(sort="created", direction="asc")] == [
        "edited",
        "here",
    ]
    second.delete()
    with pytest.raises(UnknownObjectException):
        second.edit("gone")
    remark = pull.create_issue_comment("one")
    remark.edit("two")
    assert [one.body for one in pull.get_issue_comments()] == ["two"]
    remark.delete()
    with pytest.raises(UnknownObjectException):
        pull.get_issue_comment(remark.id)
