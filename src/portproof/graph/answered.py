"""Ingresses whose controller answers by itself: no request gets to a backend, whatever the Ingress has to name there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from portproof.graph.fields import mapping
from portproof.resources import Resource

_REDIRECTS = frozenset(
    {
        "nginx.ingress.kubernetes.io/permanent-redirect",
        "nginx.ingress.kubernetes.io/temporal-redirect",
        "ingress.kubernetes.io/permanent-redirect",
        "ingress.kubernetes.io/temporal-redirect",
        "haproxy-ingress.github.io/redirect-to",
        "haproxy.org/request-redirect",
    }
)
"""ingress-nginx ``annotations/redirect``, HAProxy Ingress ``keys``, HAProxy Technologies' ``annotations``."""

_SNIPPETS = (
    "nginx.ingress.kubernetes.io/configuration-snippet",
    "nginx.ingress.kubernetes.io/server-snippet",
    "nginx.org/location-snippets",
    "nginx.org/server-snippets",
)
_RETURN = re.compile(r"\s*(?:#[^\n]*\n\s*)*return\s+(?:[1-5]\d\d|https?://|\$scheme|[\"'])")
"""A snippet that begins with an answer; within ``if`` or ``location`` it is one for some requests."""


def is_answered(ingress: Resource | None) -> bool:
    """Whether annotations have the controller answer every request itself, with a redirect or a status."""
    metadata: Mapping[str, Any] = mapping(ingress.data.get("metadata")) if ingress is not None else {}
    annotations = mapping(metadata.get("annotations"))
    if any(annotations.get(one) for one in _REDIRECTS):
        return True
    return any(_RETURN.match(str(annotations.get(one) or "")) for one in _SNIPPETS)
