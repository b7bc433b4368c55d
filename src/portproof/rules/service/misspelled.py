"""Fields that Kubernetes does not know, one typo away from one on which ports depend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from portproof.graph.names import is_near_name

OF_SPEC = frozenset({"selector", "ports"})
"""``core/v1`` ServiceSpec: the fields without which it reaches nobody."""

OF_PORT = frozenset({"name", "protocol", "port", "targetPort", "nodePort", "appProtocol"})
"""``core/v1`` ServicePort: all of them."""

OF_CONTAINER = frozenset({"ports"})
OF_CONTAINER_PORT = frozenset({"name", "protocol", "containerPort", "hostPort", "hostIP"})
"""``core/v1`` ContainerPort: all of them."""


def misspelled(data: Mapping[str, Any], fields: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The keys of a mapping that are typos for one of the `fields`, which it does not have; each with that field.

    Names of fields are case-sensitive (sigs.k8s.io/json).
    """
    missing = [field for field in sorted(fields) if field not in data]
    known = set(fields)
    for key, value in data.items():
        if key in known or value is None or not isinstance(key, str):
            continue
        for field in missing:
            if key.lower() == field.lower() or is_near_name(key, field):
                yield key, field
                break
