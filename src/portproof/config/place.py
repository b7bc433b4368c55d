"""A value of the configuration file and its place, so that every message can name file, line and key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeAlias

from msgspec import Struct, field

from portproof.errors import ConfigError
from portproof.source import LineIndex
from portproof.yamldoc import Document, FieldPath, format_path

NEXT_STEP = "Correct the value, or remove the key to use the default."
_PROGRAMS = ("helm", "kustomize")

Problem: TypeAlias = "tuple[str, str] | None"
"""What is wrong with a text, and what to do next; None when nothing is."""


def _anything(_text: str) -> Problem:
    return None


class Vocabulary(Struct, frozen=True):
    """What later stages know of the words that a file may use: the ids of rules, and JSONPaths."""

    rule: Callable[[str], Problem] = _anything
    jsonpath: Callable[[str], Problem] = _anything


class ConfigValue(Struct, frozen=True):
    """A value at `path` of the file that is called `name`."""

    name: str
    text: str
    document: Document
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    path: FieldPath = ()

    def at(self, step: str | int) -> ConfigValue:
        """A value inside of this one."""
        return ConfigValue(self.name, self.text, self.document, self.vocabulary, (*self.path, step))

    def refuse(self, problem: str, next_step: str = NEXT_STEP) -> NoReturn:
        """Stop: the value is wrong. Raises `ConfigError`."""
        key = f"{format_path(self.path)}: " if self.path else ""
        raise ConfigError(f"{self.name}:{self.line}: {key}{problem}", next_step=next_step)

    def reject(self, problem: Problem) -> None:
        """Stop when there is a problem. Raises `ConfigError`."""
        if problem is not None:
            self.refuse(*problem)

    @property
    def line(self) -> int:
        """The line of the key; of the first scalar below the place when it has no key."""
        start = self.extent[0]
        key = self.path[-1] if self.path else 0
        if isinstance(key, str):
            found = list(
                re.finditer(rf"""(?<![\w-])["']?{re.escape(key)}["']?\s*:""", self.text[: start + 1])
            )
            start = found[-1].start() if found else start
        return LineIndex.of(self.text).position(start)[0]

    @property
    def extent(self) -> tuple[int, int]:
        """Where the first scalar at or below the place starts and ends."""
        size = len(self.path)
        below = [
            (span.start, span.end) for path, span in self.document.spans.items() if path[:size] == self.path
        ]
        return min(below, default=(len(self.text), len(self.text)))


Check: TypeAlias = Callable[[ConfigValue, Any], Any]
"""Makes a value of the configuration from what YAML holds at a place. Raises `ConfigError`."""


class Key(Struct, frozen=True):
    """A key of a mapping: what it holds, the same as a JSON Schema for editors, and what it means.

    `required` is what to do about a file that lacks the key, where it may not be left out.
    """

    check: Check
    schema: Mapping[str, Any]
    meaning: str
    required: str = ""


def checked(place: ConfigValue, data: Any, keys: Mapping[str, Key]) -> dict[str, Any]:
    """The checked values of a mapping, by field name; refuses keys that are not in `keys`, and misses those required."""
    if not isinstance(data, dict):
        place.refuse(f"expected a mapping with the keys {', '.join(keys)}, got {describe(data)}")
    found = {}
    for name, value in data.items():
        here = place.at(name)
        if name not in keys:
            here.refuse("unknown key", _suggest(name, keys, top=not place.path))
        if value is not None:  # a key without a value is as good as no key
            found[name.replace("-", "_")] = keys[name].check(here, value)
    for name, key in keys.items():
        if key.required and data.get(name) is None:
            place.refuse(f"the key '{name}' is missing", key.required)
    return found


def _suggest(name: str, keys: Mapping[str, Key], *, top: bool) -> str:
    if top and name in _PROGRAMS:
        return f"A file in the repository cannot choose a program to run. Use --{name} or PORTPROOF_{name.upper()}."
    near = difflib.get_close_matches(name.lower().replace("_", "-"), keys, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(keys)}."


def describe(value: Any) -> str:
    """A value in a message."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "true" if value is True else "false" if value is False else repr(value)
