"""What speaks for and against a port number that no container declares.

Kubernetes never compares a numeric ``targetPort`` with the declared ports
(kubernetes/endpointslice ``utils.go`` FindPort). A container may listen on a
port that it does not declare. So such a number is broken only when other facts
say so. On healthy public charts 11 of 23 such numbers are real, undeclared
listeners; what tells them from mistakes is collected here; `weighing` decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from portproof.graph.model import (
    Container,
    ContainerPort,
    PortCheck,
    Role,
    Workload,
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
"""Ports that look like typos of each other and are meant to differ; each set is of one program."""

CLIENTS_PORTS = frozenset({1433, 1521, 3306, 5432, 5672, 6379, 9042, 9092, 9200, 11211, 27017})
"""Where clients look for databases and brokers: what stands in front of one has it for them, wherever it listens itself."""

USUAL_PORTS = CLIENTS_PORTS | {80, 443, 3000, 5000, 8000, 8080, 8443, 9000, 9090}
"""Where programs listen when nobody has thought about it: a typo makes one of them seldom, and of one of them often."""

HABITUAL_PORTS = frozenset({4191, 9443, 10250, 10254, 13133, 15000, 15020, 15021, 18080})
"""Ports that well-known programs listen on without declaring them: controller-runtime's webhooks, Envoy, collectors, ingress-nginx."""

HEALTH_PORTS = frozenset(
    {
        4191, 6060, 8000, 8001, 8081, 8082, 8086, 8088, 8181, 8282, 8383, 8686, 8778, 8888, 8889, 9000,
        9001, 9080, 9081, 9090, 9091, 9100, 9113, 9115, 9125, 9150, 9402, 9403, 9440, 9443, 9444, 9445,
        9901, 9990, 10254, 10255, 13133, 15000, 15020, 15021,
    }
)  # fmt: skip
"""Ports that health and metrics endpoints use by habit, declared or not."""

GATEWAYS_PORTS = frozenset({8443, 8444})
"""Kong and Kourier: TLS for clients, for administrators or for the cluster."""

_HELPER = re.compile(r"exporter|sidecar|helper|reloader|(?:^|-)agent(?:-|$)|liveness-?probe")
"""Names of containers that are there for another one of their pod."""

EXPORTERS_PORTS = range(9100, 10000)
"""Which exporters share out among themselves (prometheus wiki, Default port allocations)."""


def is_meant_to_listen(workload: Workload, number: int) -> bool:
    """Whether the pod's settings name the port, or its image opens it by default."""
    known = image_listening(workload, number) or built_to_listen(workload, number)
    return number in numbers_in_settings(workload) or bool(known)


def built_to_listen(workload: Workload, number: int) -> str:
    """The Dockerfile of this repository that makes a program of the pod listen on `number`; empty when none does."""
    found = (one.built for one in running(workload) if one.built is not None)
    return next((one.path for one in found if one.number == number), "")


def is_said_by_a_dockerfile(workload: Workload, number: int) -> bool:
    """Whether the Dockerfile of an image of the pod mentions the port, if only in an ``EXPOSE``."""
    return any(one.built is not None and number in one.built.said for one in running(workload))


def image_listening(workload: Workload, number: int) -> str:
    """The image of the pod that listens on `number` when nothing tells it otherwise; empty when none is known to."""
    images = (one.image.partition("@")[0] for one in running(workload) if number in one.default_ports)
    return next(images, "")


def is_in_pod_spec(workload: Workload, number: int) -> bool:
    """Whether the pod's own settings, probes, annotations or configuration name the port: it probably listens there."""
    return number in numbers_in_pod_spec(workload)


def numbers_in_pod_spec(workload: Workload) -> frozenset[int]:
    """The numbers that the pod's own settings, probes, annotations or configuration name."""
    probed = (check.port.value for container in running(workload) for check in container.checks)
    numbers = frozenset(one for one in probed if isinstance(one, int))
    return numbers_in_settings(workload) | workload.annotation_numbers | numbers


def are_of_one_program(one: int, other: int) -> bool:
    """Whether a program that listens on one of two different ports listens on the other as well."""
    return one != other and any(one in ports and other in ports for ports in PORTS_OF_ONE_PROGRAM)


def is_near_miss(one: int, other: int) -> bool:
    """Whether two ports differ as a typo would: by one digit, two swapped digits, or at most 2."""
    if one == other or are_of_one_program(one, other):
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


def numbers_in_settings(workload: Workload) -> frozenset[int]:
    """The numbers that the pod's commands, arguments, environment and ConfigMaps contain."""
    mentions = [container.mentions for container in running(workload)]
    return frozenset().union(*mentions, workload.config_numbers)


def probed_numbers(container: Container, *, apart_from: PortCheck) -> Iterator[int]:
    """The numbers that the other probes of a container contact, by number or by name."""
    names = {one.name.value: one.value for one in container.ports if one.name is not None}
    for check in container.checks:
        if check is not apart_from and not check.is_hook:
            value = names.get(check.port.value, check.port.value)
            if isinstance(value, int):
                yield value


def running(workload: Workload) -> Iterator[Container]:
    """The containers that serve while the pod lasts: all but plain init containers."""
    return (one for one in workload.containers if one.role is not Role.INIT)


def silent_server(workload: Workload, end: ContainerPort) -> Container | None:
    """A container beside that of `end` that serves and declares no port: traffic may well be for it.

    It serves when it is probed, or when it is the pod's main program.
    """
    probed = (one for one in _silent(workload, end) if any(not check.is_hook for check in one.checks))
    return next(probed, None) or silent_main(workload, end)


def silent_main(workload: Workload, end: ContainerPort) -> Container | None:
    """The pod's main program, when it declares no port and `end` is of a helper beside it.

    The main program is called after its workload, as the container of `end` is not, or that container is called a helper.
    """
    declaring = next((one for one in running(workload) if one.name == end.container), None)
    if declaring is None or _is_called_after(workload, declaring):
        return None
    helps = declaring.role is Role.SIDECAR or _HELPER.search(declaring.name) is not None
    silent = (one for one in _silent(workload, end) if one.role is Role.REGULAR)
    return next((one for one in silent if helps or _is_called_after(workload, one)), None)


def _silent(workload: Workload, end: ContainerPort) -> Iterator[Container]:
    return (one for one in running(workload) if one.name != end.container and not one.ports)


def _is_called_after(workload: Workload, container: Container) -> bool:
    """Whether all words of the container's name are in that of its workload: ``manager`` of ``controller-manager``."""
    return set(container.name.split("-")) <= set(workload.key.name.split("-"))
