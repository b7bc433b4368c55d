"""Fields of a manifest as the API reads them: anything may stand anywhere, and what does not fit counts as absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from portproof.graph.model import Site
from portproof.resources import ResourceKey
from portproof.yamldoc import FieldPath

PROTOCOLS = ("TCP", "UDP", "SCTP")
"""Those that ports can have (k/k ``pkg/apis/core/validation/validation.go``, supportedPortProtocols)."""


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` if it is a mapping, else an empty one: manifests may hold anything anywhere."""
    return value if isinstance(value, dict) else {}


def indexed(value: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The mappings in a list, with their indexes."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield index, item


def scalar(value: Any) -> str | int | None:
    """`value` as an IntOrString: fractions and booleans become Python's text, which is no name that a port can have."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return None if value is None else str(value)


def optional(key: ResourceKey, path: FieldPath, value: Any) -> Site | None:
    """A site for a field that may be absent; empty text counts as absent, as in the API."""
    return None if value is None or value == "" else Site(key, path, scalar(value))


def nonzero(key: ResourceKey, path: FieldPath, value: Any) -> Site | None:
    """A site for a number that may be absent: 0 counts as absent. Empty text does not: no field of a number takes it."""
    is_absent = value is None or (value == 0 and value is not False)
    return None if is_absent else Site(key, path, scalar(value))


def labels(value: Any) -> Mapping[str, str]:
    """Labels are text; null means empty, and an unquoted ``true``, which the API server rejects, is not ours to report."""
    return {
        str(key): "" if item is None else str(item).lower() if isinstance(item, bool) else str(item)
        for key, item in mapping(value).items()
    }


def protocol(data: Mapping[str, Any]) -> str:
    """The protocol of a port entry; TCP by default (k/k ``pkg/apis/core/v1/defaults.go``)."""
    return str(data.get("protocol") or "TCP")
