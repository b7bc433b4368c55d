"""Who calls whom: host and port in the texts of environment variables, arguments, ConfigMaps and Probes.

Read are ``scheme://host:port``, ``host:port`` (also several in one text), a host and a port in variables, flags or
lines of a file that belong together (``DB_HOST`` and ``DB_PORT``), and connection strings (``host=db port=5432``,
``Server=db,1433``). Whether a host is a Service is for the reader of an address to find out.

Forms of a host: ``service``, ``service.namespace``, ``service.namespace.svc`` and what follows it
(kubernetes/dns ``docs/specification.md``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from portproof.graph import hosts, sites
from portproof.graph import settings as settings_of
from portproof.graph.fields import indexed, mapping
from portproof.graph.model import Edge, MatchBy, Piece, Relation, ServiceEdge, ServiceName, Site
from portproof.graph.pairs import NamedValue, paired
from portproof.replacing import replace
from portproof.resources import Resource

DEFAULT_PORTS: Mapping[str, int] = {
    "http": 80,
    "https": 443,
    "ws": 80,
    "wss": 443,
}
"""The port of a URL that names none (RFC 9110, 4.2; RFC 6455, 3)."""

_PORT = re.compile(r":(\d{1,5})(?![\w.-]|:\d|@)")
_HOST_BEFORE = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\Z")
_URL_WITHOUT_PORT = re.compile(
    r"(?<![\w+.-])(https?|wss?)://(?:[^\s/@\"'<>]{0,200}@)?([a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?)(?=[/?#\s\"',;)]|\Z)"
)
_CONNECTION_HOST = re.compile(
    r"(?i)\b(?:host|hostname|server|data source)\s*=\s*(?:tcp:)?([a-z0-9][a-z0-9.-]{0,250})"
)
_CONNECTION_PORT = re.compile(r"(?i)\bport\s*=\s*(\d{1,5})(?!\w)")
_NETCAT = re.compile(
    r"\b(?:nc|netcat|ncat|telnet)(?: +-\w+(?: +\d+(?= ))?)* +([a-z][a-z0-9.-]{0,250}) +(\d{1,5})(?!\w)"
)
_COMMA_PORT = re.compile(r"\s*,\s*(\d{1,5})(?!\w)")
_MAY_MATTER = re.compile(r":\d|://|=|\bnc\b")
_PAIRISH = re.compile(r"(?i)port[\"']?\s*[:=]")
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
"""The name of a Service (DNS-1035, KEP-5311 aside); what begins with a digit is mostly an address or a version."""
_COMMENT = re.compile(r"[ \t]*(?:#|;|//|--(?=\s)|<!--)")
_OTHERWISE = re.compile(r"(?i)image|chown|--user|docker|tag\b|version")
"""Words of a line in which ``name:number`` is an image with its tag, or a user with a group."""
_PORT_APART = re.compile(r"(?P<base>.+)[._-]port")
_URL_APART = re.compile(r"[._-](?:url|uri|host|addr|address|endpoint|server)\Z")
MAX_HOST = 253
MAX_ADDRESSES = 50_000
"""Of one rendering; a text of nothing but addresses could hold a million."""


def read(resources: Sequence[Resource]) -> tuple[ServiceEdge, ...]:
    """Every address whose host can be a Service, in the order of the resources."""
    found: dict[object, ServiceEdge] = {}
    maps = settings_of.config_maps(resources)
    everything = chain.from_iterable(_in_resource(resource, maps) for resource in resources)
    for one in islice(everything, MAX_ADDRESSES):
        site = one.whom.site
        found.setdefault((site.resource, site.path, site.piece and site.piece.start), one)
    return tuple(_labelled(found.values()))


def _in_resource(resource: Resource, maps: Mapping[tuple[str, str], Resource]) -> Iterator[ServiceEdge]:
    if resource.key.kind == "ConfigMap" and resource.key.group == "":
        return _in_config_map(resource)
    return chain(_in_pods(resource, maps), _in_fields(resource))


def _labelled(addresses: Iterable[ServiceEdge]) -> Iterator[ServiceEdge]:
    """Number the calls of one host in one text, so that each keeps its identity when another one changes."""
    texts: dict[object, list[ServiceEdge]] = {}
    for one in addresses:
        texts.setdefault((one.holder, one.at), []).append(one)
    for group in texts.values():
        yield from _numbered(sorted(group, key=_start))


def _numbered(addresses: Iterable[ServiceEdge]) -> Iterator[ServiceEdge]:
    seen: Counter[str] = Counter()
    for one in addresses:
        site = one.whom.site
        piece = site.piece
        if piece is None:
            yield one
            continue
        seen[piece.label] += 1
        label = piece.label if seen[piece.label] == 1 else f"{piece.label}#{seen[piece.label]}"
        named = replace(site, piece=replace(piece, label=label))
        yield replace(one, port=named, whom=replace(one.whom, site=named))


def _start(address: ServiceEdge) -> int:
    piece = address.whom.site.piece
    return piece.start if piece is not None else 0


def _in_config_map(resource: Resource) -> Iterator[ServiceEdge]:
    settings, namespace = [], resource.key.namespace
    for key, value in mapping(resource.data.get("data")).items():
        text = NamedValue(str(key), Site(resource.key, ("data", key), None), str(value))
        settings.append(text)
        yield from _from_pairs(_lines(text), namespace)
    apart = _with_ports_apart(settings)
    for text in settings:
        yield from _in_text(text, namespace, whole=_is_whole(text, apart))
    yield from _from_pairs(settings, namespace)


def _with_ports_apart(settings: Iterable[NamedValue]) -> frozenset[str]:
    """What the ports that stand in settings of their own belong to: ``proxy`` of ``PROXY_PORT: "8080"``."""
    ports = (_PORT_APART.fullmatch(one.name.lower()) for one in settings if one.text.strip().isdigit())
    return frozenset(match["base"] for match in ports if match)


def _is_whole(text: NamedValue, apart: frozenset[str]) -> bool:
    """Whether no setting beside `text` holds its port: of ``PROXY``, ``PROXY_URL``, ``--proxy-url=http://cache``."""
    name = (text.name or text.text.partition("=")[0]).lower()
    return name not in apart and _URL_APART.sub("", name) not in apart


def _in_pods(resource: Resource, maps: Mapping[tuple[str, str], Resource]) -> Iterator[ServiceEdge]:
    template = sites.pod_template(resource)
    if template is None:
        return
    path, data = template
    namespace = resource.key.namespace
    for field in ("containers", "initContainers"):
        for index, container in indexed(mapping(data.get("spec")).get(field)):
            where = (*path, "spec", field, index)
            variables = list(settings_of.variables(resource.key, where, container, maps))
            flags = list(settings_of.flags(resource.key, where, container))
            apart = _with_ports_apart((*variables, *settings_of.split_flags(flags)))
            for one in (*variables, *flags):
                if one.site.resource == resource.key:  # a ConfigMap's own text is read with the ConfigMap
                    yield from _in_text(one, namespace, whole=_is_whole(one, apart))
            yield from _from_pairs(variables, namespace)
            yield from _from_pairs(settings_of.split_flags(flags), namespace)


def _in_fields(resource: Resource) -> Iterator[ServiceEdge]:
    """The addresses in fields of custom resources; only hosts with a namespace, for the caller's is not known."""
    for path, value in sites.addresses(resource):
        text = NamedValue("", Site(resource.key, path, None), value)
        yield from (one for one in _in_text(text, resource.key.namespace) if one.whom.stated)


def _in_text(text: NamedValue, namespace: str, *, whole: bool = True) -> Iterator[ServiceEdge]:
    """``host:port`` and URLs in a text, line by line; commented lines do not count.

    Where the text is not the `whole` address, for the port stands elsewhere, URLs without a port tell nothing.
    """
    if not _MAY_MATTER.search(text.text):
        return
    start = 0
    for line in text.text.split("\n"):
        if _MAY_MATTER.search(line) and not _COMMENT.match(line):
            one = NamedValue(text.name, text.site, line, text.offset + start, line="\n" in text.text)
            found = _spelled_out(one, namespace)
            yield from found if whole else (address for address in found if address.port is not None)
        start += len(line) + 1


def _spelled_out(line: NamedValue, namespace: str) -> Iterator[ServiceEdge]:
    comment = re.search(r"\s#", line.text)
    end = comment.start() if comment else len(line.text)
    doubtful = _OTHERWISE.search(line.text, 0, end) or _OTHERWISE.search(line.name)
    for match in _PORT.finditer(line.text, 0, end):
        host = _HOST_BEFORE.search(line.text[max(0, match.start() - MAX_HOST) : match.start()])
        begin = match.start() - len(host[0]) if host else 0
        if (
            host is None
            or not _begins_a_host(line.text, begin)
            or (doubtful and line.text[begin - 2 : begin] != "//")
        ):
            continue
        yield from _address(line, host[0], match.span(1), namespace)
    for match in _NETCAT.finditer(line.text, 0, end):
        yield from _address(line, match[1], match.span(2), namespace)
    # A file may put host and port together later: set $backend http://orders; proxy_pass $backend:8080;
    for match in () if line.line else _URL_WITHOUT_PORT.finditer(line.text, 0, end):
        yield from _address(line, match[2], None, namespace, DEFAULT_PORTS[match[1]])
    yield from _connection_string(line, namespace)


def _begins_a_host(text: str, start: int) -> bool:
    """Whether a host may begin there: after a scheme, a password, a separator, but not within a path or a word."""
    before = text[start - 1] if start else ""
    if before == "/":
        return text[max(0, start - 2) : start] == "//"
    return not (before.isalnum() or before in ("_", "-", ".", "$", "{", "}", "\\"))


def _connection_string(line: NamedValue, namespace: str) -> Iterator[ServiceEdge]:
    """``host=db port=5432``, ``Server=db;Port=3306``, ``Server=tcp:db,1433``: one host and one port in a line."""
    host = _CONNECTION_HOST.search(line.text)
    if host is None:
        return
    port = _COMMA_PORT.match(line.text, host.end()) or _CONNECTION_PORT.search(line.text, host.end())
    if port is not None:
        yield from _address(line, host[1], port.span(1), namespace)


def _from_pairs(
    settings: Iterator[NamedValue] | Sequence[NamedValue], namespace: str
) -> Iterator[ServiceEdge]:
    for host, port in paired(settings):
        start = len(port.text) - len(port.text.lstrip())
        yield from _address(port, host.text.strip(), (start, start + len(port.text.strip())), namespace)


_LINE = re.compile(
    r"""^(?P<name>[\s-]*["']?[\w.-]{0,80}?)["']?\s*[:=]\s*["']?(?P<value>[A-Za-z0-9][\w.-]{0,252})["']?\s*,?\s*(?:\#.*)?$"""
)


def _lines(text: NamedValue) -> Iterator[NamedValue]:
    """The lines of a file that set one thing: ``db.host = db``, ``  port: 5432``. The indent is part of the name."""
    if "\n" not in text.text or not _PAIRISH.search(text.text):
        return
    start = 0
    for line in text.text.split("\n"):
        match = _LINE.match(line) if len(line) < 400 else None
        if match is not None and not _COMMENT.match(line):
            name = (
                match["name"].replace("-", " ", 1)
                if match["name"].lstrip().startswith("- ")
                else match["name"]
            )
            yield NamedValue(
                name, text.site, match["value"], text.offset + start + match.start("value"), line=True
            )
        elif line.strip():
            yield NamedValue(
                "", text.site, "", text.offset + start, line=True
            )  # something else stands between
        start += len(line) + 1


def _address(
    text: NamedValue, host: str, span: tuple[int, int] | None, namespace: str, number: int = 0
) -> Iterator[ServiceEdge]:
    place = hosts.place(host, "")
    if place is None or not _NAME.match(place[1]) or place[1] == "localhost":
        return
    elsewhere, name = place
    if span is None:
        site = Site(text.site.resource, text.site.path, text.text if not text.offset else None)
    else:
        number = int(text.text[span[0] : span[1]])
        piece = Piece(text.offset + span[0], text.offset + span[1], host)
        site = Site(text.site.resource, text.site.path, number, piece)
    yield Edge(
        relation=Relation.CALLER,
        holder=site.resource,
        at=site.path,
        whom=ServiceName(elsewhere or namespace, name, site, stated=bool(elsewhere)),
        port=None if span is None else site,
        by=MatchBy.NUMBER,
        default=number,
    )
