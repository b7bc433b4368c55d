"""Two servers of Istio Gateways claim one port of the same pods, and Istio serves only one of them.

All Gateways with the same `selector` open their ports in the same pods. Plain HTTP
can share a port with plain HTTP, and TLS with TLS for other hosts. Nothing else can
share a port.

Why it matters:

Istio skips every conflicting server except the first (istio
`pilot/pkg/model/gateway.go`, mergeGateways).

Severity:

* **warning**: always. The two may be meant for different clusters.

Fix:

No. Only you know which of the two should move.

Bad (TLS for one host twice)::

    apiVersion: networking.istio.io/v1
    kind: Gateway
    metadata: {name: shop}
    spec:
      selector: {istio: ingressgateway}
      servers:
        - port: {number: 443, name: https, protocol: HTTPS}
          hosts: ["*"]
          tls: {mode: SIMPLE, credentialName: shop}
    ---
    apiVersion: networking.istio.io/v1
    kind: Gateway
    metadata: {name: blog}
    spec:
      selector: {istio: ingressgateway}
      servers:
        - port: {number: 443, name: https, protocol: HTTPS}
          hosts: ["*"]
          tls: {mode: SIMPLE, credentialName: blog}

Bad (a port for HTTP and for TCP)::

    apiVersion: networking.istio.io/v1
    kind: Gateway
    metadata: {name: shop}
    spec:
      selector: {istio: ingressgateway}
      servers:
        - port: {number: 9000, name: http, protocol: HTTP}
          hosts: ["*"]
        - port: {number: 9000, name: tcp, protocol: TCP}
          hosts: ["*"]

Good::

    apiVersion: networking.istio.io/v1
    kind: Gateway
    metadata: {name: shop}
    spec:
      selector: {istio: ingressgateway}
      servers:
        - port: {number: 443, name: https, protocol: HTTPS}
          hosts: ["shop.example.org"]
          tls: {mode: SIMPLE, credentialName: shop}
    ---
    apiVersion: networking.istio.io/v1
    kind: Gateway
    metadata: {name: blog}
    spec:
      selector: {istio: ingressgateway}
      servers:
        - port: {number: 443, name: https, protocol: HTTPS}
          hosts: ["blog.example.org"]
          tls: {mode: SIMPLE, credentialName: blog}

Not reported when:

* the selectors differ.
* a selector is missing.
* the `bind` addresses differ.
* the control planes differ (`istio.io/rev`).
* both servers are for plain HTTP.
* one server is for TLS and the other is not.
* the two are variants of one Gateway.
* the port is a placeholder, such as `${PORT}`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from portproof.graph.fields import labels, mapping
from portproof.graph.mesh_hosts import ISTIO
from portproof.graph.model import PortGraph
from portproof.graph.names import is_placeholder
from portproof.graph.phrasing import listing
from portproof.resources import Resource
from portproof.rules.base import Finding, Label, Severity, rule
from portproof.rules.mesh import mesh
from portproof.rules.mesh.mesh import Server

_REVISION = "istio.io/rev"
_SHOWN = 3


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each server that is in the way of an earlier one."""
    for servers in _together(graph).values():
        yield from _of_hosts([one for one in servers if one.ends_tls])
        yield from _of_plain([one for one in servers if not one.ends_tls and _is_known(one.protocol)])


def _of_hosts(servers: Sequence[Server]) -> Iterator[Finding]:
    """TLS for one host twice; a server that is skipped takes no host from a third one."""
    taken: dict[str, Server] = {}
    for server in servers:
        hosts = [one for one in server.hosts if not is_placeholder(one)]
        common = [one for one in hosts if one in taken]
        if common:
            shown = listing(f"{one!r}" for one in common[:_SHOWN])
            yield _finding(taken[common[0]], server, f"both serve TLS for {shown}")
        else:
            taken.update(dict.fromkeys(hosts, server))


def _of_plain(servers: Sequence[Server]) -> Iterator[Finding]:
    """Plain servers beside the first one, unless both are for HTTP."""
    for server in servers[1:]:
        first = servers[0]
        if server.protocol == first.protocol and not server.is_http:
            yield _finding(first, server, f"both serve {server.protocol}")
        elif not (server.is_http and first.is_http):
            yield _finding(first, server, f"serve {server.protocol} and {first.protocol}")


def _is_known(protocol: str) -> bool:
    return bool(protocol) and not is_placeholder(protocol)


def _together(graph: PortGraph) -> Mapping[object, Sequence[Server]]:
    """The servers that open one port of the same pods, by what they have in common."""
    groups: dict[object, list[Server]] = defaultdict(list)
    gateways = graph.of_kind("Gateway", ISTIO)
    variants = Counter(one.key for one in gateways)
    for gateway in gateways:
        selector = tuple(sorted(labels(mapping(gateway.data.get("spec")).get("selector")).items()))
        if not selector or variants[gateway.key] > 1 or any(is_placeholder(value) for _, value in selector):
            continue
        for server in mesh.servers(gateway):
            if isinstance(server.number.value, int):
                groups[selector, _revision(gateway), server.number.value, server.bind].append(server)
    return groups


def _revision(gateway: Resource) -> str:
    return labels(mapping(gateway.data.get("metadata")).get("labels")).get(_REVISION, "")


def _finding(earlier: Server, server: Server, what: str) -> Finding:
    own, others = server.number.resource, earlier.number.resource
    who = f"Two servers of {own}" if own == others else f"{own} and {others}"
    return Finding(
        message=f"{who} {what} on port {server.number.value} of the same pods: Istio skips the later one.",
        severity=Severity.WARNING,
        primary=server.number,
        related=(Label(earlier.number, "the other server"),),
    )


RULE = rule(__name__, __doc__, severity=Severity.WARNING, check=check)
