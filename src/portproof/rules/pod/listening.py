"""Where programs are configured to listen: variables, arguments and files that well-known programs and frameworks read.

Only names that mean the program's own port are read, and only values that say nothing but a port, or an address of this
pod and a port. On public charts nearly every such setting repeats a declared port; a name that does not (``DB_PORT``)
is about another program's port and is not in the list.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from portproof.graph import servers, settings
from portproof.graph.model import Container, Piece, PortGraph, Role, Site, Workload
from portproof.graph.own_port import FLAGS, JAVA, VARIABLES, port_in
from portproof.graph.pairs import NamedValue
from portproof.graph.purpose import Purpose, purpose
from portproof.resources import Resource
from portproof.yamldoc import lookup

_OF_PROGRAMS = {
    "forgejo": re.compile(r"FORGEJO__server__HTTP_PORT"),
    "gitea": re.compile(r"GITEA__server__HTTP_PORT"),
    "grafana": re.compile(r"GF_SERVER_HTTP_PORT"),
    "keycloak": re.compile(r"KC_(?:HTTP|HTTPS|HTTP_MANAGEMENT)_PORT"),
    "meilisearch": re.compile(r"MEILI_HTTP_ADDR"),
    "metabase": re.compile(r"MB_JETTY_PORT"),
    "minio": re.compile(r"MINIO_ADDRESS"),
    "oauth2-proxy": re.compile(r"OAUTH2_PROXY_(?:HTTP|HTTPS|METRICS)_ADDRESS"),
    "qdrant": re.compile(r"QDRANT__SERVICE__(?:HTTP|GRPC)_PORT"),
    "registry": re.compile(r"REGISTRY_HTTP_ADDR"),
    "sonarqube": re.compile(r"SONAR_WEB_PORT"),
    "superset": re.compile(r"SUPERSET_PORT"),
}
"""What one program alone reads, by what its image is called: variables may be shared by containers of others."""
_IN_OPTIONS = re.compile(
    rf"(?:^|(?<=\s))(?P<name>{JAVA}|-b|--bind)[= ](?P<value>[\w.\[\]:*]{{1,50}})(?=\s|\Z)"
)
_OPTIONS = re.compile(r"JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|GUNICORN_CMD_ARGS")
"""Variables that a program, and no script, reads as arguments: the JVM (JDK 9 and later), gunicorn."""
_IN_FILES = re.compile(r"(?:(?:http|https|server|web|bind|listen)[._-]?)*(?:listen|bind|addr|address)")
_OTHER_HOST = re.compile(r"(?!localhost\b)[a-z][a-z0-9.-]*")


class Listening(Struct, frozen=True):
    """A setting that makes a program of `container` listen on the number at `site`.

    `file` is the entry of a ConfigMap whose text has it in a line; empty for variables and arguments. A server of many ports
    has a `default` for this one (0: none is known), and `ports` are the usual names of it.
    """

    container: Container
    site: Site
    number: int
    name: str
    purpose: Purpose
    file: str = ""
    default: int = 0
    ports: tuple[str, ...] = ()

    @property
    def kind(self) -> Hashable:
        """What two settings have in common that are about one port."""
        return self.purpose, self.default, self.ports

    @property
    def label(self) -> str:
        """``the variable PORT``, ``the argument --port``, ``address in app.json of ConfigMap/app``."""
        if self.file:
            return f"{self.name} in {self.file} of {self.site.resource}"
        return f"{'the argument' if self.name.startswith('-') else 'the variable'} {self.name}"

    @property
    def is_exporters(self) -> bool:
        """Whether it is the flag of prometheus/exporter-toolkit: what listens there serves metrics."""
        return self.name.lstrip("-") == "web.listen-address"


def read(graph: PortGraph) -> Iterator[tuple[Workload, Listening]]:
    """Every setting of that kind in the containers of a rendering that declare a port."""
    maps = settings.config_maps(graph.resources)
    files = settings.ConfigFiles(maps)
    resources: dict[object, list[Resource]] = {}
    for resource in graph.resources:
        resources.setdefault(resource.key, []).append(resource)
    for workload in graph.workloads:
        holders = resources[workload.key]
        if len(holders) > 1:  # variants of one object cannot be told apart by their key
            continue
        for container in workload.containers:
            if container.role is not Role.INIT and container.ports:
                for one in _of(container, holders[0], maps, files):
                    yield workload, one


def _of(
    container: Container,
    resource: Resource,
    maps: Mapping[tuple[str, str], Resource],
    files: settings.ConfigFiles,
) -> Iterator[Listening]:
    data = lookup(resource.data, container.path)
    if not isinstance(data, dict):
        return
    words = list(settings.flags(resource.key, container.path, data))
    variables = list(settings.variables(resource.key, container.path, data, maps))
    told = [
        *((one, VARIABLES) for one in variables),
        *((one, _IN_OPTIONS) for one in _in_options(variables)),
        *((one, FLAGS) for one in settings.split_flags(words)),
    ]
    elsewhere = _elsewhere([one for one, _ in told])
    for one, names in told:
        if one.name in elsewhere:
            continue
        if (
            names is _IN_OPTIONS
            or names.fullmatch(one.name)
            or (names is VARIABLES and _is_own(one.name, container))
        ):
            yield from _listening(container, one)
    found = lookup(resource.data, container.path[:-2])
    template = found if isinstance(found, dict) else {}
    by_server = list(_by_servers(container, resource, template, data, maps))
    yield from by_server
    read = {one.site.path for one in by_server}
    for one in files.of(resource.key, template, data):
        if _IN_FILES.fullmatch(one.name.lower()) and one.site.path not in read:
            yield from _listening(container, one)


def _by_servers(
    container: Container,
    resource: Resource,
    template: Mapping[str, Any],
    data: Mapping[str, Any],
    maps: Mapping[tuple[str, str], Resource],
) -> Iterator[Listening]:
    count: Counter[tuple[object, str]] = Counter()
    for file, one in servers.listeners(resource.key, container.path, template, data, maps):
        count[file.site, one.name] += 1
        again = count[file.site, one.name]  # lines of one file may be named alike
        label = one.name if again == 1 else f"{one.name} {again}"
        site = Site(file.site.resource, file.site.path, one.number, Piece(one.start, one.end, label))
        entry = str(file.site.path[-1])
        yield Listening(
            container, site, one.number, one.name, purpose(one.name), entry, one.default, one.ports
        )


def _in_options(variables: Sequence[NamedValue]) -> Iterator[NamedValue]:
    """The arguments in variables that hold some: ``-Dserver.port=8081`` in ``JAVA_TOOL_OPTIONS``."""
    for one in variables:
        for match in _IN_OPTIONS.finditer(one.text) if _OPTIONS.fullmatch(one.name) else ():
            if match["name"].startswith("-D") != one.name.startswith("GUNICORN"):
                yield NamedValue(match["name"], one.site, match["value"], match.start("value"))


def _elsewhere(told: Sequence[NamedValue]) -> frozenset[str]:
    """The names of settings that are about another program, because of those beside them.

    ``SERVER_NAME`` and ``SERVER_PORT`` are a pair of CGI (RFC 3875, 4.1.15): what the outside calls. ``PORT`` beside a
    ``SERVER`` or ``HOST`` that is another one's name is that one's.
    """
    found = {"SERVER_PORT"} if any(one.name == "SERVER_NAME" for one in told) else set[str]()
    if any(one.name in ("SERVER", "HOST") and _OTHER_HOST.fullmatch(one.text) for one in told):
        found.add("PORT")
    return frozenset(found)


def _is_own(name: str, container: Container) -> bool:
    """Whether the variable is the port of what the container is called, or its image: ``VOUCH_PORT`` of ``vouch``.

    Images of Bitnami have ``APACHE_HTTP_PORT_NUMBER`` of ``apache``, and some programs words of their own.
    """
    base = re.sub(r"(?:_HTTPS?(?=_PORT_NUMBER\Z))?_PORT(?:_NUMBER)?\Z", "", name)
    image = container.image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    named = base != name and base.lower().replace("_", "-") in (container.name, image)
    return named or (image in _OF_PROGRAMS and _OF_PROGRAMS[image].fullmatch(name) is not None)


def _listening(container: Container, setting: NamedValue) -> Iterator[Listening]:
    match = port_in(setting.name, setting.text)
    if not match:
        return
    start, end = match.span("port")
    number = int(match["port"])
    piece = Piece(setting.offset + start, setting.offset + end, setting.name)
    site = Site(setting.site.resource, setting.site.path, number, piece)
    file = str(setting.site.path[-1]) if setting.line else ""
    yield Listening(container, site, number, setting.name, purpose(setting.name), file)
