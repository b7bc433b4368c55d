"""A field of a Service or container that ports depend on is misspelled.

The rule looks at what is nearest to ports: `selector` and `ports` of a Service, the fields of its
ports, and those of the ports of containers. It reports a field that Kubernetes does not have, if
its name is one typo away from one that it has: `selectors`, `targetport`.

Why it matters:

kubectl rejects a field that the API server does not know ("strict decoding error: unknown field").
Other clients get the object through, and the field is dropped: a Service without a `selector` has
no endpoints, and one without a `targetPort` sends to its own number.

Severity:

* **error**: always.

Fix:

No. Rename the field.

Bad (`selectors`)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selectors: {app: web}
      ports:
        - {port: 80}

Bad (a lowercase letter)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetport: 8080}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: 8080}

Not reported when:

* the right field is beside it.
* the field is empty.
* the name is farther away: the field may be from a newer version of Kubernetes.
* the pods are those of a custom resource, whose schema may have the field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from portproof.graph.fields import indexed, mapping, scalar
from portproof.graph.model import PortGraph, Site
from portproof.resources import ResourceKey
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.service.misspelled import (
    OF_CONTAINER,
    OF_CONTAINER_PORT,
    OF_PORT,
    OF_SPEC,
    misspelled,
)
from portproof.yamldoc import FieldPath, lookup


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each misspelled field."""
    for service in graph.services:
        spec = mapping(graph.read_from[service].data.get("spec"))
        yield from _findings(service.key, ("spec",), spec, OF_SPEC)
        for index, port in indexed(spec.get("ports")):
            yield from _findings(service.key, ("spec", "ports", index), port, OF_PORT)
    for workload in graph.workloads:
        if workload.is_custom:
            continue
        for container in workload.containers:
            data = mapping(lookup(graph.read_from[workload].data, container.path))
            yield from _findings(workload.key, container.path, data, OF_CONTAINER)
            for index, port in indexed(data.get("ports")):
                yield from _findings(workload.key, (*container.path, "ports", index), port, OF_CONTAINER_PORT)


def _findings(
    key: ResourceKey, path: FieldPath, data: Mapping[str, Any], fields: frozenset[str]
) -> Iterator[Finding]:
    for wrong, field in misspelled(data, fields):
        value = data[wrong]
        yield Finding(
            message=(
                f"{key} has the field {wrong!r} where {field!r} is meant: kubectl rejects the {key.kind}, and other clients "
                "drop the field."
            ),
            severity=Severity.ERROR,
            primary=Site(key, (*path, wrong), None if isinstance(value, dict | list) else scalar(value)),
        )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
