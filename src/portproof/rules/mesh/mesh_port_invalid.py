"""A mesh resource has a port that the API server rejects.

These ports of Istio resources must be numbers without quotes:

* The ports of a Gateway's servers. A server also needs a port name and a protocol.
* The ports of a Sidecar's listeners.
* The ports of a VirtualService's matches, destinations and redirects. In a
  destination, `port` is an object: `{number: 80}`.
* The ports of a DestinationRule's port-level settings.

A Linkerd Server needs a port.

Why it matters:

The API server rejects the whole resource, so `helm upgrade` or `kubectl apply` fails.

Severity:

* **error**: a required port is missing, or a field is of the wrong type.
* **warning**: a required field is present but empty, as a template renders it without
  a value.
* **note**: a field is empty, and the chart is rendered with its default values alone.

Fix:

Sometimes. It removes the quotes from a number.

Bad (in quotes)::

    apiVersion: networking.istio.io/v1
    kind: Gateway
    metadata: {name: public}
    spec:
      selector: {istio: ingress}
      servers:
        - {port: {number: "443", name: https, protocol: HTTPS}, hosts: ["*"]}

Bad (no object)::

    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: shop}
    spec:
      hosts: [shop]
      http:
        - route: [{destination: {host: shop, port: 80}}]

Good::

    apiVersion: networking.istio.io/v1
    kind: Gateway
    metadata: {name: public}
    spec:
      selector: {istio: ingress}
      servers:
        - {port: {number: 443, name: https, protocol: HTTPS}, hosts: ["*"]}
    ---
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: shop}
    spec:
      hosts: [shop]
      http:
        - match: [{port: 80}]
          route: [{destination: {host: shop, port: {number: 80}}}]

Not reported when:

* a number is out of range: the schemas accept it.
* a Server has no `podSelector`: such a fragment is a patch.
* the port is a placeholder, such as `${PORT}`.
* the Service is rendered and lacks the port: `virtual-service-port` or
  `destination-rule-port` reports that.
* the resource is a ServiceEntry: `service-entry-port` checks it.
"""

from __future__ import annotations

from collections.abc import Iterator

from portproof.graph.mesh_hosts import ISTIO
from portproof.graph.model import PortGraph, Relation
from portproof.rules.base import Finding, Severity, rule
from portproof.rules.port_fields import PortField, Takes, invalid

_ISTIO = (ISTIO,)
_SERVERS = ("spec.servers[*].port",)
_VIRTUAL = ("VirtualService",)
_DESTINATIONS = (
    "spec.http[*].route[*].destination",
    "spec.tcp[*].route[*].destination",
    "spec.tls[*].route[*].destination",
    "spec.http[*].mirror",
    "spec.http[*].mirrors[*].destination",
)
_SETTINGS = (
    "spec.trafficPolicy.portLevelSettings[*]",
    "spec.subsets[*].trafficPolicy.portLevelSettings[*]",
)
_MATCHES = ("spec.http[*].match[*]", "spec.tcp[*].match[*]", "spec.tls[*].match[*]")
_FIELDS = (
    PortField(_ISTIO, ("Gateway",), _SERVERS, "number", "server", required=True, label="port number"),
    PortField(_ISTIO, ("Gateway",), _SERVERS, "targetPort", "server"),
    PortField(
        _ISTIO, ("Gateway",), _SERVERS, "name", "server", takes=Takes.TEXT, required=True, label="port name"
    ),
    PortField(_ISTIO, ("Gateway",), _SERVERS, "protocol", "server", takes=Takes.TEXT, required=True),
    PortField(
        _ISTIO, ("Sidecar",), ("spec.ingress[*]",), "port", "listener", takes=Takes.OBJECT, required=True
    ),
    PortField(
        _ISTIO,
        ("Sidecar",),
        ("spec.ingress[*].port", "spec.egress[*].port"),
        "number",
        "listener",
        label="port number",
    ),
    PortField(_ISTIO, _VIRTUAL, _MATCHES, "port", "match"),
    PortField(_ISTIO, _VIRTUAL, _DESTINATIONS, "port", "destination", takes=Takes.OBJECT),
    PortField(
        _ISTIO,
        _VIRTUAL,
        tuple(f"{one}.port" for one in _DESTINATIONS),
        "number",
        "destination",
        label="port number",
    ),
    PortField(_ISTIO, _VIRTUAL, ("spec.http[*].redirect",), "port", "redirect"),
    PortField(_ISTIO, ("DestinationRule",), _SETTINGS, "port", "port-level setting", takes=Takes.OBJECT),
    PortField(
        _ISTIO,
        ("DestinationRule",),
        tuple(f"{one}.port" for one in _SETTINGS),
        "number",
        "port-level setting",
        label="port number",
    ),
    PortField(
        ("policy.linkerd.io",),
        ("Server",),
        ("spec",),
        "port",
        "spec",
        takes=Takes.EITHER,
        required=True,
        beside="podSelector",
    ),
)


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port of a mesh resource that is rejected."""
    yield from invalid(graph, _FIELDS, Relation.VIRTUAL_SERVICE, Relation.DESTINATION_RULE)


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
