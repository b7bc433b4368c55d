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

from collections.abc import Iterator

from portproof.graph.answers import missed
from portproof.graph.model import PortGraph, Service, ServiceEdge, Site
from portproof.graph.phrasing import offered
from portproof.replacing import replace
from portproof.rules.base import Finding, Severity, Trait, rule
from portproof.rules.port_references import finding
from portproof.rules.routing import load_balancers
from portproof.rules.routing.edges import (
    action_edges,
    annotation_edges,
    azure_settings,
    balanced,
    health_check_edges,
    setting_edges,
)
from portproof.rules.routing.load_balancers import AnnotationKind, PortSetting


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that an annotation names and the Service does not have."""
    for resource in balanced(graph):
        for row, edges in annotation_edges(graph, resource):
            yield from _named(graph, row, edges)
        for setting in azure_settings(graph, resource):
            yield from _of_azure(graph, setting)
    rejects = "the controller rejects the Ingress"
    for edge in action_edges(graph):
        services = missed(graph, edge)
        if services:
            yield finding(graph, edge, services, does="forwards to", so=rejects)
    for edge in health_check_edges(graph):
        services = missed(graph, edge)
        if services and not _has_own(graph, services[0]):
            yield finding(graph, edge, services, does="checks health on", so=rejects)


def _has_own(graph: PortGraph, service: Service) -> bool:
    """Whether a Service has an annotation for health checks, which comes before that of an Ingress."""
    resource = graph.read_from.get(service)
    return resource is not None and load_balancers.ALB_HEALTH_CHECK in load_balancers.texts(resource)


def _named(graph: PortGraph, row: AnnotationKind, edges: tuple[ServiceEdge, ...]) -> Iterator[Finding]:
    for edge in edges:
        services = missed(graph, edge)
        if services and edge.port is not None:
            found = finding(graph, edge, services, does="names", so=row.so)
            if found.expected in {one.wanted for one in edges}:
                found = replace(found, expected=None, remedies=())  # it is one entry too many
            yield replace(
                found,
                message=(
                    f"{edge.holder} names {_asked(edge.port)} in its annotation {row.annotation}, but has "
                    f"{offered(services[0].ports)}: {row.so}."
                ),
                severity=Severity.ERROR if row.rejects else Severity.WARNING,
            )


def _of_azure(graph: PortGraph, setting: PortSetting) -> Iterator[Finding]:
    resource, name = setting.annotation.resource, setting.annotation.path[-1]
    for edge in setting_edges(setting):
        services = missed(graph, edge)
        if services and edge.port is None:
            what = f"has the annotation {name} for port {setting.number}"
            so, severity = "the annotation has no effect", Severity.WARNING
        else:
            what = f"names port {setting.probe!r} in its annotation {name}"
            so, severity = "it gets no load balancer", Severity.ERROR
        if services:
            yield Finding(
                message=f"{resource} {what}, but has {offered(services[0].ports)}: {so}.",
                severity=severity,
                primary=setting.annotation,
            )
            return


def _asked(port: Site) -> str:
    return f"port {port.value!r}"


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.SPANS_TARGETS])
