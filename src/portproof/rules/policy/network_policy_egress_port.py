"""An egress policy allows the Service's port, but the pods behind it listen on another.

An `egress` rule that leads to pods is about the ports of *those pods*: most network
plugins apply it after the Service has translated its port. The rule checks `podSelector`
alone in NetworkPolicies, and `toEndpoints` in Cilium's policies.

It reports the Service's port, by number or name. It also reports a near miss of the
target (8081 for 8080), a name that is a typo of a declared one, and the other protocol.
It reports a rule that opens nothing, too, by names or by numbers that none of the pods
declares, if everything that they declare stays closed.

The base revision of a pull request, or of `--base`, is evidence too. If the two met there,
the rule reports a change that moves only the pods' port or only the policy's.

Why it matters:

The pods' own port stays closed, so connections through the Service time out.

Severity:

* **warning**: always, because some network plugins apply the policy before the
  translation, and need the Service's port as well.

Fix:

Sometimes. It sets the rule's port to that of the pods, or corrects the protocol. There is none
when several numbers of a rule are in vain, or several ports could be meant.

Bad::

    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: web}
    spec:
      podSelector: {matchLabels: {app: web}}
      policyTypes: [Egress]
      egress:
        - to: [{podSelector: {matchLabels: {app: api}}}]
          ports: [{port: 80}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: api}
    spec:
      selector: {app: api}
      ports:
        - {port: 80, targetPort: http}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: api, labels: {app: api}}
    spec:
      containers:
        - {name: api, image: api:1, ports: [{name: http, containerPort: 8080}]}

Good::

    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: web}
    spec:
      podSelector: {matchLabels: {app: web}}
      policyTypes: [Egress]
      egress:
        - to: [{podSelector: {matchLabels: {app: api}}}]
          ports: [{port: 80}, {port: 8080}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: api}
    spec:
      selector: {app: api}
      ports:
        - {port: 80, targetPort: http}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: api, labels: {app: api}}
    spec:
      containers:
        - {name: api, image: api:1, ports: [{name: http, containerPort: 8080}]}

Not reported when:

* any policy for the same pods opens the target on the way there.
* any policy of the namespace opens it, and none of the policy's own pods is in the
  rendered manifests.
* the rule leads to more than pods of its namespace (addresses, namespaces, names).
* one of the rule's selectors matches no pod in the rendered manifests.
* one of the rule's selectors names no label.
* one of the pods declares the opened port.
* one of the pods mentions the opened port.
* a Service sends traffic to the opened port.
* the rule opens a number that the pods don't have beside one that they have.
* the pods are on the node's network.
* injection adds ports to the pods.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.policy.egress import egress_scopes
from portproof.rules.policy.for_nothing import for_nothing
from portproof.rules.policy.wrong_name import misnamed
from portproof.rules.policy.wrong_port import misdirected


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that traffic may leave for in vain."""
    found = tuple(egress_scopes(graph))
    said = [*misdirected(graph, found), *misnamed(found)]
    yield from said
    reported = {one.primary for one in said}
    yield from (one for one in for_nothing(graph, found) if one.primary not in reported)


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
