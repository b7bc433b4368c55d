"""A Service's target port is neither a port number nor a possible port name.

A number has to lie between 1 and 65535. A name has at most 15 characters, of
lower-case letters, digits and single hyphens, with at least one letter and no
hyphen at either end. The API server refuses a Service with anything else.

Bad (a name that is too long)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: http-application}

Bad (not a port number)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: 80800}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: http-app}

Silent when the target is a string of digits (`service-target-numeric-string`
has the fix for that), when it is absent, 0 or empty (then it is the value of
`port`), and when the Service itself has a name that cannot be (`service_name`):
that is a form to be filled in.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph
from portproof.graph.names import is_digits, is_placeholder, label_problem, port_name_problem
from portproof.rules.base import Finding, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each target that the API server refuses."""
    for service in graph.services:
        if not is_placeholder(service.key.name) and label_problem(service.key.name):
            continue
        for port in service.ports:
            problem = "" if port.implicit else _problem(port.target.value)
            if problem:
                yield Finding(
                    message=(
                        f"{service.key} has targetPort {port.target.value!r}, which {problem}: the API server refuses "
                        "the Service."
                    ),
                    severity=Severity.ERROR,
                    primary=port.target,
                )


def _problem(value: str | int | None) -> str:
    if isinstance(value, int):
        return "" if 1 <= value <= 65535 else "is not between 1 and 65535"
    return "" if value is None or is_digits(value) else port_name_problem(value)


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
