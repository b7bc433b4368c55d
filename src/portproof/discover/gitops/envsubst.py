"""What Flux substitutes after a build: ``${name}`` and its functions (fluxcd/pkg ``kustomize``, ``envsubst``).

What cannot be known (a variable of a Secret, one that nothing gives) stays as it is written: a placeholder, not a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from portproof.yamldoc import plain_value

_NAME = re.compile(r"[_A-Za-z][_A-Za-z0-9]*")
_DEFAULT = re.compile(r":?[=]|:[-+?]")
_SLICE = re.compile(r":(-?\d+)(?::(-?\d+))?\Z")
_PLAIN = re.compile(r"[^\s\"'&*!|>%@`#,\[\]{}?:-][^\n]*\Z")
MAX_LENGTH = 1024 * 1024
"""Characters of one text with its variables."""

MAX_NESTED = 20
DISABLED = "kustomize.toolkit.fluxcd.io/substitute"
"""A label or annotation that keeps an object as it is."""


def substitute(data: Any, variables: Mapping[str, str], *, closed: bool) -> Any:
    """Each text of `data` with its variables. Without `closed` others may exist, so that no default counts.

    A text that Flux writes without quotes is read again: ``${port}`` becomes a number.
    """
    if isinstance(data, dict):
        return {
            expand(str(key), variables, closed=closed): substitute(value, variables, closed=closed)
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [substitute(one, variables, closed=closed) for one in data]
    if not isinstance(data, str) or "$" not in data:
        return data
    text = expand(data, variables, closed=closed)
    if text == data or "\n" in data or not (data.startswith("$") or _PLAIN.match(data)) or ": " in data:
        return text
    if text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1:
        return text[1:-1]
    return plain_value(text) if "\n" not in text else text


def expand(text: str, variables: Mapping[str, str], *, closed: bool, depth: int = 0) -> str:
    """`text` with its variables; only braces count, and ``$$`` is a dollar. What would grow too long stays as it is."""
    written: list[str] = []
    at = length = 0
    while at < len(text):
        length += len(written[-1]) if written else 0
        if length > MAX_LENGTH or depth > MAX_NESTED:
            return text
        if text.startswith("$$", at):
            written.append("$")
            at += 2
        elif text.startswith("${", at):
            end = _end(text, at + 2)
            if end < 0:
                written.append(text[at:])
                break
            value = _value(text[at + 2 : end], variables, closed, depth)
            written.append(text[at : end + 1] if value is None else value)
            at = end + 1
        else:
            following = text.find("$", at + 1)
            following = len(text) if following < 0 else following
            written.append(text[at:following])
            at = following
    return "".join(written)


def _end(text: str, at: int) -> int:
    """Where the brace that opened before `at` is closed; -1 if nowhere."""
    depth = 0
    while at < len(text):
        if text.startswith("${", at):
            depth += 1
            at += 1
        elif text[at] == "}":
            if not depth:
                return at
            depth -= 1
        at += 1
    return -1


def _value(body: str, variables: Mapping[str, str], closed: bool, depth: int) -> str | None:
    """What stands for an expression; None when it cannot be known here."""
    name = _NAME.match(body)
    if name is None:
        known = variables.get(body[1:]) if body.startswith("#") else None
        return None if known is None else str(len(known))
    value = variables.get(name[0])
    rest = body[name.end() :]
    default = _DEFAULT.match(rest)
    if default is not None:
        if value:
            return value
        if not closed and value is None:
            return None
        found = expand(rest[default.end() :], variables, closed=closed, depth=depth + 1)
        return None if "${" in found else found
    if value is None:
        return None
    return _changed(value, rest)


def _changed(value: str, rest: str) -> str | None:
    """A value under one of the functions that need no default."""
    if not rest:
        return value
    simple = {"^^": value.upper(), ",,": value.lower()}
    simple |= {"^": value[:1].upper() + value[1:], ",": value[:1].lower() + value[1:]}
    if rest in simple:
        return simple[rest]
    piece = _SLICE.match(rest)
    if piece is not None:
        start = int(piece[1])
        length = None if piece[2] is None else int(piece[2])
        if start < 0 or (length is not None and length < 0):
            return None
        return value[start:] if length is None else value[start : start + length]
    if rest.startswith("/") and rest[1:2] not in ("#", "%"):
        every = rest.startswith("//")
        old, _, new = rest.lstrip("/").partition("/")
        if not old or value.count(old) * len(new) > MAX_LENGTH:
            return None
        return value.replace(old, new) if every else value.replace(old, new, 1)
    return None
