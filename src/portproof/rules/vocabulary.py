"""The words about rules and fields that a configuration may use; what knows them is loaded when it uses one."""

# ruff: noqa: PLC0415

from __future__ import annotations

from portproof.config import Vocabulary
from portproof.errors import UsageError


def vocabulary() -> Vocabulary:
    """The ids of rules, and JSONPaths."""
    return Vocabulary(rule=_rule_problem, jsonpath=_path_problem)


def _rule_problem(name: str) -> tuple[str, str] | None:
    from portproof.rules import known

    try:
        known(name)
    except UsageError as error:
        return str(error), error.next_step
    return None


def _path_problem(text: str) -> tuple[str, str] | None:
    from portproof.graph import sites

    try:
        sites.compiled(text)
    except sites.PathError as error:
        return f"{text!r} is not a usable JSONPath: {error}", "Write it like spec.backends[*]."
    return None
