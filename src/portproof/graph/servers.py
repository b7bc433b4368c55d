"""Which server reads which of the files that are mounted in its container."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from posixpath import dirname, join, normpath
from typing import Any

from msgspec import Struct

from portproof.graph import server_files, settings
from portproof.graph.fields import indexed, mapping
from portproof.graph.mounted import Maps, MountedFile, Mounts, mounts
from portproof.graph.pairs import NamedValue
from portproof.graph.server_files import Grammar, Listener
from portproof.replacing import replace
from portproof.resources import ResourceKey
from portproof.yamldoc import FieldPath


class _Server(Struct, frozen=True):
    """A program that reads the files at `places`, or those that one of its `options` names instead.

    An option alone says little (``-c``): `called` is what the image, the command or the container is called then. What
    `ending` the file's name has may tell the grammar. With `merges` a second file overrides what the first one says.
    """

    places: re.Pattern[str]
    options: frozenset[str]
    called: re.Pattern[str]
    grammar: Grammar
    ending: tuple[str, ...]
    merges: bool = False


def _server(
    places: str,
    options: str,
    called: str,
    grammar: Grammar,
    ending: tuple[str, ...] = ("",),
) -> _Server:
    return _Server(re.compile(places), frozenset(options.split()), re.compile(called), grammar, ending)


_SPRING = (
    "--spring.config.location -Dspring.config.location SPRING_CONFIG_LOCATION QUARKUS_CONFIG_LOCATIONS "
    "-Dquarkus.config.locations MICRONAUT_CONFIG_FILES -Dmicronaut.config.files"
)
_NGINX = _server(
    r"/etc/nginx/(?:nginx\.conf|(?:conf\.d|http\.d)/[^/]+\.conf)", "-c", "nginx", server_files.nginx
)
_SERVERS = (
    _NGINX,
    _server(
        r"/usr/local/apache2/conf/httpd\.conf|/etc/apache2/ports\.conf|/etc/httpd/conf/httpd\.conf",
        "-f",
        "httpd|apache",
        server_files.apache,
    ),
    _server(r"/(?:usr/local/)?etc/haproxy/haproxy\.cfg", "-f", "haproxy", server_files.haproxy),
    _server(r"/etc/envoy/envoy\.(?:ya?ml|json)", "-c --config-path", "envoy", server_files.envoy),
    _server(r"/etc/caddy/Caddyfile", "--config -config", "caddy", server_files.caddy),
    _server(r"(?:/[^/]+)*/config/application\.ya?ml", _SPRING, "", server_files.java_yaml, (".yaml", ".yml")),
    _server(
        r"(?:/[^/]+)*/config/application\.properties",
        _SPRING,
        "",
        server_files.java_properties,
        (".properties",),
    ),
    _server(
        r"/etc/grafana/grafana\.ini", "--config -config GF_PATHS_CONFIG", "grafana", server_files.grafana
    ),
    _server(r"\Z.", "-config.file --config.file", "loki|tempo|mimir|pyroscope", server_files.dskit),
    _server(r"\Z.", "redis-server valkey-server", "redis|valkey", server_files.redis),
    replace(
        _server(
            r"/etc/otelcol(?:-contrib|-k8s)?/config\.yaml",
            "--config -config",
            "otel|opentelemetry",
            server_files.collector,
        ),
        merges=True,
    ),
    _server(
        r"/fluent-bit/etc/(?:conf/)?fluent-bit\.conf",
        "-c --config",
        "fluent-?bit",
        server_files.fluent_bit,
        (".conf",),
    ),
    _server(
        r"/etc/vector/vector\.ya?ml",
        "-c --config --config-yaml",
        "vector",
        server_files.vector,
        (".yaml", ".yml"),
    ),
    _server(r"/etc/telegraf/telegraf\.conf", "-config --config", "telegraf", server_files.telegraf),
    _server(
        r"/etc/traefik/traefik\.ya?ml",
        "--configFile --configfile",
        "traefik",
        server_files.traefik,
        (".yaml", ".yml"),
    ),
    _server(r"/mosquitto/config/mosquitto\.conf", "-c", "mosquitto", server_files.mosquitto),
    _server(r"/etc/pgbouncer/pgbouncer\.ini", "pgbouncer", "pgbouncer", server_files.pgbouncer),
    _server(
        r"/etc/mysql/(?:(?:conf\.d|mariadb\.conf\.d)/[^/]+\.cnf|my\.cnf)",
        "--defaults-file",
        "mysql|mariadb|percona",
        server_files.mysql,
    ),
    _server(r"/etc/mongod\.conf", "-f --config", "mongo", server_files.mongod),
    _server(r"/etc/rabbitmq/(?:rabbitmq\.conf|conf\.d/[^/]+\.conf)", "", "rabbit", server_files.rabbitmq),
    _server(r"/conf/zoo\.cfg", "", "zookeeper", server_files.zookeeper),
    _server(r"/etc/odoo/odoo\.conf", "-c --config", "odoo", server_files.odoo),
    _server(
        r"/usr/share/(?:elasticsearch|opensearch)/config/(?:elasticsearch|opensearch)\.yml",
        "",
        "elasticsearch|opensearch",
        server_files.elasticsearch,
    ),
    _server(r"/etc/(?:docker/registry|distribution)/config\.yml", "", "registry", server_files.registry),
)


def listeners(
    key: ResourceKey,
    where: FieldPath,
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    maps: Maps,
) -> Iterator[tuple[MountedFile, Listener]]:
    """Where files from ConfigMaps tell the program of a container to listen.

    Nothing when a file that the program reads as well is not known, or may be rewritten before it starts.
    """
    seen = mounts(key.namespace, pod, container, maps)
    words = list(settings.flags(key, where, container))
    if not seen.files or _is_rewritten(words) or _has_unread_variables(key.namespace, container, maps):
        return
    told = [*settings.split_flags(words), *settings.variables(key, where, container, maps)]
    told += [NamedValue(one.text.rpartition("/")[2], two.site, two.text) for one, two in _pairs(words)]
    called = " ".join([str(container.get("image")), str(container.get("name")), *(one.text for one in words)])
    for server in _SERVERS:
        files = [one for one in _read(server, seen, told, called) if len(one.text) <= settings.MAX_FILE]
        found = [(one, server.grammar(one.text)) for one in files]
        known = not any(each is None for _, each in found) and not any(seen.hides(one.path) for one in files)
        known = known and not (server.merges and _names_several(server, told))
        if known and (server is not _NGINX or _is_all_of_nginx(files, seen)):
            yield from ((one, each) for one, several in found for each in several or ())


def _pairs(words: Sequence[NamedValue]) -> Iterator[tuple[NamedValue, NamedValue]]:
    return pairwise(words)


def _read(server: _Server, seen: Mounts, told: Sequence[NamedValue], called: str) -> Iterator[MountedFile]:
    named = [one.text for one in told if one.name in server.options]
    if not named:
        return (one for one in seen.files if server.places.fullmatch(one.path))
    if not server.called.search(called):
        return iter(())
    places = {
        normpath(one.removeprefix("optional:").removeprefix("file:")) for one in ",".join(named).split(",")
    }
    return (one for one in seen.files if one.path in places and one.path.endswith(server.ending))


def _names_several(server: _Server, told: Sequence[NamedValue]) -> bool:
    """Whether the command names more than one file, or a source of settings that is none."""
    named = [one.text for one in told if one.name in server.options]
    return len(named) > 1 or any(not one.startswith(("/", "file:/")) for one in named)


def _is_rewritten(words: Sequence[NamedValue]) -> bool:
    """Whether the command is a script that may write the files anew."""
    return any(re.search(r"\n|\bsed\b|envsubst|>", one.text) for one in words)


def _has_unread_variables(namespace: str, container: Mapping[str, Any], maps: Maps) -> bool:
    """Whether variables that nobody sees may say another port."""
    return any(
        (namespace, str(mapping(source.get("configMapRef")).get("name") or "")) not in maps
        for _, source in indexed(container.get("envFrom"))
    )


def _is_all_of_nginx(files: Sequence[MountedFile], seen: Mounts) -> bool:
    """Whether no file of the image has a server: its ``default.conf`` does, unless one that is mounted is in its place."""
    paths = {one.path for one in files}
    main = next((one for one in files if one.path == "/etc/nginx/nginx.conf"), None)
    included = ["conf.d/*.conf"] if main is None and not _is_named(files) else []
    for one in files:
        included += server_files.nginx_includes(one.text)
    for pattern in included:
        path = normpath(join("/etc/nginx", pattern))
        folder = dirname(path)
        if "*" not in path:
            if path not in paths:
                return False
        elif folder not in seen.folders and f"{folder}/default.conf" not in paths:
            return False
    return True


def _is_named(files: Sequence[MountedFile]) -> bool:
    return bool(files) and not any(_NGINX.places.fullmatch(one.path) for one in files)
