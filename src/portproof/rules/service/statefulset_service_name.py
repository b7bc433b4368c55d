"""A StatefulSet names a Service that does not govern its pods.

The Service in `serviceName` gives the pods of a StatefulSet their DNS names
(`db-0.db`). It must exist and select the pods.

Why it matters:

The DNS names of the pods do not resolve, so clients and the other replicas
cannot reach a pod by its name.

Severity:

* **warning**: always.

Fix:

Sometimes. It sets `serviceName` to the one Service here that fits. The fix is
unsafe, unless a change brings in the StatefulSet: the API server lets nobody change
`serviceName` while it exists. So either delete the StatefulSet first (`kubectl delete
--cascade=orphan` keeps its pods), or give the Service the name. There is no fix when no Service fits, or several do, or the only one selects pods of other
workloads, too.

Bad (absent)::

    apiVersion: v1
    kind: Service
    metadata: {name: db-headless}
    spec:
      clusterIP: None
      selector: {app: db}
      ports:
        - {port: 5432}
    ---
    apiVersion: apps/v1
    kind: StatefulSet
    metadata: {name: db}
    spec:
      serviceName: db
      selector: {matchLabels: {app: db}}
      template:
        metadata: {labels: {app: db}}
        spec:
          containers:
            - {name: db, image: db:1, ports: [{containerPort: 5432}]}

Bad (it selects other pods)::

    apiVersion: v1
    kind: Service
    metadata: {name: db}
    spec:
      clusterIP: None
      selector: {app: database}
      ports:
        - {port: 5432}
    ---
    apiVersion: apps/v1
    kind: StatefulSet
    metadata: {name: db}
    spec:
      serviceName: db
      selector: {matchLabels: {app: db}}
      template:
        metadata: {labels: {app: db}}
        spec:
          containers:
            - {name: db, image: db:1, ports: [{containerPort: 5432}]}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: db}
    spec:
      clusterIP: None
      selector: {app: db}
      ports:
        - {port: 5432}
    ---
    apiVersion: apps/v1
    kind: StatefulSet
    metadata: {name: db}
    spec:
      serviceName: db
      selector: {matchLabels: {app: db}}
      template:
        metadata: {labels: {app: db}}
        spec:
          containers:
            - {name: db, image: db:1, ports: [{containerPort: 5432}]}

Not reported when:

* the Service is absent, and no headless Service here selects the pods, nor one
  whose name is a typo away: it may be created elsewhere.
* the Service is absent, and several Services here fit.
* the Service has no selector.
* the selector has labels that are set at run time.
* the selector has a value such as `role: master`, and the pods have no such
  label.
* the Service selects the pods without being headless.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from portproof.graph.model import RUNTIME_LABELS, GoverningService, PortGraph, Service
from portproof.graph.names import is_near_name
from portproof.rules.base import Finding, Label, Remedy, Severity, Trait, rule

_LEADING = re.compile(r"master|leader|primary|replica|slave|secondary|standby", re.IGNORECASE)
"""Values of labels that a database gives to the pods that lead and follow at the time."""


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each StatefulSet whose Service is absent or selects other pods."""
    pods = {one.key: one for one in graph.workloads}
    for governing in graph.governing:
        namespace = governing.name.resource.namespace
        named = graph.variants(namespace, governing.name.value)
        if any(_governs(one, governing.labels) is not False for one in named):
            continue
        workload = pods.get(governing.name.resource)
        selecting = graph.services_of(workload) if workload else ()
        governors = [one for one in selecting if _governs(one, governing.labels)]
        fitting = [one for one in governors if one.headless] or [
            one for one in governors if is_near_name(one.key.name, str(governing.name.value))
        ]
        names = {one.key.name for one in fitting}
        if named:
            yield _mismatch(governing, named[0], fitting[0] if len(names) == 1 else None)
        elif len(names) == 1:
            yield _absent(governing, fitting[0], shared=len(graph.select(fitting[0]).workloads) > 1)


def _governs(service: Service, labels: Mapping[str, str]) -> bool | None:
    """Whether the Service selects pods with these labels; None when that cannot be known."""
    if not service.selector or service.type == "ExternalName" or RUNTIME_LABELS & service.selector.keys():
        return None
    differing = [key for key, value in service.selector.items() if labels.get(key) != value]
    later = [key for key in differing if key not in labels and _LEADING.search(service.selector[key])]
    if differing and later == differing:
        return None
    return not differing


def _absent(governing: GoverningService, fitting: Service, *, shared: bool) -> Finding:
    """The finding for an absent Service; one that selects pods of other workloads, too, is not meant instead."""
    kind = "headless " if fitting.headless else ""
    meant = "" if shared else f" Did you mean {fitting.key}, the {kind}Service that selects them?"
    return Finding(
        message=(
            f"{governing.name.resource} names Service/{governing.name.value} in serviceName, which does not exist here: "
            f"its pods get no DNS names.{meant}"
        ),
        severity=Severity.WARNING,
        primary=governing.name,
        expected=None if shared else fitting.key.name,
        related=_label(fitting),
        remedies=() if shared else _remedies(governing, fitting),
    )


def _mismatch(governing: GoverningService, named: Service, fitting: Service | None) -> Finding:
    labels = governing.labels
    key, value = next((key, value) for key, value in named.selector.items() if labels.get(key) != value)
    has = f"have {labels[key]!r}" if key in labels else "lack that label"
    return Finding(
        message=(
            f"{governing.name.resource} names {named.key} in serviceName, but that selects pods with {key} {value!r}, "
            f"and the StatefulSet's own pods {has}: they get no DNS names."
        ),
        severity=Severity.WARNING,
        primary=governing.name,
        expected=fitting.key.name if fitting else None,
        related=_label(named),
        remedies=_remedies(governing, fitting) if fitting else (),
    )


def _label(service: Service) -> tuple[Label, ...]:
    return tuple(Label(port.number, f"the port of {service.key}") for port in service.ports[:1])


def _remedies(governing: GoverningService, fitting: Service) -> tuple[Remedy, ...]:
    name = fitting.key.name
    return (Remedy(f"set serviceName to {name}", ((governing.name, name),)),)


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check, traits=[Trait.NEEDS_ALL])
