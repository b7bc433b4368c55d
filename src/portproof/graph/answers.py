"""Whether an edge reaches a port: the one place that resolves who is meant, and whether they have the port.

Meaning: k/k ``pkg/api/v1/pod/util.go`` FindPort for the targets of Services; kubernetes/dns ``docs/specification.md`` for
headless Services, whose clients reach the pods themselves; openshift/router ``pkg/router/template/router.go`` for Routes;
prometheus ``discovery/kubernetes/pod.go`` for monitors, which find the ports of all containers, init containers included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from portproof.graph.fields import PROTOCOLS
from portproof.graph.model import (
    Answer,
    Container,
    ContainerPort,
    Edge,
    MatchBy,
    Missed,
    Neighbour,
    PodEdge,
    Pods,
    PortCheck,
    PortGraph,
    Reached,
    Relation,
    Service,
    ServiceEdge,
    ServiceName,
    ServicePort,
    Unknown,
    Workload,
)
from portproof.graph.names import is_digits, is_placeholder
from portproof.resources import ResourceKey
from portproof.yamldoc import lookup

_ADDED_NAMES = ("dapr-", "http-envoy-prom", "linkerd-")
"""How the names of ports begin that meshes add to pods at admission."""

_MESH = frozenset({Relation.VIRTUAL_SERVICE, Relation.DESTINATION_RULE, Relation.MATCH})
_DIGITS = 5
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")


def answer(graph: PortGraph, edge: Edge[ServiceName | Pods]) -> Answer:
    """Whether somebody who is meant has the port that `edge` asks for."""
    whom = edge.whom
    if isinstance(whom, Pods):
        return _of_pods(edge, whom)
    services = graph.variants(*whom.place)
    if not services:
        return Unknown(f"Service/{whom.name} is not in this rendering")
    unsaid = _unsaid(edge)
    if unsaid:
        return Unknown(unsaid)
    if edge.relation in _MESH and not graph.mesh_hosts.shows(whom, edge.holder.namespace):
        return Unknown(f"the mesh has ports of its own for Service/{whom.name}")
    is_own = edge.relation is Relation.CALLER and is_said_by_itself(graph, edge, services)
    if is_own and not _is_for_others(graph, edge, services):
        return Unknown("the pods say it of themselves")
    return _any_of([_of_service(graph, edge, one) for one in services])


def _unsaid(edge: Edge[ServiceName | Pods]) -> str:
    """Why it is not known which port is asked for; empty when it is."""
    wanted = edge.wanted
    if wanted is None:
        return "it asks for no port"
    if is_placeholder(wanted):
        return "its port is filled in after rendering"
    if edge.relation is Relation.MONITOR and isinstance(wanted, str) and not _PLAIN_NAME.match(wanted):
        return "its port is a pattern"  # Prometheus reads a name as a regular expression
    return ""


def missed(graph: PortGraph, edge: ServiceEdge) -> tuple[Service, ...]:
    """The variants of the Service that `edge` misses; empty when it reaches its port, and when that is not known.

    A Service that is not in this rendering may be in those of targets that are deployed together with it.
    """
    found = answer(graph, edge)
    if isinstance(found, Missed):
        return tuple(one for one in found.by if isinstance(one, Service))
    hidden = edge.relation in _MESH and not graph.mesh_hosts.shows(edge.whom, edge.holder.namespace)
    if hidden or graph.variants(*edge.whom.place):
        return ()
    return unanswered(edge, graph.neighbours.get(edge.whom.name, ()))


def _any_of(answers: Sequence[Answer]) -> Answer:
    """What several variants answer together: one that has the port is enough, and so is one that may have it."""
    reached = [port for one in answers if isinstance(one, Reached) for port in one.ports]
    if reached:
        return Reached(tuple(reached))
    unknown = next((one for one in answers if isinstance(one, Unknown)), None)
    return unknown or Missed(tuple(who for one in answers if isinstance(one, Missed) for who in one.by))


def _of_service(graph: PortGraph, edge: Edge[ServiceName | Pods], service: Service) -> Answer:
    wanted = edge.wanted
    if edge.by is MatchBy.ENDPOINT:
        return _of_endpoints(graph, service, str(wanted))
    if edge.by is MatchBy.EXPOSED:
        return _of_exposed(graph, service, wanted)
    reason = unlisted(service)
    if reason:
        return Unknown(reason)
    if edge.relation is Relation.MONITOR and not service.selector:  # the names are those of its endpoints
        return Unknown("its endpoints are made by somebody else (no selector)")
    others = frozenset(PROTOCOLS) - {edge.protocol} if edge.protocol else frozenset[str]()
    found = [one for one in service.ports if answers(one, wanted, edge.by) and one.protocol not in others]
    if found:
        return Reached(tuple(found))
    if edge.relation is Relation.CALLER and service.headless:
        return _of_headless(graph, service, wanted)
    return Missed((service,))


def _of_headless(graph: PortGraph, service: Service, wanted: object) -> Answer:
    """A caller of a headless Service reaches the pods themselves, whatever ports it lists."""
    pods = graph.select(service).workloads
    declared = tuple(port for one in pods for port in one.ports if port.value == wanted)
    if declared:
        return Reached(declared)
    aimed = tuple(one for one in service.ports if one.target.value == wanted)
    return Reached(aimed) if aimed else Missed((service,))


def _of_endpoints(graph: PortGraph, service: Service, text: str) -> Answer:
    """A name of the Service's ports, or a number at which its pods are reached; both over TCP only."""
    if not service.selector or not service.ports or service.type == "ExternalName":
        return Unknown("its endpoints are not known")
    number = int(text) if is_digits(text) and len(text) <= _DIGITS else None
    reached = []
    for port in service.ports:
        name = port.name.value if port.name is not None else ""
        if port.protocol != "TCP":
            continue
        if is_placeholder(name) or is_placeholder(port.target.value):
            return Unknown("a name of its ports is filled in after rendering")
        numbers = endpoint_numbers(graph, service, port)
        if number is not None and numbers is None:
            return Unknown(f"where the pods have {port.target.value!r} is not known")
        if name == text or (number is not None and number in (numbers or ())):
            reached.append(port)
    return Reached(tuple(reached)) if reached else Missed((service,))


def _of_exposed(graph: PortGraph, service: Service, wanted: object) -> Answer:
    """The number of one of its ports, or one at which its pods are reached."""
    numbers = [endpoint_numbers(graph, service, one) for one in service.ports]
    if None in numbers or any(is_placeholder(one.number.value) for one in service.ports):
        return Unknown("where its pods are reached is not known")
    pairs = zip(service.ports, numbers, strict=True)
    found = tuple(one for one, known in pairs if wanted == one.number.value or wanted in (known or ()))
    if not found and wanted in node_ports(graph.select(service).workloads):
        return Unknown("its pods take it as a port of their nodes")
    return Reached(found) if found else Missed((service,))


def node_ports(workloads: Iterable[Workload]) -> frozenset[object]:
    """The numbers of ports that pods have on their nodes, there or in the pods."""
    ports = [port for one in workloads for port in one.ports if port.host_port is not None]
    return frozenset({one.value for one in ports} | {one.host_port.value for one in ports if one.host_port})


def endpoint_numbers(graph: PortGraph, service: Service, port: ServicePort) -> frozenset[int] | None:
    """The numbers at which the pods behind a Service's port are reached; None when one of them is not known."""
    if isinstance(port.target.value, int):
        return frozenset({port.target.value})
    found = [target_number(port, one) for one in graph.select(service).workloads]
    known = frozenset(one for one in found if one is not None)
    return known if known and None not in found else None


def numbers_behind(graph: PortGraph, services: Iterable[Service]) -> frozenset[int] | None:
    """The numbers at which the pods behind all these Services are reached; None when one of them is not known."""
    found = [endpoint_numbers(graph, one, port) for one in services for port in one.ports]
    known = [one for one in found if one is not None]
    return frozenset[int]().union(*known) if len(known) == len(found) else None


def unlisted(service: Service) -> str:
    """Why the ports of a Service are not known; empty when they are.

    They are filled in later, not listed at all (a headless Service, a fragment of one), or those of another host.
    """
    if service.type == "ExternalName":
        return "an ExternalName Service stands for a host elsewhere"
    if not service.ports:
        return "it lists no ports"
    if any(
        is_placeholder(one.number.value) or (one.name is not None and is_placeholder(one.name.value))
        for one in service.ports
    ):
        return "its ports are filled in after rendering"
    return ""


def has(service: Service, wanted: str | int, by: MatchBy = MatchBy.EITHER, protocol: str = "") -> bool:
    """Whether the Service has, or may have, a port of that number or name (and protocol, where one is given)."""
    if unlisted(service) or is_placeholder(wanted):
        return True
    others = frozenset(PROTOCOLS) - {protocol} if protocol else frozenset[str]()
    return any(answers(one, wanted, by) and one.protocol not in others for one in service.ports)


def answers(port: ServicePort, wanted: object, by: MatchBy = MatchBy.EITHER) -> bool:
    """Whether `wanted` is this port's number or name, whichever `by` lets it be."""
    number = isinstance(wanted, int) and by is not MatchBy.NAME and port.number.value == wanted
    name = isinstance(wanted, str) and by is not MatchBy.NUMBER and port.name and port.name.value == wanted
    return bool(number or name)


def is_said_by_itself(graph: PortGraph, edge: Edge[ServiceName | Pods], services: Sequence[Service]) -> bool:
    """Whether the pods behind the Service say this of themselves: an address to bind to, or one of their peers.

    Those behind a Service of another target say nothing here.
    """
    return any(
        one.key == edge.holder or _reads(one, edge.holder)
        for service in services
        if service in graph.selections
        for one in graph.select(service).workloads
    )


def _reads(workload: Workload, config: ResourceKey) -> bool:
    is_config = config.kind == "ConfigMap" and config.namespace == workload.key.namespace
    return is_config and config.name in workload.configs


def _is_for_others(graph: PortGraph, edge: Edge[ServiceName | Pods], services: Sequence[Service]) -> bool:
    """Whether a ConfigMap that the pods share with others has their address for those others to call.

    A URL is no address to bind to, nor is a number on which the pods do not listen.
    """
    own = [one for service in services for one in graph.select(service).workloads]
    if not any(_reads(one, edge.holder) and one not in own for one in graph.workloads):
        return False
    before = _text_before(graph, edge)
    if before is None or _OF_ITSELF.search(before):
        return False
    listening = frozenset().union(*({port.value for port in one.ports} for one in own))
    said = frozenset().union(*(container.mentions for one in own for container in one.containers))
    return _IN_URL.search(before) is not None or (bool(listening) and edge.wanted not in listening | said)


_IN_URL = re.compile(
    r"(?:https?|grpcs?|wss?|rediss?|postgres(?:ql)?|mysql|amqps?|mongodb|nats)://[\w.@:-]*:\Z"
)
_OF_ITSELF = re.compile(r"(?i)listen|bind|advertise|announce|peer|cluster|join|seed|member|node|replica|\n")
"""What programs are told of their own address, or of their peers'; and files, which may be of one program alone."""


def _text_before(graph: PortGraph, edge: Edge[ServiceName | Pods]) -> str | None:
    """The name of a ConfigMap's entry and its text before the port; None when there is none."""
    site = edge.port
    resource = None if site is None else graph.resource(site.resource)
    if site is None or site.piece is None or resource is None:
        return None
    return f"{site.path[-1]}={str(lookup(resource.data, site.path))[: site.piece.start]}"


def unanswered(edge: ServiceEdge, neighbours: Sequence[Neighbour]) -> tuple[Service, ...]:
    """The Services of other targets that an edge means and that lack its port; empty when one has it, or there is none.

    The namespace of a release is not known before it is installed, so it fits any.
    """
    services = tuple(one.service for one in neighbours if may_mean(edge.whom, one))
    return () if any(_may_answer(edge, one) for one in services) else services


def _may_answer(edge: ServiceEdge, service: Service) -> bool:
    """Whether a Service has the port, as far as that is known without its pods.

    Callers of a headless Service reach the pods themselves, whatever ports it lists.
    """
    wanted, relation = edge.wanted, edge.relation
    if wanted is None or _unsaid(edge) or edge.by in (MatchBy.ENDPOINT, MatchBy.EXPOSED):
        return True
    if relation is Relation.CALLER and service.headless:
        return True
    return has(service, wanted, edge.by, edge.protocol)


def may_mean(whom: ServiceName, neighbour: Neighbour) -> bool:
    """Whether a name may stand for a Service of another target, as far as both say where they are."""
    namespace = neighbour.service.key.namespace
    if not neighbour.settled:
        return True
    return namespace == whom.namespace if whom.stated else whom.namespace in (namespace, "default")


# edges to pods


def _of_pods(edge: Edge[ServiceName | Pods], whom: Pods) -> Answer:
    """What the declarations of the pods say; a number that nobody declares is missed, and may be served all the same."""
    workload = whom.workload
    if workload is None:
        return Unknown(whom.unknown)
    unsaid = _unsaid(edge)
    if unsaid:
        return Unknown(unsaid)
    found = _declared(edge, workload, whom.container)
    if found:
        return Reached(found)
    reason = workload.opaque or ("" if whom.container else _added(edge, workload))
    return Unknown(reason) if reason else Missed((workload,))


def _declared(
    edge: Edge[ServiceName | Pods], workload: Workload, container: Container | None
) -> tuple[ContainerPort, ...]:
    """The declared ports that `edge` asks for; a Service reaches the first one, and none of plain init containers."""
    if edge.relation is Relation.TARGET:
        found = workload.port(edge.wanted, edge.protocol)
        return () if found is None else (found,)
    containers = workload.containers if container is None else (container,)
    return tuple(port for one in containers for port in one.ports if _is_meant(edge, port))


def _is_meant(edge: Edge[ServiceName | Pods], port: ContainerPort) -> bool:
    wanted = edge.wanted
    if edge.protocol not in ("", port.protocol) and port.protocol in PROTOCOLS:
        return False
    if isinstance(wanted, int):
        last = wanted if edge.last is None else edge.last
        return edge.by is not MatchBy.NAME and wanted <= port.value <= last
    return edge.by is not MatchBy.NUMBER and port.name_text == wanted


def _added(edge: Edge[ServiceName | Pods], workload: Workload) -> str:
    """Why what is added to the pods at admission may have the port; empty when nothing says so."""
    wanted = edge.wanted
    if isinstance(wanted, str) and wanted.startswith(_ADDED_NAMES):
        return "meshes add a port of that name at admission"
    if edge.relation is Relation.MONITOR and wanted in workload.annotation_numbers:
        return "an annotation of the pods mentions it, and what is added at admission may have it"
    return ""


def resolve(port: ServicePort, workload: Workload) -> ContainerPort | None:
    """The declared port that a Service port reaches in a pod, by Kubernetes' own search (FindPort); else None."""
    return workload.port(port.target.value, port.protocol)


def target_number(port: ServicePort, workload: Workload) -> int | None:
    """The number at which a Service port reaches the pods of `workload`; None for a name that they do not have."""
    if isinstance(port.target.value, int):
        return port.target.value
    found = resolve(port, workload)
    return None if found is None else found.value


def targets(graph: PortGraph, service: Service, port: ServicePort) -> tuple[PodEdge, ...]:
    """Where a port of a Service leads: an edge to each workload behind it, or one that says why there is none."""
    selection = graph.select(service)
    pods = [Pods(one) for one in selection.workloads] or [Pods(None, selection.unknown)]
    return tuple(
        Edge(
            relation=Relation.TARGET,
            holder=service.key,
            at=port.path,
            whom=one,
            port=port.target,
            by=MatchBy.EITHER,
            protocol=port.protocol,
        )
        for one in pods
    )


class Ends(Struct, frozen=True):
    """What the workloads behind a Service's port answer: who declares it, and who lacks it; `unknown` says why it is open."""

    reached: tuple[tuple[Workload, ContainerPort], ...]
    missed: tuple[Workload, ...]
    unknown: tuple[str, ...]


def ends(graph: PortGraph, service: Service, port: ServicePort) -> Ends:
    """The answers of all edges from a port of a Service to the pods behind it, in the order of the rendering."""
    found = [(edge.whom.workload, answer(graph, edge)) for edge in targets(graph, service, port)]
    return Ends(
        tuple(
            (workload, end)
            for workload, one in found
            if workload is not None and isinstance(one, Reached)
            for end in one.ports
            if isinstance(end, ContainerPort)
        ),
        tuple(workload for workload, one in found if workload is not None and isinstance(one, Missed)),
        tuple(one.reason for _, one in found if isinstance(one, Unknown)),
    )


def checks(workload: Workload) -> Iterator[tuple[PortCheck, PodEdge]]:
    """The probes and hooks of a workload's containers, each with its edge.

    A name is looked up in the container, whatever the protocol (k/k ``pkg/probe/util.go`` ResolveContainerPort); a number
    at a `host` of its own asks for another's port.
    """
    for container in workload.containers:
        for one in container.checks:
            elsewhere = one.host and isinstance(one.port.value, int)
            whom = Pods(None, f"it asks the host {one.host}") if elsewhere else Pods(workload, "", container)
            yield (
                one,
                Edge(
                    relation=Relation.HOOK if one.is_hook else Relation.PROBE,
                    holder=workload.key,
                    at=one.port.path[:-1],
                    whom=whom,
                    port=one.port,
                    by=MatchBy.EITHER,
                ),
            )


def edges(graph: PortGraph) -> Iterator[Edge[ServiceName | Pods]]:
    """Every edge that the graph itself knows; families of rules read more of them from their own kinds."""
    for service in graph.services:
        for port in service.ports:
            yield from targets(graph, service, port)
    for relation in Relation:
        yield from graph.asking(relation)
    for workload in graph.workloads:
        yield from (edge for _, edge in checks(workload))
