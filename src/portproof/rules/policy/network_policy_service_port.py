"""A policy opens the Service's port, but not the one that its pods listen on.

A policy applies after the Service has translated its port into that of the pod. So it
must list the *pod's* port (`targetPort`), never the Service's. The rule checks
NetworkPolicies of Kubernetes and Calico, GlobalNetworkPolicies, and Cilium's policies.

The base revision of a pull request, or of `--base`, is evidence too. If the two met there,
the rule reports a change that moves only the pods' port or only the policy's.

Why it matters:

All policies that select a pod add up, and what none of them opens is closed. Every
connection through the Service times out.

Severity:

* **error**: when every pod behind the Service declares its target.
* **warning**: when not every pod declares it, or the policy selects the pods of a whole
  namespace or cluster. Also when the opened number is a near miss of the target (8081
  for 8080), or is the target for the other protocol. Also when a change moved one of
  the two.

Fix:

Sometimes. It opens the pods' port instead, or corrects the protocol. There is none when
several targets could be meant, or when the protocol isn't written anywhere.

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

Not reported when:

* any policy in the rendered manifests opens the target by number, range or name,
  whoever may ask.
* any policy opens all ports.
* one of the selected pods declares the opened number.
* a Service sends traffic to the opened number.
* a probe uses the opened number.
* one of the selected pods, not of a Job or hook, mentions the number in its settings.
* no policy selects the pods.
* the policies for the pods are about outgoing traffic only.
* the target is closed without such a mistake: a policy may want that.
* the Service is headless: its clients use the pod's port.
* the pods are on the node's network.
* injection adds ports to the pods.
* the selector can't be judged here (run-time labels, Calico's `||`): such a policy
  closes nothing.
* the policy's pods aren't in the rendered manifests.
* a policy opens a port of a mesh's tunnel (4143, 15008), which lets everything in.
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
    yield from misdirected(graph, policy_scopes(graph, Layer.NETWORK))


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
