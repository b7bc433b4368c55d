"""A route or a call names a Service of its own release, and the chart does not make that Service.

If the name of a Service has the release's name in it, the chart is rendered once more, under
another release name. A name that changes with it can only be that of a Service of the chart
itself. In what is rendered already, `release-name` stands for a release without a name, as helm
has it. The rule checks Ingress backends, routes of the Gateway API and of other controllers, webhooks, and the addresses
in arguments and variables of pods, the test pods of helm included.

Why it matters:

No release has that Service. The Ingress answers 503, the route sends its requests nowhere, and
the API server cannot reach the webhook. A call fails because the name does not resolve.

Severity:

* **warning**: always, because an operator may make the Service.

Fix:

No. Only you know whether the name is wrong or the Service is missing.

Bad::

    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: release-name-shop}
    spec:
      defaultBackend: {service: {name: release-name-frontend, port: {number: 80}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: release-name-shop}
    spec:
      selector: {app: shop}
      ports:
        - {port: 80}

Bad (a test that calls another name)::

    apiVersion: v1
    kind: Pod
    metadata: {name: release-name-test, annotations: {helm.sh/hook: test}}
    spec:
      restartPolicy: Never
      containers:
        - {name: wget, image: busybox, command: [wget], args: ["release-name-shop:80"]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: release-name-shop-web}
    spec:
      selector: {app: shop}
      ports:
        - {port: 80}

Good::

    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: release-name-shop}
    spec:
      defaultBackend: {service: {name: release-name-shop, port: {number: 80}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: release-name-shop}
    spec:
      selector: {app: shop}
      ports:
        - {port: 80}

Not reported when:

* the name does not contain the release name as a word of its own, or is written out.
* another target of the same environment has the Service.
* the rendering has no Service at all, or one of that name in another namespace: the chart may be
  installed into that of the backend.
* the rendering has a custom resource whose name is the beginning of the Service's: its operator may
  make the Service, as those of databases do.
* the chart is a part of an umbrella in the repository, and nothing installs it by itself: another part
  may have the Service.
* a pod other than a test calls it, and no Service here has that port or a similar name: a release
  beside it may be called so (`release-name-postgresql`).
* the values are in a chart's `ci` folder, which tries parts of a chart.
* the address is in a ConfigMap: the file of a program has those of parts that are switched off.
* a call names a part of the chart that the values switch off: `release-name-redis` with
  `redis: {enabled: false}`, or a Service that the chart makes with all its switches on.
* a call states another namespace, or may mean a pod: `db-0.db:5432`, or the pod's own name.
* the port is `use-annotation`, or the backend has the weight 0.
* the same Ingress or route names the Service before: it is reported once.
* `ingress-service`, `route-backend-service` or `service-absent` reports the name.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.discover.model import UNNAMED
from portproof.graph import hosts, own
from portproof.graph.model import PortGraph, Relation, ServiceEdge, ServicePort, Site
from portproof.graph.past import redirected
from portproof.rules.base import Finding, Label, Severity, Trait, rule
from portproof.rules.port_references import absent_services
from portproof.yamldoc import lookup

_ROUTES = ("sends traffic to", "no request gets through")
_CALLS = ("calls", "the name does not resolve")


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each route to a Service of the release that is not there."""
    unnamed = own.lost(graph, UNNAMED)
    elsewhere = {service.key.name for service in graph.services}
    edges = [
        one
        for one in own.absent(graph)
        if (one in unnamed or one.whom.name in graph.own_names)
        and one.whom.name not in elsewhere
        and _is_of_the_chart(graph, one)
    ]
    if not edges:
        return
    relations = dict.fromkeys(one.relation for one in edges)
    said = {edge.whom.site for edge, _ in absent_services(graph, *relations)}
    said |= {edge.whom.site for edge in redirected(graph)}
    firsts = {(one.holder, one.whom.place): one for one in reversed(edges) if one.whom.site not in said}
    yield from (_finding(graph, one) for one in edges if firsts.get((one.holder, one.whom.place)) is one)


def _finding(graph: PortGraph, edge: ServiceEdge) -> Finding:
    name, having = edge.whom.name, _having(graph, edge)
    does, so = _CALLS if edge.relation is Relation.CALLER else _ROUTES
    return Finding(
        message=(
            f"{edge.holder} {does} Service/{name}, which nothing renders: its name has the release's name in it, so no "
            f"other release has it, and {so}."
        ),
        severity=Severity.WARNING,
        primary=_host(graph, edge),
        related=tuple(
            Label(port.number, f"Service/{port.number.resource.name} has that port") for port in having[:2]
        ),
    )


def _is_of_the_chart(graph: PortGraph, edge: ServiceEdge) -> bool:
    """Whether somebody surely means a Service of the chart: a route, a test, or a call that a Service here would answer.

    What else is called so may be a release beside it: a database is often installed as ``shop-postgresql``.
    """
    if edge.relation is not Relation.CALLER or _is_test(graph, edge) or _having(graph, edge):
        return True
    name = f"{edge.whom.name}-"
    services = (one.key.name for one in graph.services if one.key.namespace == edge.whom.namespace)
    return any(f"{one}-".startswith(name) or name.startswith(f"{one}-") for one in services)


def _is_test(graph: PortGraph, edge: ServiceEdge) -> bool:
    resource = graph.resource(edge.holder)
    hooks = lookup(resource.data, ("metadata", "annotations", "helm.sh/hook")) if resource else ""
    return "test" in str(hooks)


def _having(graph: PortGraph, edge: ServiceEdge) -> list[ServicePort]:
    """The ports of other Services of the namespace that are what is asked for."""
    return [
        port
        for service in graph.services
        if service.key.namespace == edge.whom.namespace
        for port in service.ports
        if edge.wanted in (port.number.value, port.name_text)
    ]


def _host(graph: PortGraph, edge: ServiceEdge) -> Site:
    """The field that names the Service; of a call the host in its text, for its piece is the port."""
    site = edge.whom.site
    if edge.relation is not Relation.CALLER:
        return site
    return hosts.named(graph, site, edge.whom.name) or Site(site.resource, site.path, None)


RULE = rule(
    __name__, __doc__, severity=Severity.WARNING, check=check, traits=[Trait.SPANS_TARGETS, Trait.NEEDS_ALL]
)
