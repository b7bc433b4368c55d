"""PyGithub's and requests' exceptions -> the few that matter here."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
from github import GithubException, RateLimitExceededException

from portproof.github.model import (
    ForbiddenError,
    GithubError,
    LimitedError,
    MissingError,
    RejectedError,
    UnclearError,
)
from portproof.report.safe import one_line, shortened, stripped

_LIMIT_WORDS = ("rate limit", "retry your request", "abuse detection")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn whatever goes wrong inside into a `GithubError` that says what was being done."""
    try:
        yield
    except GithubException as error:
        raise _answer(doing, error) from error
    except requests.RequestException as error:
        raise UnclearError(f"{doing}: no answer from GitHub ({type(error).__name__})") from error
    except (ValueError, AssertionError, RuntimeError, KeyError, TypeError, OSError) as error:
        # PyGithub says so of broken JSON, of redirects to other hosts, and of addresses that are not GitHub's.
        raise UnclearError(f"{doing}: an unexpected answer from GitHub ({type(error).__name__})") from error


def _answer(doing: str, error: GithubException) -> GithubError:
    said = f"{doing}: {error.status} {_message(error.data)}".rstrip()
    headers = error.headers or {}
    if isinstance(error, RateLimitExceededException) or error.status == 429:
        return LimitedError(said, _seconds(headers))
    if error.status == 403 and ("retry-after" in headers or _is_limit(error.data)):
        return LimitedError(said, _seconds(headers))
    if error.status == 400 and _is_forbidden(error.data):
        return ForbiddenError(said)
    if error.status in (404, 410):
        return MissingError(said)
    if error.status in (401, 403):
        return ForbiddenError(said)
    if error.status >= 500:
        return UnclearError(said)
    return RejectedError(said)


def _message(data: Any) -> str:
    """GitHub's own words, shortened; they may quote what a stranger wrote."""
    if not isinstance(data, Mapping):
        return ""
    errors = [one.get("message") if isinstance(one, Mapping) else one for one in data.get("errors") or []]
    text = " ".join(part for part in (data.get("message"), *errors) if isinstance(part, str))
    return shortened(one_line(stripped(text)), 300)


def _is_limit(data: Any) -> bool:
    return any(word in _message(data).lower() for word in _LIMIT_WORDS)


def _is_forbidden(data: Any) -> bool:
    errors = data.get("errors") if isinstance(data, Mapping) else None
    return any(isinstance(one, Mapping) and one.get("type") == "FORBIDDEN" for one in errors or [])


def _seconds(headers: Mapping[str, Any]) -> float | None:
    text = str(headers.get("retry-after", ""))
    if text.isdigit():
        return float(text)
    if (
        str(headers.get("x-ratelimit-remaining")) == "0"
        and str(headers.get("x-ratelimit-reset", "")).isdigit()
    ):
        return max(1.0, float(headers["x-ratelimit-reset"]) - time.time() + 1)
    return None
