"""Faults happen as ordered, and PyGithub meets them as section 4 of the reference says."""

from __future__ import annotations

import json
import time

import pytest
import requests
from github import GithubException, RateLimitExceededException
from github.GithubException import RateLimitExceededExceedsMaxWait
from github.GithubRetry import GithubRetry

from tests.github.conftest import Shop

REVIEWS = "/pulls/1/reviews$"


def test_the_default_retry_posts_twice_when_the_first_took_effect(shop: Shop) -> None:
    fault = shop.fake.faults.status("POST", REVIEWS, 502, after=True)
    shop.open(repeat=GithubRetry()).create_review(body="b", event="COMMENT")
    assert fault.fired == 1
    assert [one.status for one in shop.fake.log.select("POST", REVIEWS)] == [502, 200]
    assert len(shop.pull.reviews) == 2  # the duplicate


def test_a_retry_of_reads_only_posts_once(shop: Shop) -> None:
    fault = shop.fake.faults.status("POST", REVIEWS, 502, after=True)
    with pytest.raises(GithubException) as error:
        shop.open().create_review(body="b", event="COMMENT")
    assert (error.value.status, fault.fired, len(shop.pull.reviews)) == (502, 1, 1)
    assert len(shop.fake.log.select("POST", REVIEWS)) == 1


def test_before_means_that_nothing_was_written(shop: Shop) -> None:
    shop.fake.faults.status("POST", REVIEWS, 503)
    pull = shop.open()
    with pytest.raises(GithubException):
        pull.create_review(body="b", event="COMMENT")
    assert not shop.pull.reviews
    pull.create_review(body="b", event="COMMENT")
    assert len(shop.pull.reviews) == 1


@pytest.mark.parametrize("after", [False, True])
def test_a_reset_connection(shop: Shop, after: bool) -> None:
    fault = shop.fake.faults.reset("POST", REVIEWS, after=after)
    with pytest.raises(requests.exceptions.ConnectionError):
        shop.open().create_review(body="b", event="COMMENT")
    assert fault.fired == 1
    assert len(shop.pull.reviews) == (1 if after else 0)


def test_reads_are_repeated(shop: Shop) -> None:
    pull = shop.open()
    shop.fake.faults.status("GET", "/files$", 500)
    shop.fake.faults.reset("GET", "/files$", nth=2)
    assert len(list(pull.get_files())) == 4
    assert len(shop.fake.log.select("GET", "/files$")) == 3


def test_an_error_on_the_second_page_only(shop: Shop) -> None:
    shop.push({f"many/{number}": "x\n" for number in range(40)})
    fault = shop.fake.faults.status("GET", "/files$", 502, nth=2, times=9)
    with pytest.raises(requests.exceptions.RetryError):
        list(shop.open().get_files())
    assert fault.fired == 3


def test_secondary_403_without_a_header_is_raised_at_once(shop: Shop) -> None:
    shop.fake.faults.secondary("POST", REVIEWS)
    with pytest.raises(RateLimitExceededException):
        shop.open().create_review(body="b", event="COMMENT")
    assert len(shop.fake.log.select("POST", REVIEWS)) == 1


def test_secondary_403_with_retry_after_is_slept_by_reads(shop: Shop) -> None:
    shop.fake.faults.secondary("GET", "/files$", retry_after=1)
    started = time.monotonic()
    assert list(shop.open().get_files())
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("header", [None, 30])
def test_429_is_raised_with_its_header(shop: Shop, header: int | None) -> None:
    shop.fake.faults.secondary("POST", REVIEWS, 429, retry_after=header)
    with pytest.raises(GithubException) as error:
        shop.open().create_review(body="b", event="COMMENT")
    assert error.value.status == 429
    assert error.value.headers is not None
    assert error.value.headers.get("retry-after") == (None if header is None else str(header))


def test_the_primary_limit_exceeds_the_wait(shop: Shop) -> None:
    pull = shop.open()
    shop.fake.faults.primary("GET", "/files$", reset_in=600)
    with pytest.raises(RateLimitExceededExceedsMaxWait):
        list(pull.get_files())


def test_eighty_contents_a_minute(shop: Shop) -> None:
    shop.fake.limits.content_per_minute = 2
    pull = shop.open()
    pull.create_issue_comment("1")
    pull.create_issue_comment("2")
    with pytest.raises(RateLimitExceededException) as error:
        pull.create_issue_comment("3")
    assert error.value.headers is not None
    assert error.value.headers["retry-after"] == "60"
    assert len(shop.pull.talk) == 2


def test_malformed_json(shop: Shop) -> None:
    pull = shop.open()
    shop.fake.faults.malformed("GET", "/files$")
    with pytest.raises(json.JSONDecodeError):  # no GithubException
        list(pull.get_files())


def test_a_slow_answer_times_out(shop: Shop) -> None:
    fault = shop.fake.faults.slow("GET", "/repos/octo/shop$", 0.3, after=True)
    with pytest.raises(requests.exceptions.Timeout):
        requests.get(shop.fake.url + "/repos/octo/shop", timeout=0.1)
    assert fault.fired == 1


def test_something_else_happens_meanwhile(shop: Shop) -> None:
    shop.fake.faults.call("GET", "/files$", lambda: shop.push({"values.yaml": "new\n"}))
    pull = shop.open()
    before = pull.head.sha
    list(pull.get_files())
    assert (pull.head.sha, shop.open().head.sha) == (before, shop.pull.head)
    assert before != shop.pull.head


def test_a_fault_that_never_happened_is_a_failure(shop: Shop) -> None:
    fault = shop.fake.faults.status("POST", "/nowhere")
    with pytest.raises(AssertionError, match="never happened: answer 502 at POST /nowhere, number 1"):
        shop.fake.verify()
    fault.optional = True
    shop.fake.verify()


def test_the_log_tells_writes_from_reads(shop: Shop) -> None:
    pull = shop.open()
    pull.requester.graphql_query("query { viewer { login } }", {})
    assert shop.fake.log.writes == []
    pull.create_issue_comment("b")
    (write,) = shop.fake.log.writes
    assert (write.body, write.token, write.login, write.status) == (
        {"body": "b"},
        "right",
        "github-actions[bot]",
        201,
    )
    assert write.headers["x-github-api-version"] == "2022-11-28"
