"""What speaks for and against a port number that no container declares.

Kubernetes never compares a numeric ``targetPort`` with the declared ports
(kubernetes/endpointslice ``utils.go`` FindPort), and a container may listen on
a port that it does not declare, so such a number is broken only when other
facts say so. On healthy public charts 11 of 23 such numbers are real, undeclared
listeners; what tells them from mistakes is collected here, in words that a
message can quote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from portproof.graph.answers import resolve
from portproof.graph.model import (
    Container,
    ContainerPort,
    PortCheck,
    PortGraph,
    Role,
    Service,
    ServicePort,
    Workload,
)
from portproof.graph.numbers import numbers_in

_CORROBORATING = frozenset(
    {"NetworkPolicy", "CiliumNetworkPolicy", "ServiceMonitor", "PodMonitor", "AuthorizationPolicy"}
)


WELL_KNOWN = 1024
"""Below are the ports that Services like to have (80, 443) and containers rarely listen on."""

PORTS_OF_ONE_PROGRAM = (
    frozenset({2379, 2380}),  # etcd: clients, peers
    frozenset({4222, 6222, 8222}),  # NATS: clients, cluster, monitoring
    frozenset({5671, 5672, 15671, 15672, 25672}),  # RabbitMQ: AMQP without and with TLS, management, peers
    frozenset({6379, 16379, 26379}),  # Redis: clients, cluster bus, Sentinel
    frozenset({6650, 6651}),  # Pulsar without and with TLS
    frozenset({7473, 7474}),  # Neo4j with and without TLS
    frozenset({9042, 9142}),  # Cassandra without and with TLS
    frozenset({9200, 9300}),  # Elasticsearch, OpenSearch: clients, peers
)
"""Ports that look like slips of each other and are meant to differ; each set is of one program."""

CLIENTS_PORTS = frozenset({1433, 1521, 3306, 5432, 5672, 6379, 9042, 9092, 9200, 11211, 27017})
"""Where clients look for databases and brokers: what stands in front of one has it for them, wherever it listens itself."""

HABITUAL_PORTS = frozenset({4191, 9443, 10250, 10254, 13133, 15000, 15020, 15021})
"""Ports that well-known programs listen on without declaring them: controller-runtime's webhooks, Envoy, collectors."""

HEALTH_PORTS = frozenset(
    {4191, 6060, 8000, 8001, 8081, 8082, 8086, 8088, 8181, 8282, 8383, 8686, 8778, 8888, 8889, 9000, 9001, 9080, 9081, 9090, 9091, 9100, 9113, 9115}
    | {9115, 9125, 9150, 9402, 9403, 9440, 9443, 9444, 9445, 9901, 9990, 10254, 10255, 13133, 15000, 15020, 15021}
)  # fmt: skip
"""Ports that health and metrics endpoints use by habit, declared or not."""

GATEWAYS_PORTS = frozenset({8443, 8444})
"""Kong and Kourier: TLS for clients, for administrators or for the cluster."""

EXPORTERS_PORTS = range(9100, 10000)
"""Which exporters share out among themselves (prometheus wiki, Default port allocations)."""

_SILENCE = "nothing else mentions"

ADDED_PORT_NAMES = ("dapr-", "http-envoy-prom", "linkerd-")
"""How the names of ports begin that meshes add to pods at admission."""


_PROXY = re.compile(r"(?<!sql)(?<!sql[-_])proxy|nginx|envoy|stunnel|ghostunnel", re.IGNORECASE)
"""Names of what takes traffic for the other containers of a pod; not those that lead out, as to Cloud SQL."""


_GATEWAY = re.compile(r"kong|kourier|envoy", re.IGNORECASE)
_EXPORTER = re.compile(r"exporter", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Weighed:
    """The verdict on a number that no container of `workload` declares.

    `meant` is the declared port that was probably meant, None when nothing singles one out. `reasons` are pieces of
    evidence for a mistake, strongest first. `certain` is true when they leave no reasonable doubt; `likely` when a
    mistake is at least probable. `doubtful` is true when it is as probable that the declaration is the wrong end: one
    that was copied from the Service's own port or from another manifest. `container_is_odd` is true when the evidence
    says that the declaration, not the reference, is the end that was changed.
    """

    workload: Workload
    meant: ContainerPort | None
    reasons: tuple[str, ...] = ()
    certain: bool = False
    likely: bool = False
    doubtful: bool = False
    container_is_odd: bool = False

    @property
    def strongest(self) -> tuple[str, ...]:
        """At most three reasons, and last that nothing else mentions the number, when that is so."""
        silence = [one for one in self.reasons if one.startswith(_SILENCE)]
        return (*[one for one in self.reasons if one not in silence][:3], *silence)


def weigh(graph: PortGraph, service: Service, port: ServicePort, workload: Workload) -> Weighed:
    """Weigh the evidence about `port`, whose numeric target no container of `workload` declares."""
    wanted = port.target.value
    declared = [one for one in workload.ports if one.protocol == port.protocol]
    if not isinstance(wanted, int) or _may_well_listen(workload, wanted, declared):
        return Weighed(workload, None)
    reached = set(_reached_by_others(graph, service, port, workload))
    orphans = [one for one in declared if one.value not in reached]
    meant = _meant(port, declared, orphans, wanted)
    if meant is None:
        return Weighed(workload, None)
    near = is_near_miss(wanted, meant.value)
    if not near and _has_silent_proxy(workload):
        return Weighed(workload, None)
    same_name = port.name is not None and meant.name is not None and port.name.value == meant.name.value
    orphaned = len(orphans) == 1 and orphans[0] is meant
    corroborated = wanted in reached or wanted in _numbers_of_policies(graph)
    reasons = (
        *_reasons(port, workload, meant, orphaned=orphaned, same_name=same_name),
        *(() if corroborated else (f"{_SILENCE} {wanted}",)),
    )
    if _listens_undeclared(service, port, workload):
        # Such an application does not vouch for its declared ports either; only a slip beside a lonely port tells.
        return Weighed(workload, meant, reasons, likely=near and meant in orphans)
    alone = len({one.value for one in declared}) == 1
    asked = not port.implicit and meant.value == port.number.value
    fits = same_name or (orphaned and (alone or near or asked))
    written_once = not _is_written_twice(port)  # nobody slips twice alike, unless both come from one value
    supported = (
        (near and (same_name or written_once))
        or _probes_use_declared(workload, meant)
        or is_meant_to_listen(workload, meant.value)
    )
    slip = near and written_once and not _has_own_port(service, port, workload, meant)
    odd = fits and (supported or ((near or _repeats(port)) and not corroborated))
    return Weighed(
        workload,
        meant,
        reasons,
        certain=fits and supported and not corroborated,
        likely=slip or odd,
        doubtful=fits and not (slip or odd),
        container_is_odd=corroborated and not is_meant_to_listen(workload, meant.value),
    )


def _may_well_listen(workload: Workload, wanted: int, declared: Sequence[ContainerPort]) -> bool:
    """Whether a program of the pod may well listen on `wanted`, or nothing is known about where its programs listen."""
    return (
        wanted in HABITUAL_PORTS
        or is_in_pod_spec(workload, wanted)
        or (wanted in EXPORTERS_PORTS and _is_called(workload, _EXPORTER))
        or bool(image_listening(workload, wanted))
        or not declared
        or bool(workload.opaque)
        or any(not isinstance(one.number.value, int) for one in declared)
        or any(_are_of_one_program(wanted, one.value) for one in declared)
        or (wanted in GATEWAYS_PORTS and _is_called(workload, _GATEWAY))
    )


def _reasons(
    port: ServicePort, workload: Workload, meant: ContainerPort, *, orphaned: bool, same_name: bool
) -> Iterator[str]:
    """What speaks for `meant`, strongest first."""
    wanted = port.target.value
    if _probes_use_declared(workload, meant):
        yield f"the probes use {meant.value}"
    if meant.value in numbers_in_settings(workload):
        yield f"the container's own settings mention {meant.value}"
    image = image_listening(workload, meant.value)
    if image:
        yield f"{image} listens on {meant.value} by default"
    if isinstance(wanted, int) and is_near_miss(wanted, meant.value):
        yield f"{wanted} is a near miss of {meant.value}"
    if same_name and meant.name is not None:
        yield f"both ports are named {str(meant.name.value)!r}"
    if orphaned:
        yield f"no other Service port reaches {meant.value}"
    if _repeats(port):
        yield f"{wanted} repeats the Service's own port"


def is_meant_to_listen(workload: Workload, number: int) -> bool:
    """Whether the pod's settings name the port, or its image opens it by default."""
    return number in numbers_in_settings(workload) or bool(image_listening(workload, number))


def image_listening(workload: Workload, number: int) -> str:
    """The image of the pod that listens on `number` when nothing tells it otherwise; empty when none is known to."""
    images = (one.image.partition("@")[0] for one in _running(workload) if number in one.default_ports)
    return next(images, "")


def _repeats(port: ServicePort) -> bool:
    """Whether ``targetPort`` says what callers of ``port`` expect, as 443 and 5432, wherever the program listens.

    Not 80: images that serve pages do listen there, whatever the developers' own server used (4200, 5173).
    """
    wanted = port.target.value
    return (
        not port.implicit
        and wanted == port.number.value
        and isinstance(wanted, int)
        and (80 != wanted < WELL_KNOWN or wanted in CLIENTS_PORTS)
    )


def _is_called(workload: Workload, name: re.Pattern[str]) -> bool:
    """Whether a container or its image is called so."""
    return any(name.search(text) for one in _running(workload) for text in (one.name, one.image))


def _has_silent_proxy(workload: Workload) -> bool:
    """Whether a proxy stands in front of the others and declares no port: traffic may well go to where it listens."""
    silent = (one for one in _running(workload) if not one.ports)
    return any(_PROXY.search(text) for one in silent for text in (one.name, one.image))


def _is_written_twice(port: ServicePort) -> bool:
    """Whether ``port`` and ``targetPort`` both say the number: no slip of the hand, for nobody slips twice alike."""
    wanted = port.target.value
    return (
        not port.implicit and wanted == port.number.value and isinstance(wanted, int) and wanted >= WELL_KNOWN
    )


def _listens_undeclared(service: Service, port: ServicePort, workload: Workload) -> bool:
    """Whether a Service sends other numbers too to ports nobody declares: the application just does not declare them."""
    return any(
        isinstance(other.target.value, int) and resolve(other, workload) is None
        for other in service.ports
        if other.path != port.path and other.target.value != port.target.value
    )


def is_in_pod_spec(workload: Workload, number: int) -> bool:
    """Whether the pod's own settings, probes, annotations or configuration name the port: it probably listens there."""
    return number in numbers_in_pod_spec(workload)


def numbers_in_pod_spec(workload: Workload) -> frozenset[int]:
    """The numbers that the pod's own settings, probes, annotations or configuration name."""
    probed = (check.port.value for container in _running(workload) for check in container.checks)
    numbers = frozenset(one for one in probed if isinstance(one, int))
    return numbers_in_settings(workload) | workload.annotation_numbers | numbers


def _are_of_one_program(one: int, other: int) -> bool:
    """Whether a program that listens on one of two different ports listens on the other as well."""
    return one != other and any(one in ports and other in ports for ports in PORTS_OF_ONE_PROGRAM)


def is_near_miss(one: int, other: int) -> bool:
    """Whether two ports differ as a slip of the hand would: by one digit, two swapped digits, or at most 2."""
    if one == other or _are_of_one_program(one, other):
        return False
    if abs(one - other) <= 2:  # 8080 and 8081, 9999 and 10000
        return True
    first, second = str(one), str(other)
    if len(first) == len(second):
        differing = [index for index in range(len(first)) if first[index] != second[index]]
        if len(differing) == 1:
            return True
        swapped = len(differing) == 2 and differing[1] - differing[0] == 1
        return (
            swapped
            and first[differing[0]] == second[differing[1]]
            and first[differing[1]] == second[differing[0]]
        )
    if min(one, other) < WELL_KNOWN:  # 80 and 8080, 443 and 8443 are meant to differ
        return False
    shorter, longer = sorted((first, second), key=len)
    return len(longer) - len(shorter) == 1 and any(
        longer[:index] + longer[index + 1 :] == shorter for index in range(len(longer))
    )


def _has_own_port(service: Service, port: ServicePort, workload: Workload, meant: ContainerPort) -> bool:
    """Whether another port of the same Service reaches `meant`: two ports of one Service are meant to differ."""
    reached = (resolve(one, workload) for one in service.ports if one.path != port.path)
    return any(one is not None and one.value == meant.value for one in reached)


def _meant(
    port: ServicePort, declared: list[ContainerPort], orphans: list[ContainerPort], wanted: int
) -> ContainerPort | None:
    """The declared port that the reference probably stands for."""
    by_name = [one for one in declared if port.name and one.name and one.name.value == port.name.value]
    by_number = [one for one in declared if one.value == port.number.value]
    near = [one for one in declared if is_near_miss(wanted, one.value)]
    near_orphans = [one for one in near if one in orphans]
    for group in (by_name, by_number, near_orphans, near, orphans, declared):
        if len({one.value for one in group}) == 1:
            return group[0]
    return None


def _reached_by_others(
    graph: PortGraph, service: Service, port: ServicePort, workload: Workload
) -> Iterator[int]:
    """Numbers that other Service ports aim at in `workload`."""
    for other in graph.services_of(workload):
        for candidate in other.ports:
            if other.key == service.key and candidate.path == port.path:
                continue
            found = resolve(candidate, workload)
            if found is not None:
                yield found.value
            elif isinstance(candidate.target.value, int):
                yield candidate.target.value


def _probes_use_declared(workload: Workload, meant: ContainerPort) -> bool:
    """Whether some probe contacts `meant` and none contacts a port that is not declared."""
    for container in _running(workload):
        if container.name != meant.container:
            continue
        probed = [check.port.value for check in container.checks if not check.is_hook]
        known = {one.value for one in container.ports} | {
            one.name.value for one in container.ports if one.name
        }
        own = {meant.value, meant.name.value if meant.name else None}
        return bool(own & set(probed)) and all(value in known for value in probed)
    return False


def numbers_in_settings(workload: Workload) -> frozenset[int]:
    """The numbers that the pod's commands, arguments, environment and ConfigMaps contain."""
    mentions = [container.mentions for container in _running(workload)]
    return frozenset().union(*mentions, workload.config_numbers)


def probed_numbers(container: Container, *, apart_from: PortCheck) -> Iterator[int]:
    """The numbers that the other probes of a container contact, by number or by name."""
    names = {one.name.value: one.value for one in container.ports if one.name is not None}
    for check in container.checks:
        if check is not apart_from and not check.is_hook:
            value = names.get(check.port.value, check.port.value)
            if isinstance(value, int):
                yield value


def _numbers_of_policies(graph: PortGraph) -> frozenset[int]:
    found = [numbers_in(one.data.get("spec")) for one in graph.resources if one.key.kind in _CORROBORATING]
    return frozenset().union(*found)


def _running(workload: Workload) -> Iterator[Container]:
    return (one for one in workload.containers if one.role is not Role.INIT)
