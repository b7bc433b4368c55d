"""What monitors scrape: the endpoints of ServiceMonitors, PodMonitors and their like, and what each selects.

A new kind is a row here. Meanings: prometheus-operator ``pkg/prometheus/promcfg.go`` (generateServiceMonitorConfig,
generatePodMonitorConfig, getNamespacesFromNamespaceSelector); VictoriaMetrics operator
``internal/controller/operator/factory/vmscrapes``; GoogleCloudPlatform/prometheus-engine
``pkg/operator/apis/monitoring/v1/pod_config.go``. All of them keep the targets whose *declared* port has the name or
number: a port on which a container listens without declaring it is never found.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cached_property
from typing import Any

from msgspec import Struct

from portproof.graph import selectors, sites
from portproof.graph.fields import labels, mapping, scalar
from portproof.graph.labelled import Labelled
from portproof.graph.model import PortGraph, Service, Site, Workload
from portproof.graph.pod_groups import PodGroup
from portproof.graph.selectors import Selector
from portproof.resources import Resource, ResourceKey
from portproof.yamldoc import FieldPath

_SWITCHED_ON = frozenset({"true", "yes", "on", "enabled", "1"})


class FieldMeaning(Enum):
    """What a field of an endpoint holds, in words that complete "the field takes"."""

    SERVICE_NAME = "the name of a Service's port"
    NAME = "the name of a container's port"
    NUMBER = "the number of a container's port"
    EITHER = "the name or number of a container's port"


class MonitorKind(Struct, frozen=True):
    """Where the resources of a kind say what they scrape.

    `fields` of an endpoint come by precedence: the first that is not empty counts. `pods` tells whether the selector
    is one over pods, or over Services; `everywhere`, that there is no namespace to look in first. `any_number` is for
    those that scrape a number whether it is declared or not.
    """

    kind: str
    group: str
    endpoints: str
    fields: tuple[tuple[str, FieldMeaning], ...]
    pods: bool = False
    everywhere: bool = False
    any_number: bool = False


_SERVICE = (("port", FieldMeaning.SERVICE_NAME), ("targetPort", FieldMeaning.EITHER))
_POD = (("port", FieldMeaning.NAME), ("portNumber", FieldMeaning.NUMBER), ("targetPort", FieldMeaning.EITHER))
_MANAGED = (("port", FieldMeaning.EITHER),)
_GOOGLE = "monitoring.googleapis.com"

ROWS: tuple[MonitorKind, ...] = (
    MonitorKind("ServiceMonitor", "monitoring.coreos.com", "spec.endpoints[*]", _SERVICE),
    MonitorKind("VMServiceScrape", "operator.victoriametrics.com", "spec.endpoints[*]", _SERVICE),
    MonitorKind("PodMonitor", "monitoring.coreos.com", "spec.podMetricsEndpoints[*]", _POD, pods=True),
    MonitorKind(
        "VMPodScrape", "operator.victoriametrics.com", "spec.podMetricsEndpoints[*]", _POD, pods=True
    ),
    MonitorKind("PodMonitoring", _GOOGLE, "spec.endpoints[*]", _MANAGED, pods=True, any_number=True),
    MonitorKind(
        "ClusterPodMonitoring",
        _GOOGLE,
        "spec.endpoints[*]",
        _MANAGED,
        pods=True,
        everywhere=True,
        any_number=True,
    ),
)


class Endpoint(Struct, frozen=True):
    """One entry of a monitor: the field that counts, what it means, and where its targets are looked for.

    `selector` is None when it cannot be read, `namespaces` when all of them are searched. `free` means that a number
    need not be declared.
    """

    port: Site
    means: FieldMeaning
    pods: bool
    selector: Selector | None
    namespaces: frozenset[str] | None
    free: bool

    @property
    def monitor(self) -> ResourceKey:
        """The resource that the endpoint stands in."""
        return self.port.resource

    @property
    def question(self) -> Hashable:
        """What it asks for, and where: endpoints that share it have the same answer."""
        return self.pods, self.means, self.selector, self.namespaces, self.port.value

    @property
    def field(self) -> str:
        """``port``, ``portNumber`` or ``targetPort``."""
        return str(self.port.path[-1])


def _read(graph: PortGraph) -> Iterator[Endpoint]:
    """The endpoints of all monitors; those of one monitor follow each other."""
    for row in ROWS:
        for resource in graph.of_kind(row.kind, row.group):
            spec = mapping(resource.data.get("spec"))
            selector = selectors.kubernetes(spec.get("selector"))
            namespaces = None if row.everywhere else _namespaces(spec, resource.key.namespace)
            for path, holder in sites.find(row.endpoints, resource.data):
                found = _port(row, resource, path, holder) if isinstance(holder, dict) else None
                if found is not None:
                    port, means = found
                    free = row.any_number and isinstance(port.value, int)
                    yield Endpoint(port, means, row.pods, selector, namespaces, free)


def _port(
    row: MonitorKind, resource: Resource, path: FieldPath, holder: Mapping[str, Any]
) -> tuple[Site, FieldMeaning] | None:
    """The field of an endpoint that counts; None when it names no port."""
    for field, means in row.fields:
        value = scalar(holder.get(field))
        if value not in (None, "", 0):
            return Site(resource.key, (*path, field), value), means
    return None


def _namespaces(spec: Mapping[str, Any], own: str) -> frozenset[str] | None:
    """Where the operator looks: ``any`` comes before ``matchNames``, and without both it is the monitor's namespace."""
    selector = mapping(spec.get("namespaceSelector"))
    if selector.get("any") is True:
        return None
    names = selector.get("matchNames")
    return frozenset(str(name) for name in names) if isinstance(names, list) and names else frozenset({own})


class Monitors:
    """The endpoints of a rendering, and what of it each of them selects."""

    def __init__(self, graph: PortGraph) -> None:
        """Read the monitors of `graph`, and sort its Services and workloads by their labels."""
        self._endpoints = tuple(_read(graph))
        self._services = Labelled(
            (one.key.namespace, _labels(graph.read_from[one]), one) for one in graph.services
        )
        self._workloads = Labelled((one.key.namespace, one.labels, one) for one in graph.workloads)
        self._pods: dict[Hashable, tuple[PodGroup, tuple[str, ...]]] = {}
        self._graph = graph

    def endpoints(self, *, pods: bool) -> tuple[Endpoint, ...]:
        """The endpoints of monitors that select pods, or of those that select Services."""
        return tuple(one for one in self._endpoints if one.pods is pods)

    @staticmethod
    def is_broad(endpoint: Endpoint) -> bool:
        """Whether the endpoint's monitor says too little to tell whom it means."""
        return endpoint.selector is None or _is_broad(endpoint.selector)

    def services(self, endpoint: Endpoint) -> tuple[Service, ...]:
        """The Services that the endpoint's monitor selects; none when the selector says too little to tell."""
        if endpoint.pods or endpoint.selector is None or _is_broad(endpoint.selector):
            return ()
        return self._services.matching(endpoint.selector, endpoint.namespaces)

    def workloads(self, endpoint: Endpoint) -> tuple[Workload, ...]:
        """The workloads whose pods the endpoint's monitor selects, those that end included."""
        if not endpoint.pods or endpoint.selector is None or _is_broad(endpoint.selector):
            return ()
        return self._workloads.matching(endpoint.selector, endpoint.namespaces)

    def pods(self, endpoint: Endpoint) -> tuple[PodGroup, tuple[str, ...]]:
        """The workloads whose pods are scraped, and why those of some Services that are selected are not known."""
        key = (endpoint.pods, endpoint.selector, endpoint.namespaces)
        if key not in self._pods:
            selections = [self._graph.select(one) for one in self.services(endpoint)]
            behind = dict.fromkeys(workload for one in selections for workload in one.workloads)
            workloads = self.workloads(endpoint) if endpoint.pods else tuple(behind)
            unknown = tuple(one.unknown for one in selections if not one.workloads)
            self._pods[key] = PodGroup(self._graph, workloads), unknown
        return self._pods[key]

    def ask(self, key: ResourceKey, value: str | int | None) -> bool:
        """Whether one of them asks this Service or workload for a port of that name or number."""
        return any(
            selected.key == key
            for one in self._asking.get(value, ())
            for group in (self.services(one), self.workloads(one))
            for selected in group
        )

    @cached_property
    def _asking(self) -> Mapping[str | int | None, Sequence[Endpoint]]:
        """The endpoints by what they ask for; of those that ask the same of the same, one."""
        found: dict[str | int | None, list[Endpoint]] = {}
        for endpoint in {one.question: one for one in self._endpoints}.values():
            found.setdefault(endpoint.port.value, []).append(endpoint)
        return found


def _labels(resource: Resource) -> Mapping[str, str]:
    return labels(mapping(resource.data.get("metadata")).get("labels"))


def _is_broad(selector: Selector) -> bool:
    """Whether it names nobody: no value that a label has to have, or only that a switch is on (``scrape: "true"``).

    It reaches beyond what one rendering can know: operators give such labels to what they make.
    """
    named = any(value.lower() not in _SWITCHED_ON for _, value in selector.labels)
    return not named and not any(one.operator == "In" for one in selector.requirements)
