"""A program sends telemetry to a port on which the collector of an operator does not listen.

The operator of OpenTelemetry makes a Service `<name>-collector` of each
OpenTelemetryCollector, with a port for each receiver that a pipeline has, and with
`spec.ports`. The rule looks at programs that are told the name of that Service, as in
`OTEL_EXPORTER_OTLP_ENDPOINT`. It reports a port that is none of these.

The port of a receiver is its `endpoint`. A receiver without one has its default, such
as 4317 for gRPC and 4318 for HTTP. One at `localhost` is reached by nobody else.

Why it matters:

The connection is refused, and the telemetry is lost.

Severity:

* **warning**: always, because the operator decides which ports the Service gets.

Fix:

No. Change the port of the caller, or the endpoint of the receiver.

Bad::

    apiVersion: opentelemetry.io/v1beta1
    kind: OpenTelemetryCollector
    metadata: {name: otel}
    spec:
      config:
        receivers:
          otlp: {protocols: {grpc: {endpoint: "0.0.0.0:4317"}}}
        exporters: {debug: {}}
        service:
          pipelines:
            traces: {receivers: [otlp], exporters: [debug]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          env: [{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: "http://otel-collector:4318"}]

Good::

    apiVersion: opentelemetry.io/v1beta1
    kind: OpenTelemetryCollector
    metadata: {name: otel}
    spec:
      config:
        receivers:
          otlp: {protocols: {grpc: {}, http: {}}}
        exporters: {debug: {}}
        service:
          pipelines:
            traces: {receivers: [otlp], exporters: [debug]}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          env: [{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: "http://otel-collector:4318"}]

Not reported when:

* a receiver of a pipeline has the port, or `spec.ports` does.
* a receiver of a pipeline is of a kind whose ports are not known, and states none.
* a port of a receiver is filled in later (`${env:PORT}`).
* the collector is a sidecar, or has no configuration here.
* a Service of that name is rendered: `caller-service-port` compares it.
* the address has no port.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from portproof.graph.fields import indexed, mapping, scalar
from portproof.graph.model import PortGraph, Relation, ServiceEdge, Site
from portproof.graph.phrasing import listing
from portproof.resources import Resource
from portproof.rules.base import Finding, Label, Severity, rule
from portproof.yamldoc import YamlError, load, lookup

_DEFAULTS: Mapping[str, Mapping[str, int]] = {
    "otlp": {"grpc": 4317, "http": 4318},
    "jaeger": {"grpc": 14250, "thrift_http": 14268, "thrift_binary": 0, "thrift_compact": 0},
}
"""The receivers of several protocols (open-telemetry/opentelemetry-collector-contrib ``receiver``); 0 is UDP."""
_ALONE: Mapping[str, int] = {"zipkin": 9411, "opencensus": 55678, "fluentforward": 8006}
_LISTEN_NOWHERE = frozenset(
    {
        "prometheus",
        "hostmetrics",
        "filelog",
        "journald",
        "kubeletstats",
        "k8s_cluster",
        "k8s_events",
        "k8sobjects",
    }
)
_ENDPOINT = re.compile(r"(?P<host>.*):(?P<port>\d{1,5})\Z")
_LOOPBACK = ("localhost", "127.", "[::1]")


class _UnknownError(Exception):
    """Where a receiver listens is not known."""


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each call of a collector at a port that none of its receivers has."""
    for collector in graph.of_kind("OpenTelemetryCollector", "opentelemetry.io"):
        place = collector.key.namespace, f"{collector.key.name}-collector"
        calls = [one for one in graph.asking(Relation.CALLER) if one.whom.place == place and one.port]
        if (
            not calls
            or graph.variants(*place)
            or mapping(collector.data.get("spec")).get("mode") == "sidecar"
        ):
            continue
        try:
            ports = frozenset(_ports(collector))
        except _UnknownError:
            continue
        for call in calls:
            if ports and isinstance(call.wanted, int) and call.wanted not in ports:
                yield _finding(collector, call, ports)


def _ports(collector: Resource) -> Iterator[int]:
    """The ports at which other pods reach a collector. Raises `_UnknownError` when one of them is not known."""
    config = lookup(collector.data, ("spec", "config"))
    if isinstance(config, str):
        try:
            config = load(config)
        except YamlError:
            raise _UnknownError from None
    pipelines = mapping(mapping(mapping(config).get("service")).get("pipelines"))
    receivers = mapping(mapping(config).get("receivers"))
    started = {str(name) for one in pipelines.values() for name in mapping(one).get("receivers") or ()}
    if not started or not started <= receivers.keys():
        raise _UnknownError
    for name in sorted(started):
        yield from _of_receiver(name.partition("/")[0], mapping(receivers[name]))
    for _, port in indexed(lookup(collector.data, ("spec", "ports"))):
        number = scalar(port.get("port"))
        if isinstance(number, int):
            yield number


def _of_receiver(kind: str, receiver: Mapping[str, Any]) -> Iterator[int]:
    if kind in _DEFAULTS:
        for protocol, settings in mapping(receiver.get("protocols")).items():
            if protocol not in _DEFAULTS[kind]:
                raise _UnknownError
            yield from _endpoint(mapping(settings).get("endpoint"), _DEFAULTS[kind][protocol])
    elif kind in _ALONE or receiver.get("endpoint"):
        yield from _endpoint(receiver.get("endpoint"), _ALONE.get(kind, 0))
    elif kind not in _LISTEN_NOWHERE:
        raise _UnknownError


def _endpoint(text: object, default: int) -> Iterator[int]:
    if text is None:
        yield from [default] if default else []
        return
    match = _ENDPOINT.match(str(text))
    if match is None:
        raise _UnknownError
    if not match["host"].startswith(_LOOPBACK):
        yield int(match["port"])


def _finding(collector: Resource, call: ServiceEdge, ports: frozenset[int]) -> Finding:
    assert call.port is not None  # noqa: S101 - check() looked
    verb = "port" if len(ports) == 1 else "ports"
    return Finding(
        message=(
            f"{call.holder} sends to port {call.wanted} of Service/{call.whom.name}, but the receivers of "
            f"{collector.key} listen on {verb} {listing(map(str, sorted(ports)))}: the connection fails."
        ),
        severity=Severity.WARNING,
        primary=call.port,
        related=(
            Label(
                Site(collector.key, ("metadata", "name"), collector.key.name),
                "the operator makes the Service of this collector",
            ),
        ),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
