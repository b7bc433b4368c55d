"""Fields that have to hold a port: what to say of one that is missing, mistyped or out of range.

A rule about custom resources and webhooks has a table of such fields. What the schemas say was tried on an API server with
the CRDs of the projects that the pages of those rules name. `number_problem` is for what Services and containers declare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from msgspec import Struct

from portproof.graph import sites
from portproof.graph.answers import missed
from portproof.graph.fields import scalar
from portproof.graph.model import ContainerPort, PortGraph, Relation, ServicePort, Site
from portproof.graph.names import is_digits, is_placeholder
from portproof.resources import Resource
from portproof.rules.base import Finding, Remedy, Severity

_HIGHEST = 65535


class Takes(Enum):
    """What a schema takes in a field."""

    NUMBER = "a number"
    EITHER = "a number or a name"
    TEXT = "a string"
    OBJECT = "an object"


class PortField(Struct, frozen=True):
    """A field of some kinds. `at` are JSONPaths of the objects that hold it; `of` is what these are called.

    It is `required` where the object has the field `beside`, if one is given: without that it is a patch for a whole
    one. `lowest` is the smallest number that the schema takes, up to 65535; None when it does not look at the range.
    `label` is what the field is called, if not by its name.
    """

    groups: tuple[str, ...]
    kinds: tuple[str, ...]
    at: tuple[str, ...]
    field: str
    of: str
    takes: Takes = Takes.NUMBER
    required: bool = False
    lowest: int | None = None
    beside: str = ""
    label: str = ""

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.label or self.field


def invalid(graph: PortGraph, table: Sequence[PortField], *relations: Relation) -> Iterator[Finding]:
    """A finding for each field of the table that the API server rejects, in the order of the table.

    What the rules about edges of `relations` say already is left to them.
    """
    rows = [(row, one) for row in table for kind in row.kinds for one in graph.of_kind(kind, *row.groups)]
    said = {edge.port for edge in graph.asking(*relations) if missed(graph, edge)} if rows else set()
    for row, resource in rows:
        for text in row.at:
            for path, holder in sites.find(text, resource.data):
                found = (
                    finding(resource, row, (*path, row.field), holder) if isinstance(holder, dict) else None
                )
                if found is not None and found.primary not in said:
                    yield found


def finding(
    resource: Resource, row: PortField, path: tuple[str | int, ...], holder: Mapping[str, Any]
) -> Finding | None:
    """What to say of the field at `path` in `holder`; None when nothing is wrong with it."""
    value = holder.get(row.field)
    site = Site(resource.key, path, scalar(value) if not isinstance(value, dict | list) else None)
    is_whole = not row.beside or row.beside in holder
    problem = "" if is_placeholder(value) or (value is None and not is_whole) else _problem(row, value)
    if not problem:
        return None
    number = int(str(value)) if row.takes is Takes.NUMBER and is_digits(value) else None
    right = number if number is not None and 1 <= number <= _HIGHEST else None
    unset = value is None and row.field in holder
    return Finding(
        message=f"{resource.key} has {_article(row.of)} {row.of} {problem}: the API server rejects the {resource.key.kind}.",
        severity=Severity.WARNING if unset else Severity.ERROR,
        unset=unset,
        primary=site,
        expected=right,
        remedies=() if right is None else (Remedy("remove the quotes", ((site, right),)),),
    )


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def _problem(row: PortField, value: Any) -> str:
    if value is None:
        return f"without a {row.name}" if row.required else ""
    if isinstance(value, bool | float) or isinstance(value, dict) is not (row.takes is Takes.OBJECT):
        meant = f" ({{number: {value}}})" if row.takes is Takes.OBJECT and isinstance(value, int) else ""
        return f"with the {row.name} {value!r}, which must be {row.takes.value}{meant}"
    if isinstance(value, int):
        if row.takes is Takes.TEXT:
            return f"with the {row.name} {value}, which must be a string, not a number"
        if row.lowest is not None and not row.lowest <= value <= _HIGHEST:
            return f"with the {row.name} {value}, which must be between {row.lowest} and {_HIGHEST}"
    elif isinstance(value, str) and row.takes is Takes.NUMBER:
        return f"with the {row.name} {value!r}, which must be a number, not a string"
    return ""


def number_problem(port: ContainerPort | ServicePort) -> str:
    """What is wrong with the number of a declared port, to follow its owner's name; empty when nothing is."""
    value, field = port.number.value, str(port.number.path[-1])
    if is_placeholder(value) or (isinstance(value, int) and 1 <= value <= 65535):
        return ""
    if value is None:
        named = "" if port.name is None else f" {str(port.name.value)!r}"
        return f"has a port{named} without a number"
    if _in_quotes(port):
        return f"has {field} '{value}' in quotes, but it must be a number"
    return f"has {field} {value!r}, which is not a number between 1 and 65535"


def number_finding(
    graph: PortGraph,
    port: ContainerPort | ServicePort,
    message: str,
    before: ContainerPort | ServicePort | None,
) -> Finding:
    """What to say of a declared port whose number has a problem; `before` is the port in the base, if it was there.

    An empty field is only as sure as its values, unless a change has emptied it.
    """
    number, unset = _in_quotes(port), graph.is_empty(port.number)
    old = before.number.value if unset and before is not None else None
    if isinstance(old, int):
        back = Remedy(f"set {port.number.path[-1]} back to {old}", ((port.number, old),))
        return Finding(
            message=f"{message} It was {old} before this change.",
            severity=Severity.ERROR,
            primary=port.number,
            expected=old,
            remedies=(back,),
        )
    return Finding(
        message=message,
        severity=Severity.WARNING if unset else Severity.ERROR,
        unset=unset,
        primary=port.number,
        expected=number,
        remedies=()
        if number is None
        else (Remedy(f"write {number} without quotes", ((port.number, number),)),),
    )


def _in_quotes(port: ContainerPort | ServicePort) -> int | None:
    """The number that the field holds in quotes; None when it holds none."""
    value = port.number.value
    number = int(str(value)) if is_digits(value) else 0
    return number if 1 <= number <= 65535 else None
