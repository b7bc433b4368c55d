"""What leaves findings out, and what it is held against."""

from __future__ import annotations

import hashlib
from enum import Enum

from msgspec import Struct

from portproof.discover.model import Target
from portproof.resources import ResourceKey
from portproof.source import RelPath, Span


class SuppressionSource(Enum):
    """Where it is said that a finding is left out; the value follows a number of findings."""

    CONFIG = "in portproof.yaml"
    COMMENT = "by comment"
    ANNOTATION = "by annotation"
    BASELINE = "in the baseline"

    @property
    def noun(self) -> str:
        """What stands there: a ``comment``, an ``annotation`` or an ``entry`` of a file."""
        in_files = (SuppressionSource.COMMENT, SuppressionSource.ANNOTATION)
        return self.name.lower() if self in in_files else "entry"


class Suppression(Struct, frozen=True):
    """One place that leaves findings of `rules` out, and why.

    `text` are the words by which another revision of the file is known to have it too. `span` is None where the place
    lies outside of the tree, or is not known (yet). With a `problem` it does not count; the text completes "it does not
    count: ...".
    """

    source: SuppressionSource
    rules: tuple[str, ...]
    reason: str
    text: str
    span: Span | None = None
    problem: str = ""


class Subject(Struct, frozen=True):
    """A finding of one target, as far as ignores ask about it.

    `resource` is None for what concerns a target as a whole, `lines` are the lines of the source that decide the field.
    """

    rule: str
    target: Target
    resource: ResourceKey | None
    field: str
    lines: tuple[tuple[RelPath, int], ...]
    fingerprint: str


def fingerprint(target: Target, *parts: str) -> str:
    """The same when lines move or messages are reworded: the target's kind and folder, and the `parts`."""
    text = "\0".join((target.kind, target.path, *parts))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
