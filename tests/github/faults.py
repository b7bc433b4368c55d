"""Faults on order: what should go wrong, at which request, before or after it took effect."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypedDict, Unpack

from tests.github.state import Json

Kind: TypeAlias = Literal["answer", "reset", "slow", "call"]
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
PRIMARY = "API rate limit exceeded for installation ID 123456."
DOCUMENTATION = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"
MESSAGES = {422: "Unprocessable Entity", 500: "Server Error", 502: "Server Error", 503: "Service Unavailable"}


class When(TypedDict, total=False):
    """From the nth request on, that many times, before or after it took effect; optional = it need not happen.

    `within` is a regular expression that is searched in what is sent.
    """

    within: str
    nth: int
    times: int
    after: bool
    optional: bool


@dataclass
class Fault:
    """Meets the nth to (nth + times - 1)th request of this method whose path matches."""

    method: str
    path: str
    kind: Kind
    within: str = ""
    nth: int = 1
    times: int = 1
    after: bool = False
    status: int = 0
    headers: Json = field(default_factory=dict)
    body: Json | bytes | None = None
    seconds: float = 0.0
    action: Callable[[], object] | None = None
    optional: bool = False
    seen: int = 0
    fired: int = 0

    def meets(self, method: str, path: str, text: str) -> bool:
        if method != self.method or not (re.search(self.path, path) and re.search(self.within, text)):
            return False
        self.seen += 1
        if not self.nth <= self.seen < self.nth + self.times:
            return False
        self.fired += 1
        return True

    def __str__(self) -> str:
        return f"{self.kind} {self.status or ''} at {self.method} {self.path}, number {self.nth}"


class Faults:
    """The schedule. `path` is a regular expression that is searched in the path (without query)."""

    def __init__(self) -> None:
        self.all: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self.all.append(fault)
        return fault

    def status(self, method: str, path: str, status: int = 502, **when: Unpack[When]) -> Fault:
        """A server error; `after` = the write has taken effect."""
        body = {"message": MESSAGES.get(status, "Error")}
        return self.add(Fault(method, path, "answer", status=status, body=body, **when))

    def reset(self, method: str, path: str, **when: Unpack[When]) -> Fault:
        """The connection is reset instead of an answer."""
        return self.add(Fault(method, path, "reset", **when))

    def secondary(
        self,
        method: str,
        path: str,
        status: int = 403,
        *,
        retry_after: int | None = None,
        **when: Unpack[When],
    ) -> Fault:
        """The secondary limit, as 403 or 429, with or without Retry-After."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        body = {"message": SECONDARY, "documentation_url": DOCUMENTATION}
        return self.add(Fault(method, path, "answer", status=status, headers=headers, body=body, **when))

    def primary(self, method: str, path: str, *, reset_in: int = 3600, **when: Unpack[When]) -> Fault:
        """The primary limit: 403, nothing left, the time of the reset."""
        reset = str(int(time.time()) + reset_in)
        headers = {"x-ratelimit-remaining": "0", "x-ratelimit-used": "1000", "x-ratelimit-reset": reset}
        body = {"message": PRIMARY, "documentation_url": DOCUMENTATION}
        return self.add(Fault(method, path, "answer", status=403, headers=headers, body=body, **when))

    def malformed(self, method: str, path: str, **when: Unpack[When]) -> Fault:
        """A 200 whose JSON is cut off."""
        return self.add(Fault(method, path, "answer", status=200, body=b'[{"id": 1, "bo', **when))

    def slow(self, method: str, path: str, seconds: float, **when: Unpack[When]) -> Fault:
        """The right answer, late; `after` = the wait comes after the write."""
        return self.add(Fault(method, path, "slow", seconds=seconds, **when))

    def call(self, method: str, path: str, action: Callable[[], object], **when: Unpack[When]) -> Fault:
        """Something else happens meanwhile: a push, a human's reply, a deletion."""
        return self.add(Fault(method, path, "call", action=action, **when))

    def meeting(self, method: str, path: str, text: str) -> list[Fault]:
        with self._lock:
            return [one for one in self.all if one.meets(method, path, text)]

    @property
    def unfired(self) -> list[Fault]:
        return [one for one in self.all if not one.fired and not one.optional]
