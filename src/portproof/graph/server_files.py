"""Where configuration files of well-known servers tell them to listen.

Each grammar is read line by line, in time that grows with the length of the text. What a file leaves open, as a
variable or an address without its port, makes it unknown: then nothing is said about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias

from msgspec import Struct

from portproof.replacing import replace
from portproof.yamldoc import Document, FieldPath, YamlError, documents, lookup

MAX_LISTENERS = 50
"""Of one file; a longer list is of no server that a few declared ports describe."""
_PORT = re.compile(
    r"(?:(?:\[::\]|0\.0\.0\.0|\*|ipv[46]@\*?|ipv6@\[::\]|\[?\$\{(?:env:)?\w{0,40}IP\}\]?)?:)?(?P<port>\d{1,5})\Z"
)
_OTHER = re.compile(r"(?:unix[:@]|abns@|fd@|sockpair@|/)|(?:127\.|localhost|\[::1\]).*:\d{1,5}\Z")
"""What opens no port that others reach: sockets of files, and loopback."""


class Listener(Struct, frozen=True):
    """A number that a file tells a server to listen on; it is the text from `start` to `end`. `name` says which line.

    A server of many ports has a `default` for this one (0: none is known), and `ports` are the usual names of it.
    """

    name: str
    number: int
    start: int
    end: int
    default: int = 0
    ports: tuple[str, ...] = ()


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


def _keys(keys: Sequence[str], default: int = 0) -> Grammar:
    """YAML in which a key, with dots or nested, is a port; several documents are profiles, and leave it open."""

    @_whole
    def by_key(text: str) -> Iterator[Listener]:
        found = _parsed(text)
        if len([one for one in found if one.data is not None]) != 1:
            raise _OpenError
        for path in found[0].spans:
            name = ".".join(map(str, path))
            if name in keys:
                yield from _with(_value(text, found[0], path, name), default)

    return by_key


java_yaml = _keys(_JAVA)
dskit = _keys(_DSKIT)
mongod = _keys(("net.port",), 27017)
elasticsearch = _keys(("http.port",), 9200)
registry = _keys(("http.addr",), 5000)


def _with(found: Iterator[Listener], default: int, ports: tuple[str, ...] = ()) -> Iterator[Listener]:
    return (replace(one, default=default, ports=ports) for one in found)


_PROPERTY = re.compile(
    r"[ \t]{0,20}(?P<key>[\w.%-]{1,100})[ \t]{0,20}[=:][ \t]{0,20}(?P<value>[^\s#]{1,200})"
)
_INI_SECTION = re.compile(r"[ \t]{0,20}\[{1,2}(?P<name>[\w. -]{1,80})\]")


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


def _settings(known: Mapping[tuple[str, str], int]) -> Grammar:
    """Lines ``key = port``; `known` are the sections and keys, with their defaults. The same key twice leaves it open."""

    @_whole
    def by_line(text: str) -> Iterator[Listener]:
        section, seen = "", set[tuple[str, str]]()
        for start, line in _lines(text):
            head, match = _INI_SECTION.match(line), _PROPERTY.match(line)
            if line.lstrip().startswith(("!include", "%include")):
                raise _OpenError
            if head:
                section = head["name"]
            elif match and (place := (section, match["key"])) in known:
                if place in seen:
                    raise _OpenError
                seen.add(place)
                bare = match["value"].strip("\"'")
                at = start + match.start("value") + match["value"].index(bare)
                yield from _with(_address(bare, at, match["key"]), known[place])

    return by_line


mysql = _settings({("mysqld", "port"): 3306, ("mariadb", "port"): 3306, ("server", "port"): 3306})
odoo = _settings({("options", "http_port"): 8069, ("options", "xmlrpc_port"): 8069})
pgbouncer = _settings({("pgbouncer", "listen_port"): 6432})
rabbitmq = _settings(
    {
        ("", "listeners.tcp.default"): 5672,
        ("", "management.tcp.port"): 15672,
        ("", "prometheus.tcp.port"): 15692,
    }
)
zookeeper = _settings({("", "clientPort"): 2181})

_MOSQUITTO = re.compile(
    r"(?:listener|port)[ \t]{1,20}(?P<what>\d{1,5})(?:[ \t]{1,20}(?P<host>\S{1,100}))?[ \t\r]{0,20}\Z"
)


@_whole
def mosquitto(text: str) -> Iterator[Listener]:
    """``listener PORT [HOST]`` (Eclipse Mosquitto, mosquitto.conf(5)); a socket of a file has the port 0."""
    for start, line in _lines(text):
        match = _MOSQUITTO.match(line)
        if line.startswith("include_dir"):
            raise _OpenError
        if match and match["what"] != "0" and (match["host"] or "0.0.0.0") in ("0.0.0.0", "::"):  # noqa: S104
            yield from _with(_address(match["what"], start + match.start("what"), "listener"), 1883)


@_whole
def telegraf(text: str) -> Iterator[Listener]:
    """``service_address`` of inputs, ``listen`` of outputs (Telegraf); a protocol before it may be UDP."""
    section = ""
    for start, line in _lines(text):
        head, match = _INI_SECTION.match(line), _PROPERTY.match(line)
        if head:
            section = head["name"]
        elif match and (section.partition(".")[0], match["key"]) in (
            ("inputs", "service_address"),
            ("outputs", "listen"),
        ):
            bare = match["value"].strip("\"'")
            scheme, _, rest = bare.rpartition("://")
            if scheme in ("", "tcp", "http"):
                at = start + match.start("value") + match["value"].index(bare) + len(bare) - len(rest)
                name = section.partition(".")[2]
                found = _address(rest, at, f"{match['key']} of {section}")
                yield from _with(found, _OF_TELEGRAF.get(name, 0), (name.replace("_", "-"),))


_OF_TELEGRAF = {
    "prometheus_client": 9273,
    "influxdb_listener": 8186,
    "influxdb_v2_listener": 8086,
    "http_listener_v2": 8080,
}


@_whole
def traefik(text: str) -> Iterator[Listener]:
    """``entryPoints`` of the static configuration; the port that a container declares for one has its name."""
    for document in _parsed(text):
        points = lookup(document.data, ("entryPoints",))
        for name, point in points.items() if isinstance(points, dict) else ():
            address = str(point.get("address")) if isinstance(point, dict) else ""
            if address.endswith("/udp"):
                continue
            if address.endswith("/tcp"):
                raise _OpenError
            found = _value(text, document, ("entryPoints", name, "address"), f"address of {name}")
            yield from _with(found, 0, (str(name).lower(),))


_OF_COLLECTOR: Mapping[FieldPath, tuple[int, tuple[str, ...]]] = {
    # open-telemetry/opentelemetry-collector otlpreceiver/factory.go; -contrib: the factory of each receiver
    ("receivers", "otlp", "protocols", "grpc", "endpoint"): (4317, ("otlp", "otlp-grpc", "grpc-otlp")),
    ("receivers", "otlp", "protocols", "http", "endpoint"): (4318, ("otlp-http", "http-otlp")),
    ("receivers", "jaeger", "protocols", "grpc", "endpoint"): (14250, ("jaeger-grpc",)),
    ("receivers", "jaeger", "protocols", "thrift_http", "endpoint"): (
        14268,
        ("jaeger-thrift", "jaeger-http"),
    ),
    ("receivers", "zipkin", "endpoint"): (9411, ("zipkin",)),
    ("receivers", "opencensus", "endpoint"): (55678, ("opencensus",)),
    ("receivers", "fluentforward", "endpoint"): (8006, ("fluentforward",)),
    ("exporters", "prometheus", "endpoint"): (
        8889,
        ("prometheus", "prom-metrics", "promexporter", "prom-exporter"),
    ),
    ("extensions", "health_check", "endpoint"): (13133, ("health", "healthz", "health-check", "healthcheck")),
    ("extensions", "zpages", "endpoint"): (55679, ("zpages",)),
    ("service", "telemetry", "metrics", "address"): (8888, ()),
}
"""Where a collector of OpenTelemetry is told to listen, its default there, and the usual names of the port."""


@_whole
def collector(text: str) -> Iterator[Listener]:
    """The components that a collector of OpenTelemetry runs: what no pipeline and no ``service.extensions`` has is not started."""
    found = _parsed(text)
    if len(found) != 1:
        raise _OpenError
    data = found[0].data
    started = {("service", "telemetry"), *_started(data)}
    for path, (default, ports) in _OF_COLLECTOR.items():
        if path[:2] in started and lookup(data, path) is not None:
            yield from _with(_value(text, found[0], path, ".".join(map(str, path))), default, ports)


def _started(data: Any) -> Iterator[FieldPath]:
    pipelines = lookup(data, ("service", "pipelines"))
    for pipeline in pipelines.values() if isinstance(pipelines, dict) else ():
        for kind in ("receivers", "exporters"):
            names = lookup(pipeline, (kind,))
            yield from ((kind, str(one)) for one in (names if isinstance(names, list) else ()))
    extensions = lookup(data, ("service", "extensions"))
    yield from (("extensions", str(one)) for one in (extensions if isinstance(extensions, list) else ()))


_OF_FLUENT_BIT = {
    "forward": 24224,
    "http": 9880,
    "opentelemetry": 4318,
    "splunk": 8088,
    "elasticsearch": 9200,
    "prometheus_remote_write": 8080,
    "mqtt": 1883,
    "tcp": 5170,
}
"""Inputs of Fluent Bit that listen on TCP (fluent-bit-docs, pipeline/inputs), with their defaults."""
_FLUENT_LINE = re.compile(r"[ \t]{1,40}(?P<key>\w{1,40})[ \t]{1,80}(?P<value>[^\s#]{1,200})[ \t\r]{0,20}\Z")


@_whole
def fluent_bit(text: str) -> Iterator[Listener]:
    """``Port`` of inputs that listen, ``HTTP_Port`` where ``HTTP_Server`` is on (Fluent Bit, classic mode)."""
    section: dict[str, tuple[str, int]] = {}
    kind = ""
    for start, line in [*_lines(text), (len(text), "[END]")]:
        head, match = _INI_SECTION.match(line), _FLUENT_LINE.match(line)
        if line.lstrip().startswith("@"):
            raise _OpenError
        if head:
            yield from _of_fluent_bit(kind, section)
            kind, section = head["name"].upper(), {}
        elif match:
            section[match["key"].lower()] = match["value"], start + match.start("value")


def _of_fluent_bit(kind: str, section: Mapping[str, tuple[str, int]]) -> Iterator[Listener]:
    name = section.get("name", ("", 0))[0].lower()
    if section.get("listen", ("0.0.0.0", 0))[0] not in ("0.0.0.0", "::"):  # noqa: S104
        return
    if kind == "SERVICE" and section.get("http_server", ("off", 0))[0].lower() in ("on", "true", "yes"):
        if "http_port" in section:
            yield from _with(_address(*section["http_port"], "HTTP_Port"), 2020)
    elif kind == "INPUT" and name in _OF_FLUENT_BIT and "port" in section:
        found = _address(*section["port"], f"Port of the input {name}")
        yield from _with(found, _OF_FLUENT_BIT[name], (name.replace("_", "-"),))


@_whole
def vector(text: str) -> Iterator[Listener]:
    """``sources.*.address`` and ``api.address`` (Vector); a source of the mode ``udp`` opens no TCP port."""
    for document in _parsed(text):
        sources = lookup(document.data, ("sources",))
        for name, source in sources.items() if isinstance(sources, dict) else ():
            if isinstance(source, dict) and "address" in source and source.get("mode", "tcp") == "tcp":
                path: FieldPath = ("sources", name, "address")
                if source.get("type") not in ("statsd", "nats", "redis"):
                    found = _value(text, document, path, f"address of {name}")
                    yield from _with(found, 0, (str(name).replace("_", "-"),))
        if lookup(document.data, ("api", "enabled")) is True and lookup(document.data, ("api", "address")):
            yield from _with(_value(text, document, ("api", "address"), "api.address"), 8686, ("api",))
