"""A well-known image listens where it always does, and traffic goes to another port.

A container's ports only inform: declaring another number does not make nginx or
an exporter listen there. When nothing in the manifests can have told such a
program its port, requests to the number that is declared instead are refused. It
often comes from a chart whose `service.port` is the container's port as well.

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

Good (it is told)::

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

Never more than a **warning**: an image can be replaced under its name.

The images are public ones whose port is written down: the Prometheus project's
exporters, databases, web servers, tools (`graph/images.py` lists them), from
Docker Hub, quay.io or a public mirror. An image of the same name in a registry of
your own is not one of them.

Reports when a Service or a probe goes to the only TCP port that the container
declares, and the image listens elsewhere.

Silent for a chart's image that neither the container nor its object is called
after (`helm create` writes nginx into every chart, to be replaced), when the
container declares another TCP port, when a Service or a probe of the pod uses a
port of the image, when a variable, an argument, an annotation or a ConfigMap of
the pod mentions the number, when a variable or an argument is about where to
listen, when the container has a command of its own, takes variables from a
Secret or from a ConfigMap that is not in the rendering, or has files from
there, from an init container or, where settings are, from a volume (exporters
read no such files), when another container of the pod mentions the number or
declares no port (it may listen there), for pods whose ports are added by
injection, and when nothing goes to the port.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.answers import resolve
from portproof.graph.model import Container, ContainerPort, PortGraph, Role, Workload
from portproof.graph.phrasing import listing
from portproof.graph.referrers import moving
from portproof.rules.base import Finding, Remedy, Severity, rule
from portproof.rules.pod import listening


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each container whose image listens on another port than it declares."""
    suspects = [
        (workload, container, port)
        for workload in graph.workloads
        for container in workload.containers
        if (port := _misdeclared(workload, container)) is not None
    ]
    if not suspects:
        return
    told = {(workload.key, one.container.path) for workload, one in listening.read(graph)}
    for workload, container, port in suspects:
        reaching = _reaching(graph, workload, container, port)
        if reaching and (workload.key, container.path) not in told:
            yield _finding(graph, workload, container, port, reaching)


def _misdeclared(workload: Workload, container: Container) -> ContainerPort | None:
    """The only port of `container`, when its image listens elsewhere and nothing has told it so."""
    ports = [one for one in container.ports if one.protocol == "TCP"]
    if container.role is Role.INIT or not container.default_ports or workload.opaque or len(ports) != 1:
        return None
    others = [one for one in workload.containers if one.role is not Role.INIT]
    if any(not one.ports for one in others) or not isinstance(ports[0].number.value, int):
        return None
    known = {check.port.value for check in container.checks} | {port.value for port in ports}
    if known & set(container.default_ports) or _is_said(workload, ports[0].value):
        return None
    return ports[0]


def _is_said(workload: Workload, number: int) -> bool:
    """Whether something other than the probes names the number: they repeat the declaration."""
    running = [one.mentions for one in workload.containers if one.role is not Role.INIT]
    return number in frozenset().union(*running, workload.config_numbers, workload.annotation_numbers)


def _reaching(graph: PortGraph, workload: Workload, container: Container, port: ContainerPort) -> list[str]:
    """What sends traffic to `port`, in words; nothing when a Service knows where the image listens."""
    services = graph.services_of(workload)
    if any(one.target.value in container.default_ports for service in services for one in service.ports):
        return []
    values = (port.value, port.name.value if port.name else None)
    checks = (check for check in container.checks if check.port.value in values and not check.host)
    going = (one for one in services if any(resolve(each, workload) is port for each in one.ports))
    return [*dict.fromkeys(str(one.key) for one in going), *(f"the {check.label}" for check in checks)]


def _finding(
    graph: PortGraph, workload: Workload, container: Container, port: ContainerPort, reaching: list[str]
) -> Finding:
    main = container.default_ports[0]
    image = container.image.partition("@")[0]
    changes = moving(graph, workload, port, main)
    verb = "go" if len(reaching) > 1 else "goes"
    return Finding(
        message=(
            f"In {workload.key}, container {container.name!r} declares {port.value}, and {listing(reaching[:3])} {verb} "
            f"there, but {image} listens on {main} unless it is told otherwise, and nothing tells it: requests are refused."
        ),
        severity=Severity.WARNING,
        primary=port.number,
        expected=main if changes else None,
        remedies=(Remedy(f"set containerPort to {main}", changes),) if changes else (),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
