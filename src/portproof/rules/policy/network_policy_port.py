"""A policy opens a port by a name that none of its pods has.

A name in a policy is looked up in the *pods* that it selects, with the protocol:
it is the name of a container port, not that of a Service's port. A name that a
pod does not have opens nothing there, without an error or an event.

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

Read are NetworkPolicies of Kubernetes and of Calico, GlobalNetworkPolicies, and
Cilium's policies. It is an **error** when a Service loses its way by it: no policy
opens the target, every pod behind the Service declares it, and the name is that
of the Service's port or differs by a slip from the declared one. It is a
**warning** when the name differs by a slip from that of one declared port, when
the pods have it for another protocol, when the whole rule opens nothing while one
port that Services target stays closed, and when all rules for the pods open
nothing.

Silent otherwise: a port may be there only with other values. Silent, too, when
one of the selected pods has the name (init containers included), when no pod of
the rendering is selected, when the selector names no label that its pods have
(others of the namespace may be meant), when it cannot be judged here, for names
that meshes add to pods, for placeholders, and for pods whose ports are added by
injection. A number is never reported for being undeclared
(`network-policy-service-port` looks at those), and what cannot be a name is for
`policy-port-invalid`.
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
