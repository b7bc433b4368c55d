"""A change removes or renames a Service that is still in use.

In the base revision, the Service existed and had the port. Now it is removed, renamed
or in another namespace. An Ingress, a route, a webhook, a monitor or a caller in the
same rendering still names it.

Why it matters:

The name no longer resolves, and requests fail. An Ingress answers 503, and a caller
gets "no such host".

Severity:

* **error**: a new Service has the selector and the ports of the missing one, so it was
  renamed. Also when the Service moves to another namespace, or is removed while its
  pods and an Ingress, a route, a webhook or a monitor are still here.
* **warning**: the pods are gone, too, or only programs name the Service. It may have
  moved to another release.

Fix:

Sometimes. After a rename, it sets the new name in the references, or gives the Service
its old name back. After a move, it gives the Service its old namespace back.

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
* the Service is now in a file that this change adds, or in an alternative of its folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.model import PortGraph, Relation, Service, ServiceEdge, Site
from portproof.graph.past import gone_services, renamed, workload_before
from portproof.graph.phrasing import listing
from portproof.rules.base import Finding, Label, Remedy, Severity, Trait, rule

_SHOWN = 3
_UNSTATED = "default"
"""The namespace of what states none: it goes wherever the release goes."""


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each Service of the base that is gone, and that somebody still uses."""
    for gone, edges in gone_services(graph).items():
        new = renamed(graph, gone)
        if new is None and gone.key.name in graph.kept:
            continue  # moved, and not removed
        if new is None:
            is_route = any(one.relation is not Relation.CALLER for one in edges)
            yield _removed(gone, edges, sure=is_route and _has_pods(graph, gone))
        elif new.key.name == gone.key.name:
            yield _moved(gone, edges, new)
        else:
            yield _called_otherwise(gone, edges, new)


def _has_pods(graph: PortGraph, gone: Service) -> bool:
    """Whether pods that were behind the Service are still here."""
    served = () if graph.base is None else graph.base.select(gone).workloads
    return any(workload_before(graph, one) in served for one in graph.workloads)


def _users(edges: Sequence[ServiceEdge]) -> str:
    """``Ingress/web still uses``."""
    holders = list(dict.fromkeys(str(edge.holder) for edge in edges))
    more = [f"{len(holders) - _SHOWN} more"] if len(holders) > _SHOWN else []
    uses = "still uses" if len(holders) == 1 else "still use"
    return f"{listing([*holders[:_SHOWN], *more])} {uses}"


def _asked(edges: Sequence[ServiceEdge]) -> tuple[Label, ...]:
    return tuple(Label(edge.whom.site, f"{edge.holder} uses it here") for edge in edges[:_SHOWN])


def _removed(gone: Service, edges: Sequence[ServiceEdge], *, sure: bool) -> Finding:
    stay = " Its pods are still here." if sure else ""
    return Finding(
        message=f"This change removes {gone.key}, which {_users(edges)}: no request gets through.{stay}",
        severity=Severity.ERROR if sure else Severity.WARNING,
        primary=edges[0].whom.site,
        related=_asked(edges)[1:],
    )


def _moved(gone: Service, edges: Sequence[ServiceEdge], new: Service) -> Finding:
    """What to say of a Service in another namespace; where nobody states one, it may be the same after all."""
    place = Site(new.key, ("metadata", "namespace"), new.key.namespace)
    old = gone.key.namespace
    is_stated = _UNSTATED not in (old, new.key.namespace)
    stayed = any(one.holder.namespace == old for one in edges)
    back = Remedy(f"set the Service's namespace back to {old}", ((place, old),))
    return Finding(
        message=(
            f"This change moves {gone.key} from namespace {old!r} to {new.key.namespace!r}, but {_users(edges)} it in "
            f"{old!r}: no request gets through."
        ),
        severity=Severity.ERROR if is_stated and stayed else Severity.WARNING,
        primary=place if is_stated else edges[0].whom.site,
        related=_asked(edges) if is_stated else _asked(edges)[1:],
        remedies=(back,) if is_stated else (),
    )


def _called_otherwise(gone: Service, edges: Sequence[ServiceEdge], new: Service) -> Finding:
    name = Site(new.key, ("metadata", "name"), new.key.name)
    back = Remedy(f"set the Service's name back to {gone.key.name}", ((name, gone.key.name),))
    named = [edge for edge in edges if str(edge.whom.site.value).startswith(gone.key.name)]
    changes = tuple((edge.whom.site, _renamed(edge, gone, new)) for edge in named)
    follow = Remedy(f"set the name in the references to {new.key.name}", changes)
    return Finding(
        message=(
            f"This change renames {gone.key} to {new.key.name!r}, but {_users(edges)} the old name: no request gets "
            "through."
        ),
        severity=Severity.ERROR,
        primary=name,
        related=_asked(edges),
        # The host that a program calls is part of a text, and is not offered to be changed.
        remedies=(follow, back) if len(named) == len(edges) else (back,),
    )


def _renamed(edge: ServiceEdge, gone: Service, new: Service) -> str:
    """What the reference's field holds with the new name: of a host, the namespace and the domain stay."""
    return new.key.name + str(edge.whom.site.value).removeprefix(gone.key.name)


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.COMPARES, Trait.NEEDS_ALL])
