"""A program calls a Service that is not there, while one is that can only be meant.

What a program calls may be deployed elsewhere, so a missing Service alone is not reported. It is
reported when a Service here has the requested port, and one of these:

* Its name differs by a typo, and no other's does.
* It is the only one whose name has all words that are asked for, and more: `python-service` and
  `python-calculator-service`, `orders` and `shop-orders`. It has pods, and nobody calls it by its
  own name.

The rule reads arguments and variables of pods, and the variables in ConfigMaps.

Why it matters:

The name does not resolve, so every call fails.

Severity:

* **warning**: always, because a release that is not in this repository may have the Service.

Fix:

No. The host is a part of a longer text, and the Service may have the wrong name instead.

Bad (a word is missing)::

    apiVersion: v1
    kind: Pod
    metadata: {name: shop}
    spec:
      containers:
        - name: shop
          image: shop:1
          env: [{name: TAX_URL, value: "http://taxes-service:5000"}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: taxes-calculator-service}
    spec:
      selector: {app: tax}
      ports:
        - {port: 5000}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: tax, labels: {app: tax}}
    spec:
      containers:
        - {name: tax, image: tax:1, ports: [{containerPort: 5000}]}

Good::

    apiVersion: v1
    kind: Pod
    metadata: {name: shop}
    spec:
      containers:
        - name: shop
          image: shop:1
          env: [{name: TAX_URL, value: "http://taxes-calculator-service:5000"}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: taxes-calculator-service}
    spec:
      selector: {app: tax}
      ports:
        - {port: 5000}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: tax, labels: {app: tax}}
    spec:
      containers:
        - {name: tax, image: tax:1, ports: [{containerPort: 5000}]}

Not reported when:

* another target of the same environment has a Service of that name.
* the similar Service lacks the port.
* somebody calls the Service by its own name, and the two differ by a word.
* several Services have a similar name, or a name has fewer than four letters.
* more words are asked for than the Service has: `dev-orders` may get its prefix when it is deployed.
* the names differ in their digits, but for words before both (`orders` and `team2-orders`).
* the host states another namespace, is that of a pod, or has its address in `hostAliases`.
* a custom resource here has a name that the host begins with: its operator may make the Service.
* the address is that of a page, is in a file of a ConfigMap, or is the default of a variable that
  the pod sets.
* `own-service-absent`, `service-absent` or `service-name-prefix` reports the name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from portproof.graph import hosts, own
from portproof.graph.fields import indexed, mapping
from portproof.graph.handed_on import is_handed_on, is_overridden
from portproof.graph.model import PortGraph, Relation, Service, ServiceEdge, Site
from portproof.graph.names import is_placeholder
from portproof.graph.past import redirected
from portproof.resources import Resource
from portproof.rules.base import Finding, Label, Severity, Trait, rule
from portproof.rules.port_references import like
from portproof.yamldoc import lookup

_POD_SPECS = (("spec", "template", "spec"), ("spec", "jobTemplate", "spec", "template", "spec"), ("spec",))


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each host that nobody has, once for each text."""
    seen: set[tuple[object, str]] = set()
    moved: Collection[ServiceEdge] | None = None
    for edge in graph.asking(Relation.CALLER):
        place = (edge.holder, edge.whom.name)
        if edge.wanted is None or place in seen or graph.named.get(edge.whom.place):
            continue
        near = like(graph, edge)
        if near is None or not own.is_absent(graph, edge) or not _is_called(graph, edge):
            continue
        moved = redirected(graph) if moved is None else moved
        if edge not in moved:
            seen.add(place)
            yield _finding(graph, edge, near)


def _finding(graph: PortGraph, edge: ServiceEdge, near: Service) -> Finding:
    does = "points to" if edge.holder.kind == "ConfigMap" else "calls"
    return Finding(
        message=(
            f"{edge.holder} {does} {edge.whom.name!r} on port {edge.wanted}, but no Service here has that name: it does not "
            f"resolve. Did you mean {near.key}?"
        ),
        severity=Severity.WARNING,
        primary=_host(graph, edge),
        related=tuple(Label(port.number, f"a port of {near.key}") for port in near.ports[:1]),
    )


def _host(graph: PortGraph, edge: ServiceEdge) -> Site:
    """The host in its field: of a host and a port in fields of their own, the one beside that of the port."""
    site, name = edge.whom.site, edge.whom.name
    if (found := hosts.named(graph, site, name)) is not None:
        return found
    holder = graph.resource(site.resource)
    data = holder.data if holder is not None else {}
    beside = lookup(data, site.path[:-2]), lookup(data, site.path[:-1])
    for index, entry in indexed(beside[0]):
        if entry.get("value") == name:
            return Site(site.resource, (*site.path[:-2], index, "value"), name)
    for key, text in mapping(beside[1]).items():
        if text == name:
            return Site(site.resource, (*site.path[:-1], key), name)
    return Site(site.resource, site.path, None)


def _is_called(graph: PortGraph, edge: ServiceEdge) -> bool:
    """Whether it is certain enough that the address is called, and that it is one of this namespace."""
    holder = graph.resource(edge.holder)
    if edge.whom.namespace != edge.holder.namespace or holder is None or is_placeholder(edge.whom.name):
        return False
    if edge.holder.kind == "ConfigMap" and "\n" in str(lookup(holder.data, edge.whom.site.path)):
        return False
    return not (is_handed_on(graph, edge) or is_overridden(graph, edge) or _is_alias(holder, edge.whom.name))


def _is_alias(holder: Resource, name: str) -> bool:
    """Whether the pods have an address of their own for the host."""
    specs = (mapping(lookup(holder.data, path)) for path in _POD_SPECS)
    return any(
        name in (entry.get("hostnames") or ())
        for spec in specs
        for _, entry in indexed(spec.get("hostAliases"))
    )


RULE = rule(
    __name__, __doc__, severity=Severity.WARNING, check=check, traits=[Trait.SPANS_TARGETS, Trait.NEEDS_ALL]
)
