"""A webhook calls a Service that is not there, while others of its configuration call one that is.

The Service of a webhook may be in another chart or overlay, so a missing Service alone is not
reported. But if a Service here has the port, and all other webhooks of the same object call it, the
one that names another Service was forgotten. Generators write `webhook-service` in the namespace
`system`, and each webhook has to be patched.

Why it matters:

The API server cannot reach the webhook. With `failurePolicy: Fail`, nobody can write the objects
that it is asked about.

Severity:

* **warning**: always, because the other Service may be in another release.

Fix:

No. Where the object is generated and patched, the patch is the place to edit.

Bad::

    apiVersion: admissionregistration.k8s.io/v1
    kind: ValidatingWebhookConfiguration
    metadata: {name: policy}
    webhooks:
      - name: shop.example.org
        sideEffects: None
        admissionReviewVersions: [v1]
        clientConfig: {service: {name: policy, namespace: default}}
      - name: order.example.org
        sideEffects: None
        admissionReviewVersions: [v1]
        clientConfig: {service: {name: webhook-service, namespace: system}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: policy, namespace: default}
    spec:
      selector: {app: policy}
      ports:
        - {port: 443, targetPort: 9443}

Good::

    apiVersion: admissionregistration.k8s.io/v1
    kind: ValidatingWebhookConfiguration
    metadata: {name: policy}
    webhooks:
      - name: shop.example.org
        sideEffects: None
        admissionReviewVersions: [v1]
        clientConfig: {service: {name: policy, namespace: default}}
      - name: order.example.org
        sideEffects: None
        admissionReviewVersions: [v1]
        clientConfig: {service: {name: policy, namespace: default}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: policy, namespace: default}
    spec:
      selector: {app: policy}
      ports:
        - {port: 443, targetPort: 9443}

Not reported when:

* no other webhook of the object calls a Service that is here, or they call several.
* that Service lacks the port.
* several variants of the object are in the folder.
* another target of the same environment has a Service of the missing name.
* something here is in the namespace of the missing Service, if it is another one.
* a custom resource here has a name that the Service's begins with: its operator may make it.
* the webhook is called by `url`.
* `own-service-absent`, `service-absent` or `service-name-prefix` reports the name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from portproof.discover.model import UNNAMED
from portproof.graph import own
from portproof.graph.answers import has
from portproof.graph.meant import only
from portproof.graph.model import PortGraph, Relation, Service, ServiceEdge
from portproof.graph.names import is_placeholder
from portproof.graph.past import redirected
from portproof.resources import ResourceKey
from portproof.rules.base import Finding, Label, Severity, Trait, rule

_GROUP = "admissionregistration.k8s.io"
_KINDS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
"""Objects with several webhooks; others have one."""


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each webhook that was left with another Service."""
    configurations: dict[ResourceKey, list[ServiceEdge]] = defaultdict(list)
    holders = Counter(one.key for kind in _KINDS for one in graph.of_kind(kind, _GROUP))
    for edge in graph.asking(Relation.WEBHOOK):
        if holders[edge.holder] == 1:  # a folder may hold several variants of an object
            configurations[edge.holder].append(edge)
    moved = redirected(graph)
    for edges in configurations.values():
        absent = [one for one in edges if one not in moved and own.is_absent(graph, one)]
        service = _called(graph, [one for one in edges if one not in absent]) if absent else None
        if service is None:
            continue
        for edge in absent:
            if _is_left(graph, edge, service):
                yield _finding(edge, service)


def _called(graph: PortGraph, edges: Sequence[ServiceEdge]) -> Service | None:
    """The one Service that all of them call."""
    place = only(one.whom.place for one in edges)
    return None if place is None else graph.service(*place)


def _is_left(graph: PortGraph, edge: ServiceEdge, service: Service) -> bool:
    name, namespace = edge.whom.name, edge.whom.namespace
    if edge.wanted is None or not has(service, edge.wanted, edge.by) or is_placeholder(f"{name}{namespace}"):
        return False
    if UNNAMED in name or name in graph.own_names:
        return False
    if any(affix.plain(service.key.name) == name for affix in graph.affixes):
        return False
    return namespace == service.key.namespace or all(
        one.key.namespace != namespace for one in graph.resources
    )


def _finding(edge: ServiceEdge, service: Service) -> Finding:
    where = "" if edge.whom.namespace == service.key.namespace else f" in namespace {edge.whom.namespace!r}"
    return Finding(
        message=(
            f"A webhook of {edge.holder} calls Service/{edge.whom.name}{where}, which nothing renders: the API server cannot "
            f"reach it. The other webhooks of the object call {service.key}."
        ),
        severity=Severity.WARNING,
        primary=edge.whom.site,
        related=tuple(Label(port.number, f"a port of {service.key}") for port in service.ports[:1]),
    )


RULE = rule(
    __name__, __doc__, severity=Severity.WARNING, check=check, traits=[Trait.SPANS_TARGETS, Trait.NEEDS_ALL]
)
