"""Several Services have the same selector, although each of them is for another workload.

Every one of them selects the pods of all these workloads. But the ports that it sends
traffic to are declared by the pods of one alone, and that is another one for each
Service. In a kustomization, `commonLabels` does this: it also changes selectors, so
that a label which told the workloads apart becomes the same everywhere.

The parts of an umbrella chart may even call all their objects by the name of the release.

Why it matters:

A Service spreads its requests over all pods that it selects. Those that reach the pods
of another workload fail.

Severity:

* **warning**: always, because a program may listen on a port that it does not declare.

Fix:

No. Give the pods of each workload a label of their own. In a kustomization, use
`labels` instead of `commonLabels`: it changes no selectors unless you ask for it.

Bad::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: shop}
      ports: [{port: 80, targetPort: 8080}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: db}
    spec:
      selector: {app: shop}
      ports: [{port: 5432}]
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: shop}}
      template:
        metadata: {labels: {app: shop}}
        spec:
          containers:
            - {name: web, image: web:1, ports: [{containerPort: 8080}]}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: db}
    spec:
      selector: {matchLabels: {app: shop}}
      template:
        metadata: {labels: {app: shop}}
        spec:
          containers:
            - {name: db, image: db:1, ports: [{containerPort: 5432}]}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 80, targetPort: 8080}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: db}
    spec:
      selector: {app: db}
      ports: [{port: 5432}]
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          containers:
            - {name: web, image: web:1, ports: [{containerPort: 8080}]}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: db}
    spec:
      selector: {matchLabels: {app: db}}
      template:
        metadata: {labels: {app: db}}
        spec:
          containers:
            - {name: db, image: db:1, ports: [{containerPort: 5432}]}

Not reported when:

* the selectors differ.
* one workload has the ports of several of the Services.
* several workloads have the ports of one Service, as in a blue-green deployment.
* a workload declares no ports.
* a Service has the name of none of the workloads.
* the declared ports of a workload may not be all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from portproof.graph.answers import resolve
from portproof.graph.model import PortGraph, Service, Site, Workload
from portproof.graph.phrasing import listing
from portproof.rules.base import Finding, Label, Severity, rule

_NAMED = 3
"""Objects that a message names, before it counts the rest."""


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for the Services that select the pods of each other's workloads: one for all of them."""
    groups: dict[tuple[str, frozenset[tuple[str, str]]], list[Service]] = defaultdict(list)
    for service in graph.services:
        if service.selector and service.type != "ExternalName":
            groups[service.key.namespace, frozenset(service.selector.items())].append(service)
    for services in groups.values():
        workloads = graph.select(services[0]).workloads if len(services) > 1 else ()
        owners = _owners(services, workloads) if len(workloads) > 1 else {}
        if owners:
            is_one = len({one.key for one in services}) == 1
            yield (_namesakes if is_one else _finding)(services, workloads)


def _owners(services: Sequence[Service], workloads: Sequence[Workload]) -> Mapping[Service, Workload]:
    """The one workload that each Service is for; none unless that is clear for all, and another for each."""
    if not all(one.ports and not (one.opaque or one.host_network) for one in workloads):
        return {}
    names = {one.key.name for one in workloads}
    found: dict[Service, Workload] = {}
    for service in services:
        able = [one for one in workloads if any(resolve(port, one) is not None for port in service.ports)]
        if len(able) != 1 or service.key.name not in names:
            return {}
        found[service] = able[0]
    return found if len(set(found.values())) == len(found) else {}


def _namesakes(services: Sequence[Service], workloads: Sequence[Workload]) -> Finding:
    """The finding for parts of a chart that call everything by the name of the release."""
    service, kinds = services[0], sorted({one.key.kind for one in workloads})
    return Finding(
        message=(
            f"{len(services)} Services here are named {service.key.name}, each for another {' or '.join(kinds)} of that "
            "name: a cluster keeps one of a name, so the requests to the others fail."
        ),
        severity=Severity.WARNING,
        primary=_selecting(service),
    )


def _finding(services: Sequence[Service], workloads: Sequence[Workload]) -> Finding:
    first, *others = (_selecting(one) for one in services)
    return Finding(
        message=(
            f"{_several(services)} share a selector, which matches the pods of {_several(workloads)} alike: requests that "
            "reach the pods of another workload fail. Each workload has the ports of one Service alone."
        ),
        severity=Severity.WARNING,
        primary=first,
        related=tuple(Label(one, f"{one.resource} has the same selector") for one in others),
    )


def _selecting(service: Service) -> Site:
    key, value = next(iter(service.selector.items()))
    return Site(service.key, ("spec", "selector", key), value)


def _several(things: Sequence[Service] | Sequence[Workload]) -> str:
    """The first of them, and how many more there are."""
    names = [str(one.key) for one in things]
    more = len(names) - _NAMED
    return listing(names if more < 2 else [*names[:_NAMED], f"{more} more"])


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
