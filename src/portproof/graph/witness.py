"""What a Dockerfile of the repository says of where a container's program listens."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Source(Enum):
    """What kind of witness it is. Of these a program itself reads the first three."""

    COMMAND = "command"
    VARIABLE = "variable"
    FILE = "file"
    EXPOSE = "EXPOSE"
    MAPPING = "mapping"
    HEALTH = "health"

    @property
    def is_read(self) -> bool:
        """Whether the program reads it."""
        return self in (Source.COMMAND, Source.VARIABLE, Source.FILE)


class Witness(Struct, frozen=True):
    """One that says the number, as ``EXPOSE 3000 (web/Dockerfile:7)``."""

    source: Source
    number: int
    label: str


class Built(Struct, frozen=True):
    """What the Dockerfile at `path` says of a container that runs its image: `number` with the `witnesses` that agree on it.

    `number` is None when no two of them do. `said` are all numbers that it mentions, or its settings, or a mapping.
    """

    path: str
    number: int | None
    witnesses: tuple[Witness, ...]
    said: frozenset[int]
