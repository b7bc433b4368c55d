"""A document of a file that describes what is deployed, and the file that it is in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from portproof.source import RelPath
from portproof.yamldoc import YamlError, load_all, lookup


@dataclass(frozen=True, slots=True)
class Described:
    """A document of a file; `number` counts those that hold anything, from 0."""

    file: RelPath
    number: int
    data: Mapping[str, Any]

    def at(self, *path: str | int) -> Any:
        """The value at `path`, or None."""
        return lookup(self.data, path)

    def text(self, *path: str | int) -> str:
        """The text at `path`, empty when there is none."""
        value = self.at(*path)
        return value if isinstance(value, str) else ""

    def items(self, *path: str | int) -> list[Any]:
        """The list at `path`, empty when there is none."""
        value = self.at(*path)
        return value if isinstance(value, list) else []

    def texts(self, *path: str | int) -> list[str]:
        """The texts in the list at `path`."""
        return [one for one in self.items(*path) if isinstance(one, str)]

    def mappings(self, *path: str | int) -> list[tuple[int, Mapping[str, Any]]]:
        """The mappings in the list at `path`, with their indexes."""
        return [(index, one) for index, one in enumerate(self.items(*path)) if isinstance(one, dict)]

    def is_a(self, kind: str, group: str) -> bool:
        """Whether it is an object of that kind, in any version of the API group."""
        return self.text("kind") == kind and self.text("apiVersion").startswith(f"{group}/")


def objects(file: RelPath, text: str) -> Iterator[Described]:
    """The documents of `text` that are mappings; none of a text that cannot be parsed, for manifests say so themselves."""
    with suppress(YamlError):
        for number, data in enumerate(load_all(text)):
            if isinstance(data, dict):
                yield Described(file, number, data)
