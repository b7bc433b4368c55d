"""Pods are told to call a Service, but their egress policies leave its pods closed.

A policy with egress rules closes everything that it does not list. The rule looks at
pods that have the address of a Service in a command, an argument or a variable. It
reports their policy if no policy opens the port of the pods behind that Service.

Why it matters:

The calls time out: most network plugins drop what a policy does not allow.

Severity:

* **warning**: always, because a policy that is not in the rendered manifests may open
  the port.

Fix:

No. Add an egress rule to the pods behind the Service, with their own port. Most
plugins apply it after the Service has translated its port.

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
        - ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          env: [{name: API_URL, value: "http://api:80/v1"}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: api}
    spec:
      selector: {app: api}
      ports: [{port: 80, targetPort: 8080}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: api, labels: {app: api}}
    spec:
      containers:
        - {name: api, image: api:1, ports: [{containerPort: 8080}]}

Good::

    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: web}
    spec:
      podSelector: {matchLabels: {app: web}}
      policyTypes: [Egress]
      egress:
        - to: [{podSelector: {matchLabels: {app: api}}}]
          ports: [{port: 8080}]
        - ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          env: [{name: API_URL, value: "http://api:80/v1"}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: api}
    spec:
      selector: {app: api}
      ports: [{port: 80, targetPort: 8080}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: api, labels: {app: api}}
    spec:
      containers:
        - {name: api, image: api:1, ports: [{containerPort: 8080}]}

Not reported when:

* any policy that may select the pods opens the port, wherever it leads.
* a policy opens the Service's own port: `network-policy-egress-port` reports that.
* a rule leads to the pods behind the Service, but with a number or name that they do
  not declare: `network-policy-egress-port` may report that.
* the policy selects all pods of its namespace, or has no egress rule.
* a policy that may select the pods is none of Kubernetes' own, such as Cilium's.
* the address is in a ConfigMap: others may read it.
* no workload here is behind the Service, or its pods' port is not known.
* the name of the setting says that the address is for others, such as browsers (`CORS_ORIGIN`,
  `FRONTEND_URL`, `CALLBACK_URL`).
* the repository has policies for whole clusters (`CiliumClusterwideNetworkPolicy`), or a Kyverno rule
  that makes NetworkPolicies.
* the pods call themselves, use the node's network, or run to completion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.answers import answer, target_number
from portproof.graph.handed_on import is_handed_on
from portproof.graph.model import (
    PortGraph,
    Reached,
    Relation,
    Service,
    ServiceEdge,
    ServicePort,
    Site,
    Workload,
)
from portproof.rules.base import Finding, Label, Severity, Trait, rule
from portproof.rules.policy.egress import leads
from portproof.rules.policy.ingress import AllowedPorts
from portproof.rules.policy.policies import Layer, Opening, Policy, PolicyRule, read


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each Service that pods are told to call and that their policies leave closed."""
    policies = [one for one in read(graph, Layer.NETWORK) if one.egress is not None]
    if not policies:
        return
    said: set[tuple[object, object]] = set()
    for workload in graph.workloads:
        around = [one for one in policies if _may_select(one, workload)]
        closing = next((one for one in around if _is_meant(one)), None)
        known = all(one.key.group == "networking.k8s.io" and one.selector is not None for one in around)
        if closing is None or not known or workload.host_network or not workload.serves:
            continue
        for call, service, port in _calls(graph, workload):
            rules = [rule for one in around for rule in one.egress or ()]
            if (closing.key, service.key) not in said and _is_closed(graph, rules, service, port):
                said.add((closing.key, service.key))
                yield _finding(closing, workload, call, port)


def _may_select(policy: Policy, workload: Workload) -> bool:
    here = policy.namespace in ("", workload.key.namespace)
    return here and (policy.selector is None or policy.selector.matches(workload.labels))


def _is_meant(policy: Policy) -> bool:
    """Whether it is for some pods, and lists what they may call."""
    narrow = policy.selector is not None and policy.selector.is_narrow and policy.selector.is_exact
    return narrow and bool(policy.egress)


def _calls(graph: PortGraph, workload: Workload) -> Iterator[tuple[ServiceEdge, Service, ServicePort]]:
    """The Services that a workload is told to call, with the port that it reaches; none of its own."""
    own = graph.services_of(workload)
    for call in graph.asking(Relation.CALLER):
        is_own = call.holder == workload.key and not is_handed_on(graph, call)
        services = graph.variants(*call.whom.place) if is_own else ()
        found = answer(graph, call) if len(services) == 1 and services[0] not in own else None
        ports = found.ports if isinstance(found, Reached) else ()
        for port in ports[:1]:
            if isinstance(port, ServicePort):
                yield call, services[0], port


def _is_closed(graph: PortGraph, rules: Sequence[PolicyRule], service: Service, port: ServicePort) -> bool:
    """Whether no rule lets requests to the port arrive in any pod behind the Service."""
    workloads = graph.select(service).workloads
    if not workloads or any(one.opaque or one.host_network for one in workloads):
        return False
    gate = AllowedPorts(one for one in rules if leads(one, workloads))
    aimed = [one for one in rules if one.peers is not None and leads(one, workloads)]
    if not all(_is_declared(opening, workloads) for one in aimed for opening in one.openings):
        return False
    for workload in workloads:
        target, asked = target_number(port, workload), port.number.value
        if target is None or gate.lets(workload, target, port.protocol):
            return False
        if isinstance(asked, int) and gate.lets(workload, asked, port.protocol):
            return False
    return True


def _is_declared(opening: Opening, workloads: Sequence[Workload]) -> bool:
    ports = [port for one in workloads for port in one.ports]
    return any(opening.name == port.name_text or opening.number == port.value for port in ports)


def _finding(policy: Policy, workload: Workload, call: ServiceEdge, port: ServicePort) -> Finding:
    service = port.number.resource
    return Finding(
        message=(
            f"{workload.key} is told to call {service}, but {policy.key} closes the way to its pods, and nothing else opens "
            "it: connections time out."
        ),
        severity=Severity.WARNING,
        primary=Site(policy.key, ("spec", "egress"), None),
        related=(
            Label(call.whom.site, f"{workload.key} is told the address here"),
            Label(port.target, "requests go to this port of the pods"),
        ),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check, traits=[Trait.NEEDS_ALL, Trait.CLOSED])
