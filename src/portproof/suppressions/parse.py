"""What an ignore has to say: which rules, and why. The same for comments and annotations."""

from __future__ import annotations

import re

from portproof.errors import UsageError
from portproof.rules import known
from portproof.rules.run import unused_ignore


def problem(rules: tuple[str, ...], reason: str) -> str:
    """Why an ignore of these rules for this reason does not count; empty when it counts."""
    if not rules:
        return "it names no rule"
    if "*" in rules:
        return "it must name its rules, and * is not a rule"
    for name in rules:
        try:
            known(name)
        except UsageError as error:
            return f"{error}. {error.next_step}"
        if name == unused_ignore.RULE.id:
            return f"{name} can only be switched off in portproof.yaml"
    return "" if re.search(r"\w", reason) else "it gives no reason"


def named(text: str) -> tuple[str, ...]:
    """The rules of a list with commas."""
    return tuple(name for part in text.split(",") if (name := part.strip()))
