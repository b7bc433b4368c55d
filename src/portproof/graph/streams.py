"""TCP and UDP services of Ingress controllers: ConfigMaps that say which port of the controller leads to which Service.

An entry is ``"9000": "shop/queue:5672"``, with more words after further colons. Meaning: ingress-nginx
``internal/ingress/controller/controller.go`` getStreamServices (a name or a number of the Service's ports, of that
protocol); HAProxy Technologies' and jcmoraisjr's controllers for HAProxy have entries of the same shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from portproof.graph import settings, sites
from portproof.graph.fields import indexed, mapping
from portproof.graph.model import Edge, MatchBy, Piece, Relation, ServiceEdge, ServiceName, Site
from portproof.resources import Resource

_FLAGS = {
    "--tcp-services-configmap": "TCP",
    "--udp-services-configmap": "UDP",
    "--configmap-tcp-services": "TCP",
    "--configmap-udp-services": "UDP",
}
"""Arguments that name such a ConfigMap, and what its entries are for."""
_WELL_KNOWN = {"tcp-services": "TCP", "udp-services": "UDP"}
"""What the manifests of ingress-nginx call them; Kubernetes itself gives these names no meaning."""
_OWN_NAMESPACE = re.compile(r"\$\([A-Z_]*NAMESPACE\)")
_ENTRY = re.compile(
    r"\s*(?P<namespace>[a-z0-9][a-z0-9-]*)/(?P<name>[a-z0-9][a-z0-9-]*):(?P<port>[a-z0-9-]+)(?::[^:\s]*)*\s*"
)


def read(resources: Sequence[Resource]) -> Iterator[ServiceEdge]:
    """Every port of a Service that such a ConfigMap of the rendering names."""
    maps = settings.config_maps(resources)
    told = dict(_told(resources))
    for place, config in maps.items():
        protocol = told.get(place) or _WELL_KNOWN.get(place[1])
        if protocol is not None:
            yield from _entries(config, protocol)


def _told(resources: Sequence[Resource]) -> Iterator[tuple[tuple[str, str], str]]:
    """The ConfigMaps that arguments name, and the protocol of their entries."""
    for resource in resources:
        template = sites.pod_template(resource)
        for index, container in indexed(mapping(template and template[1].get("spec")).get("containers")):
            words = list(settings.flags(resource.key, (index,), container))
            for one in settings.split_flags(words):
                protocol = _FLAGS.get(one.name)
                namespace, _, name = one.text.rpartition("/")
                if protocol is not None and name:
                    own = not namespace or _OWN_NAMESPACE.fullmatch(namespace)
                    yield (resource.key.namespace if own else namespace, name), protocol


def _entries(config: Resource, protocol: str) -> Iterator[ServiceEdge]:
    for key, text in mapping(config.data.get("data")).items():
        found = _ENTRY.fullmatch(text) if isinstance(text, str) and str(key).isdigit() else None
        if found is None:
            continue
        path = ("data", str(key))
        port = int(found["port"]) if found["port"].isdigit() else found["port"]
        yield Edge(
            relation=Relation.CONTROLLER,
            holder=config.key,
            at=path,
            whom=ServiceName(
                found["namespace"],
                found["name"],
                Site(config.key, path, found["name"], _piece(found, "name")),
                stated=True,
            ),
            port=Site(config.key, path, port, _piece(found, "port")),
            by=MatchBy.EITHER,
            protocol=protocol,
        )


def _piece(found: re.Match[str], group: str) -> Piece:
    return Piece(found.start(group), found.end(group), group)
