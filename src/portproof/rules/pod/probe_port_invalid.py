"""A probe or a hook has no port, or an invalid one.

`httpGet`, `tcpSocket` and `grpc` require a port. It must be a number between 1
and 65535 or, except for `grpc`, the name of a port.

Why it matters:

The API server rejects the workload, so `helm upgrade` or `kubectl apply` fails.
A Rollout with a number out of range is rejected by its controller.

Severity:

* **error**: when the field is absent or has an invalid value.
* **warning**: when the field is empty, as a template leaves it when its value
  isn't set.
* **note**: when the field is empty and a chart is rendered with its defaults
  alone, because users set the value when they install it.

Fix:

No. Only you know which port the program answers on.

Bad (no port)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz}}

Bad (not a port number)::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]
          livenessProbe: {tcpSocket: {port: 80800}}

Good::

    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
        - name: web
          image: web:1
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: http}}
          livenessProbe: {tcpSocket: {port: 8080}}

Not reported when:

* the port is a valid one: `probe-port-name` and `probe-port-number` check
  whether it is the right one.
* the port is a string of digits, which `probe-port-numeric-string` reports.
* the port is a placeholder (`${PORT}`).
* the port is a name in a probe or an `httpGet` hook, which `probe-port-name`
  checks.
* the container is a plain init container, which cannot have probes.
* the container has no image: such a fragment is a patch.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph
from portproof.graph.names import is_digits, port_name_problem
from portproof.graph.phrasing import rejected, sentence
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.pod.handlers import Acting, Handler, acting


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port of a probe or hook that is missing or invalid."""
    for one in acting(graph):
        for handler in one.handlers:
            found = _problem(one, handler) if handler.has_port else None
            if found is not None:
                yield _finding(one, handler, *found)


def _problem(one: Acting, handler: Handler) -> tuple[str, str] | None:
    """What the handler has, and why that is wrong unless it is plain; None when nothing is wrong."""
    value = handler.port(one.workload).value
    if value is None or value == "":
        return "no port", ""
    if isinstance(value, int):
        return None if 1 <= value <= 65535 else (f"port {value}", "it must be between 1 and 65535")
    if not (one.is_hook and handler.kind == "tcpSocket") or is_digits(value):
        return None
    problem = port_name_problem(value)
    return (f"an invalid port name {value!r}", f"it {problem}") if problem else None


def _finding(one: Acting, handler: Handler, what: str, why: str) -> Finding:
    site = handler.port(one.workload)
    unset = "port" in handler.data and site.value in (None, "")
    mistyped = site.value is None or (site.value == "" and handler.kind == "grpc")
    effect = rejected(one.workload, mistyped=mistyped)
    return Finding(
        message=(
            f"Container {one.container.name!r} of {one.workload.key} has {what} for {handler.kind} in its "
            f"{one.label}: {f'{why}. {sentence(effect)}' if why else effect}."
        ),
        severity=Severity.WARNING if unset else Severity.ERROR,
        unset=unset,
        primary=site,
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
