"""What may be wrong with a fix, and what it does to one target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from portproof.effects import Change
from portproof.graph.meetings import Meeting
from portproof.graph.model import PortGraph
from portproof.resources import ResourceKey
from portproof.yamldoc import FieldPath

Field: TypeAlias = tuple[ResourceKey, FieldPath]
"""A field of a rendered object."""


class Danger(Enum):
    """What makes a fix unsafe."""

    PROGRAM = "program"
    CALLERS = "callers"
    OPERATOR = "operator"
    SCHEME = "scheme"
    SHARED = "shared"
    GUESS = "guess"
    CHANGE = "change"
    IMMUTABLE = "immutable"
    CONTRADICTED = "contradicted"


class Risk(Struct, frozen=True):
    """One reason why a fix is unsafe; `text` is a clause without a full stop."""

    danger: Danger
    text: str


class TargetEffects(Struct, frozen=True, eq=False):
    """What the edits of a fix do to one target that reads them.

    `ends` are the fields of the edges that they mend there, empty where they mend none. `before` and `after` are the graphs
    of the rendering without and with the edits. `abroad` gives where a number works in other targets.
    """

    target: str
    ends: frozenset[Field]
    changes: tuple[Change, ...]
    before: PortGraph
    after: PortGraph
    abroad: Callable[[int], Sequence[Meeting]] = lambda _number: ()

    def is_end(self, change: Change) -> bool:
        """Whether the change is on one of the broken edges."""
        return any(
            key == change.resource and path[: len(change.path)] == change.path for key, path in self.ends
        )


GUESS = Risk(Danger.GUESS, "it makes the finding go away, but nothing says that it is what was meant")
