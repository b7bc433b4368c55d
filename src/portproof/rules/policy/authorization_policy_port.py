"""An Istio AuthorizationPolicy allows the port of the Service instead of the workload's.

The proxy of a workload asks its policies after the Service has translated the
port, so `ports` are those of the *workload* (`targetPort`). As soon as one ALLOW
policy selects a workload, everything that none of them allows is denied: here
every request through the Service gets an answer of 403, or is cut off.

Bad::

    apiVersion: security.istio.io/v1
    kind: AuthorizationPolicy
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      action: ALLOW
      rules:
        - to: [{operation: {methods: [GET], ports: ["80"]}}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: http}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: http, containerPort: 8080}]}

Good::

    apiVersion: security.istio.io/v1
    kind: AuthorizationPolicy
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      action: ALLOW
      rules:
        - to: [{operation: {methods: [GET], ports: ["8080"]}}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: http}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: http, containerPort: 8080}]}

It is an **error** when every pod behind the Service declares its target. It is a
**warning** when they do not, when the policy selects a whole namespace, and when
the allowed number is a near miss of the target (8081 for 8080).

Silent when any policy that applies to the pods allows the target, or all ports,
to whomever (those of `istio-system` apply to all namespaces); when one of the
pods declares the allowed number, mentions it in its settings, or gets it from a
Service; for actions other than ALLOW, for a dry run, and for a policy with
`targetRef` or `targetRefs`, which a gateway or waypoint enforces. Pods that live
elsewhere, and those whose ports are added by injection (gateways), are not
judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.policy.ingress import policy_scopes
from portproof.rules.policy.policies import Layer
from portproof.rules.policy.wrong_port import misdirected


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each number that policies allow beside the one that is needed."""
    yield from misdirected(policy_scopes(graph, Layer.MESH))


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
