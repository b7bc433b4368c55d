"""A monitor selects nothing, and a Service or workload here shows what it means.

A ServiceMonitor finds Services by their own labels, and a PodMonitor finds pods by the
labels of their template. A monitor that selects nothing is legal, and its targets are
often deployed elsewhere. But one of these shows what was meant, if that has the port:

* A ServiceMonitor has the labels of the pods, and their Service lacks them.
* A PodMonitor has the labels of the workload, and its pods lack them.
* All labels agree, but in another namespace. Both namespaces are written in the
  manifests, and the monitor has no `namespaceSelector`.
* All labels but one agree, and the other one differs by a typo or is missing.

VMServiceScrape and VMPodScrape are checked in the same way.

Why it matters:

Nothing is scraped, so metrics and alerts are missing without any error.

Severity:

* **error**: nothing in an environment has the labels, and `environments` in
  `portproof.yaml` says that it is `complete`.
* **warning**: otherwise, because the targets may be deployed elsewhere.

Fix:

Sometimes. It sets the selector to the labels of the only target that can be meant.
There is no fix when the target lacks a label, or when the namespaces differ.

Bad (the labels of the pods)::

    apiVersion: monitoring.coreos.com/v1
    kind: ServiceMonitor
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      endpoints: [{port: metrics}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{name: metrics, port: 9100}]
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
            - {name: web, image: web:1, ports: [{containerPort: 9100}]}

Good::

    apiVersion: monitoring.coreos.com/v1
    kind: ServiceMonitor
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      endpoints: [{port: metrics}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web, labels: {app: web}}
    spec:
      selector: {app: web}
      ports: [{name: metrics, port: 9100}]
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
            - {name: web, image: web:1, ports: [{containerPort: 9100}]}

Not reported when:

* the monitor selects something here.
* nothing of the above shows what is meant, or it shows several.
* what may be meant lacks the port, or another monitor selects it.
* the selector has `matchExpressions`, or only says that a switch is on.
* a namespace is a placeholder that is filled in later (`${NAMESPACE}`).
* all labels but one agree, and a custom resource may have what is meant.
* `monitor-lost-targets` reports the monitor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct

from portproof.graph import own
from portproof.graph.fields import labels
from portproof.graph.meant import only
from portproof.graph.model import PortGraph, Service, Site, Workload
from portproof.graph.names import is_near_name, is_placeholder
from portproof.resources import ResourceKey
from portproof.rules.base import Finding, Label, Remedy, Severity, Trait, rule
from portproof.rules.monitoring import monitor_lost_targets
from portproof.rules.monitoring.monitors import Endpoint, Monitors
from portproof.yamldoc import lookup

_SHORTEST = 4
_Target: TypeAlias = "Service | Workload"


class _Meant(Struct, frozen=True):
    """What the monitor means, the labels there of which it looks at, and why it does not select it."""

    target: _Target
    labels: Mapping[str, str]
    why: str


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each monitor that selects nothing, where something shows what it means."""
    monitors = Monitors(graph)
    endpoints = (*monitors.endpoints(pods=False), *monitors.endpoints(pods=True))
    firsts = {one.monitor: one for one in reversed(endpoints)}
    silent = [one for one in firsts.values() if not (monitors.services(one) or monitors.workloads(one))]
    if not silent:
        return
    taken: set[_Target] = set()
    for one in endpoints:
        taken |= {*monitors.services(one), *monitors.workloads(one)}
    said = _said(graph)
    for endpoint in reversed(silent):
        if endpoint.monitor not in said and not monitors.is_broad(endpoint):
            found = _meant(graph, endpoint, frozenset(taken))
            if found is not None:
                yield _finding(endpoint, found)
            elif _is_deserted(graph, endpoint):
                yield _deserted(endpoint)


def _is_deserted(graph: PortGraph, endpoint: Endpoint) -> bool:
    """Whether nothing has such labels, in an environment of which it is stated that there is nothing else."""
    around, selector = graph.surroundings, endpoint.selector
    if around is None or selector is None or any(own.has_operator(one.key.group) for one in graph.resources):
        return False
    offers = around.pods if endpoint.pods else around.services
    return not any(selector.matches(one.labels) and one.is_in(endpoint.namespaces) for one in offers)


def _deserted(endpoint: Endpoint) -> Finding:
    who = "pods" if endpoint.pods else "Service"
    return Finding(
        message=(
            f"{endpoint.monitor} selects no {who} of this environment, and `portproof.yaml` says that it is complete: "
            "nothing is scraped."
        ),
        severity=Severity.ERROR,
        primary=Site(endpoint.monitor, ("spec", "selector"), None),
    )


def _said(graph: PortGraph) -> frozenset[ResourceKey]:
    """The monitors that another rule reports for the same harm."""
    lost = list(monitor_lost_targets.check(graph))
    sites = [site for one in lost for site in (one.primary, *(label.site for label in one.related))]
    return frozenset(site.resource for site in sites)


def _meant(graph: PortGraph, endpoint: Endpoint, taken: frozenset[_Target]) -> _Meant | None:
    selector = endpoint.selector
    if selector is None or selector.requirements:
        return None
    wanted = dict(selector.labels)
    targets: tuple[_Target, ...] = graph.workloads if endpoint.pods else graph.services
    able = [one for one in targets if one not in taken and _has_port(graph, endpoint, one)]
    near = [one for one in able if endpoint.namespaces is None or one.key.namespace in endpoint.namespaces]
    behind = [one for one in near if any(wanted.items() <= each.items() for each in _others(graph, one))]
    if behind:
        found = only(behind)
        where = (
            "its pods have that label" if not endpoint.pods else "that label is one of the workload itself"
        )
        return None if found is None else _Meant(found, _labels(graph, found), where)
    away = [one for one in able if one not in near and wanted.items() <= _labels(graph, one).items()]
    if endpoint.namespaces == frozenset({endpoint.monitor.namespace}) and _is_written(
        graph, endpoint.monitor
    ):
        away = [one for one in away if _is_written(graph, one.key)]
        if away:
            found = only(away)
            return None if found is None else _Meant(found, _labels(graph, found), _where(graph, endpoint))
    if any(own.has_operator(one.key.group) for one in graph.resources):
        return None
    found = only(one for one in near if _is_all_but_one(wanted, _labels(graph, one)))
    return None if found is None else _Meant(found, _labels(graph, found), "everything else fits")


def _where(graph: PortGraph, endpoint: Endpoint) -> str:
    """Why a monitor looks in its own namespace only."""
    resource = graph.resource(endpoint.monitor)
    written = resource is not None and lookup(resource.data, ("spec", "namespaceSelector"))
    return "with this namespaceSelector" if written else "without a namespaceSelector"


def _is_all_but_one(wanted: Mapping[str, str], have: Mapping[str, str]) -> bool:
    differing = [key for key, value in wanted.items() if have.get(key) != value]
    if len(differing) != 1:
        return False
    value, label = wanted[differing[0]], have.get(differing[0])
    if label is None:
        return len(wanted) > 1
    return len(value) >= _SHORTEST and is_near_name(value, label)


def _others(graph: PortGraph, target: _Target) -> Iterator[Mapping[str, str]]:
    """The labels beside those that a monitor looks at: of a Service's pods, or of the object that makes pods."""
    if isinstance(target, Service):
        yield from (one.labels for one in graph.select(target).workloads)
    else:
        yield labels(lookup(graph.read_from[target].data, ("metadata", "labels")))


def _labels(graph: PortGraph, target: _Target) -> Mapping[str, str]:
    """The labels that a monitor looks at."""
    if isinstance(target, Workload):
        return target.labels
    return labels(lookup(graph.read_from[target].data, ("metadata", "labels")))


def _has_port(graph: PortGraph, endpoint: Endpoint, target: _Target) -> bool:
    wanted = endpoint.port.value
    pods = graph.select(target).workloads if isinstance(target, Service) else (target,)
    if isinstance(target, Service) and endpoint.field == "port":
        return any(one.name_text == wanted for one in target.ports)
    return any(wanted in (port.value, port.name_text) for one in pods for port in one.ports)


def _is_written(graph: PortGraph, key: ResourceKey) -> bool:
    resource = graph.resource(key)
    written = resource and lookup(resource.data, ("metadata", "namespace"))
    return bool(written) and not is_placeholder(written)


def _finding(endpoint: Endpoint, found: _Meant) -> Finding:
    wanted = dict(endpoint.selector.labels) if endpoint.selector is not None else {}
    differing = [key for key, value in wanted.items() if found.labels.get(key) != value]
    who, monitor, target = "Service" if not endpoint.pods else "pod", endpoint.monitor, found.target.key
    key = (differing or list(wanted))[0]
    site = Site(monitor, ("spec", "selector", "matchLabels", key), wanted[key])
    nothing = f"{monitor} selects no {who} here, so nothing is scraped"
    if not differing:
        text = (
            f"{nothing}: the labels are those of {target} in namespace {target.namespace!r}, but {found.why} only its "
            f"own namespace {monitor.namespace!r} is searched."
        )
    else:
        has = f"has {found.labels[key]!r} there" if key in found.labels else "lacks it"
        text = f"{nothing}: it wants {key} {wanted[key]!r}, and {target} {has}. {found.why.capitalize()}."
    changes = tuple(
        (Site(monitor, ("spec", "selector", "matchLabels", one), wanted[one]), found.labels[one])
        for one in differing
        if one in found.labels
    )
    complete = bool(changes) and len(changes) == len(differing)
    declared = found.target.ports[:1]
    return Finding(
        message=text,
        severity=Severity.WARNING,
        primary=site,
        expected=found.labels[key] if complete else None,
        related=tuple(Label(one.number, f"a port of {target}") for one in declared),
        remedies=(Remedy(f"set the selector to the labels of {target}", changes),) if complete else (),
    )


RULE = rule(
    __name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.SPANS_TARGETS, Trait.NEEDS_ALL]
)
