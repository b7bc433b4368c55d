"""A Service also selects the pods of another workload, which has a Service of its own.

Its selector lacks the label that tells the two apart, such as `app.kubernetes.io/component`.
`commonLabels` of a kustomization does that as well: it sets one label for all objects,
and puts it into all selectors.

Why it matters:

A Service spreads its requests over all pods that it selects. Those that reach the pods
of the other workload are refused. So about half of the requests fail.

Severity:

* **warning**: always, because a program may listen on a port that it does not declare.

Fix:

No. Add a label to the selector that only the pods of the right workload have.

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
    metadata: {name: cache}
    spec:
      selector: {app: shop, component: cache}
      ports: [{port: 6379}]
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
    metadata: {name: cache}
    spec:
      selector: {matchLabels: {app: shop, component: cache}}
      template:
        metadata: {labels: {app: shop, component: cache}}
        spec:
          containers:
            - {name: cache, image: redis:7, ports: [{containerPort: 6379}]}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: shop, component: web}
      ports: [{port: 80, targetPort: 8080}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: cache}
    spec:
      selector: {app: shop, component: cache}
      ports: [{port: 6379}]
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: shop, component: web}}
      template:
        metadata: {labels: {app: shop, component: web}}
        spec:
          containers:
            - {name: web, image: web:1, ports: [{containerPort: 8080}]}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: cache}
    spec:
      selector: {matchLabels: {app: shop, component: cache}}
      template:
        metadata: {labels: {app: shop, component: cache}}
        spec:
          containers:
            - {name: cache, image: redis:7, ports: [{containerPort: 6379}]}

Not reported when:

* the target is a name: Kubernetes leaves out the pods that have no port of that name.
* the Service is headless: its clients choose the pods themselves.
* the other workload declares no ports, or something else of it mentions the number.
* no Service selects the other workload alone.
* the other workload is a Job.
* none of the workloads declares the number, or each of them has a Service of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.answers import resolve
from portproof.graph.evidence import numbers_in_settings
from portproof.graph.model import PortGraph, Service, ServicePort, Site, Workload
from portproof.graph.phrasing import declared, listing
from portproof.rules.base import Finding, Label, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each Service that spreads its requests over the pods of other Services, too."""
    for service in graph.services:
        workloads = graph.select(service).workloads
        if not service.selector or service.headless or len({one.key for one in workloads}) < 2:
            continue
        for port in service.ports:
            having = [one for one in workloads if resolve(port, one) is not None]
            others = {
                one.key: own
                for one in workloads
                if not any(one.key == other.key for other in having)
                if (own := _own(graph, service, one)) is not None and _refuses(one, port)
            }
            is_own = any(_own(graph, service, one) is None for one in having)
            if is_own and isinstance(port.target.value, int) and others:
                lost = [one for one in workloads if one.key in others]
                yield _finding(service, port, having[0], lost, list(others.values()))
                break


def _refuses(workload: Workload, port: ServicePort) -> bool:
    """Whether nothing listens on the number there, as far as can be read."""
    return (
        workload.serves
        and bool(workload.ports)
        and not workload.opaque
        and not workload.host_network
        and port.target.value not in {one.value for one in workload.ports}
        and port.target.value not in numbers_in_settings(workload) | workload.annotation_numbers
    )


def _own(graph: PortGraph, service: Service, workload: Workload) -> Service | None:
    """Another Service that selects the workload alone, and reaches a port of it."""
    alone = (
        one for one in graph.services if {who.key for who in graph.select(one).workloads} == {workload.key}
    )
    return next(
        (
            one
            for one in alone
            if one.key != service.key and any(resolve(port, workload) is not None for port in one.ports)
        ),
        None,
    )


def _finding(
    service: Service, port: ServicePort, owner: Workload, lost: list[Workload], own: list[Service]
) -> Finding:
    others = listing(str(one) for one in dict.fromkeys(one.key for one in lost))
    ports = tuple(one for workload in lost for one in workload.ports)
    return Finding(
        message=(
            f"{service.key} sends port {port.number.value} to the pods of {others}, too, so some of the requests fail: "
            f"they declare {declared(ports)}, and only {owner.key} has {port.target.value}. The selector lacks a label that "
            f"only the pods of {owner.key} have."
        ),
        severity=Severity.WARNING,
        primary=Site(service.key, ("spec", "selector"), None),
        related=tuple(
            Label(Site(one.key, ("spec", "selector"), None), f"{one.key} selects those pods here")
            for one in own
            if one.selector
        ),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
