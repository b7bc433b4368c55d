"""References to a port of a Service, in every kind that has one: a table of JSONPaths.

A new kind is a row here; users add rows of their own in ``portproof.yaml``. What a row cannot say (listeners,
hosts, grants) is read by the module of its family. Meanings: kubernetes/api ``admissionregistration/v1/types.go``
ServiceReference (a port of the Service, 443 by default), the same for ``apiregistration/v1`` and the conversion of
custom resources; gateway-api ``apis/v1/object_reference_types.go`` BackendObjectReference and ``policy_types.go``
LocalPolicyTargetReferenceWithSectionName. Those of other controllers stand on the pages of their rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from portproof.graph import hosts, sites
from portproof.graph.fields import mapping, scalar
from portproof.graph.model import Edge, MatchBy, Relation, ServiceEdge, ServiceName, Site
from portproof.resources import Resource
from portproof.yamldoc import FieldPath


class ReferenceKind(Struct, frozen=True):
    """Where the resources of some kinds name a Service and a port of it.

    `at` are JSONPaths of the objects that hold the reference; `service`, `namespace` and `port` are fields of such an
    object, deeper ones with dots. An object whose own ``kind`` or ``group`` says that it names something else than a
    Service is passed over. A field that begins with ``$.`` is one of the resource itself. `host` says that `service`
    holds a host (``web.shop.svc.cluster.local``), which then tells the namespace too. `default` is the port that
    counts when the field is absent, `protocol` what the reader of the resource speaks (empty: either). `typed` says
    that the schema of the kinds is known, and wants a number where `by` does; `optional`, that nothing is asked for
    without the field.
    """

    relation: Relation
    groups: tuple[str, ...]
    kinds: tuple[str, ...]
    at: tuple[str, ...]
    service: str = "name"
    namespace: str = "namespace"
    port: str = "port"
    by: MatchBy = MatchBy.NUMBER
    default: int | None = None
    protocol: str = ""
    host: bool = False
    typed: bool = True
    optional: bool = False


GATEWAY_API = "gateway.networking.k8s.io"

_TRAEFIK = ("traefik.io", "traefik.containo.us")

ROWS: tuple[ReferenceKind, ...] = (
    ReferenceKind(
        Relation.ROUTE,
        (GATEWAY_API,),
        ("HTTPRoute", "GRPCRoute"),
        (
            "spec.rules[*].backendRefs[*]",
            "spec.rules[*].filters[*].requestMirror.backendRef",
            "spec.rules[*].filters[*].externalAuth.backendRef",
            "spec.rules[*].backendRefs[*].filters[*].requestMirror.backendRef",
            "spec.rules[*].backendRefs[*].filters[*].externalAuth.backendRef",
        ),
        protocol="TCP",
    ),
    ReferenceKind(
        Relation.ROUTE,
        (GATEWAY_API,),
        ("TLSRoute", "TCPRoute"),
        ("spec.rules[*].backendRefs[*]",),
        protocol="TCP",
    ),
    ReferenceKind(
        Relation.ROUTE,
        (GATEWAY_API,),
        ("UDPRoute",),
        ("spec.rules[*].backendRefs[*]",),
        protocol="UDP",
    ),
    ReferenceKind(
        Relation.BACKEND_TLS,
        (GATEWAY_API,),
        ("BackendTLSPolicy",),
        ("spec.targetRefs[*]", "spec.targetRef"),
        port="sectionName",
        by=MatchBy.NAME,
    ),
    ReferenceKind(
        Relation.WEBHOOK,
        ("admissionregistration.k8s.io",),
        ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"),
        ("webhooks[*].clientConfig.service",),
        default=443,
    ),
    ReferenceKind(
        Relation.WEBHOOK, ("apiregistration.k8s.io",), ("APIService",), ("spec.service",), default=443
    ),
    ReferenceKind(
        Relation.WEBHOOK,
        ("apiextensions.k8s.io",),
        ("CustomResourceDefinition",),
        ("spec.conversion.webhook.clientConfig.service", "spec.conversion.webhookClientConfig.service"),
        default=443,
    ),
    ReferenceKind(
        Relation.VIRTUAL_SERVICE,
        ("networking.istio.io",),
        ("VirtualService",),
        (
            "spec.http[*].route[*]",
            "spec.http[*].mirrors[*]",
            "spec.tcp[*].route[*]",
            "spec.tls[*].route[*]",
        ),
        service="destination.host",
        port="destination.port.number",
        protocol="TCP",
        host=True,
    ),
    ReferenceKind(
        Relation.VIRTUAL_SERVICE,
        ("networking.istio.io",),
        ("VirtualService",),
        ("spec.http[*].mirror",),
        service="host",
        port="port.number",
        protocol="TCP",
        host=True,
    ),
    ReferenceKind(
        Relation.DESTINATION_RULE,
        ("networking.istio.io",),
        ("DestinationRule",),
        (
            "spec.trafficPolicy.portLevelSettings[*]",
            "spec.subsets[*].trafficPolicy.portLevelSettings[*]",
        ),
        service="$.spec.host",
        port="port.number",
        protocol="TCP",
        host=True,
    ),
    ReferenceKind(
        Relation.TRAEFIK,
        _TRAEFIK,
        ("IngressRoute", "IngressRouteTCP", "IngressRouteUDP"),
        ("spec.routes[*].services[*]",),
        by=MatchBy.EITHER,
    ),
    ReferenceKind(
        Relation.TRAEFIK,
        _TRAEFIK,
        ("TraefikService",),
        (
            "spec.weighted.services[*]",
            "spec.mirroring",
            "spec.mirroring.mirrors[*]",
            "spec.highestRandomWeight.services[*]",
            "spec.failover.service",
            "spec.failover.fallback",
        ),
        by=MatchBy.EITHER,
    ),
    ReferenceKind(Relation.TRAEFIK, _TRAEFIK, ("Middleware",), ("spec.errors.service",), by=MatchBy.EITHER),
    ReferenceKind(
        Relation.HTTP_PROXY,
        ("projectcontour.io",),
        ("HTTPProxy",),
        ("spec.routes[*].services[*]", "spec.tcpproxy.services[*]"),
        protocol="TCP",
    ),
    ReferenceKind(
        Relation.HTTP_PROXY,
        ("projectcontour.io",),
        ("HTTPProxy",),
        ("spec.routes[*].services[*]", "spec.tcpproxy.services[*]"),
        port="healthPort",
        protocol="TCP",
        optional=True,
    ),
    ReferenceKind(
        Relation.HTTP_PROXY,
        ("projectcontour.io",),
        ("ExtensionService",),
        ("spec.services[*]",),
        protocol="TCP",
    ),
    ReferenceKind(
        Relation.OPENSHIFT_ROUTE,
        ("route.openshift.io",),
        ("Route",),
        ("spec.to", "spec.alternateBackends[*]"),
        port="$.spec.port.targetPort",
        by=MatchBy.ENDPOINT,
    ),
    ReferenceKind(
        Relation.CONTROLLER,
        ("k8s.nginx.org",),
        ("VirtualServer", "VirtualServerRoute", "TransportServer"),
        ("spec.upstreams[*]",),
        service="service",
    ),
    ReferenceKind(
        Relation.CONTROLLER,
        ("configuration.konghq.com",),
        ("TCPIngress", "UDPIngress"),
        ("spec.rules[*].backend",),
        service="serviceName",
        port="servicePort",
    ),
    ReferenceKind(
        Relation.CONTROLLER,
        ("apisix.apache.org",),
        ("ApisixRoute",),
        ("spec.http[*].backends[*]", "spec.stream[*].backend"),
        service="serviceName",
        port="servicePort",
        by=MatchBy.EITHER,
    ),
    ReferenceKind(
        Relation.CONTROLLER,
        ("gateway.solo.io",),
        ("VirtualService",),
        (
            "spec.virtualHost.routes[*].routeAction.single.kube",
            "spec.virtualHost.routes[*].routeAction.multi.destinations[*].destination.kube",
        ),
        service="ref.name",
        namespace="ref.namespace",
    ),
    ReferenceKind(
        Relation.CONTROLLER,
        ("gateway.solo.io",),
        ("RouteTable",),
        (
            "spec.routes[*].routeAction.single.kube",
            "spec.routes[*].routeAction.multi.destinations[*].destination.kube",
        ),
        service="ref.name",
        namespace="ref.namespace",
    ),
    ReferenceKind(
        Relation.CONTROLLER,
        ("gloo.solo.io",),
        ("Upstream",),
        ("spec.kube",),
        service="serviceName",
        namespace="serviceNamespace",
        port="servicePort",
    ),
)


def read(resources: Sequence[Resource], rows: Sequence[ReferenceKind] = ()) -> Iterator[ServiceEdge]:
    """Every reference of the table, and of the further `rows`, in the order of the resources."""
    by_kind: dict[str, list[ReferenceKind]] = {}
    for row in (*ROWS, *rows):
        for kind in row.kinds:
            by_kind.setdefault(kind, []).append(row)
    for resource in resources:
        for row in by_kind.get(resource.key.kind, ()):
            if resource.key.group in row.groups:
                for text in row.at:
                    for path, holder in sites.find(text, resource.data):
                        if isinstance(holder, dict):
                            yield from _reference(row, resource, path, holder)


def _reference(
    row: ReferenceKind, resource: Resource, path: FieldPath, holder: Mapping[str, Any]
) -> Iterator[ServiceEdge]:
    if holder.get("kind") not in (None, "", "Service") or holder.get("group") not in (None, "", "core"):
        return
    service, name = _field(resource, path, holder, row.service)
    if name is None or name == "":
        return
    _, stated = _field(resource, path, holder, row.namespace)
    place = (str(stated) if stated else resource.key.namespace, str(name))
    if row.host:
        found = hosts.place(name, "")
        stated, short = found if found is not None else ("", place[1])
        place = (stated or place[0], short)
    where, port = _field(resource, path, holder, row.port)
    if port is None and row.optional:
        return
    yield Edge(
        relation=row.relation,
        holder=resource.key,
        at=path,
        whom=ServiceName(place[0], place[1], Site(resource.key, service, name), stated=bool(stated)),
        port=None if port is None else Site(resource.key, where, port),
        by=row.by,
        default=row.default,
        protocol=row.protocol,
        idle=scalar(holder.get("weight")) == 0,
        typed=row.typed,
    )


def _field(
    resource: Resource, path: FieldPath, holder: Mapping[str, Any], dotted: str
) -> tuple[FieldPath, str | int | None]:
    """A field's path and the scalar it holds, None when the way to it leads through something else than mappings."""
    of_resource = dotted.startswith("$.")
    value: Any = resource.data if of_resource else holder
    steps = dotted.removeprefix("$.").split(".")
    for step in steps:
        value = mapping(value).get(step)
    return (*(() if of_resource else path), *steps), scalar(value)
