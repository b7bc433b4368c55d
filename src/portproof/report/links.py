"""Addresses for people: what a place, a rule or the job's log is linked to."""

from __future__ import annotations

from dataclasses import dataclass

from portproof.source import RelPath


@dataclass(frozen=True, slots=True)
class Links:
    """The repository's address `web`, the commit `head` whose lines a report has, and further addresses, empty for none.

    `rules` is the address of the rules' pages, `log` that of the job. `unmapped_lines` are lines that the head does not
    have: the checkout was a merge commit, and the base touched the line too.
    """

    web: str
    head: str
    rules: str = ""
    log: str = ""
    unmapped_lines: frozenset[tuple[RelPath, int]] = frozenset()

    @property
    def fixes(self) -> str:
        """The address of the page about safe fixes, which lies beside that of the rules; empty as that."""
        return f"{self.rules.removesuffix('rules.md')}fixes.md" if self.rules else ""

    def has_line(self, path: RelPath, line: int) -> bool:
        """Whether the head has that line of the report."""
        return (path, line) not in self.unmapped_lines
