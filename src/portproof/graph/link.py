"""Resources -> the port graph: which pods stand behind which Service."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from portproof.graph import addresses, references, sites, streams
from portproof.graph.fields import indexed, labels, mapping, optional, protocol, scalar
from portproof.graph.model import (
    RUNTIME_LABELS,
    Address,
    GoverningService,
    IngressBackend,
    MatchBy,
    Neighbour,
    PortGraph,
    Selection,
    Service,
    ServicePort,
    ServiceReference,
    Site,
    Workload,
)
from portproof.graph.workloads import workloads
from portproof.resources import Manifests, Resource, ResourceKey
from portproof.yamldoc import FieldPath

_Key = TypeVar("_Key", bound=Hashable)
_Item = TypeVar("_Item")


def build(
    manifests: Manifests,
    rows: Sequence[references.ReferenceKind] = (),
    neighbours: Mapping[str, tuple[Neighbour, ...]] = MappingProxyType({}),
) -> PortGraph:
    """Link the resources of one rendering; `rows` are kinds of references besides those that are built in.

    `neighbours` are Services of other targets that its pods may call, by name.
    """
    resources = manifests.resources
    found = tuple(workloads(resources))
    pods = _Pods(found)
    services = tuple(
        _service(one) for one in resources if one.key.kind == "Service" and one.key.api_version == "v1"
    )
    owners = tuple(sorted({str(one.key) for one in resources if _may_own_pods(one)}))
    selections = {service: _select(service, pods) for service in services}
    backends = tuple(backend for one in resources for backend in _backends(one))
    referring = (*references.read(resources, rows), *streams.read(resources))
    calls = addresses.read(resources)
    return PortGraph(
        services=services,
        workloads=found,
        backends=backends,
        governing=tuple(_governing(resources)),
        unknown_owners=owners,
        resources=resources,
        selections=selections,
        references=referring,
        addresses=calls,
        neighbours=neighbours,
        kinds=_grouped(resources, lambda one: one.key.kind),
        named=_grouped(services, lambda one: (one.key.namespace, one.key.name)),
        fronts=_fronts(selections),
        asked=_asked(_asking(referring, backends, calls)),
    )


def _asking(
    referring: Iterable[ServiceReference], backends: Iterable[IngressBackend], calls: Iterable[Address]
) -> Iterator[tuple[tuple[str, str], str | int | None, MatchBy]]:
    """Who asks for a port of which Service, and how."""
    for reference in referring:
        yield (reference.namespace, reference.name), reference.wanted, reference.by
    for backend in backends:
        wanted = backend.port.value if backend.port is not None else None
        yield (backend.service.resource.namespace, str(backend.service.value)), wanted, MatchBy.EITHER
    for call in calls:
        yield call.place, call.number, MatchBy.NUMBER


def _asked(
    asking: Iterable[tuple[tuple[str, str], str | int | None, MatchBy]],
) -> Mapping[tuple[str, str], frozenset[tuple[str | int, MatchBy]]]:
    groups: dict[tuple[str, str], set[tuple[str | int, MatchBy]]] = defaultdict(set)
    for place, wanted, by in asking:
        if wanted is not None:
            groups[place].add((wanted, by))
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


class _Pods:
    """The workloads of a rendering by one label each has: a selector need not be compared with all of them."""

    def __init__(self, candidates: Sequence[Workload]) -> None:
        self._order = {workload: index for index, workload in enumerate(candidates)}
        self._by_label = _grouped(
            ((one, pair) for one in candidates for pair in one.labels.items()),
            lambda labelled: (labelled[0].key.namespace, *labelled[1]),
        )

    def matching(self, namespace: str, wanted: Mapping[str, str]) -> list[Workload]:
        """The workloads of `namespace` that have all the labels, in the order of the rendering."""
        rarest = min(
            (self._by_label.get((namespace, *pair), ()) for pair in wanted.items()), key=len, default=()
        )
        found = [
            one for one, _ in rarest if all(one.labels.get(key) == value for key, value in wanted.items())
        ]
        return sorted(found, key=self._order.__getitem__)


def _may_own_pods(resource: Resource) -> bool:
    """Custom resources may make pods (operators); so may a workload whose template stands elsewhere."""
    if sites.makes_pods(resource):
        return sites.pod_template(resource) is None
    return resource.key.group not in sites.BUILT_IN_GROUPS


def _select(service: Service, pods: _Pods) -> Selection:
    if service.type == "ExternalName":
        return Selection((), "an ExternalName Service has no pods")
    if not service.selector:
        return Selection((), "its endpoints are made by somebody else (no selector)")
    wanted = {key: value for key, value in service.selector.items() if key not in RUNTIME_LABELS}
    if not wanted:
        return Selection((), "it selects by labels that controllers set at run time")
    matched = pods.matching(service.key.namespace, wanted)
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
        ports=tuple(
            _service_port(resource.key, ("spec", "ports", index), port)
            for index, port in indexed(spec.get("ports"))
        ),
    )


def _service_port(key: ResourceKey, path: FieldPath, data: Mapping[str, Any]) -> ServicePort:
    number = Site(key, (*path, "port"), scalar(data.get("port")))
    target = data.get("targetPort")
    implicit = target in (None, "", 0)  # k/k pkg/apis/core/v1/defaults.go: the value of port
    return ServicePort(
        number=number,
        name=optional(key, (*path, "name"), data.get("name")),
        target=number if implicit else Site(key, (*path, "targetPort"), scalar(target)),
        implicit=implicit,
        protocol=protocol(data),
        node_port=optional(key, (*path, "nodePort"), data.get("nodePort") or None),
        path=path,
        protocol_site=optional(key, (*path, "protocol"), data.get("protocol")),
    )


def _backends(resource: Resource) -> Iterator[IngressBackend]:
    annotations = mapping(mapping(resource.data.get("metadata")).get("annotations"))
    texts = {str(name): str(value) for name, value in annotations.items()}
    key = resource.key
    named = mapping(resource.data.get("spec")).get("ingressClassName")
    ingress_class = str(named or texts.get("kubernetes.io/ingress.class", ""))
    for path, backend in sites.backends(resource):
        both = None
        service = backend.get("service")
        if isinstance(service, dict):  # networking.k8s.io/v1
            name_path, name = (*path, "service", "name"), service.get("name")
            port = mapping(service.get("port"))
            if port.get("name"):
                both = optional(key, (*path, "service", "port", "number"), port.get("number") or None)
            field = "name" if port.get("name") else "number"
            port_path, wanted = (*path, "service", "port", field), port.get(field)
        elif backend.get("serviceName"):  # v1beta1 and older
            name_path, name = (*path, "serviceName"), backend.get("serviceName")
            port_path, wanted = (*path, "servicePort"), backend.get("servicePort")
        else:  # a resource backend has no Service
            continue
        yield IngressBackend(
            Site(key, name_path, scalar(name)),
            None if wanted is None else Site(key, port_path, scalar(wanted)),
            texts,
            both,
            ingress_class,
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
