"""A kustomization renames a Service, and something still asks for it by its plain name.

`namePrefix` and `nameSuffix` rename every object of a kustomization. kustomize changes the
references that it knows along with it, such as the backend of an Ingress. It does not know
the addresses that programs are told, nor the routes of the Gateway API and of meshes.

Why it matters:

No Service has the plain name, so it does not resolve, and requests fail. With an overlay
for each environment, only those with a prefix fail.

Severity:

* **warning**: always, because something else may have made a Service of the plain name.

Fix:

No. Set the address in a patch of the overlay, or have kustomize write it: `replacements`
take the name from the Service.

Bad::

    # kustomization
    namePrefix: dev-
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: dev-redis}
    spec:
      selector: {app: redis}
      ports: [{port: 6379}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: dev-vote}
    spec:
      containers:
        - {name: vote, image: vote:1, env: [{name: REDIS_URL, value: "redis://redis:6379"}]}

Good::

    # kustomization
    namePrefix: dev-
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: dev-redis}
    spec:
      selector: {app: redis}
      ports: [{port: 6379}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: dev-vote}
    spec:
      containers:
        - {name: vote, image: vote:1, env: [{name: REDIS_URL, value: "redis://dev-redis:6379"}]}

Not reported when:

* another target of the same environment has a Service of the plain name.
* the call states another namespace.
* an operator may make the Service for a custom resource whose name begins as its own.
* the host is in a file, and no port stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from portproof.graph import hosts, own, settings
from portproof.graph.fields import mapping
from portproof.graph.model import PortGraph, Relation, Service, Site
from portproof.graph.pairs import names_host
from portproof.render.affixes import Affix
from portproof.replacing import replace
from portproof.resources import ResourceKey
from portproof.rules.base import Finding, Label, Severity, Trait, rule
from portproof.rules.port_references import absent_services
from portproof.yamldoc import lookup


class _Renamed(Struct, frozen=True):
    """A Service, what was put around its name, and the name that it had before."""

    service: Service
    affix: Affix
    name: str


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each field that asks for a Service by the name that it had before its kustomization."""
    renamed = _renamed(graph)
    if not renamed:
        return
    said = {edge.whom.site for edge, _ in absent_services(graph, *Relation)}
    seen: set[Site] = set()
    for edge in graph.asking(*Relation):
        several, site = renamed.get(edge.whom.place), edge.whom.site
        if several is None or edge.idle or site in said or _whole(site) in seen:
            continue
        one = _of_its_own(several, edge.holder)
        named = hosts.named(graph, site, one.name)
        if named is not None:
            seen.add(_whole(site))
            yield _finding(edge.holder, one, named, is_call=edge.relation is Relation.CALLER)
    for holder, one, site in _hosts(graph, renamed):
        if _whole(site) not in seen:
            seen.add(_whole(site))
            yield _finding(holder, one, site, is_call=True)


def _of_its_own(several: Sequence[_Renamed], holder: ResourceKey) -> _Renamed:
    """Of Services that several overlays rename, the one of the overlay that renames who asks, too."""
    return next((one for one in several if one.affix.plain(holder.name) is not None), several[0])


def _renamed(graph: PortGraph) -> Mapping[tuple[str, str], Sequence[_Renamed]]:
    """The Services by the names that they had, which nothing has now."""
    found: dict[tuple[str, str], list[_Renamed]] = {}
    for service in graph.services:
        for affix in graph.affixes:
            name = affix.plain(service.key.name)
            if name is None or name in graph.neighbours or own.may_be_made(graph, name):
                continue
            place = (service.key.namespace, name)
            if not graph.variants(*place):
                found.setdefault(place, []).append(_Renamed(service, affix, name))
    return found


def _hosts(
    graph: PortGraph, renamed: Mapping[tuple[str, str], Sequence[_Renamed]]
) -> Iterator[tuple[ResourceKey, _Renamed, Site]]:
    """The variables that are called a host, and hold a name without a port."""
    maps = settings.config_maps(graph.resources)
    for workload in graph.workloads:
        for container in workload.containers:
            data = mapping(lookup(graph.read_from[workload].data, container.path))
            for variable in settings.variables(workload.key, container.path, data, maps):
                several = renamed.get((workload.key.namespace, variable.text))
                if several is not None and names_host(variable.name):
                    one = _of_its_own(several, workload.key)
                    yield workload.key, one, replace(variable.site, value=one.name)


def _whole(site: Site) -> Site:
    """The field, whichever part of its text it is that asks."""
    return Site(site.resource, site.path, None)


def _finding(holder: ResourceKey, one: _Renamed, site: Site, *, is_call: bool) -> Finding:
    does, so = ("calls", "the name does not resolve") if is_call else ("asks for", "no request gets through")
    new = one.service.key.name
    return Finding(
        message=(
            f"{one.affix} renames Service/{one.name} to {new!r}, but {holder} still {does} {one.name!r}, which nothing "
            f"renders: {so}."
        ),
        severity=Severity.WARNING,
        primary=site,
        related=(Label(Site(one.service.key, ("metadata", "name"), new), "the Service that is renamed"),),
    )


RULE = rule(
    __name__, __doc__, severity=Severity.WARNING, check=check, traits=[Trait.SPANS_TARGETS, Trait.NEEDS_ALL]
)
