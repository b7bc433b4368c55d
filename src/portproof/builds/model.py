"""What is known of an image that the repository builds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from portproof.builds.dockerfile import Stage
from portproof.source import RelPath


class Mapped(Struct, frozen=True):
    """A port of the container to which a file of Docker Compose leads one of the host."""

    number: int
    path: RelPath
    service: str


class ContextFile(Struct, frozen=True):
    """A file of the build's context by its path in the tree; `place` is where it is in the image, empty if that is not said."""

    path: RelPath
    place: str
    text: str


class BuiltImage(Struct, frozen=True):
    """The one Dockerfile at `path` from which an image is built, and what lies beside it."""

    path: RelPath
    stage: Stage
    files: tuple[ContextFile, ...] = ()
    mapped: tuple[Mapped, ...] = ()


Images: TypeAlias = Callable[[str], BuiltImage | None]
"""What builds the image that a container names; None where the repository does not, or where that is not certain."""


def none_built(_image: str) -> BuiltImage | None:
    """No image of this repository is known."""
    return None
