"""What a repository says that it deploys, and nothing looks at: each with the reason."""

from __future__ import annotations

from dataclasses import dataclass

from portproof.source import RelPath


@dataclass(frozen=True, slots=True, order=True)
class Unread:
    """Something that looks deployable at `path` and makes no target.

    `kind` says what it is, in one word (``applicationset``, ``helmfile``, ``remote-chart``); `reason` why it is not followed.
    """

    path: RelPath
    kind: str
    reason: str
