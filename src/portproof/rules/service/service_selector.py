"""A Service selects no pods because of a typo in its selector.

A Service finds its pods by the labels of their templates. A selector that
matches nothing is legal, and often the pods are deployed elsewhere. But when
one value is a typo for the label of a workload that no other Service selects,
that workload was meant.

Why it matters:

The Service has no endpoints, so nothing answers its clients.

Severity:

* **warning**: always, because the pods may be deployed elsewhere.

Fix:

Yes. It sets the selector's value to the workload's label.

Bad::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: shop, tier: frontent}
      ports:
        - {port: 80}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: shop, tier: frontend}}
      template:
        metadata: {labels: {app: shop, tier: frontend}}
        spec:
          containers:
            - {name: web, image: web:1, ports: [{containerPort: 80}]}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: shop, tier: frontend}
      ports:
        - {port: 80}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: shop, tier: frontend}}
      template:
        metadata: {labels: {app: shop, tier: frontend}}
        spec:
          containers:
            - {name: web, image: web:1, ports: [{containerPort: 80}]}

Not reported when:

* a workload matches.
* more than one label differs.
* the values differ in their digits (`web-1` and `web-2`).
* another Service selects the nearest workload.
* several workloads are equally near.
* the workload is in another namespace.
* only Jobs or hooks match.
* a label is set at run time (`statefulset.kubernetes.io/pod-name`).
* the rendering has custom resources that may create the pods.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import RUNTIME_LABELS, PortGraph, Service, Site, Workload
from portproof.graph.names import is_near_name
from portproof.graph.past import lost_pods
from portproof.rules.base import Finding, Remedy, Severity, Trait, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each selector that misses one workload by a typo."""
    if graph.unknown_owners:
        return
    for service in graph.services:
        if not service.selector or service.type == "ExternalName" or RUNTIME_LABELS & service.selector.keys():
            continue
        if lost_pods(graph, service) is not None:  # service-lost-pods says it, whatever the names
            continue
        if graph.select(service).workloads or any(_differing(service, one) == [] for one in graph.workloads):
            continue
        near = [
            (one, differing[0])
            for one in graph.workloads
            if one.serves
            and len(differing := _differing(service, one)) == 1
            and _is_typo(service, one, differing[0])
        ]
        if len(near) == 1 and not graph.services_of(near[0][0]):
            yield _finding(service, *near[0])


def _differing(service: Service, workload: Workload) -> list[str]:
    """The selector's keys that the workload's labels do not satisfy; all, and one more, in another namespace."""
    if workload.key.namespace != service.key.namespace:
        return [*service.selector, ""]
    return [key for key, value in service.selector.items() if workload.labels.get(key) != value]


def _is_typo(service: Service, workload: Workload, key: str) -> bool:
    return len(service.selector[key]) >= 4 and is_near_name(
        service.selector[key], workload.labels.get(key, "")
    )


def _finding(service: Service, workload: Workload, key: str) -> Finding:
    value, label = service.selector[key], workload.labels[key]
    site = Site(service.key, ("spec", "selector", key), value)
    return Finding(
        message=(
            f"{service.key} selects pods with {key} {value!r}, which no workload here has, so the Service has no "
            f"endpoints. Did you mean {label!r}, as in {workload.key}, which no Service selects?"
        ),
        severity=Severity.WARNING,
        primary=site,
        expected=label,
        remedies=(Remedy(f"set {key} in the selector to {label}", ((site, label),)),),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check, traits=[Trait.NEEDS_ALL])
