"""A Contour HTTPProxy or ExtensionService names a port that the Service does not have.

The `port` of an `HTTPProxy` or `ExtensionService` must be the number of one of the
Service's TCP ports, never a name or a container port. The same goes for the
`healthPort` of a route with a health check.

Why it matters:

Contour marks the proxy invalid (ServiceUnresolvedReference). The route answers 502 or
not at all (projectcontour/contour `internal/dag/cache.go`, LookupService).

Severity:

* **warning**: the Service is in another target, and nothing but names says that the
  two are deployed together.
* **error**: otherwise. A weight of 0 makes no difference, because Contour drops the
  whole route.

Fix:

Sometimes. It changes the port of the proxy, or the Service's port if nothing else
uses it. There is no fix when several ports could be meant, or none is TCP.

Bad (the target port)::

    apiVersion: projectcontour.io/v1
    kind: HTTPProxy
    metadata: {name: web}
    spec:
      virtualhost: {fqdn: web.example.org}
      routes:
        - services:
            - {name: web, port: 8080}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Bad (a number in quotes)::

    apiVersion: projectcontour.io/v1
    kind: HTTPProxy
    metadata: {name: web}
    spec:
      virtualhost: {fqdn: web.example.org}
      tcpproxy:
        services:
          - {name: web, port: "80"}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Good::

    apiVersion: projectcontour.io/v1
    kind: HTTPProxy
    metadata: {name: web}
    spec:
      virtualhost: {fqdn: web.example.org}
      routes:
        - services:
            - {name: web, port: 80}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Not reported when:

* no target that is deployed together with this one has the Service.
* the Service is of type ExternalName.
* a `healthPort` has no health check: Contour ignores it.
* the port is a placeholder, such as `${PORT}`.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.answers import missed
from portproof.graph.model import PortGraph, Relation, ServiceEdge
from portproof.replacing import replace
from portproof.resources import Resource
from portproof.rules.base import Finding, Severity, Trait, rule
from portproof.rules.port_references import finding
from portproof.yamldoc import lookup


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that the Service does not have."""
    proxies = {one.key: one for one in graph.of_kind("HTTPProxy", "projectcontour.io")}
    for edge in graph.asking(Relation.HTTP_PROXY):
        is_health = edge.port is not None and edge.port.path[-1] == "healthPort"
        if is_health and not _has_health_check(proxies[edge.holder], edge):
            continue
        whole = replace(edge, idle=False)  # whatever its weight, the route that it is part of is lost
        services = missed(graph, whole)
        if services:
            does = "checks health on" if is_health else "sends traffic to"
            so = f"Contour marks the {edge.holder.kind} invalid"
            yield finding(graph, whole, services, does=does, so=so)


def _has_health_check(proxy: Resource, edge: ServiceEdge) -> bool:
    """Whether the route (or TCP proxy) has one; its ``services[]`` are two steps below it."""
    return bool(lookup(proxy.data, (*edge.at[:-2], "healthCheckPolicy")))


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.SPANS_TARGETS])
