"""An Istio AuthorizationPolicy allows the port of the Service instead of the workload's.

The proxy of a workload applies policies after the Service has translated the port. So
`ports` must be those of the *workload* (`targetPort`).

The base revision of a pull request, or of `--base`, is evidence too. If the two met there,
the rule reports a change that moves only the pods' port or only the policy's.

Why it matters:

As soon as one ALLOW policy selects a workload, everything that no policy allows is
denied. Every request through the Service gets a 403, or its connection is closed.

Severity:

* **error**: when every pod behind the Service declares its target.
* **warning**: when not every pod declares it, or the policy selects a whole namespace.
  Also when the allowed number is a near miss of the target (8081 for 8080), or when a
  change moved one of the two.

Fix:

Yes. It sets the port of the policy to the target of the Service.

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

Not reported when:

* any policy for the pods allows the target, whoever may ask.
* any policy for the pods allows all ports.
* a policy in `istio-system`, which applies to all namespaces, allows the target.
* one of the pods declares the allowed number.
* one of the pods mentions the allowed number in its settings.
* a Service sends traffic to the allowed number.
* the action isn't ALLOW.
* the policy is a dry run.
* the policy has `targetRef` or `targetRefs`: a gateway or waypoint enforces it.
* the pods aren't in the rendered manifests.
* injection adds ports to the pods, as it does for gateways.
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
    yield from misdirected(graph, policy_scopes(graph, Layer.MESH))


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
