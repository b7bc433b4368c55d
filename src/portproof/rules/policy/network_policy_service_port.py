"""A policy opens the port of the Service, and leaves the one that its pods listen on closed.

A policy is applied after the Service has translated its port into that of the
pod, so it has to list the *pod's* port (`targetPort`), never the Service's. All
policies that select a pod count together, and what none of them opens is
closed: here every connection through the Service times out.

Bad::

    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: web}
    spec:
      podSelector: {matchLabels: {app: web}}
      ingress:
        - ports: [{port: 80}]
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

Bad (Cilium)::

    apiVersion: cilium.io/v2
    kind: CiliumNetworkPolicy
    metadata: {name: web}
    spec:
      endpointSelector: {matchLabels: {app: web}}
      ingress:
        - fromEntities: [cluster]
          toPorts: [{ports: [{port: "80", protocol: TCP}]}]
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

    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: web}
    spec:
      podSelector: {matchLabels: {app: web}}
      ingress:
        - ports: [{port: 8080}]
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

Read are NetworkPolicies of Kubernetes and of Calico, GlobalNetworkPolicies, and
Cilium's policies. It is an **error** when every pod behind the Service declares
its target. It is a **warning** when they do not declare it, when the policy
selects the pods of a whole namespace or cluster, when the opened number is a near
miss of the target (8081 for 8080), and when it is the target's number for the
other protocol.

Silent when any policy of the rendering opens the target (by number, range or
name, to whomever), or opens all ports; when one of the selected pods declares
the opened number, gets it from a Service, probes it, or, unless it is of a Job or
a hook, mentions it in its settings; when no policy selects the pods, or only
their outgoing traffic; for a target that is closed without such a slip, as a
policy may want it; for headless Services, whose clients take the pod's port; for
pods on the node's network, and pods whose ports are added by injection. A
selector that cannot be judged here (by run-time labels, by Calico's `||`) closes
nothing, and neither does a policy whose pods live elsewhere. Ports of a mesh's
tunnel (4143, 15008) let all in.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.policy.ingress import policy_scopes
from portproof.rules.policy.policies import Layer
from portproof.rules.policy.wrong_port import misdirected


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each number that network policies open beside the one that is needed."""
    yield from misdirected(policy_scopes(graph, Layer.NETWORK))


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
