"""A program calls a port that the Service does not have.

Programs get addresses from environment variables, arguments and ConfigMaps. The rule
finds URLs such as `http://orders:8080`, a host in one variable and its port in
another, lists, and connection strings. It also checks the prober and the static
targets of a Probe.

The port must be a port of the Service. The port of the container does not work there.

Why it matters:

The call leads nowhere: the connection is refused or times out.

Severity:

* **error**: caller and Service are in one rendering, or in two targets that
  `environments` in `portproof.yaml` lists together.
* **warning**: the two targets are only assumed to be deployed together, based on the
  names of values files and overlays. It is also a warning when a headless Service is
  called on a near miss of a port that its pods declare. Callers of a headless Service
  reach the pods directly, whatever ports it lists. Also when the pods of the Service
  share the ConfigMap with others: which of them reads the address isn't known.
* **note**: a URL names no port, and the Service lacks the default port of its scheme.
  Some programs add a port of their own. Also when a setting named after TLS has the port, and the
  same caller has a working address of that Service without TLS (`--url-tls` beside `--url`). Also when
  the address is that of a page, which programs compare or link (`CORS_ORIGINS`, `FRONTEND_URL`). Also when
  it is the default of a variable that the pod sets (`${API_URL:-http://api:8080}`), or in a `.md` file.

Fix:

Sometimes. It changes the port in the caller, or the Service's port if nothing else
uses it. There is no fix when a URL names no port, or several ports could be meant.

Bad (the container's port)::

    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: shop}
    spec:
      selector: {matchLabels: {app: shop}}
      template:
        metadata: {labels: {app: shop}}
        spec:
          containers:
            - name: shop
              image: shop:1
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
      selector: {matchLabels: {app: shop}}
      template:
        metadata: {labels: {app: shop}}
        spec:
          containers:
            - name: shop
              image: shop:1
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

Not reported when:

* no target here has a Service of that name in the stated namespace, or else in the
  caller's own.
* one of several variants of the Service has the port.
* the Service is of type ExternalName.
* a Probe names a host without a namespace: Prometheus or its prober calls it from its
  own namespace.
* a pod calls the Service in front of it.
* the pods of the Service alone read the ConfigMap.
* they share the ConfigMap with others, and the address is no URL and has a port of
  these pods.
* they share the ConfigMap with others, and the name is about listening or peers.
* the port of a URL is set next to it, such as `PROXY` and `PROXY_PORT`, or `--db-url`
  and `--db-port`.
* the number after a name is not a port, as in `image: redis:7`.
* the address is in a comment.
* the address contains a placeholder, such as `${PORT}`.
* the same text has five ports or more of the Service that it lacks: a program opens them
  when it runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from portproof.graph.answers import answer, is_said_by_itself, missed
from portproof.graph.evidence import is_near_miss
from portproof.graph.handed_on import is_for_tls, is_origin, is_overridden, is_prose
from portproof.graph.model import PortGraph, Reached, Relation, Service, ServiceEdge
from portproof.replacing import replace
from portproof.resources import ResourceKey
from portproof.rules.base import Finding, Severity, Trait, rule
from portproof.rules.port_references import finding
from portproof.yamldoc import FieldPath

_Text: TypeAlias = tuple[ResourceKey, FieldPath, tuple[str, str]]
"""A field that has addresses, and the Service that they name."""

MANY = 5
"""As many ports of one Service that it lacks are no typos in one text: a program opens them when it runs."""


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each call of a port that its Service does not have."""
    found = [(call, services) for call in graph.asking(Relation.CALLER) if (services := missed(graph, call))]
    ports: dict[_Text, set[object]] = defaultdict(set)
    for call, _ in found:
        ports[_text_of(call)].add(call.wanted)
    for call, services in found:
        if len(ports[_text_of(call)]) >= MANY:
            continue
        if any(one.headless for one in services):
            if all(_is_typo(graph, one, call.wanted) for one in services):
                yield replace(_finding(graph, call, services), severity=Severity.WARNING)
            continue
        wrong = _finding(graph, call, services)
        if _is_hardly_called(graph, call):
            yield replace(wrong, severity=Severity.NOTE, expected=None, remedies=())
            continue
        shared = wrong.severity is Severity.ERROR and is_said_by_itself(graph, call, services)
        yield replace(wrong, severity=Severity.WARNING) if shared else wrong


def _text_of(call: ServiceEdge) -> _Text:
    return call.holder, call.whom.site.path, call.whom.place


def _is_hardly_called(graph: PortGraph, call: ServiceEdge) -> bool:
    """Whether whoever has the address probably does not ask for it."""
    if is_prose(call) or is_origin(graph, call):
        return True
    return is_overridden(graph, call) or _is_for_tls(graph, call)


def _is_for_tls(graph: PortGraph, call: ServiceEdge) -> bool:
    """Whether a setting is the address for TLS, ``--url-tls https://broker:8443``, of a Service that is called without it.

    A program is given both, and asks for the one where TLS is switched on; the Service opens its port then.
    """
    return is_for_tls(graph, call) and any(
        other.holder == call.holder
        and other.whom.place == call.whom.place
        and isinstance(answer(graph, other), Reached)
        and not is_for_tls(graph, other)
        for other in graph.asking(Relation.CALLER)
    )


def _is_typo(graph: PortGraph, service: Service, wanted: object) -> bool:
    """Whether a pod behind a headless Service declares a near miss of the port that is called."""
    declared = {port.value for one in graph.select(service).workloads for port in one.ports}
    declared |= {one.target.value for one in service.ports if isinstance(one.target.value, int)}
    return isinstance(wanted, int) and any(is_near_miss(wanted, one) for one in declared)


def _finding(graph: PortGraph, call: ServiceEdge, services: Sequence[Service]) -> Finding:
    does = "points to" if call.holder.kind == "ConfigMap" else "calls"
    if call.port is not None:
        return finding(graph, call, services, does=does, so="the connection fails")
    so = "the connection fails unless the program adds a port"
    return replace(finding(graph, call, services, does=does, so=so), severity=Severity.NOTE, remedies=())


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.SPANS_TARGETS])
