"""A controller's own route resource names a port that the Service does not have.

Besides Ingress, many controllers have their own resources that name a Service and one
of its ports, never a container port. The rule checks:

* NGINX `VirtualServer`, `VirtualServerRoute` and `TransportServer` (a number).
* Kong `TCPIngress` and `UDPIngress` (a number).
* APISIX `ApisixRoute` (a number or a name).
* Gloo `VirtualService`, `RouteTable` and `Upstream` (a number).
* Emissary `Mapping` and `TCPMapping` (`service: web.shop:80`).
* ConfigMaps with the TCP and UDP services of ingress-nginx and HAProxy, such as
  `"9000": shop/queue:5672`. The port is a number or a name, and must have that
  protocol.

The rule recognizes such a ConfigMap if an argument like `--tcp-services-configmap`
names it, or if it is called `tcp-services` or `udp-services`.

Why it matters:

The controller finds no endpoints for the port, and the route fails. Emissary connects
to a port on which the Service does not answer.

Sources:

* nginx/kubernetes-ingress `internal/k8s/controller.go`
* Kong/kubernetes-ingress-controller `translate_upstreams.go`
* apache/apisix-ingress-controller `apisixroute_controller.go`
* solo-io/gloo `proxy.proto`
* emissary-ingress/emissary `irbasemapping.py`
* kubernetes/ingress-nginx `controller.go`

Severity:

* **error**: the Service has no such port.
* **warning**: the backend of an ApisixRoute has weight 0, so it gets no requests yet.
  It is also a warning when the Service is in another target, and nothing but names
  says that the two are deployed together.

Fix:

Sometimes. It changes the port of the route, or the Service's port if nothing else
uses it. There is no fix when several ports could be meant.

Bad (the target port)::

    apiVersion: k8s.nginx.org/v1
    kind: VirtualServer
    metadata: {name: web}
    spec:
      host: web.example.org
      upstreams:
        - {name: web, service: web, port: 8080}
      routes:
        - {path: /, action: {pass: web}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Bad (in an address)::

    apiVersion: getambassador.io/v3alpha1
    kind: Mapping
    metadata: {name: web}
    spec: {hostname: "*", prefix: /, service: "http://web.default:8080"}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Bad (a service of TCP)::

    apiVersion: v1
    kind: ConfigMap
    metadata: {name: tcp-services, namespace: ingress-nginx}
    data:
      "9000": "default/queue:15672"
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: queue}
    spec:
      selector: {app: queue}
      ports:
        - {name: amqp, port: 5672, targetPort: 5672}

Good::

    apiVersion: k8s.nginx.org/v1
    kind: VirtualServer
    metadata: {name: web}
    spec:
      host: web.example.org
      upstreams:
        - {name: web, service: web, port: 80}
      routes:
        - {path: /, action: {pass: web}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}

Not reported when:

* no target that is deployed together with this one has the Service in that namespace.
* the Service is of type ExternalName.
* the port is a placeholder, such as `${PORT}`.
* a Mapping names no port.
* a Mapping uses another `resolver` than Kubernetes DNS.
* the Service of a Mapping is headless: clients then connect to the container's port
  directly.
* the ConfigMap is none of those described above.
* an entry of such a ConfigMap does not have that form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.answers import missed
from portproof.graph.model import PortGraph, Relation, Service, ServiceEdge
from portproof.rules.base import Finding, Severity, Trait, rule
from portproof.rules.port_references import finding
from portproof.rules.routing.edges import mapping_edges


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that the Service does not have."""
    for edge in graph.asking(Relation.CONTROLLER):
        services = missed(graph, edge)
        if services:
            yield _finding(graph, edge, services)
    for edge in mapping_edges(graph):
        services = missed(graph, edge)
        if services and not any(one.headless for one in services):
            yield _finding(graph, edge, services)


def _finding(graph: PortGraph, edge: ServiceEdge, services: Sequence[Service]) -> Finding:
    return finding(graph, edge, services, does="sends traffic to", so="no request gets through")


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.SPANS_TARGETS])
