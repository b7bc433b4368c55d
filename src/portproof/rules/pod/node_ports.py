"""Which workloads want which ports of the nodes, and where their pods may run.

A pod is only put on a node where its host ports are free (k/k ``pkg/scheduler/framework/plugins/nodeports``): the
number, the protocol, and the address, of which the empty one and 0.0.0.0 stand for all. On the host's network each
declared port is a host port (k/k ``pkg/apis/core/v1/defaults.go``).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping

from msgspec import Struct

from portproof.graph import sites
from portproof.graph.fields import mapping
from portproof.graph.model import ContainerPort, PortGraph, Role, Site, Workload
from portproof.resources import Resource

_PLACEMENT = (
    "nodeSelector",
    "affinity",
    "tolerations",
    "nodeName",
    "topologySpreadConstraints",
    "schedulerName",
)
_HIGHEST = 65535
_ALL_ADDRESSES = ("", "0.0.0.0", "::")  # noqa: S104 - what a manifest says, not where we listen


class NodePortClaim(Struct, frozen=True):
    """A port of the node that a workload's pods take; `site` holds it, `placement` says where the pods may run."""

    workload: Workload
    port: ContainerPort
    site: Site
    placement: str

    @property
    def everywhere(self) -> bool:
        """Whether it is a DaemonSet's, which has a pod on each node that its placement allows."""
        return self.workload.key.kind == "DaemonSet"

    def clashes(self, other: NodePortClaim) -> bool:
        """Whether no node can have pods of both."""
        addresses = {self.port.host_ip, other.port.host_ip}
        return len(addresses) == 1 or bool(addresses & set(_ALL_ADDRESSES))


def taken_twice(workload: Workload) -> Iterator[tuple[ContainerPort, Site, Site]]:
    """Each declared port whose host port the pod takes already, the field that says so, and that of the earlier one.

    The regular containers are compared with each other, an init container only with itself; a port of another protocol
    or `hostIP` is another port (k/k ``pkg/apis/core/validation/validation.go``, AccumulateUniqueHostPorts).
    """
    first: dict[tuple[object, ...], Site] = {}
    implied = workload.host_network and not workload.opaque
    for container in workload.containers:
        together = "" if container.role is Role.REGULAR else container.path
        for port in container.ports:
            site = port.host_port or (port.number if implied else None)
            if site is None or not isinstance(site.value, int) or not 1 <= site.value <= _HIGHEST:
                continue
            earlier = first.setdefault((together, site.value, port.protocol, port.host_ip), site)
            if earlier is not site:
                yield port, site, earlier


def clashes(graph: PortGraph) -> Iterator[tuple[NodePortClaim, NodePortClaim]]:
    """Each workload that finds no node beside a DaemonSet, for a port: the DaemonSet, and that workload.

    Only workloads with the same placement are compared: whether two different ones overlap depends on the cluster.
    """
    groups: dict[tuple[int, str, str], list[NodePortClaim]] = defaultdict(list)
    for one in _taken(graph):
        if isinstance(one.site.value, int):
            groups[one.site.value, one.port.protocol, one.placement].append(one)
    for group in groups.values():
        daemons = [(index, one) for index, one in enumerate(group) if one.everywhere]
        for place, second in enumerate(group):
            earlier = (
                one
                for index, one in daemons
                if (index < place or not second.everywhere)  # of two DaemonSets the later one is reported
                and one.workload.key != second.workload.key
                and one.clashes(second)
            )
            first = next(earlier, None)
            if first is not None:
                yield first, second


def _taken(graph: PortGraph) -> Iterator[NodePortClaim]:
    for workload in graph.workloads:
        resource = graph.read_from[workload]
        if workload.opaque or not workload.serves or _is_off(resource):
            continue
        placement: str | None = None
        for container in workload.containers:
            for port in container.ports:
                site = port.host_port or (port.number if workload.host_network else None)
                if site is None or container.role is Role.INIT:
                    continue
                placement = placement if placement is not None else _placement(resource)
                yield NodePortClaim(workload, port, site, placement)


def _is_off(resource: Resource) -> bool:
    return mapping(resource.data.get("spec")).get("replicas") == 0


def _placement(resource: Resource) -> str:
    found = sites.pod_template(resource)
    spec: Mapping[str, object] = mapping(found[1].get("spec")) if found else {}
    return json.dumps(
        {key: spec.get(key) for key in _PLACEMENT if spec.get(key)}, sort_keys=True, default=str
    )
