"""A route sends traffic to a Service in another namespace that does not allow it.

A backendRef with another `namespace` needs a ReferenceGrant in that namespace. The
grant must name the kind and namespace of the route (`from`) and the Service (`to`).

Why it matters:

Without a grant, the controller rejects the backend (RefNotPermitted), and no traffic
gets through.

Severity:

* **error**: a grant is meant for this route, but one of its fields is wrong. It is in
  the route's namespace instead of the Service's, or its `group` is wrong. Or its
  `kind` cannot send traffic to Services, or is not Service. Or a namespace or name
  differs by a typo.
* **warning**: no rendered grant comes that close, but one may exist elsewhere. It is
  also a warning when the backendRef has weight 0.

Fix:

Sometimes. It corrects the wrong field of the grant. It never creates or moves a
grant.

Bad (a wrong word in the grant)::

    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: public, namespace: edge}
    spec:
      parentRefs: [{name: public}]
      rules:
        - backendRefs:
            - {name: shop, namespace: shop, port: 80}
    ---
    apiVersion: gateway.networking.k8s.io/v1
    kind: ReferenceGrant
    metadata: {name: public, namespace: shop}
    spec:
      from:
        - {group: gateway.networking.k8s.io, kind: Gateway, namespace: edge}
      to:
        - {group: "", kind: Service, name: shop}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: shop, namespace: shop}
    spec:
      selector: {app: shop}
      ports:
        - {port: 80}

Bad (no grant)::

    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: public, namespace: edge}
    spec:
      parentRefs: [{name: public}]
      rules:
        - backendRefs:
            - {name: shop, namespace: shop, port: 80}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: shop, namespace: shop}
    spec:
      selector: {app: shop}
      ports:
        - {port: 80}

Good::

    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: public, namespace: edge}
    spec:
      parentRefs: [{name: public}]
      rules:
        - backendRefs:
            - {name: shop, namespace: shop, port: 80}
    ---
    apiVersion: gateway.networking.k8s.io/v1
    kind: ReferenceGrant
    metadata: {name: public, namespace: shop}
    spec:
      from:
        - {group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: edge}
      to:
        - {group: "", kind: Service}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: shop, namespace: shop}
    spec:
      selector: {app: shop}
      ports:
        - {port: 80}

Not reported when:

* a grant allows the reference.
* the rendered manifests do not contain the Service.
* the backend is in the route's own namespace.
* the route belongs to a mesh: its parent is a Service.
* a namespace is not set, or is `default`: the real one may only be known when the
  release is installed.
* a grant or a namespace has a placeholder, such as `${NAMESPACE}`.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph, Relation, Site
from portproof.graph.names import is_near_name
from portproof.rules.base import Finding, Label, Remedy, Severity, Trait, rule
from portproof.rules.routing.gateways import ROUTES
from portproof.rules.routing.grants import FIELDS, Crossing, Pair, ungranted


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each backendRef into another namespace that no grant allows."""
    for crossing in ungranted(graph, Relation.ROUTE):
        typos = [(pair, index) for pair, index in crossing.near if _is_typo(graph, crossing, pair, index)]
        yield _finding(crossing, *typos[0]) if typos else _without_grant(crossing)


def _is_typo(graph: PortGraph, crossing: Crossing, pair: Pair, index: int) -> bool:
    """Whether the one field in which `pair` differs can only be a mistake."""
    field, held, needed = FIELDS[index], pair.terms[index], crossing.needs[index]
    if field == "namespace":
        return held == crossing.edge.holder.namespace
    if field == "from.kind":
        return held not in ROUTES
    if field == "from.namespace":
        return is_near_name(held, needed)
    if field == "to.name":
        return is_near_name(held, needed) and not graph.variants(crossing.edge.whom.namespace, held)
    return True


def _finding(crossing: Crossing, pair: Pair, index: int) -> Finding:
    site, needed = pair.sites[index], crossing.needs[index]
    held = pair.terms[index]
    where = ".".join(str(one) for one in site.path if isinstance(one, str))
    moved = FIELDS[index] == "namespace"
    change = () if moved or site.value is None or not needed else ((site, needed),)
    return Finding(
        message=(
            f"{_what(crossing)}, but {pair.grant} does not allow it. Its {where} is {held!r} instead of {needed!r}, so "
            "the controller rejects the backend."
        ),
        severity=Severity.WARNING if crossing.edge.idle else Severity.ERROR,
        primary=_primary(crossing),
        related=(Label(site, f"must be {needed!r}"),),
        remedies=(Remedy(f"set {where} of the ReferenceGrant to {needed!r}", change),) if change else (),
    )


def _without_grant(crossing: Crossing) -> Finding:
    return Finding(
        message=(
            f"{_what(crossing)}, but no ReferenceGrant here allows it: the controller rejects the backend unless a grant "
            "exists elsewhere."
        ),
        severity=Severity.WARNING,
        primary=_primary(crossing),
    )


def _what(crossing: Crossing) -> str:
    route = crossing.edge.holder
    return (
        f"{route} in namespace {route.namespace!r} sends traffic to {crossing.service.key} in namespace "
        f"{crossing.edge.whom.namespace!r}"
    )


def _primary(crossing: Crossing) -> Site:
    edge = crossing.edge
    return Site(edge.holder, (*edge.at, "namespace"), edge.whom.namespace)


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.NEEDS_ALL])
