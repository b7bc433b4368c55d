"""A Service's `targetPort` is in quotes.

A `targetPort` that is a string is the name of a port, and a name needs a
letter. Templates that pipe the number through `quote` are the usual cause.

Why it matters:

The API server rejects `"8080"`, and with it the whole Service.

Severity:

* **error**: always.

Fix:

Sometimes. It removes the quotes, unless the number is out of range.

Bad::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: "8080"}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, targetPort: 8080}

Not reported when:

* the string has a letter, which makes it a name.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph
from portproof.graph.names import is_digits
from portproof.rules.base import Finding, Remedy, Severity, Trait, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each target that is a number in quotes."""
    for service in graph.services:
        for port in service.ports:
            if not is_digits(port.target.value) or port.implicit:
                continue
            number = int(str(port.target.value))
            usable = 1 <= number <= 65535
            yield Finding(
                message=(
                    f"{service.key} has targetPort '{port.target.value}' in quotes: that makes it a port name, which needs "
                    "a letter, so the API server rejects the Service."
                ),
                severity=Severity.ERROR,
                primary=port.target,
                expected=number if usable else None,
                remedies=(Remedy(f"write {number} without quotes", ((port.target, number),)),)
                if usable
                else (),
            )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check, traits=[Trait.REACHES_PODS])
