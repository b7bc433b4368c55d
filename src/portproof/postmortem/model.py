"""What a post-mortem says: both ends with their places, the commit that brought it, and what is left to do.

Blameless: commits have a time and a subject, and nobody's name.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from portproof.report.model import Result
from portproof.source import RelPath


class Commit(Struct, frozen=True):
    """A commit: when it was committed, in UTC (``2025-07-31 09:14``), and its subject without names of people."""

    hash: str
    when: str
    subject: str
    parents: tuple[str, ...] = ()

    @property
    def short(self) -> str:
        """As people quote it."""
        return self.hash[:8]


class Tried(Struct, frozen=True):
    """A commit that was looked at, and why it is not the one."""

    commit: Commit
    why: str


class Trigger(Struct, frozen=True):
    """The commit that has the finding while none of its parents has it.

    `difference` is what it did to the files in question since its first parent, as a diff.
    """

    commit: Commit
    parents: tuple[Commit, ...]
    difference: str


class Uncommitted(Struct, frozen=True):
    """The finding is in the work tree, and not in the commit that is checked out."""

    head: Commit


class NotFound(Struct, frozen=True):
    """No commit is proven to have brought the finding: `reason` is a sentence, `tried` what was looked at, newest first."""

    reason: str
    tried: tuple[Tried, ...] = ()


Cause: TypeAlias = Trigger | Uncommitted | NotFound


class End(Struct, frozen=True):
    """One end of the edge: a field (``Service/web spec.ports[0].targetPort``), its value, and where that is written.

    `key` is the way to it in the file, empty in a template. Without a `path` the place is unknown, and one that is not
    `proven` is the best guess.
    """

    field: str
    value: str | int | None
    path: RelPath = ""
    line: int = 0
    key: str = ""
    proven: bool = False


class Broken(Struct, frozen=True):
    """One finding with what is known of it. `shown` is how ``portproof check`` prints it.

    `touched` are the commits that touched the line of either end, newest first. `unharmed` are targets of the same folder
    that do not have it, `callers` ask for the Service in manifests; `runbook` is a file and an anchor in it, or empty. `ended` says that the commit that is checked out
    does not have it any longer, `ended_by` which commit is proven to have ended it.
    """

    result: Result
    ends: tuple[End, ...]
    cause: Cause
    touched: tuple[Commit, ...]
    shown: str
    unharmed: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    runbook: str = ""
    ended: bool = False
    ended_by: Commit | None = None


class ActionItem(Struct, frozen=True):
    """Something to do: `kind` is prevent, detect or mitigate. What shows that it is done is `seen`, empty while it is not.

    `lacking` says what is there of it already, and what it lacks.
    """

    text: str
    kind: str
    seen: str = ""
    lacking: str = ""


class PostMortem(Struct, frozen=True):
    """The document: one incident with each finding that is part of it, and the commit that was `checked`.

    `good` is the commit that it was compared with, where there is one.
    """

    broken: tuple[Broken, ...]
    actions: tuple[ActionItem, ...]
    checked: Commit
    good: Commit | None = None
