"""The map -> edges: which ports are opened, as whom, and why the others are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from portproof.connectivity.model import Edge, Placed, Skipped
from portproof.graph.model import Relation
from portproof.portmap import words
from portproof.portmap.model import Caller, PodTemplate, PortLine, PortMap, ServiceMap, TargetMap
from portproof.portmap.survey import UNSTATED

_MYSQL = frozenset({3306, 33060})
_NAMELESS = "anyone"
_PROMETHEUS = "Prometheus opens it, which is not in the repository"
_NOT_PODS = {
    Relation.WEBHOOK.value: "the API server opens it",
    Relation.MONITOR.value: _PROMETHEUS,
    Relation.SCRAPE.value: _PROMETHEUS,
    Relation.CUSTOM.value: "it is not known which pods open it",
}
_CONTROLLER = "an Ingress or Gateway controller opens it, whose pods are not known"


class Call(Struct, frozen=True):
    """An edge, and the pods whose it is, if anybody's, of the target `home`.

    `shared` is the ConfigMap that names the address, when several workloads read it.
    """

    edge: Edge
    pod: PodTemplate | None
    home: str
    shared: str = ""


def calls(
    port_map: PortMap, environment: str, placed: Placed, *, repeated: bool = False
) -> Iterator[Call | Skipped]:
    """What is opened in an environment, by its callers, or by nobody in particular where none is known.

    `repeated` is for tests that run again and again.
    """
    targets = [one for one in port_map.targets if one.environment == environment]
    reader = _Reader(port_map, targets, placed)
    for target in targets:
        if target.reason:
            yield Skipped(target.id, f"it does not render: {target.reason}")
        for service in target.services:
            for port in service.ports:
                reason = reader.reason(target, service, port) or (_bans(port) if repeated else "")
                if reason:
                    yield Skipped(_what(target, service, port), reason)
                else:
                    yield from reader.of_port(target, service, port)
            for one in service.astray:
                yield Skipped(
                    f"{one.holder} to {service.name}:{one.asks} ({environment})",
                    "the Service has no such port: `portproof check` shows where that is written",
                )


def _what(target: TargetMap, service: ServiceMap, port: PortLine) -> str:
    return f"{service.name}:{port.name or port.number} ({target.environment})"


def _bans(port: PortLine) -> str:
    if _MYSQL & {port.number, *(end.number for end in port.ends)}:
        return "MySQL bans a host that often opens connections and says nothing (max_connect_errors)"
    return ""


class _Reader:
    """Reads the edges of one port at a time."""

    def __init__(self, port_map: PortMap, targets: Sequence[TargetMap], placed: Placed) -> None:
        self._targets = {one.id: one for one in port_map.targets}
        self._together = targets
        self._placed = placed

    def reason(self, target: TargetMap, service: ServiceMap, port: PortLine) -> str:
        """Why a port is not opened at all; empty when it is."""
        if UNSTATED in service.name:
            return "the name of its release is not stated: give --release and --namespace"
        if not self._placed.of(target, service.namespace, settled=service.settled):
            flags = "--release and --namespace" if target.id.startswith("helm:") else "--namespace"
            return f"its namespace is not stated: give {flags}"
        if service.type == "Headless":
            return "a headless Service has no address of its own, only its pods have"
        if known := words.not_opened(service, port):
            return known
        return "" if port.number is not None else "its number is not known"

    def of_port(self, target: TargetMap, service: ServiceMap, port: PortLine) -> Iterator[Call | Skipped]:
        """The edges to one port; one of nobody in particular when no pods are known to open it."""
        found = [one for caller in port.callers for one in self._of_caller(target, service, port, caller)]
        yield from found
        if not any(isinstance(one, Call) for one in found):
            namespace = self._placed.of(target, service.namespace, settled=service.settled)
            yield Call(self._edge(target, service, port, namespace), None, target.id)

    def _of_caller(
        self, target: TargetMap, service: ServiceMap, port: PortLine, caller: Caller
    ) -> Iterator[Call | Skipped]:
        what = f"{caller.holder} to {_what(target, service, port)}"
        if caller.relation != Relation.CALLER.value:
            yield Skipped(what, _NOT_PODS.get(caller.relation, _CONTROLLER))
            return
        own = self._targets[caller.target] if caller.target else target
        readers = self._readers(own, caller)
        if not readers:
            yield Skipped(what, "no pods are known to read it")
        for home, pod in readers:
            namespace = self._placed.of(home, pod.namespace, settled=pod.settled)
            if home is target and pod.workload in service.workloads:
                continue  # what a program is told of itself is no call
            if not namespace:
                yield Skipped(what, "the namespace of the caller is not stated")
            else:
                shared = caller.holder if len(readers) > 1 else ""
                yield Call(self._edge(target, service, port, namespace, pod), pod, home.id, shared)

    def _readers(self, own: TargetMap, caller: Caller) -> Sequence[tuple[TargetMap, PodTemplate]]:
        """The pods that open what `caller` names: its own, or those that read it as a ConfigMap, of whatever target."""
        kind, _, name = caller.holder.partition("/")
        near = [(own, one) for one in own.pods if one.namespace == caller.namespace]
        if kind != "ConfigMap":
            return [(home, one) for home, one in near if one.workload == caller.holder]
        others = [
            (home, one)
            for home in self._together
            for one in home.pods
            if home is not own and one.namespace == caller.namespace
        ]
        return [pair for pair in near if name in pair[1].configs] or [
            pair for pair in others if name in pair[1].configs
        ]

    def _edge(
        self,
        target: TargetMap,
        service: ServiceMap,
        port: PortLine,
        namespace: str,
        pod: PodTemplate | None = None,
    ) -> Edge:
        own = self._placed.of(target, service.namespace, settled=service.settled)
        name = pod.workload.partition("/")[2] if pod else _NAMELESS
        return Edge(
            environment=target.environment,
            namespace=namespace,
            caller=f"{namespace}/{name}",
            holder=pod.workload if pod else "",
            address=f"{service.name}.{own}:{port.number}",
            ask=port.ask,
            target=target.id,
            service=service,
            port=port,
        )
