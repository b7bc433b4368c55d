"""A Service port has no number, or an invalid one.

Every port of a Service needs `port`, a number between 1 and 65535. It must be a
number: the API server rejects `port: "80"`.

Why it matters:

The API server rejects the whole Service, so `helm upgrade` or `kubectl apply`
fails.

Severity:

* **error**: when the field is absent or has an invalid value.
* **warning**: when the field is empty, as a template leaves it when its value
  isn't set.
* **note**: when the field is empty and a chart is rendered with its defaults
  alone, because users set the value when they install it.

Fix:

Sometimes. It removes the quotes from a number in range. Any other number is
yours to choose.

Bad::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80800, targetPort: 8080}

Bad (in quotes)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: "80", targetPort: 8080}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: 8080}

Not reported when:

* the number is in range, whatever it is used for.
* the number is written in another way: `8080.0` and `8.08e3` are 8080.
* the value is a placeholder that is filled in later (`${PORT}`).
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph, Service, ServicePort
from portproof.graph.names import is_digits, is_placeholder
from portproof.rules.base import Finding, Remedy, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each Service port whose number the API server rejects."""
    for service in graph.services:
        for port in service.ports:
            value = port.number.value
            if is_placeholder(value):
                continue
            if not (isinstance(value, int) and 1 <= value <= 65535):
                yield _finding(graph, service, port)


def _finding(graph: PortGraph, service: Service, port: ServicePort) -> Finding:
    value = port.number.value
    number = int(str(value)) if is_digits(value) else 0
    quoted = 1 <= number <= 65535
    if value is None:
        what = (
            f"has a port {str(port.name.value)!r} without a number"
            if port.name
            else "has a port without a number"
        )
    elif quoted:
        what = f"has port '{value}' in quotes, but it must be a number"
    else:
        what = f"has port {value!r}, which is not a number between 1 and 65535"
    unset = graph.is_empty(port.number)
    return Finding(
        message=f"{service.key} {what}: the API server rejects the Service.",
        severity=Severity.WARNING if unset else Severity.ERROR,
        unset=unset,
        primary=port.number,
        expected=number if quoted else None,
        remedies=(Remedy(f"write {number} without quotes", ((port.number, number),)),) if quoted else (),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
