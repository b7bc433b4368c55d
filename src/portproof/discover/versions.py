"""Versions and ranges of them, as helm compares them (Masterminds/semver v3, ``constraints.go``).

Pre-releases count as the release that they lead to: what is asked here is whether a version is meant at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

Version: TypeAlias = tuple[int, int, int]

_VERSION = re.compile(r"v?(\d{1,9})(?:\.(\d{1,9}|[xX*]))?(?:\.(\d{1,9}|[xX*]))?(?:[-+][\w.+-]*)?")
_EXACT = re.compile(r"v?\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")
_EARLY = re.compile(r"\d-[0-9A-Za-z]")
_HYPHEN = re.compile(r"(?<!\S)(\S++)\s++-\s++(\S++)")
_TERM = re.compile(r"\s*+(!=|>=|=>|<=|=<|>|<|=|~>|~|\^)?+\s*+([^\s,<>=!~^|]++)\s*+,?")
_LAST = 1_000_000_000
MAX_RANGE = 300
"""Characters of a range; a longer one cannot be read."""


def satisfies(version: str, wanted: str) -> bool:
    """Whether a version lies in a range such as ``^1.2``, ``>=1.0, <3 || 5.x``; not where one of them cannot be read."""
    exact = _bounds(version) if len(wanted) <= MAX_RANGE else None
    return exact is not None and any(_all_of(exact[0], part) for part in wanted.split("||"))


def fitting(wanted: str) -> str:
    """A version that lies in a range, of those that it names; ``0.0.0`` where none does."""
    words = re.findall(r"[\w.+*-]+", wanted[:MAX_RANGE])
    named = [found[0] for text in words if (found := _bounds(text)) is not None]
    near = [(major, minor, patch + 1) for major, minor, patch in named]
    texts = [".".join(map(str, one)) for one in (*named, *near, *((one[0] - 1, 0, 0) for one in named))]
    return next((text for text in texts if satisfies(text, wanted)), "0.0.0")


def _all_of(version: Version, part: str) -> bool:
    part = _HYPHEN.sub(r">=\1 <=\2", part.strip()) or "*"
    at = 0
    while at < len(part):
        term = _TERM.match(part, at)
        if term is None or not _holds(version, term[1] or "=", term[2]):
            return False
        at = term.end()
    return True


def _holds(version: Version, operator: str, text: str) -> bool:
    bounds = _bounds("0" if text in ("*", "x", "X") else text)
    if bounds is None:
        return False
    low, high, given = bounds
    if text in ("*", "x", "X"):
        return True
    major, minor, patch = low
    match operator:
        case "=":
            return low <= version <= high
        case "!=":
            return not low <= version <= high
        case ">":
            return version > high
        case ">=" | "=>":
            return version >= low
        case "<":
            return version < low
        case "<=" | "=<":
            return version <= high
        case "~" | "~>":
            return low <= version and version[: min(given, 2)] == low[: min(given, 2)]
        case _:
            pass
    fixed = 1 if major or given == 1 else 2 if minor or given < 3 else 3
    return low <= version and version[:fixed] == (major, minor, patch)[:fixed]


def _bounds(text: str) -> tuple[Version, Version, int] | None:
    """The first and the last version that are meant, and how many parts are given."""
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    given = [int(part) for part in found.groups() if part is not None and part.isdecimal()]
    low = [*given, 0, 0][:3]
    high = [*given, _LAST, _LAST][:3]
    return (low[0], low[1], low[2]), (high[0], high[1], high[2]), len(given)


def newest(versions: Iterable[str], wanted: str) -> str | None:
    """The version of those there are that helm takes: the one that is `wanted`, else the newest in that range.

    Pre-releases only where the range names one; an empty range stands for the newest release.
    """
    there = [one for one in versions if _VERSION.fullmatch(one)]
    exact = [one for one in there if one.removeprefix("v") == wanted.strip().removeprefix("v")]
    if exact:
        return exact[0]
    early = _EARLY.search(wanted) is not None
    meant = [one for one in there if satisfies(one, wanted or "*") and (early or not _pre_release(one))]
    return max(meant, key=_order, default=None)


def is_exact(version: str) -> bool:
    """Whether it is one version, and no range."""
    return _EXACT.fullmatch(version) is not None


def is_range(text: str) -> bool:
    """Whether it can be read as a version or a range of them."""
    return len(text) <= MAX_RANGE and all(_is_readable(part) for part in text.split("||"))


def _is_readable(part: str) -> bool:
    part = _HYPHEN.sub(r">=\1 <=\2", part.strip()) or "*"
    at = 0
    while at < len(part):
        term = _TERM.match(part, at)
        if term is None or (term[2] not in ("*", "x", "X") and _bounds(term[2]) is None):
            return False
        at = term.end()
    return True


def _pre_release(version: str) -> str:
    return version.partition("+")[0].partition("-")[2]


def _order(version: str) -> tuple[Version, bool, list[tuple[bool, int, str]]]:
    """Semantic versioning 2.0.0, section 11."""
    bounds = _bounds(version)
    before = _pre_release(version)
    steps = [(not one.isdecimal(), int(one[:18]) if one.isdecimal() else 0, one) for one in before.split(".")]
    return (bounds[0] if bounds else (0, 0, 0)), not before, steps
