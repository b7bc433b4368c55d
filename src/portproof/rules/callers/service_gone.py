"""A change removes or renames a Service that is still in use.

In the base revision, the Service existed and had the port. Now it is removed, renamed
or in another namespace. An Ingress, a route, a webhook, a monitor or a caller in the
same rendering still names it.

Why it matters:

The name no longer resolves, and requests fail. An Ingress answers 503, and a caller
gets "no such host".

Severity:

* **error**: a new Service has the selector and the ports of the missing one, so it was
  renamed.
* **warning**: no Service here replaces it. It may have moved to another release.

Fix:

Sometimes. After a rename, it sets the new name in the references, or gives the Service
its old name back.

Bad::

    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 80}]
    ---
    # base
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: web, port: {name: http}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: storefront}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 80}]
    ---
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: web, port: {name: http}}}

Good::

    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 80}]
    ---
    # base
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: web, port: {name: http}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: storefront}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 80}]
    ---
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec:
      defaultBackend: {service: {name: storefront, port: {name: http}}}

Not reported when:

* there is no base revision to compare with.
* the reference missed its port in the base revision, too.
* the reference now names another Service.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.model import PortGraph, Service, ServiceEdge, Site
from portproof.graph.past import gone_services, renamed
from portproof.graph.phrasing import listing
from portproof.rules.base import Finding, Label, Remedy, Severity, rule

_SHOWN = 3


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each Service of the base that is gone, and that somebody still uses."""
    for gone, edges in gone_services(graph).items():
        yield _finding(gone, edges, renamed(graph, gone))


def _finding(gone: Service, edges: Sequence[ServiceEdge], new: Service | None) -> Finding:
    holders = list(dict.fromkeys(str(edge.holder) for edge in edges))
    more = [f"{len(holders) - _SHOWN} more"] if len(holders) > _SHOWN else []
    who = listing([*holders[:_SHOWN], *more])
    uses = "still uses" if len(holders) == 1 else "still use"
    asked = tuple(Label(edge.whom.site, f"{edge.holder} uses it here") for edge in edges[:_SHOWN])
    if new is None:
        return Finding(
            message=f"This change removes {gone.key}, which {who} {uses}: no request gets through.",
            severity=Severity.WARNING,
            primary=edges[0].whom.site,
            related=asked[1:],
        )
    name = Site(new.key, ("metadata", "name"), new.key.name)
    back = Remedy(f"set the Service's name back to {gone.key.name}", ((name, gone.key.name),))
    named = [edge for edge in edges if str(edge.whom.site.value).startswith(gone.key.name)]
    changes = tuple((edge.whom.site, _renamed(edge, gone, new)) for edge in named)
    follow = Remedy(f"set the name in the references to {new.key.name}", changes)
    return Finding(
        message=f"This change renames {gone.key} to {new.key.name!r}, but {who} {uses} the old name: no request gets through.",
        severity=Severity.ERROR,
        primary=name,
        expected=None,
        related=asked,
        # The host that a program calls is part of a text, and is not offered to be changed.
        remedies=(follow, back) if len(named) == len(edges) else (back,),
    )


def _renamed(edge: ServiceEdge, gone: Service, new: Service) -> str:
    """What the reference's field holds with the new name: of a host, the namespace and the domain stay."""
    return new.key.name + str(edge.whom.site.value).removeprefix(gone.key.name)


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
