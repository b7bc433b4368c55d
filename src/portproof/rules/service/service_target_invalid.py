"""A Service's `targetPort` is neither a valid port number nor a valid port name.

A number must be between 1 and 65535. A name has at most 15 characters:
lowercase letters, digits and single hyphens, with at least one letter and no
hyphen at either end.

Why it matters:

The API server rejects the whole Service, so `helm upgrade` or `kubectl apply`
fails.

Severity:

* **error**: always.

Fix:

No. An invalid value does not show which port was meant.

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

Not reported when:

* the target is a string of digits, for which `service-target-numeric-string`
  has a fix.
* the target is absent, 0 or empty: then it is the value of `port`.
* the target is a placeholder (`${PORT}`).
* the Service's own name is invalid (`service_name`): the file is a form that
  you fill in.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph
from portproof.graph.names import is_digits, is_placeholder, label_problem, port_name_problem
from portproof.rules.base import Finding, Severity, Trait, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each target that the API server rejects."""
    for service in graph.services:
        if not is_placeholder(service.key.name) and label_problem(service.key.name):
            continue
        for port in service.ports:
            problem = "" if port.implicit else _problem(port.target.value)
            if problem:
                yield Finding(
                    message=(
                        f"{service.key} has an invalid targetPort {port.target.value!r}: it {problem}. "
                        "The API server rejects the Service."
                    ),
                    severity=Severity.ERROR,
                    primary=port.target,
                )


def _problem(value: str | int | None) -> str:
    if isinstance(value, int):
        return "" if 1 <= value <= 65535 else "must be between 1 and 65535"
    return "" if value is None or is_digits(value) else port_name_problem(value)


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.REACHES_PODS])
