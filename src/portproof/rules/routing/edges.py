"""Edges of routes that no table of references can say: annotations for load balancers, parents, addresses in Mappings.

A parent that is a Gateway is asked for a listener, which is nobody's port here; one that is a Service, for a port of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from portproof.graph import hosts, sites
from portproof.graph.fields import mapping
from portproof.graph.model import Edge, MatchBy, Piece, PortGraph, Relation, ServiceEdge, ServiceName, Site
from portproof.replacing import replace
from portproof.resources import Resource
from portproof.rules.routing import load_balancers
from portproof.rules.routing.gateways import Parent, parents
from portproof.rules.routing.load_balancers import AnnotationKind, PortSetting

_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?P<host>[a-z0-9.-]+):(?P<port>[1-9][0-9]{0,4})/?")
_ALB_GROUPS = ("networking.k8s.io", "extensions")


def edges(graph: PortGraph) -> Iterator[ServiceEdge]:
    """What annotations, parents and Mappings of a rendering ask for."""
    for resource in balanced(graph):
        yield from chain.from_iterable(found for _, found in annotation_edges(graph, resource))
        for setting in azure_settings(graph, resource):
            yield from setting_edges(setting)
    yield from action_edges(graph)
    yield from health_check_edges(graph)
    for parent in parents(graph):
        yield from parent_edges(parent)
    yield from mapping_edges(graph)


def balanced(graph: PortGraph) -> Iterator[Resource]:
    """The Services whose annotations a cloud's controller may read."""
    for resource in graph.of_kind("Service", ""):
        variants = graph.variants(resource.key.namespace, resource.key.name)
        if not any(one.type == "ExternalName" for one in variants):
            yield resource


def annotation_edges(
    graph: PortGraph, service: Resource
) -> Iterator[tuple[AnnotationKind, tuple[ServiceEdge, ...]]]:
    """The ports that each annotation of a Service names of its own."""
    texts = load_balancers.texts(service)
    name = Site(service.key, ("metadata", "name"), service.key.name)
    for row in load_balancers.ROWS:
        text = texts.get(row.annotation)
        if text is not None and (not row.only_load_balancers or _is_load_balancer(graph, service)):
            found = (load_balancers.site(service, row.annotation, entry, row.by) for entry in row.read(text))
            yield row, tuple(_edge(_named(name), port, row.by) for port in found)


def azure_settings(graph: PortGraph, service: Resource) -> Iterator[PortSetting]:
    """The settings of single ports of a load balancer."""
    return load_balancers.azure(service) if _is_load_balancer(graph, service) else iter(())


def setting_edges(setting: PortSetting) -> tuple[ServiceEdge, ...]:
    """The port that a setting is for, which is part of its name, and the one that it names for probes, if any."""
    site = setting.annotation
    whom = _named(Site(site.resource, ("metadata", "name"), site.resource.name))
    about: ServiceEdge = Edge(
        relation=Relation.LOAD_BALANCER,
        holder=site.resource,
        at=site.path,
        whom=whom,
        port=None,
        by=MatchBy.NUMBER,
        default=setting.number,
    )
    probed = replace(site, value=setting.probe.lower())  # the controller's comparison knows no case
    return (about, _edge(whom, probed, MatchBy.NAME)) if setting.probe else (about,)


def action_edges(graph: PortGraph) -> Iterator[ServiceEdge]:
    """The ports to which actions of an ALB forward."""
    for ingress in graph.of_kind("Ingress", *_ALB_GROUPS):
        for name, port in load_balancers.actions(ingress):
            yield _edge(_named(Site(ingress.key, port.path, name)), port, MatchBy.EITHER)


def health_check_edges(graph: PortGraph) -> Iterator[ServiceEdge]:
    """The name of a port in an Ingress's own annotation, which each of its Services has to have."""
    ingresses = {one.key: one for one in graph.of_kind("Ingress", *_ALB_GROUPS)}
    row = next(one for one in load_balancers.ROWS if one.annotation == load_balancers.ALB_HEALTH_CHECK)
    asked = set()
    for backend in graph.asking(Relation.INGRESS):
        ingress = ingresses.get(backend.holder)
        if ingress is None or (backend.holder, backend.whom.place) in asked:
            continue
        asked.add((backend.holder, backend.whom.place))
        for entry in row.read(load_balancers.texts(ingress).get(row.annotation, "")):
            yield _edge(backend.whom, load_balancers.site(ingress, row.annotation, entry, row.by), row.by)


def parent_edges(parent: Parent) -> Iterator[ServiceEdge]:
    """The port, by number and by name, of a route's parent that is a Service."""
    if not parent.is_service:
        return
    for site, by in ((parent.port, MatchBy.NUMBER), (parent.section, MatchBy.NAME)):
        if site is not None:
            yield Edge(
                relation=Relation.PARENT,
                holder=parent.name.resource,
                at=parent.path,
                whom=ServiceName(parent.namespace, str(parent.name.value), parent.name),
                port=site,
                by=by,
            )


def mapping_edges(graph: PortGraph) -> Iterator[ServiceEdge]:
    """The ports in the ``service`` of Emissary's Mappings."""
    for kind in ("Mapping", "TCPMapping"):
        for resource in graph.of_kind(kind, "getambassador.io"):
            yield from _addressed(resource)


def _addressed(resource: Resource) -> Iterator[ServiceEdge]:
    """The port in a Mapping's ``service``; a name without a namespace is one of the Mapping's (``irbasemapping.py``)."""
    for path, text in sites.find("spec.service", resource.data):
        found = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
        place = hosts.place(found["host"], resource.key.namespace) if found else None
        if found is None or place is None or mapping(resource.data.get("spec")).get("resolver"):
            continue
        piece = Piece(found.start("port"), found.end("port"), "port")
        yield Edge(
            relation=Relation.CONTROLLER,
            holder=resource.key,
            at=path[:-1],
            whom=ServiceName(*place, Site(resource.key, path, text), stated="." in found["host"]),
            port=Site(resource.key, path, int(found["port"]), piece),
            by=MatchBy.NUMBER,
        )


def _is_load_balancer(graph: PortGraph, service: Resource) -> bool:
    variants = graph.variants(service.key.namespace, service.key.name)
    return any(one.type == "LoadBalancer" for one in variants)


def _named(service: Site) -> ServiceName:
    """The Service of the holder's namespace that is named there."""
    return ServiceName(service.resource.namespace, str(service.value), service)


def _edge(whom: ServiceName, port: Site, by: MatchBy) -> ServiceEdge:
    return Edge(
        relation=Relation.LOAD_BALANCER,
        holder=port.resource,
        at=port.path,
        whom=whom,
        port=port,
        by=by,
    )
