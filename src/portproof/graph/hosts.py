"""Hosts that stand for Services: ``web``, ``web.shop``, ``web.shop.svc`` and ``web.shop.svc.cluster.local``.

Meaning: kubernetes/dns ``docs/specification.md``; the cluster's own domain may be another than ``cluster.local``.
"""

from __future__ import annotations

import re

from portproof.graph.model import Piece, PortGraph, Site
from portproof.yamldoc import lookup

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")


def place(host: object, namespace: str) -> tuple[str, str] | None:
    """The namespace and name of the Service that `host` can mean to somebody in `namespace`; None when it means none.

    A host of two labels may just as well be a domain outside of the cluster: whoever asks has to look whether there is
    such a Service.
    """
    if not isinstance(host, str):
        return None
    labels = host.removesuffix(".").split(".")
    if not all(_LABEL.match(one) for one in labels) or (len(labels) > 2 and labels[2] != "svc"):
        return None
    return (labels[1] if len(labels) > 1 else namespace), labels[0]


def named(graph: PortGraph, site: Site, name: str) -> Site | None:
    """The name of a Service in the field that calls it, of an address the host; None where the field has another text.

    `site` is the field, or the port in its text.
    """
    if site.value == name:
        return site
    resource = graph.resource(site.resource)
    text = str(lookup(resource.data, site.path)) if resource is not None else ""
    words = [*re.finditer(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text)]
    if not words:
        return None
    before = [one for one in words if site.piece and one.end() <= site.piece.start]
    in_url = [one for one in words if text.endswith("//", 0, one.start())]
    host = (before[-1:] or in_url or words)[0]  # redis://redis:6379
    return Site(site.resource, site.path, name, Piece(host.start(), host.end(), name))
