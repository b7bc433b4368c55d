"""Where a finding is told: the commit, its addresses for people, and what the pull request shows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from portproof.diff import Changes
from portproof.source import RelPath


@dataclass(frozen=True, slots=True)
class Scene:
    """The pull request as far as a review needs it.

    `head` is the commit that is commented on, `web` the repository's address for people, `texts` the head's files
    that findings name. `astray` are places that are not known in the head (the checkout was a merge commit, and the
    base touched the line too). `rules` is the address of the rules' pages, `log` that of the job.
    `ignored` counts the findings that are left out, in words.
    """

    head: str
    web: str
    changes: Changes
    texts: Mapping[RelPath, str] = field(default_factory=dict)
    astray: frozenset[tuple[RelPath, int]] = frozenset()
    key: str = ""
    rules: str = ""
    log: str = ""
    ignored: str = ""
