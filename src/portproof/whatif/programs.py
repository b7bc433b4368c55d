"""Whose program a container runs: the chart's own, or that of whoever uses the chart, who says where it listens.

A chart that takes command, arguments or variables whole from its values runs a program that it does not know. A port in
its values, but for that of a Service, is where that program listens: who moves it has moved the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from portproof import yamldoc
from portproof.yamldoc import FieldPath

_SERVICE = re.compile(r"(?:(?:\A|[_-])(?:services?|svc)|Services?|Svc)(?![a-z])")
"""What the keys of a Service are called: ``service``, ``services``, ``httpService``, ``servicePort``; not ``microservice``."""
_SERVICE_TYPES = frozenset({"ClusterIP", "NodePort", "LoadBalancer"})

_AROUND = re.compile(r"(?P<lead> *(?:- +)?)(?:ports|\w+Probe) *:")
"""The keys of a container that hold ports."""
_KEY = re.compile(r"(?P<lead> *(?:- +)?)(?P<key>[A-Za-z]\w*) *:(?P<rest>.*)")
_NO_TEXT = re.compile(r"\s*(?:#.*)?\Z|[ \t]*\{\{")
"""Lines whose column says nothing: empty, a comment, an action."""
_GUARD = re.compile(r"[ \t]*\{\{-? *(?:if|else|end|with|/\*|\$\w+ *:?=)")
_WHOLE = re.compile(r"[ \t]*\{\{[^{}]*(?:\btoYaml\b|\btoJson\b|\btpl\b|\brange\b|\.Values\.)")
"""An action in the place of what a key holds, or of entries of it."""
_WORDS = frozenset({"command", "args"})
_VARIABLES = frozenset({"env", "envFrom"})


def is_of_service(path: FieldPath, data: Mapping[str, Any]) -> bool:
    """Whether a value is the port of a Service, by its keys or by the type beside it; a section with an image is a program's."""
    words = [step for step in path if isinstance(step, str)]
    above = yamldoc.lookup(data, path[:-1])
    beside = above if isinstance(above, dict) else {}
    if _SERVICE.search(words[-1]):
        return True
    return not beside.get("image") and (
        beside.get("type") in _SERVICE_TYPES or any(map(_SERVICE.search, words))
    )


def image_beside(path: FieldPath, data: Mapping[str, Any]) -> str:
    """The image in the section of a value, as it is written there; empty where none is."""
    above = yamldoc.lookup(data, path[:-1])
    image = above.get("image") if isinstance(above, dict) else None
    found = image.get("repository") if isinstance(image, dict) else image
    return found if isinstance(found, str) else ""


def is_users(text: str, at: int) -> bool:
    """Whether the container around a place of a template takes what its program is told whole from values.

    Variables alone do not make it the user's program if the template writes its arguments.
    """
    told = dict(_keys(text.split("\n"), text.count("\n", 0, at)))
    passed = {key for key, lines in told.items() if _is_passed_on(lines)}
    is_written = not _WORDS.isdisjoint(told)
    return not _WORDS.isdisjoint(passed) or (not is_written and not _VARIABLES.isdisjoint(passed))


def _is_passed_on(lines: Sequence[str]) -> bool:
    return any(_WHOLE.match(one) and not _GUARD.match(one) for one in lines)


def _keys(lines: Sequence[str], number: int) -> Iterator[tuple[str, Sequence[str]]]:
    """The keys of the container around a line, each with the lines that it holds; nothing where there is no container."""
    around = next((found for at in range(number, -1, -1) if (found := _AROUND.match(lines[at]))), None)
    if around is None:
        return
    column = len(around["lead"])
    first = next((at for at in range(number, -1, -1) if _begins(lines[at], column)), None)
    if first is None:
        return
    end = next((at for at in range(first + 1, len(lines)) if _ends(lines[at], column)), len(lines))
    own = {
        at: found
        for at in range(first, end)
        if (found := _KEY.match(lines[at])) and len(found["lead"]) == column
    }
    for at, following in zip(own, [*list(own)[1:], end], strict=True):
        yield own[at]["key"], (own[at]["rest"], *lines[at + 1 : following])


def _begins(line: str, column: int) -> bool:
    """Whether a line is the first of a list's entry whose keys are in that column."""
    found = _KEY.match(line)
    return found is not None and len(found["lead"]) == column and "-" in found["lead"]


def _ends(line: str, column: int) -> bool:
    """Whether a line is behind the entry of a list whose keys are in that column."""
    return _NO_TEXT.match(line) is None and len(line) - len(line.lstrip(" ")) < column
