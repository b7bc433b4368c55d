"""The ports of a ServiceEntry contradict each other, or are invalid.

Each port of an Istio ServiceEntry needs a unique name and a unique number. The
`ports` of an endpoint map these names to the numbers on which the endpoint listens.

Why it matters:

The API server rejects the ServiceEntry when:

* a name or a number appears twice.
* a port has no name or no number.
* a number is a string, or is outside 1 to 65535.

Istio rejects an endpoint with a port name that the entry does not have
(`pkg/config/validation/validation.go`). If two entries have the same port of a host
for different protocols, only one of them takes effect (istioctl's IST0177).

Severity:

* **error**: the API server or Istio rejects the entry.
* **warning**: two entries have the same port of a host for different protocols. It is
  also a warning when a name or number is present but empty, as a template renders it
  without a value.
* **note**: a field is empty, and the chart is rendered with its default values alone.

Fix:

Sometimes. It removes the quotes from a number, or gives the only port the name that
the endpoint uses.

Bad (a name that no port has)::

    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {name: mail}
    spec:
      hosts: [mail.example.org]
      resolution: STATIC
      ports:
        - {number: 25, name: smtp, protocol: TCP}
      endpoints:
        - address: 192.0.2.25
          ports: {mail: 2525}

Bad (a number twice)::

    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {name: mail}
    spec:
      hosts: [mail.example.org]
      resolution: DNS
      ports:
        - {number: 25, name: tcp-smtp, protocol: TCP}
        - {number: 25, name: tcp-mail, protocol: TCP}

Bad (two entries of one host)::

    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {name: mail}
    spec:
      hosts: [mail.example.org]
      resolution: DNS
      ports:
        - {number: 8080, name: http, protocol: HTTP}
    ---
    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {name: mail-tls}
    spec:
      hosts: [mail.example.org]
      resolution: DNS
      ports:
        - {number: 8080, name: tls, protocol: TLS}

Good::

    apiVersion: networking.istio.io/v1
    kind: ServiceEntry
    metadata: {name: mail}
    spec:
      hosts: [mail.example.org]
      resolution: STATIC
      ports:
        - {number: 25, name: smtp, protocol: TCP, targetPort: 2525}
        - {number: 587, name: submission, protocol: TCP}
      endpoints:
        - address: 192.0.2.25
          ports: {submission: 5870}

Not reported when:

* the endpoint is a separate workload (WorkloadEntry).
* the endpoint belongs to an entry whose `resolution` is not `STATIC` or `DNS`.
* the entries with different protocols are visible to different namespaces
  (`exportTo`).
* a field is a placeholder, such as `${PORT}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from portproof.graph import sites
from portproof.graph.fields import indexed, mapping, scalar
from portproof.graph.mesh_hosts import ISTIO, texts
from portproof.graph.model import PortGraph, Site
from portproof.graph.names import is_placeholder
from portproof.graph.phrasing import listing
from portproof.replacing import replace
from portproof.resources import Resource
from portproof.rules.base import Finding, Label, Remedy, Severity, rule
from portproof.rules.port_fields import PortField, Takes, finding, invalid

_WITH_ENDPOINTS = frozenset({"STATIC", "DNS", "DNS_ROUND_ROBIN"})
_PORTS = ("spec.ports[*]",)
_FIELDS = (
    PortField((ISTIO,), ("ServiceEntry",), _PORTS, "number", "port", required=True, lowest=1),
    PortField((ISTIO,), ("ServiceEntry",), _PORTS, "targetPort", "port", lowest=1),
    PortField((ISTIO,), ("ServiceEntry",), _PORTS, "name", "port", takes=Takes.TEXT, required=True),
)
_OF_ENDPOINT = PortField((ISTIO,), ("ServiceEntry",), (), "", "", lowest=1, label="number")


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that is rejected, or contradicts another entry."""
    for entry in graph.of_kind("ServiceEntry", ISTIO):
        spec = mapping(entry.data.get("spec"))
        yield from _twice(entry, spec, "number")
        yield from _twice(entry, spec, "name")
        if str(spec.get("resolution")) in _WITH_ENDPOINTS:
            yield from _unknown_names(entry, spec)
    yield from invalid(graph, _FIELDS)
    yield from _endpoints(graph)
    yield from _contradicted(graph)


def _endpoints(graph: PortGraph) -> Iterator[Finding]:
    """Numbers of endpoints that cannot be."""
    for entry in graph.of_kind("ServiceEntry", ISTIO):
        for path, ports in sites.find("spec.endpoints[*].ports", entry.data):
            for name in mapping(ports):
                row = replace(_OF_ENDPOINT, field=str(name), of=f"endpoint's port {str(name)!r}")
                found = finding(entry, row, (*path, str(name)), ports)
                if found is not None:
                    yield found


def _contradicted(graph: PortGraph) -> Iterator[Finding]:
    """Ports that two entries have for one host, with different protocols."""
    seen: dict[tuple[str, object, str], tuple[str, Site]] = {}
    for entry in graph.of_kind("ServiceEntry", ISTIO):
        spec = mapping(entry.data.get("spec"))
        scope = "" if _is_for_all(spec) else entry.key.namespace
        for index, port in indexed(spec.get("ports")):
            number, spoken = scalar(port.get("number")), scalar(port.get("protocol"))
            if not isinstance(number, int) or not spoken or is_placeholder(spoken):
                continue
            site = Site(entry.key, ("spec", "ports", index, "protocol"), spoken)
            for host in texts(entry, "hosts"):
                protocol = str(spoken).upper()
                other, first = seen.setdefault((host, number, scope), (protocol, site))
                if other != protocol and first.resource != entry.key and not is_placeholder(host):
                    yield _contradiction(host, number, first, site)
                    break


def _is_for_all(spec: Mapping[str, Any]) -> bool:
    """Whether every namespace sees the entry: it says so, or says nothing (``pkg/config/visibility``)."""
    seen = spec.get("exportTo")
    return not isinstance(seen, list) or not seen or "*" in seen


def _contradiction(host: str, number: int, first: Site, site: Site) -> Finding:
    return Finding(
        message=(
            f"{site.resource} declares port {number} of {host!r} as {site.value}, but {first.resource} as "
            f"{first.value}: Istio uses only one of them."
        ),
        severity=Severity.WARNING,
        primary=site,
        related=(Label(first, "the other entry"),),
    )


def _twice(entry: Resource, spec: Mapping[str, Any], field: str) -> Iterator[Finding]:
    seen: dict[object, Site] = {}
    for index, port in indexed(spec.get("ports")):
        value = scalar(port.get(field))
        if value is None or is_placeholder(value):
            continue
        site = Site(entry.key, ("spec", "ports", index, field), value)
        first = seen.setdefault(value, site)
        if first is not site:
            yield Finding(
                message=f"{entry.key} has two ports with the {field} {value}: the API server rejects the {entry.key.kind}.",
                severity=Severity.ERROR,
                primary=site,
                related=(Label(first, "the first port"),),
            )


def _unknown_names(entry: Resource, spec: Mapping[str, Any]) -> Iterator[Finding]:
    names = [
        Site(entry.key, ("spec", "ports", index, "name"), scalar(port.get("name")))
        for index, port in indexed(spec.get("ports"))
        if port.get("name")
    ]
    known = {one.value for one in names}
    if any(map(is_placeholder, known)):
        return
    for index, endpoint in indexed(spec.get("endpoints")):
        ports = mapping(endpoint.get("ports"))
        for key, number in ports.items():
            name = str(key)
            if name not in known and not is_placeholder(name):
                alone = len(names) == 1 and len(ports) == 1
                yield Finding(
                    message=(
                        f"{entry.key} sets the port {name!r} of an endpoint, but its own ports "
                        f"{f'are named {listing(sorted(map(str, known)))}' if known else 'have no names'}: "
                        f"Istio rejects the {entry.key.kind}."
                    ),
                    severity=Severity.ERROR,
                    primary=Site(entry.key, ("spec", "endpoints", index, "ports", name), scalar(number)),
                    related=tuple(Label(one, "the port's name") for one in names[:3]),
                    remedies=(Remedy(f"name the port {name}", ((names[0], name),)),) if alone else (),
                )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
