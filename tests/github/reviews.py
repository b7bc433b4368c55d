"""Reviews and their comments: all or nothing, in the diff, one pending review a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.github import diffs
from tests.github.routing import Answer, Call, invalid, route, too_long
from tests.github.state import Anchor, Json, Pull, Refusal, Review, ReviewComment, fresh_id, now

PULL = "/repos/{owner}/{repo}/pulls/{pull_number}"
COMMENT = "/repos/{owner}/{repo}/pulls/comments/{comment_id}"
REVIEW = PULL + "/reviews/{review_id}"
SIDES = {diffs.LEFT, diffs.RIGHT}
STATES = {
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    "COMMENT": "COMMENTED",
    None: "PENDING",
}
ONE_PENDING = (
    "User can only have one pending review per pull request"  # github/app#3371; fires on submitted ones too
)
TOO_LONG = "Body is too long (maximum is 65536 characters)"
LOCKED = "Unable to create comment because issue is locked."


@dataclass(frozen=True)
class Problem:
    """What is wrong with an anchor; the two endpoints word it differently."""

    field: str
    text: str

    @property
    def sentence(self) -> str:
        return f"Pull request review thread {self.field.replace('_', ' ')} {self.text}"

    @property
    def error(self) -> Json:
        name = f"pull_request_review_thread.{self.field}"
        if self == BLANK_HUNK:  # jenkinsci/pipeline-github-plugin#106
            return {"resource": "PullRequestReviewComment", "code": "missing_field", "field": name}
        return invalid("PullRequestReviewComment", name, "custom", f"{name} {self.text}")


BLANK_HUNK = Problem("diff_hunk", "can't be blank")
OUTSIDE = Problem("line", "must be part of the diff")
OTHER_HUNK = Problem("start_line", "must be part of the same hunk as the line.")
NOT_BEFORE = Problem("start_line", "must precede the end line.")
NOT_OURS = Problem("end_commit_oid", "is not part of the pull request")
BAD_PATH = Problem("path", "is invalid")
BAD_SIDE = Problem("side", "is invalid")
BAD_START_SIDE = Problem("start_side", "is invalid")


class UnanchoredError(Exception):
    def __init__(self, *problems: Problem) -> None:
        super().__init__(", ".join(one.sentence for one in problems))
        self.problems = problems

    @property
    def sentence(self) -> str:
        """One string for all of them, as recorded in parkerbxyz/suggest-changes#28."""
        *first, last = [one.sentence for one in self.problems]
        if len(first) < 2:
            return " and ".join([*first, last])
        return f"{', '.join(first)}, and {last}"


def check_commit(pull: Pull, commit: str) -> None:
    """Comments go to commits of the pull request, not to the merge commit that GITHUB_SHA names."""
    if commit not in pull.commits():
        raise UnanchoredError(NOT_OURS)


def anchored(pull: Pull, wanted: Json, commit: str) -> Anchor:
    """The anchor that a comment asks for, or every reason against it."""
    check_commit(pull, commit)
    found = pull.diff(commit).file(wanted["path"])
    if found is None:  # villesau/ai-codereviewer#34
        raise UnanchoredError(BAD_PATH, BLANK_HUNK)
    if wanted.get("subject_type") == "file":
        return Anchor(found.path, commit, pull.base)
    side, line, start = wanted.get("side", diffs.RIGHT), wanted.get("line"), wanted.get("start_line")
    start_side = wanted.get("start_side")
    if line is None and (at := found.at(wanted.get("position", 0))):
        side, line = (diffs.LEFT, at.left) if at.text.startswith("-") else (diffs.RIGHT, at.right)
    if side not in SIDES:
        raise UnanchoredError(BAD_SIDE)
    end = found.find(side, line) if line is not None else None
    if end is None:
        raise UnanchoredError(OUTSIDE, *([OTHER_HUNK] if start is not None else []), BLANK_HUNK)
    check_start(found, start, start_side, side, end)
    hunk, last = end
    return Anchor(
        found.path, commit, pull.base, side, line, start, start_side, hunk.until(last), last.position
    )


def check_start(
    found: diffs.FileDiff,
    start: int | None,
    start_side: str | None,
    side: str,
    end: tuple[diffs.Hunk, diffs.Line],
) -> None:
    """A range is in one hunk, its start before its end, and says on which side it starts."""
    if start is None:
        if start_side is not None:
            raise UnanchoredError(BAD_START_SIDE)
        return
    if start_side is not None and start_side not in SIDES:  # PyGithub#3534 lets "side" pass
        raise UnanchoredError(BAD_START_SIDE)
    first = found.find(start_side or side, start)
    if first and first[1].position >= end[1].position:  # ubuntu/WSL#244
        raise UnanchoredError(NOT_BEFORE)
    if start_side is None or first is None or first[0] != end[0]:  # PyGithub#3294: the misleading text
        raise UnanchoredError(OTHER_HUNK)


def unprocessable(*errors: Any) -> Refusal:
    return Refusal(422, "Unprocessable Entity", list(errors))


def check_unlocked(call: Call) -> None:
    """Only people may write to a locked conversation; GitHub lets collaborators, which a bot is not."""
    if call.pull.locked and (call.who.app or call.who.association not in {"OWNER", "MEMBER", "COLLABORATOR"}):
        raise Refusal(403, LOCKED)


@route("GET", PULL + "/reviews", "pull_requests")
def list_reviews(call: Call) -> Answer:
    page = call.page([one for one in call.pull.reviews.values() if visible(call, one)])
    return Answer(200, [call.shapes.review(call.pull, one) for one in page.items], page.headers)


def visible(call: Call, review: Review) -> bool:
    return review.state != "PENDING" or (call.token is not None and review.author == call.who)


@route("POST", PULL + "/reviews", "pull_requests")
def create_review(call: Call) -> Answer:
    check_unlocked(call)
    body = call.body or {}
    event, text, wanted = body.get("event"), body.get("body") or "", body.get("comments") or []
    pull, commit = call.pull, body.get("commit_id") or call.pull.head
    check_review(call, event, text, wanted)
    try:
        check_commit(pull, commit)
        anchors = [anchored(pull, one, commit) for one in wanted]
    except UnanchoredError as error:
        raise unprocessable(error.sentence) from None
    review = Review(fresh_id(), call.who, text, STATES[event], commit, now() if event else None)
    pull.reviews[review.id] = review
    for one, anchor in zip(wanted, anchors, strict=True):
        comment = ReviewComment(fresh_id(), review, call.who, one["body"], anchor)
        pull.comments[comment.id] = comment
    return Answer(200, call.shapes.review(pull, review))


def check_review(call: Call, event: str | None, text: str, wanted: list[Json]) -> None:
    if any(one.state == "PENDING" and one.author == call.who for one in call.pull.reviews.values()):
        raise unprocessable(ONE_PENDING)
    if event in {"COMMENT", "REQUEST_CHANGES"} and not text.strip() and not wanted:
        raise unprocessable("Body can't be blank")
    if event == "APPROVE" and call.who.app:  # github/docs#31550
        raise unprocessable("GitHub Actions is not permitted to approve pull requests.")
    if event in {"APPROVE", "REQUEST_CHANGES"} and call.who == call.pull.author:
        verb = "approve" if event == "APPROVE" else "request changes on"
        raise unprocessable(f"Can not {verb} your own pull request")
    if any(too_long(one, call.limits) for one in [text, *(one["body"] for one in wanted)]):
        raise unprocessable(TOO_LONG)
    if any(not one["body"].strip() for one in wanted):
        raise unprocessable("Pull request review comment body can't be blank")


def the_review(call: Call) -> Review:
    review = call.pull.reviews.get(call.number("review_id"))
    if review is None or not visible(call, review):
        raise Refusal(404, "Not Found")
    return review


@route("GET", REVIEW, "pull_requests")
def get_review(call: Call) -> Answer:
    return Answer(200, call.shapes.review(call.pull, the_review(call)))


@route("PUT", REVIEW, "pull_requests")
def update_review(call: Call) -> Answer:
    review = the_review(call)
    if too_long(call.body["body"], call.limits):
        raise unprocessable(TOO_LONG)
    review.body = call.body["body"]
    return Answer(200, call.shapes.review(call.pull, review))


@route("DELETE", REVIEW, "pull_requests")
def delete_review(call: Call) -> Answer:
    review = the_review(call)
    if review.state != "PENDING":  # apache/magpie#1300
        raise unprocessable("Can not delete a non-pending pull request review")
    del call.pull.reviews[review.id]
    call.pull.comments = {key: one for key, one in call.pull.comments.items() if one.review is not review}
    return Answer(200, call.shapes.review(call.pull, review))


@route("PUT", REVIEW + "/dismissals", "pull_requests")
def dismiss_review(call: Call) -> Answer:
    review = the_review(call)
    if review.state not in {"APPROVED", "CHANGES_REQUESTED"}:
        raise unprocessable(f"Can not dismiss a {review.state.lower()} pull request review")
    review.state = "DISMISSED"
    return Answer(200, call.shapes.review(call.pull, review))


@route("GET", REVIEW + "/comments", "pull_requests")
def list_comments_of_review(call: Call) -> Answer:
    review = the_review(call)
    page = call.page([one for one in call.pull.comments.values() if one.review is review])
    return Answer(200, [call.shapes.review_comment(call.pull, one) for one in page.items], page.headers)


@route("GET", PULL + "/comments", "pull_requests")
def list_comments(call: Call) -> Answer:
    shown = [one for one in call.pull.comments.values() if one.review.state != "PENDING"]
    shown = [one for one in shown if one.updated >= call.query.get("since", "")]
    if "sort" in call.query:
        shown.sort(
            key=lambda one: getattr(one, call.query["sort"]), reverse=call.query.get("direction") == "desc"
        )
    page = call.page(shown)
    return Answer(200, [call.shapes.review_comment(call.pull, one) for one in page.items], page.headers)


@route("POST", PULL + "/comments", "pull_requests")
def create_comment(call: Call) -> Answer:
    check_unlocked(call)
    wanted = call.body
    check_body(call, wanted["body"])
    if "in_reply_to" in wanted:
        return reply(call, wanted["in_reply_to"])
    if "subject_type" in wanted and ("line" in wanted or wanted["subject_type"] == "line"):  # PyGithub#3293
        problem = invalid(
            "PullRequestReviewComment", "subject_type", "custom", "subject_type is not allowed with line"
        )
        raise Refusal(422, "Validation Failed", [problem])
    try:
        anchor = anchored(call.pull, wanted, wanted["commit_id"])
    except UnanchoredError as error:
        raise Refusal(422, "Validation Failed", [one.error for one in error.problems]) from None
    return posted(call, anchor, None)


def check_body(call: Call, body: str) -> None:
    if too_long(body, call.limits):
        problem = invalid(
            "PullRequestReviewComment", "body", "custom", "body is too long (maximum is 65536 characters)"
        )
        raise Refusal(422, "Validation Failed", [problem])
    if not body.strip():
        raise Refusal(
            422,
            "Validation Failed",
            [{"resource": "PullRequestReviewComment", "code": "missing_field", "field": "body"}],
        )


def posted(call: Call, anchor: Anchor, root: int | None) -> Answer:
    """A single comment is a review of its own, without a body. A pending review stands in its way."""
    pull = call.pull
    if any(one.state == "PENDING" and one.author == call.who for one in pull.reviews.values()):
        problem = invalid(
            "PullRequestReview",
            "user_id",
            "custom",
            "user_id can only have one pending review per pull request",
        )
        raise Refusal(422, "Validation Failed", [problem])
    review = Review(fresh_id(), call.who, "", "COMMENTED", anchor.commit, now())
    comment = ReviewComment(fresh_id(), review, call.who, call.body["body"], anchor, root)
    pull.reviews[review.id] = review
    pull.comments[comment.id] = comment
    shape = call.shapes.review_comment(pull, comment)
    return Answer(201, shape, {"Location": shape["url"]})


def reply(call: Call, number: int) -> Answer:
    root = call.pull.comments.get(number)
    if root is None or root.review.state == "PENDING":
        raise Refusal(404, "Not Found")
    if root.root is not None:  # "replies to replies are not supported"
        raise Refusal(
            422,
            "Validation Failed",
            [invalid("PullRequestReviewComment", "in_reply_to", "invalid", "is a reply")],
        )
    return posted(call, root.anchor, root.id)


@route("POST", PULL + "/comments/{comment_id}/replies", "pull_requests")
def create_reply(call: Call) -> Answer:
    check_unlocked(call)
    check_body(call, call.body["body"])
    return reply(call, call.number("comment_id"))


def the_comment(call: Call) -> tuple[Pull, ReviewComment]:
    for pull in call.repository.pulls.values():
        comment = pull.comments.get(call.number("comment_id"))
        if comment is not None and visible(call, comment.review):
            return pull, comment
    raise Refusal(404, "Not Found")


@route("GET", COMMENT, "pull_requests")
def get_comment(call: Call) -> Answer:
    return Answer(200, call.shapes.review_comment(*the_comment(call)))


@route("PATCH", COMMENT, "pull_requests")
def update_comment(call: Call) -> Answer:
    pull, comment = the_comment(call)
    check_body(call, call.body["body"])
    comment.body, comment.updated = call.body["body"], now()
    return Answer(200, call.shapes.review_comment(pull, comment))


@route("DELETE", COMMENT, "pull_requests")
def delete_comment(call: Call) -> Answer:
    pull, comment = the_comment(call)
    del pull.comments[comment.id]
    return Answer(204)
