"""A document of a file that describes what is deployed, and the file that it is in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from msgspec import Struct

from portproof.discover.model import Parent, rendered_path
from portproof.source import RelPath
from portproof.yamldoc import YamlError, load_all, lookup

KUSTOMIZE = "kustomize.toolkit.fluxcd.io"
HELM = "helm.toolkit.fluxcd.io"
"""The API groups of Flux's objects that deploy something."""


class Described(Struct, frozen=True):
    """A document of a file; `number` counts those that hold anything, from 0.

    With a `parent` it is an object of that target's rendering, and `text` is what the rendering has of it.
    """

    file: RelPath
    number: int
    data: Mapping[str, Any]
    parent: Parent | None = None
    text_: str = ""

    @property
    def read_from(self) -> RelPath:
        """The file of the tree that has it."""
        return self.file if self.parent is None else rendered_path(self.file, self.parent)

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


class Children(Struct, frozen=True):
    """The descriptions that renderings hold; those in `files` are deployed as these say, not as they stand there.

    `built` are the files that go into these renderings.
    """

    objects: tuple[Described, ...] = ()
    files: frozenset[RelPath] = frozenset()
    built: frozenset[RelPath] = frozenset()

    def overlay(self) -> Mapping[RelPath, str]:
        """What a tree has to say of them, by their paths."""
        return {one.read_from: one.text_ for one in self.objects if one.parent is not None}


NO_CHILDREN = Children()


def objects(file: RelPath, text: str) -> Iterator[Described]:
    """The documents of `text` that are mappings; none of a text that cannot be parsed, for manifests say so themselves."""
    with suppress(YamlError):
        for number, data in enumerate(load_all(text)):
            if isinstance(data, dict):
                yield Described(file, number, data)
