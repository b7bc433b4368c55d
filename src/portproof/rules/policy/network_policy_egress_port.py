"""A policy lets traffic leave for the Service's port, which is not the one that its pods listen on.

An `egress` rule that leads to pods is about the ports of *those pods*: most
network plugins look after the Service has translated its port. A rule that lists
the Service's port, or the name of it, leaves the pods' own port closed.

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

Read are `podSelector` alone in NetworkPolicies, and `toEndpoints` in Cilium's. The
rule warns, too, of a number that is a near miss of the target (8081 for 8080), of
a name that is that of the Service's port or differs by a slip from a declared
one, of the other protocol, and of a rule that opens nothing by its names while the
targets stay closed. It is always a **warning**: some plugins look before the
translation, and need the Service's port as well.

Silent when any policy for the same pods opens the target on the way there (when
none of those pods is in the rendering, any policy of the namespace); when a rule
leads to more than pods of its namespace (addresses, namespaces, names); when one
of its selectors matches no pod of the rendering or names no label; when one of
the pods declares the opened port, mentions it, or gets it from a Service; for
headless Services, pods on the node's network, and pods whose ports are added by
injection.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.policy.egress import egress_scopes
from portproof.rules.policy.wrong_name import misnamed
from portproof.rules.policy.wrong_port import misdirected


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that traffic may leave for in vain."""
    found = tuple(egress_scopes(graph))
    yield from misdirected(found)
    yield from misnamed(found)


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
