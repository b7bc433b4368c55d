"""The rules, by family. A module of a family that has a ``RULE`` is a rule; there is no other list.

To add one, see CONTRIBUTING.md.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from portproof.errors import UsageError
from portproof.rules.listing import Listed, listed

if TYPE_CHECKING:
    from portproof.rules.base import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, in the order of their ids."""
    return tuple(_load(one) for one in listed())


def find(name: str) -> Rule:
    """The rule of that id. Raises `UsageError`, with the nearest id, when there is none."""
    return _load(known(name))


def is_known(name: str) -> bool:
    """Whether there is a rule of that id; a report that was read back may name another."""
    return any(one.id == name for one in listed())


def known(name: str) -> Listed:
    """What is listed of the rule of that id, which is not loaded for it. Raises `UsageError` as `find` does."""
    by_id = {one.id: one for one in listed()}
    if name not in by_id:
        import difflib  # noqa: PLC0415 - only who mistypes waits for it

        near = difflib.get_close_matches(name, by_id, n=1)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(
            f"there is no rule {name!r}", next_step=f"{meant}Run `portproof rules` to list them."
        )
    return by_id[name]


def families() -> Mapping[str, str]:
    """The title of each family, by its package's name: what the package's docstring says."""
    names = sorted({one.family for one in listed()})
    packages = {name: importlib.import_module(f"{__name__}.{name}") for name in names}
    return {name: (inspect.getdoc(package) or name).rstrip(".") for name, package in packages.items()}


def _load(one: Listed) -> Rule:
    module = importlib.import_module(f"{__name__}.{one.module}")
    loaded: Rule = module.RULE
    return loaded
