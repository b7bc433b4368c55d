"""A Service port has no name, a duplicate name or an invalid one.

When a Service has more than one port, each needs a unique name. A name is a DNS
label: at most 63 lowercase letters, digits and hyphens. It must be a string:
the API server rejects `name: 80` and accepts `name: "80"`.

Why it matters:

The API server rejects the whole Service, so `helm upgrade` or `kubectl apply`
fails.

Severity:

* **error**: always.

Fix:

Sometimes. It puts a number in quotes. Any other name is yours to choose.

Bad (no name)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80}
        - {name: metrics, port: 9090}

Bad (twice the same name)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80}
        - {name: http, port: 9090}

Bad (not allowed)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: HTTP_api, port: 80}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: http, port: 80}
        - {name: a-name-of-more-than-fifteen-characters, port: 9090}

Not reported when:

* the Service's only port has no name.
* the name is longer than 15 characters: that limit is for container ports (but
  see `ingress-backend-port`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portproof.graph.model import PortGraph, Service, ServicePort, Site
from portproof.graph.names import label_problem
from portproof.graph.phrasing import listing
from portproof.replacing import replace
from portproof.rules.base import Finding, Label, Remedy, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each Service port whose name the API server rejects."""
    for service in graph.services:
        first: dict[object, Site] = {}
        nameless = [port for port in service.ports if port.name is None]
        if nameless and len(service.ports) > 1:
            yield _nameless(service, nameless)
        for port in service.ports:
            if port.name is None:
                continue
            problem = label_problem(str(port.name.value))
            if not isinstance(port.name.value, str):
                yield _number(service, port.name)
            elif problem:
                yield _finding(
                    service, port.name, f"has an invalid port name {str(port.name.value)!r}: it {problem}"
                )
            elif port.name.value in first:
                other = first[port.name.value]
                yield _finding(service, port.name, f"has two ports named {str(port.name.value)!r}", other)
            first.setdefault(port.name.value, port.name)


def _nameless(service: Service, ports: Sequence[ServicePort]) -> Finding:
    """One finding for all: who names one of them must name the others."""
    count = len(service.ports)
    numbers = listing([str(port.number.value) for port in ports])
    if len(ports) == 1:
        what = f"but port {numbers} has no name"
    elif len(ports) == count:
        what = f"but none of them has a name ({numbers})"
    else:
        what = f"but {numbers} have no name"
    finding = _finding(service, ports[0].number, f"has {count} ports, {what}")
    return replace(finding, related=tuple(Label(one.number, "has no name either") for one in ports[1:]))


def _number(service: Service, site: Site) -> Finding:
    text = str(site.value)
    finding = _finding(service, site, f"has the number {text} as a port name, but a name must be a string")
    return replace(finding, expected=text, remedies=(Remedy(f"write {text} in quotes", ((site, text),)),))


def _finding(service: Service, site: Site, what: str, other: Site | None = None) -> Finding:
    return Finding(
        message=f"{service.key} {what}. The API server rejects the Service.",
        severity=Severity.ERROR,
        primary=site,
        related=(Label(other, "used here first"),) if other else (),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
