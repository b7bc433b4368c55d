"""`containerPort` stands in a container itself, or among the containers, instead of in `ports`.

The usual cause is indentation: the entry of `ports` begins where the next container would, so
it *is* the next container, without an image. Or the line `ports:` was left out.

Why it matters:

The API server rejects a container without an image. It drops a field that it does not know, or
rejects the object if the client asks it to, as kubectl does: the port is never declared.

Severity:

* **error**: always.

Fix:

No. Indent the entry, so that it belongs to `ports` of the container.

Bad (the entry is a container)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports:
        - name: http
          containerPort: 8080

Bad (without `ports`)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          containerPort: 8080

Good::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports:
            - name: http
              containerPort: 8080

Not reported when:

* the field is in an entry of `ports`.
* the pods are those of a custom resource, whose schema may have the field.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.fields import mapping
from portproof.graph.model import PortGraph, Site
from portproof.rules.base import Finding, Severity, rule
from portproof.yamldoc import lookup

_FIELD = "containerPort"


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that is declared outside of ``ports``."""
    for workload in graph.workloads:
        if "." in workload.key.group:
            continue
        for container in workload.containers:
            data = mapping(lookup(graph.read_from[workload].data, container.path))
            if _FIELD not in data:
                continue
            what = f"{_FIELD} {data[_FIELD]} of {workload.key}"
            text = (
                f"{what} stands in container {container.name!r} itself, not in an entry of its ports: the port is not "
                "declared, and kubectl rejects the field."
                if data.get("image")
                else f"{what} stands among the containers, in one without an image: the API server rejects the "
                f"{workload.key.kind}. Indent it below the ports of the container before."
            )
            yield Finding(
                message=text,
                severity=Severity.ERROR,
                primary=Site(workload.key, (*container.path, _FIELD), data[_FIELD]),
            )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
