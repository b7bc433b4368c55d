"""A policy opens a port by a name that none of its pods has.

A name in a policy is looked up in the *pods* that it selects, together with the
protocol. It's the name of a container port, not that of a Service's port. The rule
checks NetworkPolicies of Kubernetes and Calico, GlobalNetworkPolicies, and Cilium's
policies.

Why it matters:

A name that a pod doesn't have opens nothing there, without an error or an event.
Connections to the port that was meant time out.

Severity:

* **error**: when no policy opens the target of a Service and every pod behind it
  declares that target. The name must be that of the Service's port, or a typo of the
  declared one.
* **warning**: when the name is a typo of one declared port, or the pods have it for
  another protocol. Also when the whole rule opens nothing while one port that Services
  target stays closed, or when all rules for the pods open nothing.

Fix:

Sometimes. It writes the name or number of the pods' port, or corrects the protocol.
There is none when several ports could be meant.

Bad (the Service's name for the port)::

    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: web}
    spec:
      podSelector: {matchLabels: {app: web}}
      ingress:
        - ports: [{port: http}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: web}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: web, containerPort: 8080}]}

Bad (a typo)::

    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: web}
    spec:
      podSelector: {matchLabels: {app: web}}
      ingress:
        - ports: [{port: metrcis}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: metrics, containerPort: 9100}]}

Good::

    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: web}
    spec:
      podSelector: {matchLabels: {app: web}}
      ingress:
        - ports: [{port: web}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: web}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: web, containerPort: 8080}]}

Not reported when:

* nothing tells which port was meant: it may exist only with other values.
* one of the selected pods has the name, be it in an init container.
* no pod in the rendered manifests is selected.
* the selector names no label that its pods have: other pods of the namespace may be
  meant.
* the selector can't be judged here, like Calico's `||`.
* the name is one that meshes add to pods.
* the value is a placeholder (`${PORT}`).
* injection adds ports to the pods.
* the port is a number: `network-policy-service-port` checks those.
* the text can't be a name: `policy-port-invalid` reports that.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.policy.ingress import policy_scopes
from portproof.rules.policy.policies import Layer
from portproof.rules.policy.wrong_name import misnamed


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each name that opens nothing, where something was meant."""
    yield from misnamed(policy_scopes(graph, Layer.NETWORK))


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
