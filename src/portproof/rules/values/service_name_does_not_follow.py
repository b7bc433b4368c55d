"""Values rename a Service of a chart, and the chart still asks for it by its old name.

The Service takes its name from a value such as `fullnameOverride`. A template that asks
for it writes the name as a word, or makes it of the chart's or the release's name. The
defaults work, because the two are equal there.

The rule compares each values file of a chart with the chart's defaults (`base` in the
examples). With `--what-if` it also sets `fullnameOverride` and `nameOverride` itself.

Why it matters:

No Service has the old name any longer. An Ingress answers 503, and a call fails because
the name does not resolve.

Severity:

* **warning**: always, because another release may have a Service of the old name.

Fix:

Sometimes. It asks for the new name, by the expression that names the Service. The address
that a program is told is left to you.

Bad::

    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 80}]
    ---
    # base
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: web, port: {number: 80}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: shop}
    spec:
      selector: {app: web}
      ports: [{port: 80}]
    ---
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: web, port: {number: 80}}}

Good::

    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 80}]
    ---
    # base
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: web, port: {number: 80}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: shop}
    spec:
      selector: {app: web}
      ports: [{port: 80}]
    ---
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: shop, port: {number: 80}}}

Not reported when:

* the values remove the Service: who switches a part off may have another one.
* another target of the same environment has a Service of the old name.
* the reference did not reach the Service in the defaults.
* the template makes several Services: which of them it was is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph, Relation, Service, ServiceEdge, Site
from portproof.graph.past import gone_services, renamed
from portproof.rules.base import Finding, Label, Remedy, Severity, Trait, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each place of a chart that asks for a Service by the name that it has in the defaults."""
    for gone, edges in gone_services(graph).items():
        new = renamed(graph, gone)
        if new is None or new.key.name == gone.key.name or gone.key.name in graph.neighbours:
            continue
        firsts = {(one.holder, one.relation): one for one in reversed(edges) if not one.idle}
        yield from (_finding(gone, new, one) for one in reversed(firsts.values()))


def _finding(gone: Service, new: Service, edge: ServiceEdge) -> Finding:
    name = new.key.name
    site = edge.whom.site
    is_call = edge.relation is Relation.CALLER
    does, so = ("calls", "the name does not resolve") if is_call else ("asks for", "no request gets through")
    # The host that a program calls is part of a text, and is not offered to be changed.
    is_named = str(site.value) == gone.key.name
    remedy = Remedy(f"ask for {name}", ((site, name),))
    return Finding(
        message=(
            f"These values rename {gone.key} to {name!r}, but {edge.holder} still {does} {gone.key.name!r}, which nothing "
            f"renders: {so}."
        ),
        severity=Severity.WARNING,
        primary=site if is_named else Site(site.resource, site.path, None),
        expected=name if is_named else None,
        related=(Label(Site(new.key, ("metadata", "name"), name), "the Service has its new name here"),),
        remedies=(remedy,) if is_named else (),
    )


RULE = rule(
    __name__,
    __doc__,
    severity=Severity.WARNING,
    check=check,
    traits=[Trait.VALUES, Trait.SPANS_TARGETS, Trait.NEEDS_ALL],
)
