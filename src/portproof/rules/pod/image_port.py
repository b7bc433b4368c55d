"""A well-known image listens on its default port, but traffic goes to another one.

The ports that a container declares are only information: another number does
not make nginx or an exporter listen there. The rule reports a Service or a probe that uses the
only TCP port that a container declares, when its image listens elsewhere and
nothing changes that. Where the only container of a pod declares no port, it reports
the `targetPort` of its Services.

The images are public ones with a documented port: exporters of the Prometheus
project, databases, web servers and tools (`graph/images.py` lists them). They
come from Docker Hub, quay.io or a public mirror. Where versions or variants of an
image listen on different ports, its tag decides (`influxdb:3-core`,
`wordpress:6-fpm`). An image of the same name in
your own registry isn't one of them.

Why it matters:

Requests to the declared port are refused. The usual cause is a chart that uses
`service.port` as the container's port too.

Severity:

* **warning**: always, because an image can be replaced under its name.

Fix:

Sometimes. It sets `containerPort`, and the Services and probes that use its
number, to the image's port. There is none when such a Service has no
`targetPort` or selects other workloads too. Where nothing is declared, it sets or adds
the `targetPort`.

Bad::

    apiVersion: v1
    kind: Service
    metadata: {name: exporter}
    spec:
      selector: {app: exporter}
      ports:
        - {port: 80, targetPort: http}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: exporter, labels: {app: exporter}}
    spec:
      containers:
        - name: exporter
          image: prom/blackbox-exporter:v0.25.0
          args: [--config.file=/config/blackbox.yaml]
          ports: [{name: http, containerPort: 80}]

Bad (nothing is declared)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 8080}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: web, labels: {app: web}}
    spec:
      containers:
        - {name: nginx, image: "nginx:1.27"}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: exporter}
    spec:
      selector: {app: exporter}
      ports:
        - {port: 80, targetPort: http}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: exporter, labels: {app: exporter}}
    spec:
      containers:
        - name: exporter
          image: prom/blackbox-exporter:v0.25.0
          args: [--config.file=/config/blackbox.yaml]
          ports: [{name: http, containerPort: 9115}]

Good (configured)::

    apiVersion: v1
    kind: Service
    metadata: {name: exporter}
    spec:
      selector: {app: exporter}
      ports:
        - {port: 80, targetPort: http}
    ---
    apiVersion: v1
    kind: Pod
    metadata: {name: exporter, labels: {app: exporter}}
    spec:
      containers:
        - name: exporter
          image: prom/blackbox-exporter:v0.25.0
          args: ["--web.listen-address=:8080"]
          ports: [{name: http, containerPort: 8080}]

Not reported when:

* a chart's image is probably a placeholder: neither the container nor its
  object is named after it (`helm create` writes nginx into every chart).
* the image listens elsewhere in other versions or variants, and its tag doesn't
  name a known one (`influxdb:latest`).
* the container declares another TCP port.
* nothing is declared, and Services send to several numbers, or the pod has another container.
* nothing is declared, and the Service is headless or selects other workloads, too.
* a Service or a probe of the pod uses a port of the image.
* a variable, an argument, an annotation or a ConfigMap of the pod mentions the
  declared number.
* a variable or an argument is about where to listen.
* the container has its own `command`.
* the container takes variables from a Secret, or from a ConfigMap that isn't in
  the rendering.
* the container has files from a Secret, from a ConfigMap that isn't in the
  rendering, or from an init container.
* a volume is mounted where the program reads its settings (exporters read no
  such files).
* another container of the pod mentions the number.
* another container of the pod declares no port, because it may listen there.
* injection adds ports to the pods.
* no Service and no probe uses the port.
* a change moves the port and the Service with it: `container-port-moved` reports that.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.images import is_version_known
from portproof.graph.model import (
    Container,
    ContainerPort,
    PortGraph,
    Role,
    Service,
    ServicePort,
    Site,
    Workload,
)
from portproof.graph.phrasing import listing
from portproof.graph.referrers import moving
from portproof.rules.base import Finding, Remedy, Severity, rule
from portproof.rules.pod import listening
from portproof.rules.pod.misdeclared import is_mentioned, may_be_misdeclared, reaching
from portproof.rules.pod.moved_ports import moved_ports


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each container whose image listens on another port than it declares."""
    yield from _undeclared(graph)
    suspects = [
        (workload, container, port)
        for workload in graph.workloads
        for container in workload.containers
        if (port := _misdeclared(workload, container)) is not None
    ]
    if not suspects:
        return
    told = {(workload.key, one.container.path) for workload, one in listening.read(graph)}
    told |= {(one.workload.key, one.container.path) for one in moved_ports(graph)}
    for workload, container, port in suspects:
        going = reaching(graph, workload, container, port, container.default_ports)
        if going and (workload.key, container.path) not in told:
            yield _finding(graph, workload, container, port, going)


def _misdeclared(workload: Workload, container: Container) -> ContainerPort | None:
    """The only port of `container`, when its image listens elsewhere and nothing configures it so."""
    ports = [one for one in container.ports if one.protocol == "TCP"]
    if container.role is Role.INIT or not container.default_ports or workload.opaque or len(ports) != 1:
        return None
    if not is_version_known(container.image):
        return None
    return ports[0] if may_be_misdeclared(workload, container, ports[0], container.default_ports) else None


def _finding(
    graph: PortGraph, workload: Workload, container: Container, port: ContainerPort, going: list[str]
) -> Finding:
    main = container.default_ports[0]
    image = container.image.partition("@")[0]
    changes = moving(graph, workload, port, main)
    verb = "use" if len(going) > 1 else "uses"
    return Finding(
        message=(
            f"Container {container.name!r} of {workload.key} declares {port.value}, and {listing(going[:3])} {verb} it, "
            f"but {image} listens on {main} by default and nothing changes that: requests are refused."
        ),
        severity=Severity.WARNING,
        primary=port.number,
        expected=main if changes else None,
        remedies=(Remedy(f"set containerPort to {main}", changes),) if changes else (),
    )


def _undeclared(graph: PortGraph) -> Iterator[Finding]:
    """A finding for each Service whose target is not where the image of a container that declares nothing listens."""
    for workload in graph.workloads:
        running = [one for one in workload.containers if one.role is not Role.INIT]
        if len(running) != 1 or running[0].ports or workload.opaque or not running[0].default_ports:
            continue
        container = running[0]
        targets = [
            (service, port)
            for service in graph.services_of(workload)
            for port in service.ports
            if not service.headless and port.protocol == "TCP" and isinstance(port.target.value, int)
        ]
        numbers = {port.target.value for _, port in targets if isinstance(port.target.value, int)}
        if len(numbers) != 1 or not is_version_known(container.image):
            continue
        number = next(iter(numbers))
        if number in container.default_ports or is_mentioned(workload, number):
            continue
        for service, port in targets:
            selected = graph.select(service)
            if selected.workloads == (workload,) and not selected.unknown:
                yield _aimed_elsewhere(workload, container, service, port)


def _aimed_elsewhere(
    workload: Workload, container: Container, service: Service, port: ServicePort
) -> Finding:
    main = container.default_ports[0]
    image = container.image.partition("@")[0]
    added = Site(port.number.resource, (*port.path, "targetPort"), None)
    remedy = (
        Remedy(f"add targetPort: {main}", ((added, main),), beside=port.number)
        if port.implicit
        else Remedy(f"set targetPort to {main}", ((port.target, main),))
    )
    return Finding(
        message=(
            f"{service.key} sends port {port.number.value} to {port.target.value} of {workload.key}, but {image} listens "
            f"on {main} by default and nothing changes that: requests are refused."
        ),
        severity=Severity.WARNING,
        primary=port.target,
        expected=None if port.implicit else main,
        remedies=(remedy,),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
