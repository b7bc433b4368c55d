"""Where configuration files of well-known servers tell them to listen.

Each grammar is read line by line, in time that grows with the length of the text. What a file leaves open, as a
variable or an address without its port, makes it unknown: then nothing is said about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from portproof.yamldoc import Document, FieldPath, YamlError, documents, lookup

MAX_LISTENERS = 50
"""Of one file; a longer list is of no server that a few declared ports describe."""
_PORT = re.compile(r"(?:(?:\[::\]|0\.0\.0\.0|\*|ipv[46]@\*?|ipv6@\[::\])?:)?(?P<port>\d{1,5})\Z")
_OTHER = re.compile(r"(?:unix[:@]|abns@|fd@|sockpair@|/)|(?:127\.|localhost|\[::1\]).*:\d{1,5}\Z")
"""What opens no port that others reach: sockets of files, and loopback."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A number that a file tells a server to listen on; it is the text from `start` to `end`. `name` says which line."""

    name: str
    number: int
    start: int
    end: int


Grammar: TypeAlias = Callable[[str], "Sequence[Listener] | None"]
"""What a text tells; None when it leaves something open that may be another port."""


class _OpenError(Exception):
    """The text leaves open where the server listens."""


def _whole(read: Callable[[str], Iterator[Listener]]) -> Grammar:
    def grammar(text: str) -> Sequence[Listener] | None:
        try:
            found = list(islice(read(text), MAX_LISTENERS + 1))
        except _OpenError:
            return None
        return found if len(found) <= MAX_LISTENERS else None

    grammar.__name__ = read.__name__
    return grammar


def _address(text: str, start: int, name: str) -> Iterator[Listener]:
    """The port of an address at `start` of a file; nothing for what others do not reach."""
    match = _PORT.match(text)
    if match:
        yield Listener(name, int(match["port"]), start + match.start("port"), start + match.end("port"))
    elif not _OTHER.match(text):
        raise _OpenError


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Every line without its comment, and where it begins."""
    start = 0
    for line in text.split("\n"):
        yield start, line.partition("#")[0]
        start += len(line) + 1


_SERVER = re.compile(r"(?<![\w.$-])server\s{0,20}\{")
_LISTEN = re.compile(r"(?:^|(?<=[\s;{}]))listen[ \t]{1,20}(?P<what>[^\s;{}]{1,100})(?P<how>[^;{}]{0,200});")
_INCLUDE = re.compile(r"(?:^|(?<=[\s;{}]))include[ \t]{1,20}(?P<what>[^\s;{}]{1,200})")
_NO_SERVER = re.compile(r"(?:.*/)?(?:mime\.types|[\w-]*_params|modules(?:-enabled)?/[^/]*)\Z")


@_whole
def nginx(text: str) -> Iterator[Listener]:
    """``listen`` of each ``server`` (nginx, ``ngx_http_core_module.c``): one without it listens on 80 or 8000."""
    bare = "\n".join(line for _, line in _lines(text))
    if any(not _LISTEN.search(part) for part in _SERVER.split(bare)[1:]):
        raise _OpenError
    for start, line in _lines(text):
        for match in _LISTEN.finditer(line):
            how = match["how"].split()
            name = "listen ssl" if "ssl" in how else "listen"
            found = _address(match["what"], start + match.start("what"), name)
            yield from () if {"udp", "quic"} & set(how) else found


def nginx_includes(text: str) -> Sequence[str]:
    """The files that one of nginx includes and that may hold servers."""
    bare = "\n".join(line for _, line in _lines(text))
    found = (one["what"].strip("\"'") for one in _INCLUDE.finditer(bare))
    return [one for one in found if not _NO_SERVER.match(one)]


_APACHE_LISTEN = re.compile(r"[ \t]{0,20}Listen[ \t]{1,20}(?P<what>\S{1,100})(?P<how>.{0,50})", re.IGNORECASE)
_APACHE_BLOCK = re.compile(r"[ \t]{0,20}<(?P<end>/?)If", re.IGNORECASE)


@_whole
def apache(text: str) -> Iterator[Listener]:
    """``Listen`` (Apache, mpm_common): not what a condition encloses."""
    depth = 0
    for start, line in _lines(text):
        block, match = _APACHE_BLOCK.match(line), _APACHE_LISTEN.match(line)
        if block:
            depth += -1 if block["end"] else 1
        elif match and depth:
            raise _OpenError
        elif match:
            name = "Listen https" if "https" in match["how"] else "Listen"
            yield from _address(match["what"], start + match.start("what"), name)


_SECTION = re.compile(r"(?P<kind>[a-z]{1,20})(?:[ \t]{1,20}(?P<name>[\w.-]{1,80}))?")
_BIND = re.compile(r"[ \t]{1,20}bind[ \t]{1,20}(?P<what>[^\s,]{1,100})(?P<more>,?)(?P<how>.{0,300})")


@_whole
def haproxy(text: str) -> Iterator[Listener]:
    """``bind`` in ``frontend`` and ``listen`` (HAProxy, configuration.txt 4.2)."""
    kind, name = "", ""
    for start, line in _lines(text):
        section, match = _SECTION.match(line), _BIND.match(line)
        if section:
            kind, name = section["kind"], section["name"] or ""
        elif match and kind in ("frontend", "listen"):
            if match["more"]:
                raise _OpenError
            tls = " ssl" if "ssl" in match["how"].split() else ""
            found = _address(
                match["what"], start + match.start("what"), f"bind{tls} of {kind} {name}".strip()
            )
            yield from () if match["what"].startswith(("udp", "quic")) else found


_SITE = re.compile(r"[^\s,{}]{1,200}")
_SITE_PORT = re.compile(r"(?:http://)?[\w.*-]{0,100}:(?P<port>\d{1,5})/?\Z")


@_whole
def caddy(text: str) -> Iterator[Listener]:
    """The addresses of sites in a Caddyfile that state a port; a host alone means 443, and 80 for the redirect."""
    depth = 0
    for start, line in _lines(text):
        head, opens, _ = line.rpartition("{")
        if depth == 0 and opens and head.strip() and not head.lstrip().startswith("("):
            for site in _SITE.finditer(head):
                match = _SITE_PORT.match(site[0])
                if not match:
                    raise _OpenError
                at = start + site.start()
                yield Listener(
                    "the address of the site",
                    int(match["port"]),
                    at + match.start("port"),
                    at + match.end("port"),
                )
        elif depth == 0 and line.strip() not in ("", "{"):
            raise _OpenError
        depth += line.count("{") - line.count("}")
        if "import" in line or (depth == 1 and re.match(r"[ \t]{0,20}(?:https?_port|bind)\b", line)):
            raise _OpenError


def _parsed(text: str) -> Sequence[Document]:
    try:
        return documents(text)
    except YamlError:
        raise _OpenError from None


def _value(text: str, document: Document, path: FieldPath, name: str) -> Iterator[Listener]:
    """The number, or the port of an address, that a field of YAML or JSON holds."""
    span = document.spans.get(path)
    if span is None:
        raise _OpenError
    quoted = len(span.quote)
    written = text[span.start + quoted : span.end - quoted]
    yield from _address(written, span.start + quoted, name)


@_whole
def envoy(text: str) -> Iterator[Listener]:
    """``static_resources.listeners`` and ``admin`` (Envoy, config.core.v3.SocketAddress); dynamic ones are unseen."""
    for document in _parsed(text):
        data = document.data
        if not isinstance(data, dict) or "dynamic_resources" in data:
            raise _OpenError
        listeners = lookup(data, ("static_resources", "listeners"))
        if not isinstance(listeners, list):
            raise _OpenError
        places: list[tuple[str, FieldPath]] = [("admin", ("admin", "address", "socket_address"))]
        for index, one in enumerate(listeners):
            called = one.get("name") if isinstance(one, dict) else ""
            at: FieldPath = ("static_resources", "listeners", index, "address", "socket_address")
            places.append((f"listener {called}", at))
        for called, place in places:
            socket = lookup(data, place)
            if isinstance(socket, dict) and _is_reached(socket):
                yield from _value(text, document, (*place, "port_value"), f"port_value of {called}")


def _is_reached(socket: Mapping[str, Any]) -> bool:
    host = str(socket.get("address"))
    return socket.get("protocol") != "UDP" and not host.startswith(("127.", "localhost", "::1"))


_JAVA = ("server.port", "management.server.port", "quarkus.http.port", "micronaut.server.port")
"""Spring Boot, Quarkus and Micronaut: the keys that a program of one of them reads, whichever it is."""
_DSKIT = ("server.http_listen_port", "server.grpc_listen_port")


def _keys(keys: Sequence[str]) -> Grammar:
    """YAML in which a key, with dots or nested, is a port; several documents are profiles, and leave it open."""

    @_whole
    def by_key(text: str) -> Iterator[Listener]:
        found = _parsed(text)
        if len([one for one in found if one.data is not None]) != 1:
            raise _OpenError
        for path in found[0].spans:
            name = ".".join(map(str, path))
            if name in keys:
                yield from _value(text, found[0], path, name)

    return by_key


java_yaml = _keys(_JAVA)
dskit = _keys(_DSKIT)

_PROPERTY = re.compile(
    r"[ \t]{0,20}(?P<key>[\w.%-]{1,100})[ \t]{0,20}[=:][ \t]{0,20}(?P<value>[^\s#]{1,200})"
)
_INI_SECTION = re.compile(r"[ \t]{0,20}\[(?P<name>[\w. -]{1,80})\]")


@_whole
def java_properties(text: str) -> Iterator[Listener]:
    """The same keys in a file of properties; later lines win, so the same key twice leaves it open."""
    seen = set[str]()
    for start, line in _lines(text):
        match = _PROPERTY.match(line)
        if match is None or match["key"].rpartition("%prod.")[2] not in _JAVA:
            continue
        if match["key"] in seen or match["key"].startswith("%"):
            raise _OpenError
        seen.add(match["key"])
        yield from _address(match["value"], start + match.start("value"), match["key"])


@_whole
def grafana(text: str) -> Iterator[Listener]:
    """``http_port`` of ``[server]`` (Grafana, conf/sample.ini)."""
    section = ""
    for start, line in _lines(text):
        head, match = _INI_SECTION.match(line), _PROPERTY.match(line)
        if head:
            section = head["name"]
        elif match and section == "server" and match["key"] == "http_port":
            yield from _address(match["value"], start + match.start("value"), "http_port")


_REDIS = re.compile(r"port[ \t]{1,20}(?P<what>\d{1,5})[ \t\r]{0,20}\Z")


@_whole
def redis(text: str) -> Iterator[Listener]:
    """``port`` (Redis and Valkey, redis.conf); 0 opens none, and a file that includes others leaves it open."""
    for start, line in _lines(text):
        match = _REDIS.match(line)
        if line.startswith("include"):
            raise _OpenError
        if match:
            yield from _address(match["what"], start + match.start("what"), "port")
