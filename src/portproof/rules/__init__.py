"""The rules. A module of this package that has a ``RULE`` is a rule; there is no other list.

To add one, see CONTRIBUTING.md.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

from portproof.errors import UsageError

if TYPE_CHECKING:
    from portproof.rules.base import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, in the order of their ids."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    return tuple(
        sorted((module.RULE for module in modules if hasattr(module, "RULE")), key=lambda rule: rule.id)
    )


def find(name: str) -> Rule:
    """The rule of that id. Raises `UsageError`, with the nearest id, when there is none."""
    by_id = {rule.id: rule for rule in all_rules()}
    if name not in by_id:
        near = difflib.get_close_matches(name, by_id, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"there is no rule {name!r}", next_step=f"{meant}`portproof rules` lists them")
    return by_id[name]
