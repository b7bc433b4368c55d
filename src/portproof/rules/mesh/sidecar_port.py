"""An Istio Sidecar listens on, or forwards to, a port that its pods do not have.

`ingress` replaces the listeners that Istio creates for a pod's ports. The `port` of a
listener is where requests reach the pod, so it is the target port of its Services.
`defaultEndpoint` is where the application listens.

Why it matters:

A listener on any other port gets no requests, and requests to an endpoint on any
other port fail. Istio rejects a Sidecar (`pkg/config/validation/validation.go`) when:

* two listeners have the same number.
* the host of an endpoint is not the pod itself.
* the port of an endpoint is not a number.

Severity:

* **error**: Istio rejects the Sidecar.
* **warning**: a listener uses the port of a Service that has another target. It is
  also a warning when an endpoint is a near miss of the only declared port, and
  nothing else mentions it.

Fix:

Sometimes. It sets the port of the listener or endpoint to the one that the pods have.

Bad (the Service's port)::

    apiVersion: networking.istio.io/v1
    kind: Sidecar
    metadata: {name: web}
    spec:
      workloadSelector: {labels: {app: web}}
      ingress:
        - port: {number: 80, protocol: HTTP, name: http}
          defaultEndpoint: 127.0.0.1:8080
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 8080}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          containers:
            - {name: web, image: web, ports: [{containerPort: 8080}]}

Bad (a near miss of the declared port)::

    apiVersion: networking.istio.io/v1
    kind: Sidecar
    metadata: {name: web}
    spec:
      workloadSelector: {labels: {app: web}}
      ingress:
        - port: {number: 9080, protocol: HTTP, name: http}
          defaultEndpoint: 127.0.0.1:8081
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          containers:
            - {name: web, image: web, ports: [{containerPort: 8080}]}

Good::

    apiVersion: networking.istio.io/v1
    kind: Sidecar
    metadata: {name: web}
    spec:
      workloadSelector: {labels: {app: web}}
      ingress:
        - port: {number: 9080, protocol: HTTP, name: http}
          defaultEndpoint: 127.0.0.1:8080
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: 9080}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          containers:
            - {name: web, image: web, ports: [{containerPort: 8080}, {containerPort: 9080}]}

Not reported when:

* the listener's port belongs to no Service: a pod may be called without one.
* the endpoint's port is undeclared, but not a near miss: an application may listen
  without declaring it.
* the rendered manifests do not contain the pods.
* the endpoint is a socket (`unix://`).
* the port is a placeholder, such as `${PORT}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.answers import numbers_behind
from portproof.graph.evidence import is_in_pod_spec, is_near_miss
from portproof.graph.meant import only
from portproof.graph.mesh_hosts import ISTIO
from portproof.graph.model import Pods, PortGraph, Reached, Service, Site, Workload
from portproof.graph.names import is_placeholder
from portproof.graph.pod_groups import PodGroup
from portproof.rules.base import Finding, Label, Remedy, Severity, rule
from portproof.rules.mesh import mesh
from portproof.rules.mesh.edges import SidecarListener, listeners, selected_by, sidecar_edge


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each listener that is rejected or does not fit."""
    sidecars = graph.of_kind("Sidecar", ISTIO)
    if not sidecars:
        return
    pods = mesh.pods(graph)
    for sidecar in sidecars:
        selected = PodGroup(graph, selected_by(sidecar, pods))
        seen: dict[int, Site] = {}
        for listener in listeners(sidecar):
            site = listener.number
            if site is not None and isinstance(site.value, int):
                first = seen.setdefault(site.value, site)
                if first is not site:
                    yield from _twice(first, site)
                elif not _is_declared(listener, site, selected):
                    yield from _confused(graph, site, selected.workloads)
            yield from _endpoint(listener, selected)


def _is_declared(listener: SidecarListener, port: Site, pods: PodGroup) -> bool:
    edges = (sidecar_edge(port, listener.at, Pods(one)) for one in pods.workloads[:1])
    return any(isinstance(pods.answer(one), Reached) for one in edges)


def _twice(first: Site, site: Site) -> Iterator[Finding]:
    yield Finding(
        message=f"{site.resource} has two listeners on port {site.value}: Istio rejects it.",
        severity=Severity.ERROR,
        primary=site,
        related=(Label(first, "the first listener"),),
    )


def _confused(graph: PortGraph, site: Site, pods: Sequence[Workload]) -> Iterator[Finding]:
    """A listener on the port of a Service, when its requests reach the pods at another one."""
    services: tuple[Service, ...] = tuple(
        dict.fromkeys(one for pod in pods for one in graph.services_of(pod))
    )
    targets = numbers_behind(graph, services)
    same = [port for one in services for port in one.ports if port.number.value == site.value]
    if targets is None or not same or site.value in targets:
        return
    meant = only(port.target.value for port in same)
    yield Finding(
        message=(
            f"{site.resource} listens on port {site.value} of its pods, but {same[0].number.resource} forwards its port "
            f"{site.value} to {same[0].target.value}: the listener gets no requests."
        ),
        severity=Severity.WARNING,
        primary=site,
        expected=meant if isinstance(meant, int) else None,
        related=(Label(same[0].target, "where requests reach the pods"),),
        remedies=(Remedy(f"set the port to {meant}", ((site, meant),)),) if isinstance(meant, int) else (),
    )


def _endpoint(listener: SidecarListener, pods: PodGroup) -> Iterator[Finding]:
    text, end = str(listener.text.value), listener.endpoint
    sidecar = listener.text.resource
    if not text or text.startswith("unix:") or is_placeholder(text):
        return
    if end is None:
        yield Finding(
            message=(
                f"{sidecar} forwards requests to {text!r}: Istio accepts only a port of the pod itself "
                "(127.0.0.1:8080, 0.0.0.0:8080) or a socket (unix://)."
            ),
            severity=Severity.ERROR,
            primary=listener.text,
        )
        return
    number = int(str(end.value))
    declared = {port.value: port for pod in pods.workloads for port in pod.ports if port.protocol == "TCP"}
    if len(declared) != 1 or _is_declared(listener, end, pods):
        return
    ((meant, port),) = declared.items()
    if is_near_miss(number, meant) and not any(is_in_pod_spec(pod, number) for pod in pods.workloads):
        yield Finding(
            message=(
                f"{sidecar} forwards requests to port {number}, which {port.number.resource} does not declare: it "
                f"looks like a typo for {meant}, its only port, and nothing else mentions {number}."
            ),
            severity=Severity.WARNING,
            primary=end,
            expected=meant,
            related=(Label(port.number, "declared here"),),
            remedies=(Remedy(f"set the port to {meant}", ((end, meant),)),),
        )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
