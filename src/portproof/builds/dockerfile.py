"""A Dockerfile -> what its last stage says: variables, ports, command, copied files.

Read as BuildKit reads it (moby/buildkit ``frontend/dockerfile/parser``), as far as that decides where a program listens.
Nothing is run, and the text is bounded: whoever sends a pull request may have written it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from itertools import islice

from msgspec import Struct, field

from portproof.replacing import replace

MAX_TEXT = 64 * 1024
"""Longer files are not read."""
MAX_INSTRUCTIONS = 500
MAX_WORD = 4096
"""Of a text with its variables filled in: one that doubles itself line by line leaves it open."""

_DIRECTIVE = re.compile(r"#[ \t]*escape[ \t]*=[ \t]*(?P<what>[\\`])[ \t]*\Z", re.IGNORECASE)
_INSTRUCTION = re.compile(r"[ \t]*(?P<name>[A-Za-z]{2,20})(?:[ \t]+(?P<rest>.*))?\Z", re.DOTALL)
_HEREDOC = re.compile(r"<<-?[ \t]*[\"']?(?P<end>[A-Za-z_]\w{0,40})[\"']?")
_TAKES_HEREDOCS = frozenset({"RUN", "COPY", "ADD"})
_VARIABLE = re.compile(
    r"\\\$|\$(?:\{(?P<braced>\w{1,80})(?::(?P<how>[-+])(?P<other>[^{}$]{0,200}))?\}|(?P<plain>[A-Za-z_]\w{0,80}))"
)
_PORT = re.compile(r"(?P<first>\d{1,5})(?:/(?P<protocol>[A-Za-z]+))?\Z")


class Command(Struct, frozen=True):
    """``ENTRYPOINT`` or ``CMD`` at a line from 1, as words; `variables` are those that a shell fills in when it starts."""

    instruction: str
    line: int
    words: tuple[str, ...]
    variables: frozenset[str] = frozenset()


class Variable(Struct, frozen=True):
    """What ``ENV`` gives a variable, and at which line."""

    text: str
    line: int


class Copy(Struct, frozen=True):
    """Files of the build's context that are copied to a place in the image."""

    sources: tuple[str, ...]
    place: str


class Stage(Struct, frozen=True):
    """A stage of a build, with what it has from the stages that it is made from.

    `base` is the image that the first of those is made from. `exposed` are TCP ports with their lines.
    """

    base: str
    names: frozenset[str] = frozenset()
    variables: Mapping[str, Variable] = field(default_factory=dict)
    exposed: tuple[tuple[int, int], ...] = ()
    entrypoint: Command | None = None
    command: Command | None = None
    copies: tuple[Copy, ...] = ()
    health: tuple[str, int] = ("", 0)


class _Instruction(Struct, frozen=True):
    name: str
    text: str
    line: int


def bases(text: str) -> frozenset[str]:
    """The images that any stage of a Dockerfile is made from."""
    return frozenset(one.base for one in _stages(text)) if len(text) <= MAX_TEXT else frozenset()


def last_stage(text: str, target: str = "") -> Stage | None:
    """The stage that is built: the last one, or that of the name `target`. None where the text has none."""
    if len(text) > MAX_TEXT:
        return None
    found = [one for one in _stages(text) if not target or target.lower() in one.names]
    return found[-1] if found else None


def _stages(text: str) -> list[Stage]:
    done: list[Stage] = []
    arguments: dict[str, str] = {}
    stage: Stage | None = None
    local: dict[str, str] = {}
    for one in islice(_instructions(text), MAX_INSTRUCTIONS):
        if one.name == "FROM":
            done += [] if stage is None else [stage]
            stage, local = _from(_filled(one.text, arguments), done), {}
        elif one.name == "ARG":
            given = _defaults(one.text, arguments if stage is None else _known(stage, local))
            (arguments if stage is None else local).update(
                {name: arguments.get(name, "") or text for name, text in given.items()}
            )
        elif stage is not None:
            stage = _after(stage, one, _known(stage, local))
    return done + ([] if stage is None else [stage])


def _known(stage: Stage, arguments: Mapping[str, str]) -> Mapping[str, str]:
    return {**arguments, **{name: one.text for name, one in stage.variables.items()}}


def _from(text: str, done: list[Stage]) -> Stage:
    words = [one for one in text.split() if not one.startswith("--")]
    image = words[0] if words else ""
    name = frozenset({words[2].lower()}) if len(words) > 2 and words[1].lower() == "as" else frozenset()
    before = next((one for one in done if image.lower() in one.names), None)
    return Stage(image, name) if before is None else replace(before, names=name)


def _after(stage: Stage, one: _Instruction, known: Mapping[str, str]) -> Stage:
    """The stage with one more instruction."""
    if one.name == "ENV":
        return replace(stage, variables={**stage.variables, **_environment(one, known)})
    if one.name == "EXPOSE":
        return replace(stage, exposed=(*stage.exposed, *_exposed(one, known)))
    if (
        one.name == "ENTRYPOINT"
    ):  # it resets a CMD of the image below, not one of this file; who mixes them says both
        return replace(stage, entrypoint=_command(one, known))
    if one.name == "CMD":
        return replace(stage, command=_command(one, known))
    if one.name in ("COPY", "ADD"):
        return replace(stage, copies=(*stage.copies, *_copy(one, known)))
    if one.name == "HEALTHCHECK":
        return replace(stage, health=(one.text, one.line))
    return stage


def _instructions(text: str) -> Iterator[_Instruction]:
    """The instructions with their lines joined, comments and heredocs left out."""
    lines = text.split("\n")
    escape = "\\"
    if lines and (match := _DIRECTIVE.match(lines[0].strip())):
        escape = match["what"]
    index = 0
    while index < len(lines):
        first = index
        parts: list[str] = []
        while index < len(lines):
            line = lines[index].rstrip()
            index += 1
            if line.lstrip().startswith("#") or (parts and not line):
                continue
            ends = not line.endswith(escape)
            parts.append(line if ends else line[:-1])
            if ends:
                break
        match = _INSTRUCTION.match(" ".join(parts))
        if match is None:
            continue
        name, rest = match["name"].upper(), (match["rest"] or "").strip()
        for end in _HEREDOC.findall(rest) if name in _TAKES_HEREDOCS else ():
            while index < len(lines) and lines[index].strip() != end:
                index += 1
            index += 1
        yield _Instruction(name, rest, _line_of(lines, first) + 1)


def _line_of(lines: list[str], first: int) -> int:
    """The line at which an instruction begins, after the comments above it."""
    while first + 1 < len(lines) and (not lines[first].strip() or lines[first].lstrip().startswith("#")):
        first += 1
    return first


def _filled(text: str, known: Mapping[str, str]) -> str:
    """A text with its variables filled in; one that is not known stays as it is written."""

    def value(match: re.Match[str]) -> str:
        name = match["braced"] or match["plain"]
        if name is None:
            return match[0]
        found = known.get(name, "")
        if match["how"] == "-":
            return found or match["other"]
        if match["how"] == "+":
            return match["other"] if found else ""
        return found or match[0]

    filled = _VARIABLE.sub(value, text)
    return filled if len(filled) <= MAX_WORD else ""


def _defaults(text: str, known: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for word in _words(text):
        name, _, default = word.partition("=")
        found[name] = _filled(default, known)
    return found


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that nobody closes
        return []


def _environment(one: _Instruction, known: Mapping[str, str]) -> dict[str, Variable]:
    name, _, rest = one.text.partition(" ")
    if "=" not in name:  # ENV NAME text, of old
        return {name: Variable(_filled(rest.strip(), known), one.line)} if name else {}
    pairs = (word.partition("=") for word in _words(one.text))
    return {name: Variable(_filled(text, known), one.line) for name, _, text in pairs}


def _exposed(one: _Instruction, known: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    for word in _filled(one.text, known).split():
        match = _PORT.match(word)
        if match and (match["protocol"] or "tcp").lower() == "tcp":
            yield int(match["first"]), one.line


def _command(one: _Instruction, known: Mapping[str, str]) -> Command:
    if one.text.startswith("["):
        try:
            given = json.loads(one.text)
        except (ValueError, RecursionError):
            given = None
        if isinstance(given, list) and all(isinstance(word, str) for word in given):
            *before, last = given or [""]
            if [*map(_program, before)][-2:] in (["sh", "-c"], ["bash", "-c"], ["ash", "-c"]):
                return _by_shell(one, last, known)
            return Command(one.name, one.line, tuple(given))
    return _by_shell(one, one.text, known)


def _program(word: str) -> str:
    return word.rpartition("/")[2]


def _by_shell(one: _Instruction, text: str, known: Mapping[str, str]) -> Command:
    """A command that a shell starts: it fills in the variables of the container as it runs."""
    used = frozenset(match["braced"] or match["plain"] or "" for match in _VARIABLE.finditer(text))
    return Command(one.name, one.line, tuple(_words(_filled(text, known))), used - {""})


def _copy(one: _Instruction, known: Mapping[str, str]) -> Iterator[Copy]:
    """What comes from the context: not what another stage or a heredoc has."""
    text = _filled(one.text, known)
    if "<<" in text or "--from=" in text:
        return
    if text.startswith("["):
        try:
            words = [str(word) for word in json.loads(text)]
        except (ValueError, TypeError, RecursionError):
            return
    else:
        words = [word for word in text.split() if not word.startswith("--")]
    if len(words) > 1:
        yield Copy(tuple(words[:-1]), words[-1])
