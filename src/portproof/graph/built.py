"""Where a program listens by the Dockerfile of its image, if that is built here. ``EXPOSE`` alone says nothing.

Of twenty ``EXPOSE`` that contradicted a manifest four were right. So a number counts only if two kinds of witnesses agree on
it, at least one of them is what the program reads, and no other contradicts. The pod's own fields win: its ``command`` replaces
``ENTRYPOINT`` and ``CMD``, its ``args`` replace ``CMD``, its variables those of ``ENV``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from portproof.builds.dockerfile import Command
from portproof.builds.model import BuiltImage, ContextFile, Images
from portproof.graph import server_files
from portproof.graph.fields import indexed
from portproof.graph.images import is_public
from portproof.graph.own_port import FLAGS, VARIABLES, port_in
from portproof.graph.purpose import Purpose, purpose
from portproof.graph.witness import Built, Source, Witness

_BINDS = re.compile(r"-b|--bind|-p")
_OWN_ADDRESS = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0):(?P<port>\d{2,5})(?![\d])")
_RUNSERVER = re.compile(r"(?:0\.0\.0\.0:|\[::\]:)?(?P<port>\d{2,5})\Z")
_READS_NO_PORT = re.compile(
    r"(?:.*/)?(?:mkdir|install|cp|ssh|psql|pg_isready|redis-cli|mysql|wait-for.*|dockerize)\Z"
)
"""Programs whose ``-p`` is another one's port, or none."""
_OF_JAVA = frozenset({"server.port", "quarkus.http.port", "micronaut.server.port"})
_OF_NGINX = re.compile(r"/etc/nginx/(?:nginx\.conf|(?:conf\.d|http\.d)/[^/]+\.conf)\Z")


def read(container: Mapping[str, Any], images: Images) -> Built | None:
    """What is known of a container's image; None where the repository does not build it, or not for certain."""
    image = str(container.get("image") or "")
    found = None if is_public(image) else images(image)
    if found is None:
        return None
    every = tuple(_witnesses(found, container))
    return Built(found.path, *_agreed(every), frozenset(one.number for one in every))


def _agreed(every: Sequence[Witness]) -> tuple[int | None, tuple[Witness, ...]]:
    """The number that two kinds of witnesses say, and those that do; None where one that counts contradicts."""
    told = {one.number for one in every if one.source.is_read}
    exposed = {one.number for one in every if one.source is Source.EXPOSE}
    mapped = {one.number for one in every if one.source is Source.MAPPING}
    if len(told) > 1:
        return None, ()
    numbers = told or (exposed if len(exposed) == 1 else set())
    if len(numbers) != 1:
        return None, ()
    number = next(iter(numbers))
    if (exposed and number not in exposed) or (mapped and number not in mapped):
        return None, ()
    found = {one.source: one for one in reversed(every) if one.number == number}
    return (number, tuple(sorted(found.values(), key=_rank))) if len(found) > 1 else (None, ())


def _rank(one: Witness) -> int:
    return [*Source].index(one.source)


def _witnesses(built: BuiltImage, container: Mapping[str, Any]) -> Iterator[Witness]:
    given = _variables(container)
    stage, path = built.stage, built.path
    if given is None:
        return
    commands = [] if container.get("command") else [stage.entrypoint]
    commands += [] if container.get("command") or container.get("args") else [stage.command]
    said = [one for one in commands if one is not None]
    if not any(one.variables & given for one in said):
        yield from _of_commands(path, said)
    for name, one in stage.variables.items():
        match = port_in(name, one.text) if name not in given and VARIABLES.fullmatch(name) else None
        if match and purpose(name) is Purpose.MAIN:
            yield Witness(Source.VARIABLE, int(match["port"]), f"ENV {name} ({path}:{one.line})")
    if not container.get("volumeMounts") and not any(one.startswith("SPRING_") for one in given):
        yield from (one for file in built.files for one in _of_file(file, given))
    for number, line in stage.exposed:
        yield Witness(Source.EXPOSE, number, f"EXPOSE ({path}:{line})")
    for port in built.mapped:
        yield Witness(Source.MAPPING, port.number, f"the ports of {port.service} ({port.path})")
    text, line = stage.health
    for match in _OWN_ADDRESS.finditer(text):
        yield Witness(Source.HEALTH, int(match["port"]), f"HEALTHCHECK ({path}:{line})")


def _variables(container: Mapping[str, Any]) -> frozenset[str] | None:
    """The variables that the pod gives; None when it may give any."""
    if container.get("envFrom"):
        return None  # which of them the program reads, only a table of its own settings would tell
    return frozenset(str(one.get("name")) for _, one in indexed(container.get("env")))


def _of_commands(path: str, commands: Sequence[Command]) -> Iterator[Witness]:
    """The program's own port in its command: of ENTRYPOINT and CMD together, because flags and values may be split."""
    words = [(word, one) for one in commands for word in one.words]
    if any(_READS_NO_PORT.match(word) for word, _ in words):
        return
    for word, one in words:
        name, equals, value = word.partition("=")
        if equals and _is_flag(name) and (match := port_in("port", value)):
            yield _of_command(path, one, int(match["port"]))
    for (word, one), (following, _) in pairwise(words):
        match = port_in("port", following) if _is_flag(word) else None
        if word == "runserver":
            match = _RUNSERVER.match(following)
        if match:
            yield _of_command(path, one, int(match["port"]))


def _is_flag(name: str) -> bool:
    return (FLAGS.fullmatch(name) is not None or _BINDS.fullmatch(name) is not None) and purpose(
        name
    ) is Purpose.MAIN


def _of_command(path: str, one: Command, number: int) -> Witness:
    return Witness(Source.COMMAND, number, f"{one.instruction} ({path}:{one.line})")


def _of_file(file: ContextFile, given: Collection[str]) -> Iterator[Witness]:
    """The port in a file of settings that is part of the image."""
    if file.place and _OF_NGINX.fullmatch(file.place):
        found = server_files.nginx(file.text) or ()
        yield from (Witness(Source.FILE, one.number, f"{one.name} in {file.path}") for one in found)
    elif not file.place and "profile" not in file.text and "SERVER_PORT" not in given:
        grammar = (
            server_files.java_properties if file.path.endswith(".properties") else server_files.java_yaml
        )
        for one in grammar(file.text) or ():
            if one.name in _OF_JAVA:
                yield Witness(Source.FILE, one.number, f"{one.name} in {file.path}")
