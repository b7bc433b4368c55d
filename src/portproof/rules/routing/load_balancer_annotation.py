"""A load-balancer annotation names a port that the Service does not have.

Controllers read names and numbers of ports from the text of annotations. These are
always ports of the Service. The rule checks:

* AWS `aws-load-balancer-ssl-ports` (names or numbers).
* AWS `...-healthcheck-port` and `alb.ingress.kubernetes.io/healthcheck-port` (a name,
  if it is not a number).
* AWS `alb.ingress.kubernetes.io/actions.<name>` (its `servicePort`).
* Google Cloud `cloud.google.com/neg` (`exposed_ports`, numbers).
* Google Cloud `cloud.google.com/backend-config` (`ports`, names or numbers), and its
  beta form.
* Google Cloud `cloud.google.com/app-protocols` (names), and its alpha form.
* Azure `service.beta.kubernetes.io/port_<number>_...`, and the name in
  `..._health-probe_port`.

Why it matters:

Either the controller creates no load balancer, or the port works without TLS,
BackendConfig, protocol or probe.

Severity:

* **error**: the controller creates no load balancer. That happens for a missing port
  in `neg` or in an ALB action, and for a missing name in a health check.
* **warning**: the controller ignores the entry, so the port works without TLS,
  BackendConfig, protocol or probe. It is also a warning when only an Ingress would
  suffer.

Fix:

Sometimes. It changes the port in the annotation, or the Service's port if nothing
else uses it. There is no fix when several ports could be meant.

Bad (the target port)::

    apiVersion: v1
    kind: Service
    metadata:
      name: web
      annotations:
        cloud.google.com/neg: '{"exposed_ports": {"8080": {}}}'
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Bad (a name that changed)::

    apiVersion: v1
    kind: Service
    metadata:
      name: web
      annotations:
        service.beta.kubernetes.io/aws-load-balancer-ssl-ports: tls
    spec:
      type: LoadBalancer
      selector: {app: web}
      ports:
        - {name: https, port: 443, targetPort: 8443}

Good::

    apiVersion: v1
    kind: Service
    metadata:
      name: web
      annotations:
        cloud.google.com/neg: '{"exposed_ports": {"80": {}}}'
        cloud.google.com/backend-config: '{"ports": {"http": "web"}}'
        service.beta.kubernetes.io/aws-load-balancer-ssl-ports: "80"
        service.beta.kubernetes.io/azure-load-balancer-internal: "true"
        service.beta.kubernetes.io/port_80_health-probe_port: http
    spec:
      type: LoadBalancer
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Not reported when:

* the port of a health check is a number: it is a port of nodes or pods.
* the text is `*` or `traffic-port`.
* the annotation takes JSON, but its text is not JSON.
* the annotation is for load balancers, but the Service is of another type.
* the rendered manifests do not contain the Service of an Ingress.
* the Service is of type ExternalName.
* the port is a placeholder, such as `${PORT}`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace

from portproof.graph.answers import has, missed
from portproof.graph.model import Edge, MatchBy, PortGraph, Relation, Service, ServiceEdge, ServiceName, Site
from portproof.graph.phrasing import offered
from portproof.resources import Resource
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.port_references import finding
from portproof.rules.routing import load_balancers

_ALB_GROUPS = ("networking.k8s.io", "extensions")


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that an annotation names and the Service does not have."""
    for resource in graph.of_kind("Service", ""):
        services = graph.variants(resource.key.namespace, resource.key.name)
        if any(one.type == "ExternalName" for one in services):
            continue
        balances = any(one.type == "LoadBalancer" for one in services)
        yield from _named(graph, resource, balances=balances)
        if balances:
            yield from _of_azure(resource, services[0])
    overridden = {
        one.key
        for one in graph.of_kind("Service", "")
        if load_balancers.ALB_HEALTH_CHECK in load_balancers.texts(one)
    }
    for ingress in graph.of_kind("Ingress", *_ALB_GROUPS):
        yield from _of_actions(graph, ingress)
    yield from _of_health_checks(graph, overridden)


def _named(graph: PortGraph, resource: Resource, *, balances: bool) -> Iterator[Finding]:
    texts = load_balancers.texts(resource)
    for row in load_balancers.ROWS:
        text = texts.get(row.annotation)
        if text is None or (row.only_load_balancers and not balances):
            continue
        named = [load_balancers.site(resource, row.annotation, entry, row.by) for entry in row.read(text)]
        for port in named:
            name = Site(resource.key, ("metadata", "name"), resource.key.name)
            edge = _reference(name, port, row.by)
            services = missed(graph, edge)
            if services:
                found = finding(graph, edge, services, does="names", so=row.so)
                if found.expected in {one.value for one in named}:
                    found = replace(found, expected=None, remedies=())  # it is one entry too many
                yield replace(
                    found,
                    message=(
                        f"{resource.key} names {_asked(port)} in its annotation {row.annotation}, but has "
                        f"{offered(services[0].ports)}: {row.so}."
                    ),
                    severity=Severity.ERROR if row.rejects else Severity.WARNING,
                )


def _of_azure(resource: Resource, service: Service) -> Iterator[Finding]:
    names = {str(one.name.value).lower() for one in service.ports if one.name is not None}
    for setting in load_balancers.azure(resource):
        name = setting.annotation.path[-1]
        if not has(service, setting.number, MatchBy.NUMBER):
            yield Finding(
                message=(
                    f"{resource.key} has the annotation {name} for port {setting.number}, but has "
                    f"{offered(service.ports)}: the annotation has no effect."
                ),
                severity=Severity.WARNING,
                primary=setting.annotation,
            )
        elif setting.probe and setting.probe.lower() not in names:
            yield Finding(
                message=(
                    f"{resource.key} names port {setting.probe!r} in its annotation {name}, but has "
                    f"{offered(service.ports)}: it gets no load balancer."
                ),
                severity=Severity.ERROR,
                primary=setting.annotation,
            )


def _of_actions(graph: PortGraph, ingress: Resource) -> Iterator[Finding]:
    for name, port in load_balancers.actions(ingress):
        edge = _reference(Site(ingress.key, port.path, name), port, MatchBy.EITHER)
        services = missed(graph, edge)
        if services:
            yield finding(graph, edge, services, does="forwards to", so="the controller rejects the Ingress")


def _of_health_checks(graph: PortGraph, overridden: Container[object]) -> Iterator[Finding]:
    """The name of a port in an Ingress's own annotation has to be there on each of its Services."""
    ingresses = {one.key: one for one in graph.of_kind("Ingress", *_ALB_GROUPS)}
    row = next(one for one in load_balancers.ROWS if one.annotation == load_balancers.ALB_HEALTH_CHECK)
    for backend in graph.asking(Relation.INGRESS):
        ingress = ingresses.get(backend.holder)
        if ingress is None:
            continue
        for entry in row.read(load_balancers.texts(ingress).get(row.annotation, "")):
            port = load_balancers.site(ingress, row.annotation, entry, row.by)
            edge = _reference(backend.whom.site, port, row.by)
            services = missed(graph, edge)
            if services and services[0].key not in overridden:
                yield finding(
                    graph,
                    edge,
                    services,
                    does="checks health on",
                    so="the controller rejects the Ingress",
                )


def _reference(service: Site, port: Site, by: MatchBy) -> ServiceEdge:
    return Edge(
        relation=Relation.LOAD_BALANCER,
        holder=service.resource,
        at=service.path[:-1],
        whom=ServiceName(service.resource.namespace, str(service.value), service),
        port=port,
        by=by,
    )


def _asked(port: Site) -> str:
    return f"port {port.value!r}"


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
