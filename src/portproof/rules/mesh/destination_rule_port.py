"""A DestinationRule has settings for a port that the Service does not have.

`portLevelSettings` apply to a port of the Service by its number, never to a container
port (istio `pilot/pkg/networking/util/util.go`).

A wildcard host (`*.shop.svc.cluster.local`) means every Service of that namespace. It is
reported if none of those here has the port, and the pods behind one of them have it.

Why it matters:

The settings have no effect. Callers go without the TLS mode, load balancing or limits
that were meant for the port.

Severity:

* **warning**: requests still flow, so it is no error.
* **note**: the host is a wildcard. Services of other targets may have the port.

Fix:

Sometimes. It changes the port of the setting, or the Service's port if nothing else
uses it. There is no fix when several ports could be meant.

Bad (the target port)::

    apiVersion: networking.istio.io/v1
    kind: DestinationRule
    metadata: {name: web}
    spec:
      host: web
      trafficPolicy:
        portLevelSettings:
          - port: {number: 8443}
            tls: {mode: SIMPLE}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: https, port: 443, targetPort: 8443}

Good::

    apiVersion: networking.istio.io/v1
    kind: DestinationRule
    metadata: {name: web}
    spec:
      host: web.default.svc.cluster.local
      trafficPolicy:
        portLevelSettings:
          - port: {number: 443}
            tls: {mode: SIMPLE}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {name: https, port: 443, targetPort: 8443}

Not reported when:

* no target that is deployed together with this one has the Service.
* the host is a wildcard, and one of the Services has the port, or none of their pods does.
* the host is a wildcard for all namespaces, or for hosts outside the cluster.
* the host is outside the cluster.
* a ServiceEntry describes the host.
* `exportTo` hides the Service from other namespaces.
* the Service is of type ExternalName.
* the port is a placeholder, such as `${PORT}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from portproof.graph import sites
from portproof.graph.answers import has, missed, target_number
from portproof.graph.fields import scalar
from portproof.graph.mesh_hosts import ISTIO
from portproof.graph.model import MatchBy, PortGraph, Relation, Service, ServicePort, Site
from portproof.replacing import replace
from portproof.resources import Resource
from portproof.rules.base import Finding, Label, Remedy, Severity, Trait, rule
from portproof.rules.port_references import finding
from portproof.yamldoc import lookup

_WILDCARD = re.compile(r"\*\.(?P<namespace>[a-z0-9][a-z0-9-]*)\.svc(?:\.[a-z0-9.-]+)?")
_SETTINGS = (
    "spec.trafficPolicy.portLevelSettings[*]",
    "spec.subsets[*].trafficPolicy.portLevelSettings[*]",
)


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each setting whose port the Service does not have."""
    for edge in graph.asking(Relation.DESTINATION_RULE):
        services = missed(graph, edge)
        if services:
            found = finding(graph, edge, services, does="has settings for", so="the settings have no effect")
            yield replace(found, severity=Severity.WARNING)
    for rule_ in graph.of_kind("DestinationRule", ISTIO):
        yield from _of_wildcard(graph, rule_)


def _of_wildcard(graph: PortGraph, resource: Resource) -> Iterator[Finding]:
    """The settings of a rule for every Service of a namespace, whose port is one of the pods instead of the Services."""
    match = _WILDCARD.fullmatch(str(lookup(resource.data, ("spec", "host"))))
    if match is None:
        return
    services = [one for one in graph.services if one.key.namespace == match["namespace"] and not one.headless]
    for path in _SETTINGS:
        for where, setting in sites.find(path, resource.data):
            number = scalar(lookup(setting, ("port", "number")))
            if not isinstance(number, int) or any(has(one, number, MatchBy.NUMBER) for one in services):
                continue
            behind = next(
                (port for one in services for port in one.ports if _leads(graph, one, port, number)), None
            )
            if behind is not None:
                yield _finding(Site(resource.key, (*where, "port", "number"), number), behind)


def _leads(graph: PortGraph, service: Service, port: ServicePort, number: int) -> bool:
    """Whether a port of the Service sends traffic to that number of its pods."""
    pods = graph.select(service).workloads
    return port.target.value == number or any(target_number(port, one) == number for one in pods)


def _finding(site: Site, port: ServicePort) -> Finding:
    number, right = site.value, port.number.value
    changes = ((site, right),) if isinstance(right, int) else ()
    return Finding(
        message=(
            f"{site.resource} has settings for port {number} of every Service in namespace {port.number.resource.namespace}, "
            f"but none here has it: {number} is the targetPort of {port.number.resource}, so the settings have no effect."
        ),
        severity=Severity.NOTE,
        primary=site,
        expected=right if changes else None,
        related=(Label(port.number, f"the Service's port is {right}"),),
        remedies=(Remedy(f"set the port to {right}", changes),) if changes else (),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check, traits=[Trait.SPANS_TARGETS])
