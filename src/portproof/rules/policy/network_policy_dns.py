"""Pods that call others by name may not ask DNS: their egress policies leave out port 53.

A policy with egress rules closes everything else that its pods might call, the DNS servers of
the cluster included. The rule reports the policy when its pods are told a name: that of a Service
here with its port, or any name that ends in `.svc` or `.svc.cluster.local`.

Why it matters:

No name resolves, so every call by name fails, also those that the policy allows.

Severity:

* **warning**: always, because a policy that is not in the rendered manifests may open DNS.

Fix:

No. Add a rule that opens port 53 for UDP and TCP. OpenShift needs 5353 instead.

Bad::

    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: web}
    spec:
      podSelector: {matchLabels: {app: web}}
      policyTypes: [Egress]
      egress:
        - to: [{podSelector: {matchLabels: {app: db}}}]
          ports: [{port: 5432}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          env: [{name: DB_HOST, value: db.default.svc.cluster.local}]

Good::

    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: web}
    spec:
      podSelector: {matchLabels: {app: web}}
      policyTypes: [Egress]
      egress:
        - to: [{podSelector: {matchLabels: {app: db}}}]
          ports: [{port: 5432}]
        - ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          env: [{name: DB_HOST, value: db.default.svc.cluster.local}]

Not reported when:

* any policy that may select the pods opens 53, 5353 or a port named after DNS, wherever it leads.
* any policy that may select the pods opens all ports to more than pods of its namespace.
* the policy has no egress rule: nothing is meant to be called.
* the policy selects all pods of its namespace, or is not a NetworkPolicy of Kubernetes.
* the pods are on the node's network, or have DNS servers of their own (`dnsPolicy: None`).
* nothing tells the pods a name, but for browsers and other callers (`CORS_ORIGIN`, `CALLBACK_URL`).
* the repository has policies for whole clusters (`CiliumClusterwideNetworkPolicy`), or a Kyverno rule
  that makes NetworkPolicies.
* another policy for the same pods is reported: one rule for DNS is enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from portproof.graph.handed_on import is_handed_on
from portproof.graph.labelled import Labelled
from portproof.graph.model import PortGraph, Relation, Site, Workload
from portproof.rules.base import Finding, Label, Severity, Trait, rule
from portproof.rules.policy.ingress import workloads_by_label
from portproof.rules.policy.policies import Layer, Opening, Policy, PolicyRule, read
from portproof.yamldoc import FieldPath, lookup

_DNS = (53, 5353)
_NAME = re.compile(r"(?<![\w.-])[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*\.svc(?:\.[a-z0-9.-]*[a-z0-9])?(?![\w-])")


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each policy whose pods call by name and may not ask DNS."""
    policies = [one for one in read(graph, Layer.NETWORK) if one.egress is not None]
    if not policies:
        return
    pods = workloads_by_label(graph)
    said: set[Workload] = set()
    for policy in policies:
        selected = _selected(policy, pods) if _is_meant(policy) else ()
        for workload in (one for one in selected if one not in said):
            around = [one for one in policies if _may_select(one, workload)]
            told = None if _asks(around) or workload.host_network else _told(graph, workload)
            if told is not None:
                said.update(selected)
                yield _finding(policy, workload, told, len(around) - 1)
                break


def _is_meant(policy: Policy) -> bool:
    """Whether it is a policy of Kubernetes for some pods, which lets them out somewhere."""
    narrow = policy.selector is not None and policy.selector.is_narrow and policy.selector.is_exact
    return policy.key.group == "networking.k8s.io" and narrow and bool(policy.egress)


def _selected(policy: Policy, pods: Labelled[Workload]) -> Sequence[Workload]:
    return () if policy.selector is None else pods.matching(policy.selector, frozenset({policy.namespace}))


def _may_select(policy: Policy, workload: Workload) -> bool:
    here = policy.namespace in ("", workload.key.namespace)
    return here and (policy.selector is None or policy.selector.matches(workload.labels))


def _asks(policies: Sequence[Policy]) -> bool:
    """Whether one of the policies may let the pods ask DNS."""
    return any(
        _opens_dns(rule, one) for policy in policies for rule in policy.egress or () for one in rule.openings
    )


def _opens_dns(rule: PolicyRule, opening: Opening) -> bool:
    if opening.name:
        return "dns" in opening.name
    if opening.number is not None:
        return opening.number in _DNS
    return rule.peers is None and any(opening.first <= one <= opening.last for one in _DNS)


def _told(graph: PortGraph, workload: Workload) -> Site | None:
    """Where the pods are told a name; the site's value is the name."""
    resource = graph.read_from[workload]
    for container in workload.containers:
        spec = lookup(resource.data, container.path[:-2])
        data = lookup(resource.data, container.path)
        if not isinstance(spec, Mapping) or spec.get("dnsPolicy") == "None" or not isinstance(data, Mapping):
            return None
        for field in ("command", "args", "env"):
            for path, text in _texts((*container.path, field), data.get(field)):
                match = _NAME.search(text)
                if match is not None:
                    return Site(workload.key, path, match[0])
    own = {one.key for one in graph.services_of(workload)}
    for call in graph.asking(Relation.CALLER):
        services = graph.variants(*call.whom.place)
        if (
            call.holder == workload.key
            and services
            and services[0].key not in own
            and not is_handed_on(graph, call)
        ):
            return Site(call.whom.site.resource, call.whom.site.path, call.whom.name)
    return None


def _texts(path: FieldPath, value: Any) -> Iterator[tuple[FieldPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _texts((*path, index), one)
    elif isinstance(value, dict) and isinstance(value.get("value"), str):
        yield (*path, "value"), value["value"]


def _finding(policy: Policy, workload: Workload, told: Site, others: int) -> Finding:
    who = f"{policy.key} lets"
    if others:
        who = f"{policy.key} and {'another policy' if others == 1 else f'{others} other policies'} let"
    return Finding(
        message=(
            f"{who} the pods of {workload.key} ask no DNS server, but they are told to call {told.value}: "
            "the name does not resolve. Open port 53 for UDP and TCP."
        ),
        severity=Severity.WARNING,
        primary=Site(policy.key, ("spec", "egress"), None),
        related=(Label(told, f"{workload.key} is told the name here"),),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check, traits=[Trait.NEEDS_ALL, Trait.CLOSED])
