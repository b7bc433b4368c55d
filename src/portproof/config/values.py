"""Checks of single values: texts, numbers, globs, and lists of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from portproof.config.place import Check, ConfigValue, describe
from portproof.source import normalise

MAX_JOBS = 256
MAX_TIMEOUT = 600
MAX_GLOB = 256
MAX_GLOBS = 100
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_HOST = re.compile(r"[0-9a-z.:-]{1,253}\Z")
KUBE_VERSION = re.compile(r"v?[0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,4})?(-[0-9A-Za-z.+-]{1,40})?")
API_VERSION = re.compile(r"([a-z0-9][a-z0-9.-]{0,252}/)?v[0-9][a-z0-9]{0,20}(/[A-Za-z][A-Za-z0-9]{0,62})?")
"""``v1``, ``policy/v1`` and, with a kind, ``monitoring.coreos.com/v1/ServiceMonitor``: what ``.APIVersions.Has`` takes."""
_FIELD = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\Z")


def text(place: ConfigValue, value: Any) -> str:
    """Any text that is not empty."""
    if not isinstance(value, str) or not value:
        place.refuse(f"expected text, got {describe(value)}", "Put it in quotes.")
    return value


def reason(place: ConfigValue, value: Any) -> str:
    """A text of words."""
    if not re.search(r"\w", text(place, value)):
        place.refuse("expected a reason in words", "Say why the finding may stay.")
    return " ".join(str(value).split())


def some(one: Check) -> Check:
    """One value, or a list of such values."""

    def check(place: ConfigValue, value: Any) -> tuple[Any, ...]:
        if isinstance(value, str):
            return (one(place, value),)
        if not isinstance(value, list):
            place.refuse(f"expected a list of texts, got {describe(value)}")
        return tuple(one(place.at(index), item) for index, item in enumerate(value))

    return check


def at_least_one(check: Check) -> Check:
    """The same, but an empty list is refused."""

    def full(place: ConfigValue, value: Any) -> Any:
        found = check(place, value)
        if not found:
            place.refuse("the list is empty")
        return found

    return full


def choice(words: Sequence[str]) -> Check:
    """One of `words`."""

    def check(place: ConfigValue, value: Any) -> str:
        if value not in words:
            place.refuse(f"expected one of {', '.join(words)}, got {describe(value)}")
        return str(value)

    return check


def whole(least: int, most: int) -> Check:
    """A whole number within bounds."""

    def check(place: ConfigValue, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            place.refuse(f"expected a whole number from {least} to {most}, got {describe(value)}")
        return value

    return check


def seconds(place: ConfigValue, value: Any) -> float:
    """A time that a render may take."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= MAX_TIMEOUT:
        place.refuse(f"expected seconds, more than 0 and at most {MAX_TIMEOUT}, got {describe(value)}")
    return float(value)


def boolean(place: ConfigValue, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        place.refuse(f"expected true or false, got {describe(value)}")
    return value


def host(place: ConfigValue, value: Any) -> str:
    """The name or address of a host, in small letters."""
    if not isinstance(value, str) or not _HOST.match(value):
        place.refuse(
            f"expected a host name, got {describe(value)}", "Write only the host, like charts.example.com."
        )
    return value


def glob(place: ConfigValue, value: Any) -> str:
    """A glob of paths, or a path, from the root."""
    found = normalise(text(place, value).lstrip("/"))
    if found is None:
        place.refuse(
            f"{value!r} points outside the repository", "Write it relative to the root of the repository."
        )
    _short(place, found)
    return found


def globs(place: ConfigValue, value: Any) -> tuple[str, ...]:
    """A glob or a list of them, not too many."""
    found = some(text)(place, value)
    if len(found) > MAX_GLOBS:
        place.refuse(f"more than {MAX_GLOBS} entries")
    return tuple(some(glob)(place, value))


def pattern(place: ConfigValue, value: Any) -> str:
    """A glob of something else than paths."""
    _short(place, text(place, value))
    return str(value)


def resource(place: ConfigValue, value: Any) -> tuple[str, ...]:
    """``Kind/name`` or ``Kind/namespace/name``, each part a glob."""
    parts = tuple(pattern(place, value).split("/"))
    if len(parts) not in (2, 3) or not all(parts):
        place.refuse(
            f"expected Kind/name or Kind/namespace/name, got {describe(value)}",
            "Write it like Service/web. Each part may contain *.",
        )
    return parts


def label(limit: int) -> Check:
    """A DNS label of at most `limit` characters."""

    def check(place: ConfigValue, value: Any) -> str:
        if not isinstance(value, str) or len(value) > limit or not _LABEL.match(value):
            place.refuse(
                f"expected at most {limit} lowercase letters, digits and hyphens, starting and ending with a letter or "
                f"digit, got {describe(value)}"
            )
        return value

    return check


def rule(place: ConfigValue, value: Any) -> str:
    """The id of a rule."""
    place.reject(place.vocabulary.rule(text(place, value)))
    return str(value)


def jsonpath(place: ConfigValue, value: Any) -> str:
    """A JSONPath."""
    place.reject(place.vocabulary.jsonpath(text(place, value)))
    return str(value)


def group(place: ConfigValue, value: Any) -> str:
    """An API group without its version; the core group is empty."""
    if not isinstance(value, str) or "/" in value:
        place.refuse(
            f"expected an API group, got {describe(value)}", "Write it without the version, like example.org."
        )
    return value


def fields(place: ConfigValue, value: Any) -> str:
    """The name of a field, deeper ones with dots."""
    if not _FIELD.match(text(place, value)):
        place.refuse(f"expected a field name, got {describe(value)}", "Write it like backend.port.")
    return str(value)


def kube_version(place: ConfigValue, value: Any) -> str:
    """A version of Kubernetes."""
    # 1.30 without quotes is the number 1.3 to YAML.
    if not isinstance(value, str) or not KUBE_VERSION.fullmatch(value):
        place.refuse(
            f"expected a Kubernetes version, got {describe(value)}",
            'Put it in quotes, like "1.30" or "1.30.4".',
        )
    return value


def api_version(place: ConfigValue, value: Any) -> str:
    """An API version, with or without a kind."""
    if not isinstance(value, str) or not API_VERSION.fullmatch(value):
        place.refuse(
            f"expected an API version, got {describe(value)}",
            "Write it like monitoring.coreos.com/v1, or with a kind, like monitoring.coreos.com/v1/ServiceMonitor.",
        )
    return value


def _short(place: ConfigValue, found: str) -> None:
    if len(found) > MAX_GLOB:
        place.refuse(f"longer than {MAX_GLOB} characters")
