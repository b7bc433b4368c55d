"""What GitHub's runner makes of a step's output and of the files it is given: a port of the parts that matter.

actions/runner: ``ActionCommand.cs`` (both syntaxes of a command, on standard output and standard error alike) and
``EnvFileKeyValuePairs`` in ``FileCommandManager.cs``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

COMMANDS = frozenset(
    {"error", "warning", "notice", "add-mask", "stop-commands", "debug", "group", "set-env", "set-output"}
)
_DATA = {"%0D": "\r", "%0A": "\n", "%25": "%"}
_PROPERTY = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}


@dataclass(frozen=True)
class Command:
    name: str
    properties: Mapping[str, str]
    data: str


def parse(line: str, registered: frozenset[str] = COMMANDS) -> Command | None:
    """The command that a line is (TryParseV2, then TryParse); None when it is none."""
    trimmed = line.lstrip()
    if trimmed.startswith("::") and (end := trimmed.find("::", 2)) >= 0:
        name, _, rest = trimmed[2:end].partition(" ")
        if name.lower() in registered:
            pairs = (part.split("=", 1) for part in rest.strip().split(",") if "=" in part)
            properties = {key: _unescaped(value, _PROPERTY) for key, value in pairs}
            return Command(name, properties, _unescaped(trimmed[end + 2 :], _DATA))
    start = line.find("##[")
    if start >= 0 and (end := line.find("]", start)) >= 0:
        name = line[start + 3 : end].partition(" ")[0]
        if name.lower() in registered:
            return Command(name, {}, line[end + 1 :])
    return None


def lines(text: str) -> list[str]:
    """Lines as the runner cuts them, and as anything else in between might."""
    return re.split(r"\r\n|[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]", text.removesuffix("\n"))


def obeyed(text: str) -> list[Command]:
    """The commands in the output of a step."""
    return [command for line in lines(text) if (command := parse(line)) is not None]


def file_commands(text: str) -> list[tuple[str, str]]:
    """The pairs in a file such as GITHUB_OUTPUT. Raises `ValueError` where the runner fails the step."""
    found: list[tuple[str, str]] = []
    rest = text
    while rest:
        line, _, rest = rest.partition("\n")
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            found.append((line[:equals], line[equals + 1 :]))
        elif heredoc > 0 and line[heredoc + 2 :]:
            value, rest = _heredoc(rest, line[heredoc + 2 :])
            found.append((line[:heredoc], value))
        else:
            raise ValueError(f"Invalid format {line!r}")
    return found


def _heredoc(text: str, delimiter: str) -> tuple[str, str]:
    value: list[str] = []
    while True:
        line, newline, text = text.partition("\n")
        if line == delimiter:
            return "\n".join(value), text
        if not newline:
            raise ValueError(f"Matching delimiter not found {delimiter!r}")
        value.append(line)


def _unescaped(text: str, escapes: Mapping[str, str]) -> str:
    for escape, character in escapes.items():
        text = text.replace(escape, character)
    return text
