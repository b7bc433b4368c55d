"""What a setting that holds an address is for, as its name tells: not every program calls what it is told.

An origin of CORS is compared with what browsers say, a callback is handed to others, and the address for TLS is asked for
where TLS is switched on. The default of a variable counts where nobody sets that variable, and a text for readers never.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from portproof.graph import settings
from portproof.graph.fields import indexed, mapping
from portproof.graph.model import PortGraph, ServiceEdge, Workload
from portproof.resources import Resource, ResourceKey
from portproof.yamldoc import lookup

_KEY = re.compile(
    r"(?<![\w./:@])([A-Za-z_][\w.-]*)[\"']?\s*(?:[=\s]|:(?!//))\s*[\"'\[]?(?:[^\s=]*[,;]\s?)?(?:[a-z][a-z0-9.+-]*://)?[^\s/,;=]+\Z"
)
"""The name of the setting whose value ends there, in a line of a text: ``--cors-origin=http://a:80,http://``."""

_DEFAULT = re.compile(
    r"""\$\{(?P<shell>[A-Za-z_][\w.-]{0,99}):[-=]?["']?[^}\s]{0,99}\Z|"""
    r"""(?:getenv|env(?:iron)?\.get|get_?env|lookup_?env|\benv|env\.fetch)\w{0,20}\(\s*["'](?P<call>[A-Za-z_]\w{0,99})["']\s*,\s*["'][^"']{0,99}\Z|"""
    r"""\benv\.(?P<node>[A-Za-z_]\w{0,99})\s*(?:\|\||\?\?)\s*["'`][^"'`]{0,99}\Z""",
    re.IGNORECASE,
)
"""A text up to an address that is the default of a variable: of a shell, of Spring, of Python, PHP, Go and Node."""

_PROSE = (".md", ".markdown", ".rst", ".adoc")

MAX_LINE = 500
"""Characters before an address in which the name of its setting is looked for."""

_TLS = re.compile(r"(?:^|[-_.])(?:tls|ssl|https|secure)\Z")
_ORIGINS = re.compile(r"(?:^|[-_.])(?:cors|origins?|refer+ers?|allowed-hosts?|no-proxy)(?:\Z|[-_.])")
"""Settings with addresses that a program compares with what it is asked for."""

_PAGES = re.compile(
    r"(?:app[-_.])?(?:frontend|front-end|client|website|site)(?:[-_.](?:app|base|server|service))?[-_.](?:url|uri|host|origin)s?"
)
"""Settings with the address of what browsers show: where links lead."""

_HANDED = re.compile(r"(?:^|[-_.])(?:callbacks?|redirects?|return|public|external|advertised)(?:\Z|[-_.])")
"""Settings whose address is given to others, who call it."""

_GATEWAY = re.compile(r"gateway|proxy|nginx|ingress|router|\bedge\b|\bbff\b|envoy|traefik|caddy|kong|haproxy")


def is_for_tls(graph: PortGraph, call: ServiceEdge) -> bool:
    """Whether the name of the setting ends in TLS or the like: ``--service-url-tls``."""
    return bool(_TLS.search(_name(graph, call)))


def is_origin(graph: PortGraph, call: ServiceEdge) -> bool:
    """Whether the address is that of a page, which a program compares or links: ``CORS_ORIGINS``, ``FRONTEND_URL``.

    A gateway sends the requests for a page there.
    """
    name = _name(graph, call)
    is_page = bool(_PAGES.fullmatch(name)) and not _GATEWAY.search(call.holder.name)
    return is_page or bool(_ORIGINS.search(name))


def is_handed_on(graph: PortGraph, call: ServiceEdge) -> bool:
    """Whether the address is for others than the one who has it: an origin, a callback, a public address."""
    return is_origin(graph, call) or bool(_HANDED.search(_name(graph, call)))


def is_overridden(graph: PortGraph, call: ServiceEdge) -> bool:
    """Whether the address is the default of a variable that a pod with this text sets, or may set."""
    found = _DEFAULT.search(_line(graph, call))
    name = next(filter(None, found.groups()), "") if found else ""
    maps = settings.config_maps(graph.resources)
    return bool(name) and any(
        _may_set(container, _as_variable(name), workload.key.namespace, maps)
        for workload in graph.workloads
        if workload.key == call.holder or _reads(workload, call.holder)
        for container in _containers(graph, workload)
    )


def is_prose(call: ServiceEdge) -> bool:
    """Whether a file of a ConfigMap is one for readers."""
    return call.holder.kind == "ConfigMap" and str(call.at[-1]).lower().endswith(_PROSE)


def _reads(workload: Workload, config: ResourceKey) -> bool:
    here = config.kind == "ConfigMap" and config.namespace == workload.key.namespace
    return here and config.name in workload.configs


def _containers(graph: PortGraph, workload: Workload) -> Iterator[Mapping[str, Any]]:
    data = graph.read_from[workload].data
    yield from (mapping(lookup(data, one.path)) for one in workload.containers)


def _may_set(
    container: Mapping[str, Any], name: str, namespace: str, maps: Mapping[tuple[str, str], Resource]
) -> bool:
    """Whether a container has the variable, or takes variables from what is not in the rendering."""
    if any(_as_variable(str(one.get("name"))) == name for _, one in indexed(container.get("env"))):
        return True
    for _, source in indexed(container.get("envFrom")):
        config = maps.get((namespace, str(mapping(source.get("configMapRef")).get("name"))))
        if config is None or any(_as_variable(str(key)) == name for key in mapping(config.data.get("data"))):
            return True
    return False


def _as_variable(name: str) -> str:
    """A property as the variable that sets it: ``orders.url`` is ``ORDERS_URL`` (Spring Boot, relaxed binding)."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def _line(graph: PortGraph, call: ServiceEdge) -> str:
    """What the line of the text says before the port of a call."""
    site = call.whom.site
    resource = graph.resource(site.resource)
    text = str(lookup(resource.data, site.path)) if resource is not None else ""
    end = site.piece.start if site.piece else len(text)
    return text[max(0, end - MAX_LINE) : end].rpartition("\n")[2]


def _name(graph: PortGraph, call: ServiceEdge) -> str:
    """The name of the setting that holds the address of a call, in lower case; empty where none is to be seen."""
    site = call.whom.site
    resource = graph.resource(site.resource)
    if resource is None or not site.path:
        return ""
    key = _KEY.search(_line(graph, call))
    if key:
        return key[1].lower().replace("_", "-").strip("-")
    name = lookup(resource.data, (*site.path[:-1], "name")) if site.path[-1] == "value" else site.path[-1]
    return str(name).lower().replace("_", "-") if isinstance(name, str) else ""
