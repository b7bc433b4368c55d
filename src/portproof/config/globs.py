"""Which paths a glob of the configuration means."""

from __future__ import annotations

import fnmatch

from portproof.source import RelPath

_SPECIAL = frozenset("*?[")


def matches(pattern: str, path: str) -> bool:
    """Whether the glob `pattern` means `path`, from the root: ``*`` stays in one folder, ``**`` is any number of them.

    Its cost is bounded by the product of both lengths, whoever wrote the pattern.
    """
    steps = pattern.strip("/").split("/")
    positions = _skip_stars(steps, {0})
    for name in path.split("/"):
        moved = set()
        for position in positions:
            if position < len(steps) and steps[position] == "**":
                moved.add(position)
            elif position < len(steps) and fnmatch.fnmatchcase(name, steps[position]):
                moved.add(position + 1)
        positions = _skip_stars(steps, moved)
    return len(steps) in positions


def fixed_part(pattern: str) -> RelPath:
    """The folder or file that everything the glob means lies in or is: ``charts/a`` for ``charts/a/*.yaml``."""
    steps: list[str] = []
    for step in pattern.strip("/").split("/"):
        if _SPECIAL & set(step):
            break
        steps.append(step)
    return "/".join(steps) or "."


def _skip_stars(steps: list[str], positions: set[int]) -> set[int]:
    """Add the positions that are reached when each ``**`` stands for no folder at all."""
    reached = set(positions)
    for index, step in enumerate(steps):
        if index in reached and step == "**":
            reached.add(index + 1)
    return reached
