"""A cloud load balancer checks health on a number at which no pod answers.

The number of a health check is used as it is. The controllers never look it up
among the Service's ports. So it has to be one at which the targets are reached:

* the pods' own port, if pods are the targets: `target-type: ip` of AWS, network
  endpoint groups of Google Cloud, and HealthCheckPolicy.
* a port of the node, if nodes are the targets: `target-type: instance` of AWS.

The rule checks:

* AWS `alb.ingress.kubernetes.io/healthcheck-port`, of an Ingress or of a Service.
* AWS `service.beta.kubernetes.io/aws-load-balancer-healthcheck-port`.
* Google Cloud: `healthCheck.port` of a BackendConfig, and the port of a
  HealthCheckPolicy.

Why it matters:

Every target counts as unhealthy. The load balancer answers 502 or 503, or sends
requests to all targets, healthy or not.

Severity:

* **warning**: always, because a program may listen on a port that it does not
  declare. The number has to be the Service's own port, or a near miss of a port that
  the pods declare. On nodes it has to be a port of the Service or of the pods.

Fix:

Sometimes. It sets the number to the port that the pods have behind that port of the
Service. There is none for nodes, or if the workloads differ.

Bad (the Service's port)::

    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata:
      name: web
      annotations:
        alb.ingress.kubernetes.io/target-type: ip
        alb.ingress.kubernetes.io/healthcheck-port: "80"
    spec:
      ingressClassName: alb
      defaultBackend: {service: {name: web, port: {number: 80}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 80, targetPort: http}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: http, containerPort: 8080}]}

Bad (a node has no such port)::

    apiVersion: v1
    kind: Service
    metadata:
      name: web
      annotations:
        service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: instance
        service.beta.kubernetes.io/aws-load-balancer-healthcheck-port: "8080"
    spec:
      type: LoadBalancer
      selector: {app: web}
      ports: [{name: http, port: 80, targetPort: 8080}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: http, containerPort: 8080}]}

Good::

    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata:
      name: web
      annotations:
        alb.ingress.kubernetes.io/target-type: ip
        alb.ingress.kubernetes.io/healthcheck-port: "8080"
    spec:
      ingressClassName: alb
      defaultBackend: {service: {name: web, port: {number: 80}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{name: http, port: 80, targetPort: http}]
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: http, containerPort: 8080}]}

Not reported when:

* the number is a port that the pods declare or mention, or that their image opens.
* the Service sends traffic to the number.
* a node has it: as `nodePort`, `healthCheckNodePort`, `hostPort`, or on the node's network.
* the number is one that only the cluster assigns (30000 to 32767).
* nothing says whether pods or nodes are the targets of an AWS load balancer.
* no workload here is behind the Service, or injection adds ports to the pods.
* the number is nothing like a port of the Service or its pods.
* the value is `traffic-port` or a name: `load-balancer-annotation` checks names.
* the Service has the annotation of its own, which replaces that of the Ingress.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from portproof.graph.answers import target_number
from portproof.graph.evidence import built_to_listen, image_listening, is_in_pod_spec, is_near_miss
from portproof.graph.fields import mapping, scalar
from portproof.graph.meant import only
from portproof.graph.model import PortGraph, Service, Workload
from portproof.rules.base import Finding, Label, Remedy, Severity, rule
from portproof.rules.routing.health_checks import Check, checks

NODE_PORTS = range(30000, 32768)
"""Which the API server assigns (k/k ``--service-node-port-range``, its default)."""


class _Wrong(Struct, frozen=True):
    """Why nobody answers, and which number would: None when that is not clear."""

    why: str
    expected: int | None
    related: tuple[Label, ...]


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each health check at a number that its targets do not have."""
    for one in checks(graph):
        found = [_wrong(graph, one, service) for service in one.services]
        wrong = [each for each in found if each is not None]
        if wrong and len(wrong) == len(found):
            yield _finding(one, wrong)


def _wrong(graph: PortGraph, one: Check, service: Service) -> _Wrong | None:
    workloads = graph.select(service).workloads
    number = one.number
    if not workloads or any(pods.opaque or pods.host_network or not pods.ports for pods in workloads):
        return None
    if number in NODE_PORTS or _has_node(graph, service, number):
        return None
    if any(_is_on_host(pods, number) for pods in workloads):
        return None
    own = [port for port in service.ports if port.number.value == number]
    declared = {port.value for pods in workloads for port in pods.ports if port.protocol == "TCP"}
    targets = {target_number(port, pods) for port in service.ports for pods in workloads}
    if one.on_nodes:
        is_known = own or number in declared | targets
        why = "the load balancer asks the nodes, where only a nodePort answers"
        return _Wrong(why, None, ()) if is_known else None
    if number in declared | targets or any(_may_listen(pods, number) for pods in workloads):
        return None
    if own:
        reached = only(target_number(own[0], pods) for pods in workloads)
        label = Label(own[0].number, f"{number} is the Service's own port")
        where = "" if reached is None else f", and its pods are reached at {reached}"
        return _Wrong(f"{number} is the port of {service.key}{where}", reached, (label,))
    near = [port for pods in workloads for port in pods.ports if is_near_miss(number, port.value)]
    numbers = only(port.value for port in near)
    if numbers is None:
        return None
    label = Label(near[0].number, f"{numbers} is declared here")
    return _Wrong(f"its pods declare {numbers}, of which {number} looks like a typo", numbers, (label,))


def _has_node(graph: PortGraph, service: Service, number: int) -> bool:
    resource = graph.read_from.get(service)
    spec = mapping(None if resource is None else resource.data.get("spec"))
    ports = {port.node_port.value for port in service.ports if port.node_port is not None}
    return number in ports or scalar(spec.get("healthCheckNodePort")) == number


def _is_on_host(workload: Workload, number: int) -> bool:
    return any(port.host_port is not None and port.host_port.value == number for port in workload.ports)


def _may_listen(workload: Workload, number: int) -> bool:
    known = image_listening(workload, number) or built_to_listen(workload, number)
    return bool(known) or is_in_pod_spec(workload, number)


def _finding(one: Check, wrong: list[_Wrong]) -> Finding:
    expected = only(each.expected for each in wrong)
    remedies = () if expected is None else (Remedy(f"set the port to {expected}", ((one.site, expected),)),)
    service = one.services[0].key
    who = (
        f"The load balancer of {service} checks health"
        if one.holder == service
        else f"{one.holder} checks the health of {service}"
    )
    return Finding(
        message=f"{who} on {one.number}, but {wrong[0].why}: every target counts as unhealthy.",
        severity=Severity.WARNING,
        primary=one.site,
        expected=expected,
        related=wrong[0].related,
        remedies=remedies,
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
