"""Addresses for people: what a place, a rule or the job's log is linked to."""

from __future__ import annotations

from msgspec import Struct

from portproof.source import RelPath

SITE = "https://portproof.github.io/portproof/latest/"
"""Where the pages of the newest release are read; pyproject.toml names the same address."""

FIXES = f"{SITE}fixes/"
"""The page about safe fixes."""


def rule_page(rule_id: str) -> str:
    """The address of a rule's page."""
    return f"{SITE}rules/{rule_id}/"


class Links(Struct, frozen=True):
    """The repository's address `web`, the commit `head` whose lines a report has, and a further address, empty for none.

    `log` is the address of the job. `unmapped_lines` are lines that the head does not
    have: the checkout was a merge commit, and the base touched the line too.
    """

    web: str
    head: str
    log: str = ""
    unmapped_lines: frozenset[tuple[RelPath, int]] = frozenset()

    def has_line(self, path: RelPath, line: int) -> bool:
        """Whether the head has that line of the report."""
        return (path, line) not in self.unmapped_lines
