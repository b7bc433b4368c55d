"""Hosts that stand for Services: ``web``, ``web.shop``, ``web.shop.svc`` and ``web.shop.svc.cluster.local``.

Meaning: kubernetes/dns ``docs/specification.md``; the cluster's own domain may be another than ``cluster.local``.
"""

from __future__ import annotations

import re

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
