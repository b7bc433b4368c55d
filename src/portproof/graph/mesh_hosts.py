"""What an Istio mesh hides of the Services in a rendering: ServiceEntries for their hosts, and ``exportTo``."""

from __future__ import annotations

from collections.abc import Iterable

from portproof.graph import hosts
from portproof.graph.fields import mapping
from portproof.graph.model import MeshHosts
from portproof.resources import Resource

ISTIO = "networking.istio.io"
_EXPORT = "networking.istio.io/exportTo"


def read(resources: Iterable[Resource]) -> MeshHosts:
    """The Services that are replaced by a ServiceEntry, or exported to some namespaces only."""
    replaced, exported = set(), set()
    for one in resources:
        if one.key.kind == "ServiceEntry" and one.key.group == ISTIO:
            replaced |= {hosts.place(host, one.key.namespace) for host in texts(one, "hosts")}
        elif one.key.kind == "Service" and one.key.group == "":
            annotations = mapping(mapping(one.data.get("metadata")).get("annotations"))
            if _EXPORT in annotations:
                exported.add((one.key.namespace, one.key.name))
    return MeshHosts(frozenset(one for one in replaced if one), frozenset(exported))


def texts(resource: Resource, field: str) -> tuple[str, ...]:
    """The strings in a list of the resource's ``spec``."""
    found = mapping(resource.data.get("spec")).get(field)
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()
