"""The numbers at which cloud load balancers check the health of what is behind a Service.

Meanings: kubernetes-sigs/aws-load-balancer-controller ``pkg/ingress/model_build_target_group.go`` and
``pkg/service/model_build_target_group.go`` (a number is used as it is), kubernetes/ingress-gce ``pkg/translator/healthchecks.go``
(``healthCheck.port`` becomes USE_FIXED_PORT), GKE Gateway's HealthCheckPolicy.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from portproof.graph.fields import mapping, scalar
from portproof.graph.model import MatchBy, PortGraph, Relation, Service, Site
from portproof.graph.names import is_digits
from portproof.resources import Resource, ResourceKey
from portproof.rules.routing import load_balancers
from portproof.rules.routing.load_balancers import ALB_HEALTH_CHECK
from portproof.yamldoc import FieldPath, lookup

_TARGETS = "alb.ingress.kubernetes.io/target-type"
_NLB = "service.beta.kubernetes.io/aws-load-balancer-"
_HTTP = ("httpHealthCheck", "httpsHealthCheck", "http2HealthCheck", "tcpHealthCheck", "grpcHealthCheck")
_BACKEND_CONFIGS = ("cloud.google.com/backend-config", "beta.cloud.google.com/backend-config")


class Check(Struct, frozen=True):
    """A check of `holder` on the number at `site`, of the pods behind `services`, or of their nodes (`on_nodes`)."""

    holder: ResourceKey
    site: Site
    number: int
    services: tuple[Service, ...]
    on_nodes: bool = False


def checks(graph: PortGraph) -> Iterator[Check]:
    """Every check whose number, Services and kind of target are known."""
    for resource in graph.of_kind("Service", ""):
        services = graph.variants(resource.key.namespace, resource.key.name)
        if len(services) == 1 and services[0].type != "ExternalName":
            yield from _of_annotation(resource, ALB_HEALTH_CHECK, _TARGETS, services)
            yield from _of_annotation(resource, f"{_NLB}healthcheck-port", f"{_NLB}nlb-target-type", services)
    for ingress in graph.of_kind("Ingress", "networking.k8s.io", "extensions"):
        yield from _of_annotation(ingress, ALB_HEALTH_CHECK, _TARGETS, tuple(_backends(graph, ingress)))
    for config in graph.of_kind("BackendConfig", "cloud.google.com"):
        path: FieldPath = ("spec", "healthCheck", "port")
        yield from _of_field(config, path, tuple(_configured(graph, config)))
    for policy in graph.of_kind("HealthCheckPolicy", "networking.gke.io"):
        for kind in _HTTP:
            yield from _of_field(
                policy, ("spec", "default", "config", kind, "port"), tuple(_targeted(graph, policy))
            )


def _of_annotation(
    resource: Resource, annotation: str, targets: str, services: tuple[Service, ...]
) -> Iterator[Check]:
    texts = load_balancers.texts(resource)
    text, kind = texts.get(annotation, ""), texts.get(targets)
    if services and is_digits(text) and kind in ("ip", "instance"):
        site = load_balancers.site(resource, annotation, (0, len(text)), MatchBy.NUMBER)
        yield Check(resource.key, site, int(text), services, on_nodes=kind == "instance")


def _of_field(resource: Resource, path: FieldPath, services: tuple[Service, ...]) -> Iterator[Check]:
    number = scalar(lookup(resource.data, path))
    if services and isinstance(number, int):
        yield Check(resource.key, Site(resource.key, path, number), number, services)


def _backends(graph: PortGraph, ingress: Resource) -> Iterator[Service]:
    """The Services of an Ingress; none when one is not here. One with the annotation of its own does not heed that of the Ingress."""
    edges = [one for one in graph.asking(Relation.INGRESS) if one.holder == ingress.key]
    found = {one.whom.place: graph.variants(*one.whom.place) for one in edges}
    if all(len(services) == 1 for services in found.values()):
        for (service,) in found.values():
            if ALB_HEALTH_CHECK not in load_balancers.texts(graph.read_from[service]):
                yield service


def _configured(graph: PortGraph, config: Resource) -> Iterator[Service]:
    """The Services whose annotation names a BackendConfig."""
    for service in graph.services:
        texts = load_balancers.texts(graph.read_from[service])
        named = f'"{config.key.name}"'
        if service.key.namespace == config.key.namespace and any(
            named in texts.get(one, "").partition(":")[2] for one in _BACKEND_CONFIGS
        ):
            yield service


def _targeted(graph: PortGraph, policy: Resource) -> Iterator[Service]:
    target = mapping(lookup(policy.data, ("spec", "targetRef")))
    if target.get("kind") == "Service":
        yield from graph.variants(policy.key.namespace, target.get("name"))
