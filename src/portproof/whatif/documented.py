"""What a chart's ``values.yaml`` says of a port elsewhere: another value, or the example in a comment, that is set along with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from portproof import yamldoc
from portproof.yamldoc import FieldPath

_CONFIG = re.compile(r"(?i)conf|settings|properties|args|env(?!oy)|options|flags|command|listen|bind|addr")
"""Keys below which a chart's user writes what a program is told, and what such a value is called."""

_KEY = re.compile(
    r"(?P<lead>[ #]*)(?P<items>(?:- +)*)(?P<key>[\w.$/-]+|\"[^\"]+\"|'[^']+') *[:=](?=\s|\Z|[^/])"
)
_OF_PORTS = frozenset({"name", "port", "number", "containerPort", "targetPort"})
_NAMED = re.compile(r"\bname\b *:")
_SERVICE = re.compile(r"(?m)^kind: *Service\s*$")
_NEAR = 3
"""Lines of a template that are one port: its name, and its number below."""

_NOT = r"(?:\w+n['o\u2019]t|not|no|never)"
_NEED = r"(?:need|require|use|want|support|have|expose)"
_NEEDED = r"(?:needed|required|used|wanted|supported)"
_CONDITION = re.compile(r"(?i)\b(?:if|unless|when|whether|until|or not|only|but|versions?)\b")
"""What makes a sentence say more than that something is not needed."""
_SENTENCE = re.compile(r"[.;!](?:\s|\Z)")
_ONE_OF = re.compile(
    r"(?i)mutually exclusive|\bnot both\b|\b(?:\w+n['o\u2019]t|cannot|not) (?:\w+ ){0,6}?(?:both|at the same time|at once|together)\b|"
    r"\beither\b.*\bor\b"
)

_DEFAULTS = re.compile(r"\|\s*default\b|\b(?:default|coalesce)\s")
_VALUES = re.compile(r"\.Values\.([\w.]+)")


def is_told(number: int, text: str, data: Mapping[str, Any], moved: FieldPath) -> bool:
    """Whether values besides the `moved` one say a number where they say what a program is told, be it in a comment.

    Who moves a port there has to set both: ``service.port`` and ``config.server.port``.
    """
    said = re.compile(
        rf"(?<![\w.])(?<![A-Za-z]:){number}(?![\w.])"
    )  # what has a host before it is somebody else's
    leaves = (path for path, value in yamldoc.leaves(data) if path != moved and said.search(str(value)))
    if any(map(_is_config, leaves)):
        return True
    read = re.compile(rf"\.Values\.{re.escape('.'.join(map(str, moved)))}(?![\w.-])")
    if any(read.search(str(value)) for _, value in yamldoc.leaves(data)):
        return True  # a text among the values that is a template itself
    # A comment below the same key of a configuration describes the value itself.
    return not _is_config(moved) and any(
        said.search(value) and _is_config(path) for path, value in _comments(text)
    )


def has_example(wanted: object, text: str) -> bool:
    """Whether a comment has a port of that name or number in a collection of ports: who switches on what asks for it adds it."""
    return any(
        str(wanted) in (_scalar(value) if path[-1] in _OF_PORTS else "", path[-1])
        for path, value in _comments(text)
        if any(step.lower().endswith("ports") for step in path[:-1])
    )


def may_be_declared(name: str, key: str, texts: Iterable[str]) -> bool:
    """Whether a template has a port of that name with such a key somewhere: with a value that no switch sets."""
    keyed = re.compile(rf"\b{key}\b *:")
    named = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])")
    return any(
        named.search(line) and keyed.search("\n".join(lines[number : number + _NEAR]))
        for lines in (text.split("\n") for text in texts)
        for number, line in enumerate(lines)
        if _NAMED.search(line)
    )


def is_declared(templates: Iterable[str], path: FieldPath) -> bool:
    """Whether a template declares a value as the port of a container."""
    key = re.escape(".".join(map(str, path)))
    declared = re.compile(rf"containerPort: *[\"']?\{{\{{-? *\$?\.Values\.{key} *[|}}-]")
    return any(declared.search(one) for one in templates)


def is_passed_on(path: FieldPath, templates: Iterable[str]) -> bool:
    """Whether a value is part of a configuration that its user writes whole: no template reads it by its name."""
    name = str(path[-1])
    read = re.compile(rf"\.{re.escape(name)}(?![\w-])|[\"']{re.escape(name)}[\"']")
    return _is_config(path) and not any(read.search(one) for one in templates)


def has_list_to_fill(data: Mapping[str, Any], templates: Iterable[str], name: str = "") -> bool:
    """Whether a template of a Service writes a list of ports, which the chart leaves empty; with a `name`, that of all."""
    services = [one for one in templates if _SERVICE.search(one)]
    lists = (
        ".".join(map(str, path))
        for path, value in yamldoc.leaves(data)
        if path and not value and isinstance(value, (list, dict)) and _is_of_ports(str(path[-1]), name)
    )
    return any(f".Values.{key}" in one for key in lists for one in services)


def falls_back(action: str, data: Mapping[str, Any]) -> bool:
    """Whether an action of a template reads a value that the chart leaves empty, and else another: who sets one sets both.

    ``{{ .Values.service.targetPort | default .Values.service.port }}``, with ``targetPort: ""`` beside ``port``.
    """
    if not _DEFAULTS.search(action):
        return False
    paths = [tuple(one.split(".")) for one in _VALUES.findall(action)]
    return any(_is_there(data, path) and not yamldoc.lookup(data, path) for path in paths)


def is_needless(part: str, comment: str) -> bool:
    """Whether a comment says without a condition that a part is not there to be switched on: "nodes don't need a service"."""
    name = rf"\b{_spaced(part)}s?\b"
    said = re.compile(
        rf"(?i)\b{_NOT} (?:\w+ )?{_NEED}\w* (?:[\w-]+ ){{0,3}}?{name}|"
        rf"{name} (?:\w+ ){{0,3}}?{_NOT} (?:\w+ )?{_NEEDED}\b|\bno (?:[\w-]+ )?{name} (?:\w+ )?{_NEEDED}\b"
    )
    sentences = _SENTENCE.split(" ".join(comment.split()))
    return any(said.search(one) and not _CONDITION.search(one) for one in sentences)


def are_alternatives(part: str, comment: str, other: str) -> bool:
    """Whether the comment on a part says that it does not go together with another, which it names."""
    sentences = _SENTENCE.split(" ".join(comment.split()))
    named = re.compile(rf"(?i)\b{_spaced(other)}s?\b")
    return part != other and any(_ONE_OF.search(one) and named.search(one) for one in sentences)


def _spaced(key: str) -> str:
    """How the words of a key may be written in a sentence: ``ServiceMonitor``, ``service monitor``."""
    words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", key)
    return r"[ -]?".join(map(re.escape, words)) if words else re.escape(key)


def _scalar(text: str) -> str:
    """The scalar that a line has behind its key."""
    return text.partition(" #")[0].strip().strip("\"'")


def _is_of_ports(key: str, name: str) -> bool:
    return key == name if name else key.lower().endswith("ports")


def _is_config(path: FieldPath) -> bool:
    return any(_CONFIG.search(str(step)) for step in path)


def _is_there(data: Mapping[str, Any], path: FieldPath) -> bool:
    above = yamldoc.lookup(data, path[:-1])
    return isinstance(above, dict) and path[-1] in above


def _comments(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every key with a value that stands in a comment, as the keys that it lies below, comments or not, by their columns."""
    above: list[tuple[int, str]] = []
    for line in text.split("\n"):
        found = _KEY.match(line)
        if found is None:
            continue
        column = len(found["lead"]) + len(found["items"])
        above = [one for one in above if one[0] < column]
        above.append((column, found["key"].strip("\"'")))
        if "#" in found["lead"] and found["lead"].strip().strip("#").strip() == "":
            yield tuple(key for _, key in above), line[found.end() :]
