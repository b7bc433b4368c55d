"""A Service port has no number, or an invalid one.

Every port of a Service needs `port`, a number between 1 and 65535. It must be a
number: the API server rejects `port: "80"`.

Why it matters:

The API server rejects the whole Service, so `helm upgrade` or `kubectl apply`
fails.

Severity:

* **error**: when the field is absent or has an invalid value, or when a change
  empties it.
* **warning**: when the field is empty, as a template leaves it when its value
  isn't set.
* **note**: when the field is empty and a chart is rendered with its defaults
  alone, because users set the value when they install it.

Fix:

Sometimes. It removes the quotes from a number in range, or sets the number from
before the change. Any other number is yours to choose.

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

from portproof.graph.model import PortGraph
from portproof.graph.past import port_before
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.port_fields import number_finding, number_problem


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each Service port whose number the API server rejects."""
    for service in graph.services:
        for port in service.ports:
            problem = number_problem(port)
            if problem:
                message = f"{service.key} {problem}: the API server rejects the Service."
                yield number_finding(graph, port, message, port_before(graph, service, port))


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
