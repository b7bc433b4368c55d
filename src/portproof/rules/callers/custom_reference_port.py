"""A resource of your own kind names a port that the Service does not have.

Which kinds name a Service, where, and what their fields hold, is said under
`references` in `portproof.yaml`: `kind` and `group` (one or a list), `at`
(JSONPaths of the objects that hold the reference), and within such an object
the fields `service`, `namespace` and `port` (these are the defaults too,
`service` aside: `name`). `by` says whether the port field holds the port's
`number` (the default), its `name`, or `either`; `default` is the port that
counts when the field is absent. A `number` may be in quotes, as your kind wants
it. With `host: true` the `service` field holds a
host, `web` or `web.shop.svc.cluster.local`, which then tells the namespace too;
with `protocol: UDP` (or `TCP`, `SCTP`) a port of another protocol is none.

Bad (the target port)::

    # portproof.yaml
    references:
      - kind: AppRoute
        group: example.org
        at: spec.backends[*]
        service: serviceName
        port: servicePort
    ---
    apiVersion: example.org/v1
    kind: AppRoute
    metadata: {name: shop}
    spec:
      backends:
        - {serviceName: shop, servicePort: 8080}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: shop}
    spec:
      selector: {app: shop}
      ports:
        - {port: 80, targetPort: 8080}

Good::

    # portproof.yaml
    references:
      - kind: AppRoute
        group: example.org
        at: spec.backends[*]
        service: serviceName
        port: servicePort
    ---
    apiVersion: example.org/v1
    kind: AppRoute
    metadata: {name: shop}
    spec:
      backends:
        - {serviceName: shop, servicePort: 80}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: shop}
    spec:
      selector: {app: shop}
      ports:
        - {port: 80, targetPort: 8080}

Bad (a host, and a port that is there for TCP only)::

    # portproof.yaml
    references:
      - kind: DnsForward
        group: example.org
        at: spec.upstream
        service: host
        host: true
        protocol: UDP
    ---
    apiVersion: example.org/v1
    kind: DnsForward
    metadata: {name: forward, namespace: edge}
    spec:
      upstream: {host: dns.shop.svc.cluster.local, port: 53}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: dns, namespace: shop}
    spec:
      selector: {app: dns}
      ports:
        - {name: dns-tcp, port: 53, targetPort: 5353}

How bad that is depends on the controller; `severity` in `portproof.yaml` gives
this rule another severity.

Silent when `portproof.yaml` has no `references`, when the Service is not in the
rendering (or in another namespace of it), when it is an ExternalName, for hosts
outside of the cluster, when the object says with a `kind` or `group` of its own that it names something else
than a Service, when the port is absent and has no `default`, and for
placeholders (`${PORT}`).
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.answers import missed
from portproof.graph.model import PortGraph, Relation
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.port_references import finding


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each reference of the configuration's kinds to a port that the Service does not have."""
    for edge in graph.asking(Relation.CUSTOM):
        services = missed(graph, edge)
        if services:
            yield finding(graph, edge, services, does="asks for", so="nothing answers there")


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
