"""A resource of a custom kind names a port that the Service does not have.

You list these kinds under `references` in `portproof.yaml`, with these keys:

* `kind` and `group`: one or a list.
* `at`: JSONPaths of the objects that hold a reference.
* `service`, `namespace` and `port`: fields of such an object. By default, they are
  `name`, `namespace` and `port`.
* `by`: whether the port field holds a `number` (the default), a `name`, or `either`.
  A number may be in quotes, if your kind wants it so.
* `default`: the port that applies when the field is absent.
* `host: true`: the `service` field holds a host, such as `web` or
  `web.shop.svc.cluster.local`. The host then sets the namespace, too.
* `protocol`: `TCP`, `UDP` or `SCTP`. A port of another protocol does not match.

Why it matters:

Nothing answers on that port. How bad that is depends on your controller: `severity`
in `portproof.yaml` gives this rule another severity.

Severity:

* **error**: the Service has no such port.
* **warning**: the object that holds the reference has `weight: 0`, so nothing is sent
  there yet. It is also a warning when the Service is in another target, and nothing
  but names says that the two are deployed together.

Fix:

Sometimes. It changes the port of your resource, or the Service's port if nothing else
uses it. There is no fix when several ports could be meant.

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

Not reported when:

* `portproof.yaml` has no `references`.
* no target that is deployed together with this one has the Service in that namespace.
* the Service is of type ExternalName.
* the host is outside the cluster.
* the `kind` or `group` of the object says that it names something other than a
  Service.
* the port is absent and has no `default`.
* the port is a placeholder, such as `${PORT}`.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.answers import missed
from portproof.graph.model import PortGraph, Relation
from portproof.rules.base import Finding, Severity, Trait, rule
from portproof.rules.port_references import finding


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each reference of the configuration's kinds to a port that the Service does not have."""
    for edge in graph.asking(Relation.CUSTOM):
        services = missed(graph, edge)
        if services:
            yield finding(graph, edge, services, does="asks for", so="nothing answers there")


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.SPANS_TARGETS])
