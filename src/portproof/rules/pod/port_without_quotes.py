"""A port is a number where Kubernetes requires a string.

The values of variables, arguments, annotations and ConfigMaps must be strings.
The usual cause of a number there is a template without `quote`.

Why it matters:

The API server rejects the object, so `helm upgrade` or `kubectl apply` fails.

Severity:

* **error**: always.

Fix:

Yes. It puts the number in quotes.

Bad (a variable and an argument)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          args: [--metrics-port, 9090]
          env: [{name: PORT, value: 8080}]
          ports: [{name: http, containerPort: 8080}, {name: metrics, containerPort: 9090}]

Bad (an annotation)::

    apiVersion: v1
    kind: Service
    metadata: {name: web, annotations: {prometheus.io/port: 8080}}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: 8080}

Bad (a ConfigMap)::

    apiVersion: v1
    kind: ConfigMap
    metadata: {name: web}
    data: {HTTP_PORT: 8080}

Good::

    apiVersion: v1
    kind: Pod
    metadata: {name: web, annotations: {prometheus.io/port: "9090"}}
    spec:
      containers:
        - name: web
          image: web:1
          args: [--metrics-port, "9090"]
          env: [{name: PORT, value: "8080"}]
          ports: [{name: http, containerPort: 8080}, {name: metrics, containerPort: 9090}]
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: web}
    data: {HTTP_PORT: "8080"}

Not reported when:

* the name isn't about a port (`REPLICAS`, `--timeout`), and the pod neither
  declares nor probes the number.
* the value is a string, such as a placeholder (`${PORT}`).
* the field belongs to a custom resource, whose schema may accept numbers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import Any, TypeGuard

from portproof.graph import sites
from portproof.graph.fields import indexed, mapping
from portproof.graph.model import PortGraph, Site, Workload
from portproof.resources import Resource
from portproof.rules.base import Finding, Remedy, Severity, rule
from portproof.yamldoc import FieldPath, lookup

_PORT = re.compile(r"(?<![a-z])ports?(?![a-z])|(?<![A-Za-z])PORTS?(?![A-Z])|Ports?(?![a-z])|\A-p\Z")
"""A name that is about ports: ``HTTP_PORT``, ``prometheus.io/port``, ``--webPort``; not ``REPORT`` or ``transport``."""

_METADATA = ("metadata", "annotations")


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that is a number where a string belongs."""
    for resource in graph.resources:
        yield from _annotations(resource, _METADATA, resource.data)
        if resource.key.kind == "ConfigMap" and resource.key.group == "":
            for name, value in mapping(resource.data.get("data")).items():
                if _is_port(value, name):
                    yield _finding(resource, ("data", name), value, f"as the value of {name}")
    holders = [(one, found) for one in graph.resources if (found := sites.pod_template(one)) is not None]
    for workload, (resource, (path, template)) in zip(graph.workloads, holders, strict=True):
        if path:
            yield from _annotations(resource, (*path, *_METADATA), template)
        yield from _containers(workload, resource)


def _annotations(resource: Resource, where: FieldPath, holder: Mapping[str, Any]) -> Iterator[Finding]:
    for name, value in mapping(mapping(holder.get("metadata")).get("annotations")).items():
        if _is_port(value, name):
            yield _finding(resource, (*where, name), value, f"in the annotation {name}")


def _containers(workload: Workload, resource: Resource) -> Iterator[Finding]:
    known = _numbers(workload)
    for container in workload.containers:
        data = mapping(lookup(resource.data, container.path))
        where = f"container {container.name!r}"
        for index, variable in indexed(data.get("env")):
            name, value = str(variable.get("name") or ""), variable.get("value")
            if _is_port(value, name, known):
                path = (*container.path, "env", index, "value")
                yield _finding(resource, path, value, f"as the value of {name} in {where}")
        for field in ("command", "args"):
            given = data.get(field)
            words = given if isinstance(given, list) else []
            for index, (before, value) in enumerate(pairwise(["", *words])):
                if _is_port(value, str(before), known):
                    yield _finding(resource, (*container.path, field, index), value, f"in {field} of {where}")


def _numbers(workload: Workload) -> frozenset[object]:
    """The ports that the pod declares or probes."""
    return frozenset(
        site.value
        for container in workload.containers
        for site in (*(port.number for port in container.ports), *(one.port for one in container.checks))
    )


def _is_port(value: object, name: str, known: Collection[object] = ()) -> TypeGuard[int]:
    """Whether it is a number, and a port by its name or because it is one of those that are `known`."""
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return value in known or _PORT.search(name) is not None


def _finding(resource: Resource, path: FieldPath, value: int, where: str) -> Finding:
    site = Site(resource.key, path, value)
    return Finding(
        message=(
            f"{resource.key} has the number {value} {where}, but it must be a string: the API server rejects the "
            f"{resource.key.kind}."
        ),
        severity=Severity.ERROR,
        primary=site,
        expected=str(value),
        remedies=(Remedy(f"write {value} in quotes", ((site, str(value)),)),),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
