"""A Service selects no pods, and a workload here shows which ones it means.

A Service finds its pods by the labels of their templates. A selector that
matches nothing is legal, and often the pods are deployed elsewhere. But one of
these shows that a workload was meant, or that it cannot be elsewhere:

* One value of the selector is a typo for the label of its pods, or only one of the two has
  the application's name before it (`backend` and `shop-backend`).
* The workload itself has all the labels, but its template does not.
* All keys but one agree, and its pods declare every port of the Service. It also has
  the Service's name, or its pods lack that one of several keys.
* All keys but one agree, and the value of that one is the workload's own name. Its pods lack the key.
* It has the Service's name, and its pods have the wanted value in another label.
* It has the Service's name and the labels, but in another namespace. Both namespaces
  are written in the manifests.
* It is the Service of a chart, and selects by the label of its release, which other pods of the chart have. Only the label
  of the part that is meant (`component`, `app`) is on none of them.
* The Service has no selector at all. A Deployment has its name and declares every port of it,
  and no Endpoints are written down.

Why it matters:

The Service has no endpoints, so nothing answers its clients.

Severity:

* **error**: the selector has labels within `matchLabels`, as those of Deployments have; the API
  server rejects such a Service. Also when nothing in an environment has such pods, and
  `environments` in `portproof.yaml` says that it is `complete`.
* **warning**: otherwise, because the pods may be deployed elsewhere.

Fix:

Sometimes. It sets the selector's value to the label of the pods. There is no fix when
the pods lack the key, or when the namespaces differ.

Bad (a typo)::

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

Bad (the labels are only those of the Deployment)::

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
    metadata: {name: web, labels: {app: shop, tier: frontend}}
    spec:
      selector: {matchLabels: {app: shop}}
      template:
        metadata: {labels: {app: shop}}
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
* nothing of the above shows that a workload is meant.
* the values differ in their digits (`web-1` and `web-2`).
* another Service selects that workload, unless the Service has no selector, or the workload's name in it.
* several workloads may be meant.
* a namespace is a placeholder that is filled in later (`${NAMESPACE}`).
* only Jobs or hooks match.
* a label is set at run time (`statefulset.kubernetes.io/pod-name`), also by a program that
  chooses a leader among the pods (`role: master`).
* the rendering has custom resources that may create the pods, unless the workload itself has the labels.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph, Service, Site, Workload
from portproof.graph.phrasing import listing
from portproof.rules.base import Finding, Remedy, Severity, Trait, rule
from portproof.rules.service.selecting import (
    Meant,
    Witness,
    is_deserted,
    lacks_pods_of_its_release,
    meant,
    nested_selectors,
    selects_nothing,
    without_selector,
)


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each selector that matches nothing, where something shows which workload is meant."""
    for service in selects_nothing(graph):
        found = meant(graph, service)
        if found is not None:
            yield _finding(service, found)
        elif is_deserted(graph, service):
            yield _deserted(service)
        elif key := lacks_pods_of_its_release(graph, service):
            yield _of_its_release(service, key)
    for service, workload in without_selector(graph):
        yield _without_selector(service, workload)
    for service, key in nested_selectors(graph):
        yield _nested(service, key)


def _nested(service: Service, key: str) -> Finding:
    return Finding(
        message=(
            f"{service.key} has {key} in its selector, and the API server rejects it: the labels belong directly under "
            "selector in a Service."
        ),
        severity=Severity.ERROR,
        primary=Site(service.key, ("spec", "selector", key), None),
    )


def _without_selector(service: Service, workload: Workload) -> Finding:
    return Finding(
        message=(
            f"{service.key} has no selector, and nothing here writes Endpoints, so the Service has none. {workload.key} has "
            "its name and declares its ports. Does the Service mean its pods?"
        ),
        severity=Severity.WARNING,
        primary=Site(service.key, ("metadata", "name"), service.key.name),
    )


def _of_its_release(service: Service, key: str) -> Finding:
    value = service.selector[key]
    return Finding(
        message=(
            f"{service.key} selects pods of its own release with {key} {value!r}, but the chart makes none, so the Service has "
            "no endpoints."
        ),
        severity=Severity.WARNING,
        primary=Site(service.key, ("spec", "selector", key), value),
    )


def _deserted(service: Service) -> Finding:
    wanted = listing(f"{key}={value}" for key, value in service.selector.items())
    site = Site(
        service.key, ("spec", "selector", next(iter(service.selector))), next(iter(service.selector.values()))
    )
    return Finding(
        message=(
            f"{service.key} selects pods with {wanted}, which nothing in this environment has, and `portproof.yaml` says "
            "that it is complete: the Service has no endpoints."
        ),
        severity=Severity.ERROR,
        primary=site,
    )


def _finding(service: Service, found: Meant) -> Finding:
    key = found.keys[0] if found.keys else ""
    label = found.workload.labels.get(key)
    site = Site(service.key, ("spec", "selector", key), service.selector.get(key))
    if found.witness is Witness.NAMESPACE:
        site = Site(service.key, ("metadata", "namespace"), service.key.namespace)
    single = label is not None and len(found.keys) == 1
    return Finding(
        message=_message(service, found, key, label),
        severity=Severity.WARNING,
        primary=site,
        expected=label if single else None,
        remedies=(Remedy(f"set {key} in the selector to {label}", ((site, str(label)),)),) if single else (),
    )


def _message(service: Service, found: Meant, key: str, label: str | None) -> str:
    workload, value = found.workload.key, service.selector.get(key)
    if found.witness is Witness.NAMESPACE:
        return (
            f"{service.key} in namespace {service.key.namespace!r} has no endpoints: its pods are those of {workload} "
            f"in namespace {workload.namespace!r}, and a Service selects pods of its own namespace only."
        )
    nobody = f"{service.key} selects pods with {key} {value!r}, which no workload here has, so the Service has no endpoints"
    if found.witness is Witness.OWN_LABELS:
        return f"{nobody}. {workload} has that label itself, but the template of its pods does not."
    if found.witness is Witness.TYPO:
        return f"{nobody}. Did you mean {label!r}, as in {workload}, which no Service selects?"
    if found.witness is Witness.OTHER_KEY:
        other = next(one for one, text in found.workload.labels.items() if text == value)
        return f"{nobody}. {workload} has that value in {other}, and no Service selects it."
    if found.witness is Witness.ITS_NAME:
        return f"{nobody}. Everything else fits {workload}, which is called so, but its pods lack that label."
    has = f"whose pods have {label!r} there" if label is not None else "whose pods lack that label"
    return f"{nobody}. Everything else fits {workload}, {has}, and no other Service selects it."


RULE = rule(
    __name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.SPANS_TARGETS, Trait.NEEDS_ALL]
)
