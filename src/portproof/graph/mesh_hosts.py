"""Services whose ports an Istio mesh replaces or hides, so that a manifest's own list of ports does not decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from portproof.graph import hosts
from portproof.graph.fields import mapping
from portproof.graph.model import PortGraph, ServiceReference
from portproof.resources import Resource

ISTIO = "networking.istio.io"
_EXPORT = "networking.istio.io/exportTo"

Place: TypeAlias = tuple[str, str]
"""The namespace and name of a Service."""


@dataclass(frozen=True, slots=True)
class MeshHosts:
    """`replaced` are Services that a ServiceEntry describes instead, `exported` those that only some namespaces see."""

    replaced: frozenset[Place]
    exported: frozenset[Place]

    def is_plain(self, reference: ServiceReference) -> bool:
        """Whether the ports of the Service that is meant are those that the mesh sees from there."""
        place = (reference.namespace, reference.name)
        seen = place not in self.exported or reference.namespace == reference.service.resource.namespace
        return seen and place not in self.replaced


def read(graph: PortGraph) -> MeshHosts:
    """What the ServiceEntries and export annotations of a rendering hide."""
    replaced = {
        hosts.place(host, entry.key.namespace)
        for entry in graph.of_kind("ServiceEntry", ISTIO)
        for host in texts(entry, "hosts")
    }
    exported = {
        (one.key.namespace, one.key.name)
        for one in graph.of_kind("Service", "")
        if _EXPORT in mapping(mapping(one.data.get("metadata")).get("annotations"))
    }
    return MeshHosts(frozenset(one for one in replaced if one), frozenset(exported))


def texts(resource: Resource, field: str) -> tuple[str, ...]:
    """The strings in a list of the resource's ``spec``."""
    found = mapping(resource.data.get("spec")).get(field)
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()
