"""A node port is taken twice, out of range, or on a Service that has none.

A node port is opened on every node, so there is only one of a number in a
cluster. Services of type ClusterIP have none, and the API server refuses a
`nodePort` there.

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

Silent when the protocols differ, when the number is 0 (the cluster chooses
one), when the two are variants of one Service (same name and namespace), for
placeholders (`${PORT}`), and about the range that the cluster allots to node
ports: it can be configured. A **note** when the two stand in different
plain files, which may be alternatives.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.model import PortGraph, Service, Site
from portproof.graph.names import is_placeholder
from portproof.rules.base import Finding, Label, Severity, rule


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each node port that cannot be had."""
    first: dict[tuple[str, int], tuple[Service, Site]] = {}
    for service in graph.services:
        for port in service.ports:
            site = port.node_port
            if site is None or is_placeholder(site.value):
                continue
            if service.type == "ClusterIP":
                what = f"has nodePort {site.value}, but its type is ClusterIP"
                yield _refused(service, site, what)
            elif not isinstance(site.value, int) or not 1 <= site.value <= 65535:
                yield _refused(
                    service, site, f"has nodePort {site.value!r}, which is no number between 1 and 65535"
                )
            else:
                owner, earlier = first.setdefault((port.protocol, site.value), (service, site))
                if owner is service and earlier is not site:
                    yield _refused(service, site, f"has nodePort {site.value} {port.protocol} twice", earlier)
                elif owner.key != service.key:
                    yield _clash(graph, service, site, owner, earlier)


def _refused(service: Service, site: Site, what: str, other: Site | None = None) -> Finding:
    return Finding(
        message=f"{service.key} {what}: the API server refuses the Service.",
        severity=Severity.ERROR,
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


def _clash(graph: PortGraph, service: Service, site: Site, owner: Service, earlier: Site) -> Finding:
    apart = _may_be_alternatives(graph, service, owner)
    return Finding(
        message=(
            f"{service.key} takes nodePort {site.value}, which {_name(owner, service)} has already: there is only one in a cluster, "
            f"so the API server refuses the second{' if both files are applied' if apart else ''}."
        ),
        severity=Severity.NOTE if apart else Severity.ERROR,
        primary=site,
        related=(Label(earlier, f"{owner.key} takes it here"),),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
