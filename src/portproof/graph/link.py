"""Resources -> the port graph: which pods stand behind which Service."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, TypeVar

from portproof.graph import addresses, mesh_hosts, pairing, references, sites, streams
from portproof.graph.fields import indexed, labels, mapping, nonzero, optional, protocol, scalar
from portproof.graph.labelled import Labelled
from portproof.graph.model import (
    RUNTIME_LABELS,
    Before,
    Edge,
    GoverningService,
    MatchBy,
    Neighbour,
    PortGraph,
    Relation,
    Selection,
    Service,
    ServiceEdge,
    ServiceName,
    ServicePort,
    Site,
    Workload,
)
from portproof.graph.selectors import Selector
from portproof.graph.workloads import workloads
from portproof.resources import Manifests, Resource, ResourceKey
from portproof.timings import Stage, timed
from portproof.yamldoc import FieldPath

_Key = TypeVar("_Key", bound=Hashable)
_Item = TypeVar("_Item")


def build(
    manifests: Manifests,
    rows: Sequence[references.ReferenceKind] = (),
    neighbours: Mapping[str, tuple[Neighbour, ...]] = MappingProxyType({}),
    base: PortGraph | None = None,
    kept: frozenset[str] = frozenset(),
) -> PortGraph:
    """Link the resources of one rendering; `rows` are kinds of references besides those that are built in.

    `neighbours` are Services of other targets that its pods may call, by name. `base` is the graph of the same target in
    the base revision, where the change concerns it; `kept` are Services that are in files that others read by now.
    """
    with timed(Stage.GRAPH, manifests.target.id):
        return _linked(manifests, rows, neighbours, base, kept)


def _linked(
    manifests: Manifests,
    rows: Sequence[references.ReferenceKind],
    neighbours: Mapping[str, tuple[Neighbour, ...]],
    base: PortGraph | None,
    kept: frozenset[str],
) -> PortGraph:
    resources = manifests.resources
    found = dict(workloads(resources, manifests.images))
    pods = Labelled((one.key.namespace, one.labels, one) for one in found)
    services = {
        _service(one): one for one in resources if one.key.kind == "Service" and one.key.api_version == "v1"
    }
    owners = tuple(sorted({str(one.key) for one in resources if _may_own_pods(one)}))
    selections = {service: _select(service, pods) for service in services}
    edges = (
        *(backend for one in resources for backend in _backends(one)),
        *references.read(resources, rows),
        *streams.read(resources),
        *addresses.read(resources),
    )
    return PortGraph(
        services=tuple(services),
        workloads=tuple(found),
        governing=tuple(_governing(resources)),
        unknown_owners=owners,
        resources=resources,
        read_from=dict([*services.items(), *found.items()]),
        selections=selections,
        edges=_grouped(edges, lambda one: one.relation),
        mesh_hosts=mesh_hosts.read(resources),
        neighbours=neighbours,
        kinds=_grouped(resources, lambda one: one.key.kind),
        named=_grouped(services, lambda one: (one.key.namespace, one.key.name)),
        fronts=_fronts(selections),
        asked=_asked(edges),
        base=base,
        kept=kept,
        crowded=manifests.crowded,
        affixes=manifests.affixes,
        before=Before() if base is None else pairing.before(resources, selections, found, base),
    )


def _asked(
    edges: Iterable[ServiceEdge],
) -> Mapping[tuple[str, str], frozenset[tuple[str | int, MatchBy]]]:
    groups: dict[tuple[str, str], set[tuple[str | int, MatchBy]]] = defaultdict(set)
    for one in edges:
        if one.wanted is not None:
            groups[one.whom.place].add((one.wanted, one.by))
    return {place: frozenset(group) for place, group in groups.items()}


def _grouped(items: Iterable[_Item], key: Callable[[_Item], _Key]) -> Mapping[_Key, tuple[_Item, ...]]:
    groups: dict[_Key, list[_Item]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return {name: tuple(group) for name, group in groups.items()}


def _fronts(selections: Mapping[Service, Selection]) -> Mapping[Workload, tuple[Service, ...]]:
    pairs = [(workload, service) for service, found in selections.items() for workload in found.workloads]
    return {
        workload: tuple(service for _, service in group)
        for workload, group in _grouped(pairs, lambda pair: pair[0]).items()
    }


def _may_own_pods(resource: Resource) -> bool:
    """Custom resources may make pods (operators); so may a workload whose template stands elsewhere."""
    if sites.makes_pods(resource):
        return sites.pod_template(resource) is None
    return not sites.is_podless(resource)


def _select(service: Service, pods: Labelled[Workload]) -> Selection:
    if service.type == "ExternalName":
        return Selection((), "an ExternalName Service has no pods")
    if not service.selector:
        return Selection((), "its endpoints are made by somebody else (no selector)")
    wanted = tuple(pair for pair in service.selector.items() if pair[0] not in RUNTIME_LABELS)
    if not wanted:
        return Selection((), "it selects by labels that controllers set at run time")
    matched = pods.matching(Selector(wanted), frozenset({service.key.namespace}))
    serving = tuple(one for one in matched if one.serves)
    if serving:
        return Selection(serving)
    if matched:
        return Selection((), f"only {matched[0].key} matches, whose pods end")
    return Selection((), "no workload here has these labels")


def _service(resource: Resource) -> Service:
    spec = mapping(resource.data.get("spec"))
    return Service(
        key=resource.key,
        type=str(spec.get("type") or "ClusterIP"),
        selector=labels(spec.get("selector")),
        headless=spec.get("clusterIP") == "None",
        ports=tuple(_service_port(resource.key, index, port) for index, port in indexed(spec.get("ports"))),
    )


@lru_cache(maxsize=1000)
def _path(index: int, *field: str) -> FieldPath:
    """One object for all Services: what each target offers is kept to the end of a run."""
    return "spec", "ports", index, *field


def _service_port(key: ResourceKey, index: int, data: Mapping[str, Any]) -> ServicePort:
    path = partial(_path, index)
    number = Site(key, path("port"), scalar(data.get("port")))
    target = data.get("targetPort")
    implicit = (
        target in (None, "", 0) and target is not False
    )  # k/k pkg/apis/core/v1/defaults.go: the value of port
    return ServicePort(
        number=number,
        name=optional(key, path("name"), data.get("name")),
        target=number if implicit else Site(key, path("targetPort"), scalar(target)),
        implicit=implicit,
        protocol=protocol(data),
        node_port=nonzero(key, path("nodePort"), data.get("nodePort")),
        path=path(),
        protocol_site=optional(key, path("protocol"), data.get("protocol")),
    )


def _backends(resource: Resource) -> Iterator[ServiceEdge]:
    key = resource.key
    for path, backend in sites.backends(resource):
        service = backend.get("service")
        if isinstance(service, dict):  # networking.k8s.io/v1
            name_path, name = (*path, "service", "name"), service.get("name")
            port = mapping(service.get("port"))
            field = "name" if port.get("name") else "number"
            port_path, wanted = (*path, "service", "port", field), port.get(field)
            by = MatchBy.NAME if field == "name" else MatchBy.NUMBER
        elif backend.get("serviceName"):  # v1beta1 and older
            name_path, name = (*path, "serviceName"), backend.get("serviceName")
            port_path, wanted = (*path, "servicePort"), backend.get("servicePort")
            by = MatchBy.EITHER
        else:  # a resource backend has no Service
            continue
        site = Site(key, name_path, scalar(name))
        yield Edge(
            relation=Relation.INGRESS,
            holder=key,
            at=path,
            whom=ServiceName(key.namespace, str(site.value), site),
            port=None if wanted is None else Site(key, port_path, scalar(wanted)),
            by=by,
        )


def _governing(resources: Sequence[Resource]) -> Iterator[GoverningService]:
    for resource in resources:
        if resource.key.kind != "StatefulSet":
            continue
        spec = mapping(resource.data.get("spec"))
        template = mapping(mapping(spec.get("template")).get("metadata"))
        if spec.get("serviceName"):
            yield GoverningService(
                Site(resource.key, ("spec", "serviceName"), scalar(spec["serviceName"])),
                labels(template.get("labels")),
            )
