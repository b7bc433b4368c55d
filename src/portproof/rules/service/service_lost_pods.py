"""A change leaves a Service without pods.

In the base revision the Service selected a workload. Both are still here, but
the selector and the pod's labels no longer agree, or they are now in two namespaces.

Why it matters:

Kubernetes removes the endpoints as soon as the change is applied. Every request
to the Service is refused, or waits until it times out.

Severity:

* **error**: always.

Fix:

Sometimes. It sets the selector to the labels that the pods have now, or the namespace
back. There is none when the pods no longer have a label of that key.

Bad::

    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 80, targetPort: 8080}]
    ---
    # base
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          containers: [{name: web, image: web:1, ports: [{containerPort: 8080}]}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 80, targetPort: 8080}]
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: shop-web}}
      template:
        metadata: {labels: {app: shop-web}}
        spec:
          containers: [{name: web, image: web:1, ports: [{containerPort: 8080}]}]

Good::

    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 80, targetPort: 8080}]
    ---
    # base
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          containers: [{name: web, image: web:1, ports: [{containerPort: 8080}]}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: shop-web}
      ports: [{port: 80, targetPort: 8080}]
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: shop-web}}
      template:
        metadata: {labels: {app: shop-web}}
        spec:
          containers: [{name: web, image: web:1, ports: [{containerPort: 8080}]}]

Not reported when:

* there is no base revision to compare with.
* the Service had no pods in the base revision either.
* other pods of the rendering match now, as when traffic moves from blue to green.
* the workload is no longer here: then nothing says who was to serve.
* the workload has another name, and another Service selects it.
* the Service has no selector any longer, or one with labels that controllers set at run time.
* one of them states no namespace, so that it goes wherever the release goes.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph import sites
from portproof.graph.model import PortGraph, Service, Site, Workload
from portproof.graph.past import lost_pods, service_before
from portproof.rules.base import Finding, Label, Remedy, Severity, Trait, rule
from portproof.yamldoc import lookup


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each Service that a change parts from the pods that it had."""
    for service in graph.services:
        workload = lost_pods(graph, service)
        if workload is None:
            continue
        if any(workload.labels.get(key) != value for key, value in service.selector.items()):
            yield _finding(graph, service, workload)
        elif (namespaces := _namespaces(graph, service, workload)) is not None:
            yield _apart(graph, service, workload, *namespaces)


def _namespaces(graph: PortGraph, service: Service, workload: Workload) -> tuple[Site, Site] | None:
    """The fields that put a Service and its pods into two namespaces; None where one of them states none."""
    path = ("metadata", "namespace")
    stated = [lookup(graph.read_from[one].data, path) for one in (service, workload)]
    if not all(stated) or stated[0] == stated[1]:
        return None
    return Site(service.key, path, str(stated[0])), Site(workload.key, path, str(stated[1]))


def _apart(graph: PortGraph, service: Service, workload: Workload, own: Site, pods: Site) -> Finding:
    before = service_before(graph, service)
    moved = before is not None and before.key.namespace != service.key.namespace
    primary, other = (own, pods) if moved else (pods, own)
    return Finding(
        message=(
            f"This change leaves {service.key} without pods, so every request to it fails: it is in namespace "
            f"{own.value!r}, and the pods of {workload.key} are in {pods.value!r}."
        ),
        severity=Severity.ERROR,
        primary=primary,
        expected=other.value,
        related=(Label(other, f"the other end is {other.resource}"),),
        remedies=(Remedy(f"set the namespace back to {other.value}", ((primary, str(other.value)),)),),
    )


def _finding(graph: PortGraph, service: Service, workload: Workload) -> Finding:
    before = service_before(graph, service)
    selected = {} if before is None else before.selector
    differing = [key for key, value in service.selector.items() if workload.labels.get(key) != value]
    moved = [key for key in differing if selected.get(key) != service.selector[key]]
    key = (moved or differing)[0]
    selector = Site(service.key, ("spec", "selector", key), service.selector[key])
    label = _label(graph, workload, key)
    has = f"have {workload.labels[key]!r}" if key in workload.labels else "no longer have that label"
    who = "selects" if moved or label is None else "still selects"
    primary, other = (selector, label) if moved or label is None else (label, selector)
    changes = tuple(
        (Site(service.key, ("spec", "selector", one), service.selector[one]), workload.labels[one])
        for one in differing
        if one in workload.labels
    )
    complete = len(changes) == len(differing)
    return Finding(
        message=(
            f"This change leaves {service.key} without pods, so every request to it fails: it {who} {key} "
            f"{service.selector[key]!r}, and the pods of {workload.key} {has}."
        ),
        severity=Severity.ERROR,
        primary=primary,
        expected=workload.labels.get(key) if complete and primary is selector else None,
        related=() if other is None else (Label(other, f"the other end is {other.resource}"),),
        remedies=(Remedy("set the selector to the labels of the pods", changes),) if complete else (),
    )


def _label(graph: PortGraph, workload: Workload, key: str) -> Site | None:
    """The label's field in the pod template; None when the pods have no such label."""
    found = sites.pod_template(graph.read_from[workload])
    if found is None or key not in workload.labels:
        return None
    return Site(workload.key, (*found[0], "metadata", "labels", key), workload.labels[key])


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.COMPARES, Trait.NEEDS_ALL])
