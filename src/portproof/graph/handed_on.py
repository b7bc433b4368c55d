"""What a setting that holds an address is for, as its name tells: not every program calls what it is told.

An origin of CORS is compared with what browsers say, a callback is handed to others, and the address for TLS is asked for
where TLS is switched on.
"""

from __future__ import annotations

import re

from portproof.graph.model import PortGraph, ServiceEdge
from portproof.yamldoc import lookup

_KEY = re.compile(
    r"(?<![\w./:@])([A-Za-z_][\w.-]*)[\"']?\s*(?:[=\s]|:(?!//))\s*[\"'\[]?(?:[^\s=]*[,;]\s?)?(?:[a-z][a-z0-9.+-]*://)?[^\s/,;=]+\Z"
)
"""The name of the setting whose value ends there, in a line of a text: ``--cors-origin=http://a:80,http://``."""

MAX_LINE = 500
"""Characters before an address in which the name of its setting is looked for."""

_TLS = re.compile(r"(?:^|[-_.])(?:tls|ssl|https|secure)\Z")
_ORIGINS = re.compile(
    r"(?:^|[-_.])(?:cors|origins?|refer+ers?|allowed-hosts?)(?:\Z|[-_.])|"
    r"^(?:app[-_.])?(?:frontend|front-end|client|website|site)(?:[-_.](?:app|base|server|service))?[-_.](?:url|uri|host|origin)s?\Z"
)
"""Settings with the address of what browsers show: its origin, and where links lead."""

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
    return bool(_ORIGINS.search(_name(graph, call))) and not _GATEWAY.search(call.holder.name)


def is_handed_on(graph: PortGraph, call: ServiceEdge) -> bool:
    """Whether the address is for others than the one who has it: an origin, a callback, a public address."""
    return is_origin(graph, call) or bool(_HANDED.search(_name(graph, call)))


def _name(graph: PortGraph, call: ServiceEdge) -> str:
    """The name of the setting that holds the address of a call, in lower case; empty where none is to be seen."""
    site = call.whom.site
    resource = graph.resource(site.resource)
    if resource is None or not site.path:
        return ""
    text = str(lookup(resource.data, site.path))
    end = site.piece.start if site.piece else len(text)
    line = text[max(0, end - MAX_LINE) : end].rpartition("\n")[2]
    key = _KEY.search(line)
    if key:
        return key[1].lower().replace("_", "-").strip("-")
    name = lookup(resource.data, (*site.path[:-1], "name")) if site.path[-1] == "value" else site.path[-1]
    return str(name).lower().replace("_", "-") if isinstance(name, str) else ""
