"""A probe or a hook has no port, or one that does not exist.

The port of `httpGet`, `tcpSocket` and `grpc` is required. It must be a number
between 1 and 65535 or, but for `grpc`, the name of a port. The API server
rejects anything else (of a Rollout, its controller rejects 0 and 65536).

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

An **error**, but a **warning** when the field is there and empty, as a template
leaves it when its value is not given, and a **note** then where a chart is
rendered with its defaults alone: whoever installs it gives the value.

Silent when the port is a possible port (`probe-port-name` and
`probe-port-number` ask whether it is the right one), a string of digits
(`probe-port-numeric-string`) or a placeholder (`${PORT}`); for names in probes
and `httpGet` hooks, which `probe-port-name` judges; and for containers without
an image: such a fragment is a patch.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph
from portproof.graph.names import is_digits, port_name_problem
from portproof.graph.phrasing import rejected
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.pod.handlers import Acting, Handler, acting


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port of a probe or hook that is missing or cannot be."""
    for one in acting(graph):
        for handler in one.handlers:
            found = _problem(one, handler) if handler.has_port else None
            if found is not None:
                yield _finding(one, handler, *found)


def _problem(one: Acting, handler: Handler) -> tuple[str, str] | None:
    """What the handler has, and what is wrong with that; None when nothing is."""
    value = handler.port(one.workload).value
    if value is None or value == "":
        return "no port", ""
    if isinstance(value, int):
        return None if 1 <= value <= 65535 else (f"port {value}", ", which is not between 1 and 65535")
    if not (one.is_hook and handler.kind == "tcpSocket") or is_digits(value):
        return None
    problem = port_name_problem(value)
    return (f"the port name {value!r}", f", which {problem}") if problem else None


def _finding(one: Acting, handler: Handler, what: str, why: str) -> Finding:
    site = handler.port(one.workload)
    unset = "port" in handler.data and site.value in (None, "")
    mistyped = site.value is None or (site.value == "" and handler.kind == "grpc")
    return Finding(
        message=(
            f"Container {one.container.name!r} of {one.workload.key} has {what} for {handler.kind} in its "
            f"{one.label}{why}: {rejected(one.workload, mistyped=mistyped)}."
        ),
        severity=Severity.WARNING if unset else Severity.ERROR,
        unset=unset,
        primary=site,
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
