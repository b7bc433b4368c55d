"""A container port has an invalid or a duplicate name.

The name of a container port has at most 15 characters: lowercase letters,
digits and single hyphens, with at least one letter and no hyphen at either end.
It must be unique in its container.

Why it matters:

The API server rejects the workload. A Rollout is rejected by its controller.
When two containers use one name, a `targetPort` with that name finds only the
first one.

Severity:

* **error**: for an invalid name, and for a name that one container uses twice.
* **note**: when two containers use one name, native sidecars included. The API
  server warns about it.

Fix:

No. Services and probes may use the name, so choose the new one together with
them.

Bad (too long)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: http-application, containerPort: 8080}]}

Bad (twice the same)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}, {name: http, containerPort: 8081}]

Good::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - {name: web, image: web:1, ports: [{name: http-app, containerPort: 8080}]}
        - {name: proxy, image: proxy:1, ports: [{name: http-proxy, containerPort: 9000}]}

Not reported when:

* a port has no name.
* the name is a placeholder (`${NAME}`).
* two containers use one name for different protocols, because a Service finds
  either.
* two containers use one name for one number, which `container-port-duplicate`
  reports.
* an init container uses the name and ends before the others start.
* two containers use one name, and injection adds ports to the pods.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import Container, ContainerPort, PortGraph, Site, Workload
from portproof.graph.names import is_placeholder, port_name_problem
from portproof.graph.phrasing import rejected, sentence
from portproof.rules.base import Finding, Label, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each container port whose name is rejected, or hidden by that of another container."""
    for workload in graph.workloads:
        for container in workload.containers:
            first: dict[object, Site] = {}
            for port in container.ports:
                if port.name is None:
                    continue
                name = str(port.name.value)
                problem = port_name_problem(name)
                if problem:
                    yield _finding(
                        workload, container, port.name, f"has an invalid port name {name!r}: it {problem}"
                    )
                elif name in first:
                    yield _finding(
                        workload, container, port.name, f"has two ports named {name!r}", first[name]
                    )
                first.setdefault(name, port.name)
        if not workload.opaque:
            yield from _hidden(workload)


def _hidden(workload: Workload) -> Iterator[Finding]:
    """Names that an earlier container has too."""
    first: dict[object, ContainerPort] = {}
    for port in workload.ports:
        if port.name is None or is_placeholder(port.name.value):
            continue
        earlier = first.setdefault((port.name.value, port.protocol), port)
        if earlier.name is None or port.value == earlier.value:
            continue
        if earlier.container != port.container:
            yield Finding(
                message=(
                    f"Containers {earlier.container!r} and {port.container!r} of {workload.key} both name a port "
                    f"{str(port.name.value)!r}: a Service that targets the name reaches only {earlier.value}, the first."
                ),
                severity=Severity.NOTE,
                primary=port.name,
                related=(Label(earlier.name, "used here first"),),
            )


def _finding(
    workload: Workload, container: Container, site: Site, what: str, other: Site | None = None
) -> Finding:
    return Finding(
        message=f"Container {container.name!r} of {workload.key} {what}. {sentence(rejected(workload))}.",
        severity=Severity.ERROR,
        primary=site,
        related=(Label(other, "used here first"),) if other else (),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
