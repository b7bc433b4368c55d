"""What a rule is and what it says. A rule is a pure question to a port graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from portproof.graph.model import PortGraph, Site
from portproof.rules.severity import Severity

__all__ = ["Check", "Finding", "Label", "Remedy", "Rule", "Scalar", "Severity", "Trait", "rule"]

Scalar: TypeAlias = "str | int"


class Label(Struct, frozen=True):
    """A place of the rendering and what is to be said about it (``declared here``)."""

    site: Site
    text: str


class Remedy(Struct, frozen=True):
    """A way to cure a finding: give each of these fields a new value. `description` completes "Fix: ...".

    What is not `recommended` makes the finding go away, but nothing says that it is what was meant: it is never the fix.
    A field that is not there yet is written beside another one of the same mapping: `beside`. `like` is the field of the
    other end that holds the new value.
    """

    description: str
    changes: tuple[tuple[Site, Scalar], ...]
    recommended: bool = True
    beside: Site | None = None
    like: Site | None = None


class Finding(Struct, frozen=True):
    """What a rule has to say about one field.

    `primary` is the field that is wrong; `expected` is what it should hold when there is one answer. `remedies` come
    best supported first, for either end of the mismatch. The finding does not know its rule, file or line. `unset` says
    that the field is there and empty, as a template leaves it when its value was not given; `awaited`, that the other end
    declares no port at all, as a template leaves it when nobody lists any.
    """

    message: str
    severity: Severity
    primary: Site
    expected: Scalar | None = None
    related: tuple[Label, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    unset: bool = False
    awaited: bool = False


Check: TypeAlias = Callable[[PortGraph], Iterable[Finding]]


class Trait(Enum):
    """What is special about a rule.

    REACHES_PODS: a fix lets a Service's traffic arrive again. SPANS_TARGETS: what it finds in a target depends on others.
    COMPARES: it finds only what met in the base, so that nothing it finds is there by chance. VALUES: its base is no revision,
    but the same chart under its default values. WHAT_IF: the same, and only where values are moved to see what follows.
    NEEDS_ALL: it finds that something is not there, which nobody can tell of a rendering without all of its parts.
    CLOSED: it finds that no policy opens a way, which nobody can tell where others than NetworkPolicies may.
    """

    REACHES_PODS = "reaches pods"
    SPANS_TARGETS = "spans targets"
    COMPARES = "compares"
    VALUES = "compares values"
    WHAT_IF = "compares values that nobody has set"
    NEEDS_ALL = "needs all"
    CLOSED = "finds that a way is closed"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its id (the module's name with hyphens), worst severity, one-line summary, and question.

    `traits` say what those who work with findings need to know of it. `docstring` is the module's.
    """

    id: str
    severity: Severity
    summary: str
    check: Check = field(compare=False)
    docstring: str = field(compare=False, repr=False)
    traits: frozenset[Trait] = frozenset()

    @property
    def page(self) -> str:
        """The docstring without its indent; made for those who show it."""
        return inspect.cleandoc(self.docstring)


def rule(
    module_name: str,
    page: str | None,
    *,
    severity: Severity,
    check: Check,
    traits: Iterable[Trait] = (),
) -> Rule:
    """Make the `Rule` of a module from its name and docstring; the first line of the docstring is the summary."""
    docstring = page or ""
    return Rule(
        id=module_name.rpartition(".")[2].replace("_", "-"),
        severity=severity,
        summary=docstring.strip().partition("\n")[0].rstrip("."),
        check=check,
        docstring=docstring,
        traits=frozenset(traits),
    )
