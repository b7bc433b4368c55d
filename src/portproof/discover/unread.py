"""What a repository says that it deploys, and nothing looks at: each with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field

from portproof.source import RelPath


@dataclass(frozen=True, slots=True, order=True)
class Unread:
    """Something that looks deployable at `path` and makes no target.

    `kind` says what it is, in one word (``applicationset``, ``helmfile``, ``remote-chart``); `reason` why it is not followed.
    `folders` are those that it would deploy, as far as it says which: nobody knows with what values.
    """

    path: RelPath
    kind: str
    reason: str
    folders: tuple[RelPath, ...] = field(default=(), compare=False)
