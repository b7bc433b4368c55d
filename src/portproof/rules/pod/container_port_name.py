"""A container port has a name that is not allowed or used twice.

The name of a container port has at most 15 characters, of lower-case letters,
digits and single hyphens, with at least one letter and no hyphen at either end.
It is unique in its container. The API server rejects the object otherwise (a
Rollout is rejected by its controller).

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
        - {name: proxy, image: proxy:1, ports: [{name: http-app, containerPort: 9000}]}

Silent when a port has no name, and when two containers use one name (named
references then find the first).
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import Container, PortGraph, Site, Workload
from portproof.graph.names import port_name_problem
from portproof.graph.phrasing import rejected
from portproof.rules.base import Finding, Label, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each container port whose name the API server refuses."""
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
                        workload, container, port.name, f"has the port name {name!r}, which {problem}"
                    )
                elif name in first:
                    yield _finding(
                        workload, container, port.name, f"has two ports named {name!r}", first[name]
                    )
                first.setdefault(name, port.name)


def _finding(
    workload: Workload, container: Container, site: Site, what: str, other: Site | None = None
) -> Finding:
    return Finding(
        message=f"Container {container.name!r} of {workload.key} {what}: {rejected(workload)}.",
        severity=Severity.ERROR,
        primary=site,
        related=(Label(other, "used here first"),) if other else (),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
