"""A node port is taken twice, out of range, or on a Service that cannot have one.

Every node opens a node port, so a cluster has each number only once, whatever
the protocol. Two ports of one Service share a node port if they have the same
`port` and different protocols. `healthCheckNodePort` is a node port too.

Why it matters:

The API server rejects the Service when:

* another Service, or another port of this one, already has the node port.
* the value is empty, or not a number between 1 and 65535.
* the Service has a `nodePort`, but its type is ClusterIP.
* the Service has type NodePort or LoadBalancer, but is headless
  (`clusterIP: None`).
* the Service has a `healthCheckNodePort` without type LoadBalancer and
  `externalTrafficPolicy: Local`.

Severity:

* **error**: when the API server rejects the Service.
* **warning**: when the field is empty, as a template leaves it when its value
  isn't set.
* **note**: when the field is empty and a chart is rendered with its defaults
  alone, and when the two Services are in different plain files, which may be
  alternatives.

Fix:

No. Which numbers are free depends on your cluster.

Bad (two Services)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      type: NodePort
      selector: {app: web}
      ports:
        - {port: 80, nodePort: 30080}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: api}
    spec:
      type: NodePort
      selector: {app: api}
      ports:
        - {port: 80, nodePort: 30080}

Bad (ClusterIP)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports:
        - {port: 80, nodePort: 30080}

Bad (a port for health checks)::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      type: LoadBalancer
      healthCheckNodePort: 30081
      selector: {app: web}
      ports:
        - {port: 80, nodePort: 30080}

Good::

    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      type: NodePort
      selector: {app: web}
      ports:
        - {port: 80, nodePort: 30080}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: api}
    spec:
      type: NodePort
      selector: {app: api}
      ports:
        - {port: 80, nodePort: 30081}

Not reported when:

* the number is 0: the cluster chooses one.
* one of the two Services is an ExternalName, which has no node ports, whatever
  it says.
* the two are variants of one Service (same name and namespace).
* the value is a placeholder (`${PORT}`).
* the number is outside the cluster's range for node ports, because that range
  is configurable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from portproof.graph.fields import mapping, nonzero
from portproof.graph.model import PortGraph, Service, ServicePort, Site
from portproof.graph.names import is_placeholder
from portproof.rules.base import Finding, Label, Severity, rule

_HEALTH = "healthCheckNodePort"
_OPEN_ON_NODES = ("NodePort", "LoadBalancer")


class _Claim(Struct, frozen=True):
    """A node port that a Service asks for; `port` is None for that of its health checks."""

    service: Service
    site: Site
    port: ServicePort | None

    @property
    def field(self) -> str:
        """``nodePort``."""
        return str(self.site.path[-1])

    def shares(self, other: _Claim) -> bool:
        """Whether both can have the number (k/k ``pkg/registry/core/service/storage/alloc.go``, initNodePorts)."""
        if self.service is not other.service:
            return self.service.key == other.service.key
        if self.port is None or other.port is None:
            return False
        same = self.port.number.value == other.port.number.value
        return same and self.port.protocol != other.port.protocol


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each node port that the Service cannot get."""
    taken: dict[int, list[_Claim]] = defaultdict(list)
    specs = [one.data.get("spec") for one in graph.kinds.get("Service", ()) if one.key.api_version == "v1"]
    for service, data in zip(graph.services, specs, strict=True):
        spec = mapping(data)
        if service.type in _OPEN_ON_NODES and service.headless:
            site = Site(service.key, ("spec", "clusterIP"), "None")
            yield _rejected(service, site, f"has type {service.type}, but is headless (clusterIP: None)")
        for claim in _claims(service, spec):
            problem = _problem(claim, spec)
            if problem:
                yield _rejected(service, claim.site, problem)
            elif isinstance(claim.site.value, int) and _is_allocated(claim):
                earlier = next((one for one in taken[claim.site.value] if not claim.shares(one)), None)
                if earlier is not None:
                    yield _clash(graph, claim, earlier)
                taken[claim.site.value].append(claim)


def _claims(service: Service, spec: Mapping[str, Any]) -> Iterator[_Claim]:
    sites = [(port.node_port, port) for port in service.ports]
    health = nonzero(service.key, ("spec", _HEALTH), spec.get(_HEALTH))
    for site, port in (*sites, (health, None)):
        if site is not None and not is_placeholder(site.value):
            yield _Claim(service, site, port)


def _is_allocated(claim: _Claim) -> bool:
    return claim.service.type in _OPEN_ON_NODES


def _problem(claim: _Claim, spec: Mapping[str, Any]) -> str:
    """Why the API server rejects it, whatever the others are; empty when it does not."""
    value, kind = claim.site.value, claim.service.type
    if value == "":
        return f"has an empty {claim.field}"
    if claim.port is None and not _has_health_checks(kind, spec):
        return f"has {_HEALTH} {value}, which only a LoadBalancer with externalTrafficPolicy: Local may have"
    if claim.port is not None and kind == "ClusterIP":
        return f"has nodePort {value}, but its type is ClusterIP"
    if not isinstance(value, int) or (kind in _OPEN_ON_NODES and not 1 <= value <= 65535):
        return f"has {claim.field} {value!r}, which is not a number between 1 and 65535"
    return ""


def _has_health_checks(kind: str, spec: Mapping[str, Any]) -> bool:
    policy = spec.get("externalTrafficPolicy")
    may_be = kind == "LoadBalancer" or is_placeholder(kind)
    return may_be and (policy == "Local" or is_placeholder(policy))


def _rejected(service: Service, site: Site, what: str, other: Site | None = None) -> Finding:
    return Finding(
        message=f"{service.key} {what}: the API server rejects the Service.",
        severity=Severity.WARNING if site.value == "" else Severity.ERROR,
        unset=site.value == "",
        primary=site,
        related=(Label(other, "used here first"),) if other else (),
    )


def _name(owner: Service, service: Service) -> str:
    same = owner.key.namespace == service.key.namespace
    return str(owner.key) if same else f"{owner.key} in namespace {owner.key.namespace!r}"


def _may_be_alternatives(graph: PortGraph, service: Service, owner: Service) -> bool:
    """Whether nothing but their folder says that the two are applied together: no renderer, and no file."""
    files = {
        one.document.source
        for one in graph.of_kind("Service", "")
        if one.key in (service.key, owner.key) and one.document.offset is not None
    }
    return len(files) > 1


def _clash(graph: PortGraph, claim: _Claim, earlier: _Claim) -> Finding:
    service, owner, site = claim.service, earlier.service, claim.site
    if owner is service:
        return _rejected(service, site, _twice(claim, earlier), earlier.site)
    apart = _may_be_alternatives(graph, service, owner)
    return Finding(
        message=(
            f"{service.key} asks for {claim.field} {site.value}, which {_name(owner, service)} already has: a cluster "
            f"has it only once, so the API server rejects the second Service"
            f"{' if both files are applied' if apart else ''}."
        ),
        severity=Severity.NOTE if apart else Severity.ERROR,
        primary=site,
        related=(Label(earlier.site, f"{owner.key} has it here"),),
    )


def _twice(claim: _Claim, earlier: _Claim) -> str:
    number = claim.site.value
    if claim.port is None or earlier.port is None:
        return f"has {number} both as {earlier.field} and as {claim.field}"
    if claim.port.protocol == earlier.port.protocol:
        return f"has nodePort {number} {claim.port.protocol} twice"
    ports = f"{earlier.port.number.value} and {claim.port.number.value}"
    return f"has nodePort {number} for ports {ports}, but only one port may have it, whatever the protocol"


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
