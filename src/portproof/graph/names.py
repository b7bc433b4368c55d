"""The grammars of port names, and when two names differ only by a typo.

Grammars: apimachinery ``pkg/util/validation/validation.go``, IsValidPortName and IsDNS1123Label.
"""

from __future__ import annotations

import re

MAX_PORT_NAME = 15
MAX_LABEL = 63

_LONGEST_NUMBER = 40
"""In digits; int() of thousands of them raises."""

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_QUALIFIED = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_MAX_DOMAIN = 253
_PLACEHOLDER = re.compile(
    r"[${}<>%@]|\[\[|\A_*[A-Z0-9]+(?:_[A-Z0-9]+)+_*\Z|\A__[A-Z0-9]+__\Z|\A(?:CHANGE|REPLACE)ME\Z|\A(?:x{3,}|X{3,})\Z"
)
_SECURED = frozenset({"amqp", "ftp", "grpc", "http", "imap", "ldap", "mqtt", "pop", "redis", "smtp", "ws"})
"""Protocols whose secured twin ends in s: ``http`` is no typo for ``https``."""


_LEADING = frozenset(
    {
        "master",
        "primary",
        "leader",
        "active",
        "replica",
        "slave",
        "secondary",
        "standby",
        "follower",
        "readonly",
    }
)


def is_elected(key: str, value: str) -> bool:
    """Whether a program sets such a label at run time, on the pod that leads or follows: ``role: master`` of Patroni."""
    return key.rpartition("/")[2].lower().endswith("role") and value.lower() in _LEADING


def is_placeholder(value: object) -> bool:
    """Whether `value` is filled in after rendering: ``${PORT}`` of Flux and envsubst, ``{{ port }}``, ``HTTP_PORT``, ``__PORT__``, ``xxx``."""
    return isinstance(value, str) and _PLACEHOLDER.search(value) is not None


def port_name_problem(text: str) -> str:
    """Why the API server rejects `text` as the name of a container port; empty when it takes it, or a placeholder."""
    if is_placeholder(text):
        return ""
    if not text:
        return "must not be empty"
    if len(text) > MAX_PORT_NAME:
        return f"may have at most {MAX_PORT_NAME} characters, not {len(text)}"
    if not re.fullmatch(r"[-a-z0-9]+", text):
        return "may contain only lowercase letters, digits and '-'"
    if not re.search(r"[a-z]", text):
        return "must contain a letter"
    if "--" in text:
        return "must not contain '--'"
    if text.startswith("-") or text.endswith("-"):
        return "must not begin or end with '-'"
    return ""


def label_problem(text: str) -> str:
    """Why the API server rejects `text` as the name of a Service port (a DNS-1123 label); empty as above."""
    if is_placeholder(text):
        return ""
    if len(text) > MAX_LABEL:
        return f"may have at most {MAX_LABEL} characters, not {len(text)}"
    if not _LABEL.match(text):
        return "may contain only lowercase letters, digits and '-', and must begin and end with a letter or digit"
    return ""


def qualified_problem(text: str) -> str:
    """Why the API server rejects `text` as a qualified name (``http``, ``kubernetes.io/h2c``); empty as above.

    apimachinery ``pkg/util/validation/validation.go``, IsQualifiedName.
    """
    if is_placeholder(text):
        return ""
    if not text:
        return "must not be empty"
    prefix, slash, name = text.rpartition("/")
    if "/" in prefix:
        return "may have only one '/'"
    if slash and not (len(prefix) <= _MAX_DOMAIN and _DOMAIN.fullmatch(prefix)):
        return "must have a lowercase domain before its '/'"
    if len(name) > MAX_LABEL:
        return f"may have at most {MAX_LABEL} characters, not {len(name)}"
    if not _QUALIFIED.fullmatch(name):
        return "may contain only letters, digits, '-', '_' and '.', and must begin and end with a letter or digit"
    return ""


def is_digits(value: object) -> bool:
    """Whether `value` is text made of digits: a number that was quoted, and not so long that it is none."""
    return isinstance(value, str) and len(value) <= _LONGEST_NUMBER and value.isascii() and value.isdigit()


def is_near_name(one: str, other: str) -> bool:
    """Whether two names differ by one typo (a letter missing, added, changed, or two swapped); two in a long name.

    Names that differ in their digits (``web-1`` and ``web-2``), in a word of one letter (``web-a`` and ``web-b``, or
    ``web``), or as a protocol and its secured twin do, are meant to differ.
    """
    # Most pairs of names differ so much that counting letters tells: a typo brings in or takes away two at most.
    if abs(len(one) - len(other)) > 2 or len(set(one) ^ set(other)) > 4:
        return False
    if one == other or digits(one) != digits(other) or _is_twin(one, other):
        return False
    shorter = min(len(one), len(other))
    typos = distance(one, other)
    return (typos == 1 and shorter >= 3) or (typos == 2 and shorter >= 8)


def distance(one: str, other: str) -> int:
    """How many typos lie between two texts (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, first in enumerate(one, 1):
        current = [row]
        for column, second in enumerate(other, 1):
            steps = min(last[column] + 1, current[-1] + 1, last[column - 1] + (first != second))
            if row > 1 and column > 1 and first == other[column - 2] and second == one[row - 2]:
                steps = min(steps, before[column - 2] + 1)
            current.append(steps)
        before, last = last, current
    return last[-1]


def digits(text: str) -> str:
    """The digits of a name, which near names have in common."""
    return re.sub(r"\D", "", text)


def _is_twin(one: str, other: str) -> bool:
    return _is_secured_twin(one, other) or _is_lettered_twin(one, other)


def _is_lettered_twin(one: str, other: str) -> bool:
    """Whether only words of one letter tell the names apart, as those of two stages or halves are."""
    first, second = ([word for word in name.split("-") if len(word) > 1] for name in (one, other))
    return first == second


def _is_secured_twin(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    parts, secured = re.split(r"[-_.]", shorter), re.split(r"[-_.]", longer)
    if len(parts) != len(secured):
        return False
    differing = [(plain, safe) for plain, safe in zip(parts, secured, strict=True) if plain != safe]
    return len(differing) == 1 and differing[0][0] in _SECURED and differing[0][1] == differing[0][0] + "s"
