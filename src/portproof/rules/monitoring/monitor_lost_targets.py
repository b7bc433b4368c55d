"""A change leaves a monitor without the Services or pods that it scraped.

In the base revision the monitor selected a Service, or the pods of a workload. Both are
still here, but the selector and the labels no longer agree. The rule checks
ServiceMonitors, PodMonitors and the kinds of other operators like them.

Why it matters:

A monitor that selects nothing is valid, so nobody complains. Metrics stop, and alerts
about them with them.

Severity:

* **warning**: always, because no request of a user fails.

Fix:

Sometimes. It sets the selector to the labels that the target has now. There is none when
the target no longer has a label of that key.

Bad::

    # base
    apiVersion: monitoring.coreos.com/v1
    kind: ServiceMonitor
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      endpoints: [{port: http}]
    ---
    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web, labels: {app: web}}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 80}]
    ---
    apiVersion: monitoring.coreos.com/v1
    kind: ServiceMonitor
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      endpoints: [{port: http}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web, labels: {app: storefront}}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 80}]

Good::

    # base
    apiVersion: monitoring.coreos.com/v1
    kind: ServiceMonitor
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      endpoints: [{port: http}]
    ---
    # base
    apiVersion: v1
    kind: Service
    metadata: {name: web, labels: {app: web}}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 80}]
    ---
    apiVersion: monitoring.coreos.com/v1
    kind: ServiceMonitor
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: storefront}}
      endpoints: [{port: http}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web, labels: {app: storefront}}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 80}]

Not reported when:

* there is no base revision to compare with.
* the monitor selected nothing in the base revision either.
* the monitor selects something else now.
* what it selected is no longer here.
* the selector names no label, or one that only switches scraping on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from portproof.graph import sites
from portproof.graph.fields import labels, mapping
from portproof.graph.model import PortGraph, Service, Site, Workload
from portproof.resources import Resource, ResourceKey
from portproof.rules.base import Finding, Label, Remedy, Severity, Trait, rule
from portproof.rules.monitoring.monitors import Endpoint, Monitors
from portproof.yamldoc import lookup


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each monitor that a change parts from all that it selected."""
    if graph.base is None:
        return
    now, then = Monitors(graph), Monitors(graph.base)
    before = {one.monitor: one for one in _all(then)}
    told: dict[ResourceKey, Finding | None] = {}
    for endpoint in _all(now):
        old = before.get(graph.before.keys.get(endpoint.monitor, endpoint.monitor))
        if old is not None and not _selected(now, endpoint) and endpoint.monitor not in told:
            lost = _still_here(graph, _selected(then, old))
            told[endpoint.monitor] = None if lost is None else _finding(graph, endpoint, old, lost)
    yield from (one for one in told.values() if one is not None)


def _all(monitors: Monitors) -> Iterator[Endpoint]:
    yield from monitors.endpoints(pods=False)
    yield from monitors.endpoints(pods=True)


def _selected(monitors: Monitors, endpoint: Endpoint) -> tuple[Service | Workload, ...]:
    return (*monitors.services(endpoint), *monitors.workloads(endpoint))


def _still_here(graph: PortGraph, lost: tuple[Service | Workload, ...]) -> Service | Workload | None:
    """What one of the Services or workloads of the base is today; None when all of them are gone."""
    now = _now(graph)
    return next((now[one] for one in lost if one in now), None)


@lru_cache(maxsize=4)
def _now(graph: PortGraph) -> Mapping[Service | Workload, Service | Workload]:
    """What the Services and workloads of the base are today."""
    found: dict[Service | Workload, Service | Workload] = {}
    found |= {old: new for new, old in graph.before.services.items()}
    found |= {old: new for new, old in graph.before.workloads.items()}
    return found


def _finding(graph: PortGraph, endpoint: Endpoint, old: Endpoint, lost: Service | Workload) -> Finding | None:
    path, have = _labels(graph, lost)
    wanted, selected = _wanted(graph, endpoint), old.selector
    differing = [key for key, value in wanted.items() if have.get(key) != value]
    if not differing or selected is None:
        return None
    moved = [key for key in differing if dict(selected.labels).get(key) != wanted[key]]
    key = (moved or differing)[0]
    selector = Site(endpoint.monitor, ("spec", "selector", "matchLabels", key), wanted[key])
    label = Site(lost.key, (*path, key), have[key]) if key in have else None
    primary, other = (selector, label) if moved or label is None else (label, selector)
    who, verb = (lost.key, "has") if isinstance(lost, Service) else (f"the pods of {lost.key}", "have")
    has = f"{verb} {have[key]!r}" if key in have else f"no longer {verb} that label"
    changes = tuple(
        (Site(endpoint.monitor, ("spec", "selector", "matchLabels", one), wanted[one]), have[one])
        for one in differing
        if one in have
    )
    complete = len(changes) == len(differing)
    return Finding(
        message=(
            f"This change leaves {endpoint.monitor} without targets, so nothing is scraped: it selects {key} "
            f"{wanted[key]!r}, and {who} {has}."
        ),
        severity=Severity.WARNING,
        primary=primary,
        expected=have.get(key) if complete and primary is selector else None,
        related=() if other is None else (Label(other, f"the other end is {other.resource}"),),
        remedies=(Remedy("set the selector to the labels of the target", changes),) if complete else (),
    )


def _labels(graph: PortGraph, lost: Service | Workload) -> tuple[tuple[str | int, ...], Mapping[str, str]]:
    """Where the labels are that a monitor looks at, and what they hold."""
    if isinstance(lost, Service):
        found = mapping(graph.read_from[lost].data.get("metadata")).get("labels")
        return ("metadata", "labels"), labels(found)
    template = sites.pod_template(graph.read_from[lost])
    return (*(template[0] if template is not None else ()), "metadata", "labels"), lost.labels


def _wanted(graph: PortGraph, endpoint: Endpoint) -> Mapping[str, str]:
    resource = _resources(graph).get(endpoint.monitor)
    return labels(None if resource is None else lookup(resource.data, ("spec", "selector", "matchLabels")))


@lru_cache(maxsize=4)
def _resources(graph: PortGraph) -> Mapping[ResourceKey, Resource]:
    return {one.key: one for one in graph.resources}


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check, traits=[Trait.NEEDS_ALL])
