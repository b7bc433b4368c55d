"""A container declares another port than its Dockerfile makes the program listen on.

The ports that a container declares are only information. If the repository builds
the image, its Dockerfile says where the program listens. The rule reports a Service
or a probe that uses the only TCP port that a container declares, when the
Dockerfile says another number.

`EXPOSE` alone is no evidence: it is often outdated. Two of these have to agree, and
none may contradict:

* `CMD` or `ENTRYPOINT` with `--port`, `-p`, `--bind` and the like.
* `ENV` with a variable such as `PORT` or `ASPNETCORE_URLS`.
* a file that the image contains: `server.port` of `application.properties` or
  `application.yml`, `listen` of nginx.
* `EXPOSE`, if it has one port or the number that one of the others says.
* the ports of the same service in a file of Docker Compose.
* `HEALTHCHECK` with an address of its own container.

The image has to be certain, too. One Dockerfile only may build an image of that name:

* in a workflow of GitHub, with `docker/build-push-action` or `docker build`.
* as an artifact of Skaffold.
* as a service of Docker Compose.
* in a folder of that name.

With `--base`, targets that name such an image are checked too if only its Dockerfile
changes.

Why it matters:

Requests to the declared port are refused.

Severity:

* **warning**: always, because another image may be deployed under that name.

Fix:

Sometimes. It sets `containerPort`, and the Services and probes that use its
number, to the port of the Dockerfile. There is none when such a Service has no
`targetPort` or selects other workloads too.

Bad::

    # web/Dockerfile
    FROM python:3.13-slim
    COPY . .
    EXPOSE 8000
    CMD ["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"]
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
        - name: web
          image: registry.example.com/shop/web:1.4
          ports: [{name: http, containerPort: 8080}]

Good::

    # web/Dockerfile
    FROM python:3.13-slim
    COPY . .
    EXPOSE 8000
    CMD ["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"]
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
        - name: web
          image: registry.example.com/shop/web:1.4
          ports: [{name: http, containerPort: 8000}]

Not reported when:

* only `EXPOSE` says the number.
* two of the Dockerfile's statements contradict each other.
* several Dockerfiles, or several stages, may build the image.
* another Dockerfile of the repository is made from the image.
* the image is a well-known public one.
* a Compose file takes the image in a version without building it, and nothing else says that the
  Dockerfile builds an image of that whole name.
* the container has its own `command` in place of `ENTRYPOINT` and `CMD`, or its own
  `args` in place of `CMD`, and `EXPOSE` is all that is left.
* the program is a client whose `-p` is another one's port (`psql`).
* the statements are of another stage than the one that is built.
* a file of the image may be replaced by a volume, or by a profile of Spring.
* the container sets the variable itself, or the command's variable.
* the container takes variables from a ConfigMap or a Secret.
* a variable, an argument, an annotation or a ConfigMap of the pod mentions the
  declared number.
* the container declares another TCP port.
* a Service or a probe of the pod uses the port of the Dockerfile.
* another container of the pod mentions the number, or declares no port.
* injection adds ports to the pods.
* no Service and no probe uses the port.
* a change moves the port and the Service with it: `container-port-moved` reports that.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import Container, ContainerPort, PortGraph, Role, Workload
from portproof.graph.phrasing import listing
from portproof.graph.referrers import moving
from portproof.graph.witness import Built
from portproof.rules.base import Finding, Remedy, Severity, rule
from portproof.rules.pod import listening
from portproof.rules.pod.misdeclared import may_be_misdeclared, reaching
from portproof.rules.pod.moved_ports import moved_ports


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each container whose Dockerfile says another port than it declares."""
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
        built = container.built
        number = container.built_port
        if built is None or number is None or (workload.key, container.path) in told:
            continue
        going = reaching(graph, workload, container, port, {number})
        if going:
            yield _finding(graph, workload, (container, port, built, number), going)


def _misdeclared(workload: Workload, container: Container) -> ContainerPort | None:
    """The only port of `container`, when its Dockerfile says another one and nothing configures it so."""
    ports = [one for one in container.ports if one.protocol == "TCP"]
    number = container.built_port
    if container.role is Role.INIT or number is None or workload.opaque or len(ports) != 1:
        return None
    return ports[0] if may_be_misdeclared(workload, container, ports[0], {number}) else None


def _finding(
    graph: PortGraph, workload: Workload, what: tuple[Container, ContainerPort, Built, int], going: list[str]
) -> Finding:
    container, port, built, number = what
    changes = moving(graph, workload, port, number)
    verb = "use" if len(going) > 1 else "uses"
    said = listing(one.label for one in built.witnesses[:3])
    return Finding(
        message=(
            f"Container {container.name!r} of {workload.key} declares {port.value}, and {listing(going[:3])} {verb} it, "
            f"but its Dockerfile makes the program listen on {number}: requests are refused. Evidence: {said}."
        ),
        severity=Severity.WARNING,
        primary=port.number,
        expected=number if changes else None,
        remedies=(Remedy(f"set containerPort to {number}", changes),) if changes else (),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
