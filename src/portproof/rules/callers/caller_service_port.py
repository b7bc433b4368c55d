"""A program calls a port that the Service does not have.

Addresses stand in environment variables, arguments and ConfigMaps: as
`http://orders:8080`, as a host in one variable and its port in another, in lists
and connection strings; and in the prober and static targets of a Probe. The port
is one of the *Service*: calling the port of the container there leads nowhere.

Bad (the container's port)::

    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: shop}
    spec:
      template:
        metadata: {labels: {app: shop}}
        spec:
          containers:
            - name: shop
              env:
                - {name: ORDERS_URL, value: "http://orders:8080/v1"}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: orders}
    spec:
      selector: {app: orders}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Bad (host and port apart)::

    apiVersion: v1
    kind: ConfigMap
    metadata: {name: shop}
    data:
      DB_HOST: postgres.default.svc.cluster.local
      DB_PORT: "5433"
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: postgres}
    spec:
      selector: {app: postgres}
      ports:
        - {port: 5432}

Good::

    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: shop}
    spec:
      template:
        metadata: {labels: {app: shop}}
        spec:
          containers:
            - name: shop
              args: [--orders=http://orders/v1, --cache=redis://cache.default:6379]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: orders}
    spec:
      selector: {app: orders}
      ports:
        - {name: http, port: 80, targetPort: 8080}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: cache}
    spec:
      selector: {app: cache}
      ports:
        - {port: 6379}

An error where caller and Service are in one rendering, or in two targets that
`environments` in `portproof.yaml` names together. A warning where that they are
deployed together is a guess (by the names of values files and overlays), and
where a headless Service is called on a port that is a near miss of one that its
pods declare: its callers reach the pods themselves, whatever ports it lists. A
note where a URL names no port and the Service lacks that of its scheme: some
programs add a port of their own (none where the port stands beside it:
`PROXY_PORT` and `PROXY`, `--db-port` and `--db-url`).

Silent when no target here has a Service of that name (in the namespace that is
named, or else the caller's own), when one of several variants has the port, for
an ExternalName, for a host without a namespace in a Probe (it is called from
where Prometheus or its prober runs), for calls of pods to the Service in front of them, for other
numbers after a name (`image: redis:7`), in comments, and for placeholders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from portproof.graph.evidence import is_near_miss
from portproof.graph.model import Address, MatchBy, PortGraph, Service, ServiceReference
from portproof.graph.phrasing import listing
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.port_references import finding, has, unanswered


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each call of a port that its Service does not have."""
    for address in graph.addresses:
        here = graph.variants(*address.place)
        if here:
            yield from _within(graph, address, here)
        else:
            yield from _beyond(graph, address)


def _within(graph: PortGraph, address: Address, services: Sequence[Service]) -> Iterator[Finding]:
    if any(has(one, address.number, MatchBy.NUMBER) or _is_own(graph, address, one) for one in services):
        return
    if any(one.headless for one in services):
        if not all(_is_slip(graph, one, address.number) for one in services):
            return
        yield replace(_finding(graph, address, services), severity=Severity.WARNING)
        return
    yield _finding(graph, address, services)


def _is_own(graph: PortGraph, address: Address, service: Service) -> bool:
    """Whether the pods behind the Service say this of themselves: an address to bind to, or one of their peers."""
    caller = address.port.resource
    return any(
        one.key == caller or (caller.kind == "ConfigMap" and caller.name in one.configs)
        for one in graph.select(service).workloads
    )


def _is_slip(graph: PortGraph, service: Service, number: int) -> bool:
    """Whether no pod behind a headless Service declares the port, and one declares its near miss."""
    declared = {port.value for one in graph.select(service).workloads for port in one.ports}
    declared |= {one.target.value for one in service.ports if isinstance(one.target.value, int)}
    return number not in declared and any(is_near_miss(number, one) for one in declared)


def _beyond(graph: PortGraph, address: Address) -> Iterator[Finding]:
    neighbours = graph.neighbours.get(address.named, ())
    services = unanswered(address, neighbours)
    if not services:
        return
    told = _finding(graph, address, services)
    meant = [one for one in neighbours if one.service in services]
    guessed = told.severity is Severity.ERROR and not all(one.stated for one in meant)
    targets = {one.target for one in meant}
    where = listing(sorted({one.partition(":")[2].partition("?")[0] for one in targets})[:2])
    yield replace(
        told,
        message=f"{told.message.removesuffix('.')} (the Service is in {where}).",
        severity=Severity.WARNING if guessed else told.severity,
        related=(),
        remedies=tuple(one for one in told.remedies if one.changes[0][0] == address.port),
    )


def _finding(graph: PortGraph, address: Address, services: Sequence[Service]) -> Finding:
    namespace, name = address.place
    reference = ServiceReference(
        rule="caller-service-port",
        service=address.port,
        namespace=namespace,
        name=name,
        port=None if address.implicit else address.port,
        by=MatchBy.NUMBER,
        default=address.number,
        holder=address.port.path,
    )
    does = "names" if address.port.resource.kind == "ConfigMap" else "calls"
    told = finding(graph, reference, services, does=does, so="no call gets through")
    return replace(told, severity=Severity.NOTE, remedies=()) if address.implicit else told


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
