"""A policy has a port that the API server refuses.

A NetworkPolicy's port is a number from 1 to 65535 or the name of a port, never
digits in quotation marks; an `endPort` must be a number, needs one before it, and
is not below it. Its protocol is `TCP`, `UDP` or `SCTP`, in capital letters. In Cilium's and Istio's policies a port is text, so that a number has
to be in quotation marks, and Istio takes no names.

Bad (digits in quotation marks)::

    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: web}
    spec:
      podSelector: {matchLabels: {app: web}}
      ingress:
        - ports: [{port: "8080"}]

Bad (the range ends before it begins)::

    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: web}
    spec:
      podSelector: {matchLabels: {app: web}}
      ingress:
        - ports: [{port: 8090, endPort: 8080}]

Bad (small letters)::

    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: web}
    spec:
      podSelector: {matchLabels: {app: web}}
      ingress:
        - ports: [{port: 8080, protocol: tcp}]

Bad (Istio wants text)::

    apiVersion: security.istio.io/v1
    kind: AuthorizationPolicy
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      rules:
        - to: [{operation: {ports: [8080]}}]

Good::

    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata: {name: web}
    spec:
      podSelector: {matchLabels: {app: web}}
      ingress:
        - ports: [{port: 8080, endPort: 8090}, {port: metrics}]
    ---
    apiVersion: security.istio.io/v1
    kind: AuthorizationPolicy
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      rules:
        - to: [{operation: {ports: ["8080"]}}]

An **error**, but a **warning** for empty text, as a template leaves it when its
value is not given, and a **note** then where a chart is rendered with its
defaults alone.

Silent when a port or a protocol is absent (all ports are meant, and `TCP`), for placeholders
(`${PORT}`), for the protocols of Cilium's and Calico's policies, for ranges, zero and names in Cilium's policies, and for Calico's,
which are written in a way of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from portproof.graph.fields import PROTOCOLS
from portproof.graph.model import PortGraph, Site
from portproof.graph.names import is_digits, is_placeholder, port_name_problem
from portproof.rules.base import Finding, Remedy, Scalar, Severity, rule
from portproof.rules.policy.policies import Encoding, PortEntry, entries

_HIGHEST = 65535


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port of a policy that is refused."""
    for entry in entries(graph):
        if entry.port is not None and not is_placeholder(entry.port.value):
            yield from _PORTS[entry.writing](entry.port)
        if entry.writing is Encoding.PLAIN:
            yield from _end(entry)
            yield from _protocol(entry)


def _plain(port: Site) -> Iterator[Finding]:
    value = port.value
    if isinstance(value, int):
        if not 1 <= value <= _HIGHEST:
            yield _finding(port, f"has port {value}, but ports go from 1 to {_HIGHEST}")
    elif is_digits(value):
        number = int(str(value))
        yield _finding(port, f"has the text {value!r} as a port, where a number belongs", number)
    elif value == "":
        yield _finding(port, "has an empty port, which is neither a number nor a name")
    elif problem := port_name_problem(str(value)):
        yield _finding(port, f"has the port name {value!r}, which {problem}")


def _text(port: Site) -> Iterator[Finding]:
    if isinstance(port.value, int):
        what = f"has the number {port.value} as a port, where text in quotation marks belongs"
        yield _finding(port, what, str(port.value))


def _digits(port: Site) -> Iterator[Finding]:
    value = port.value
    yield from _text(port)
    if isinstance(value, str) and not is_digits(value):
        yield _finding(port, f"has the port {value!r}, but takes only numbers", refuses="Istio")
    elif isinstance(value, str) and int(value) > _HIGHEST:
        yield _finding(port, f"has port {value}, but ports go up to {_HIGHEST}", refuses="Istio")


def _own(_port: Site) -> Iterator[Finding]:
    yield from ()


_PORTS: Mapping[Encoding, Callable[[Site], Iterator[Finding]]] = {
    Encoding.PLAIN: _plain,
    Encoding.TEXT: _text,
    Encoding.DIGITS: _digits,
    Encoding.OWN: _own,
}


def _end(entry: PortEntry) -> Iterator[Finding]:
    end, port = entry.end, entry.port.value if entry.port is not None else None
    if end is None or is_placeholder(end.value):
        return
    last = end.value
    if not isinstance(last, int):
        number = int(str(last)) if is_digits(last) else None
        yield _finding(end, f"has the text {last!r} as endPort, where a number belongs", number)
    elif port is None:
        yield _finding(end, "has an endPort without a port")
    elif isinstance(port, str):
        if not is_placeholder(port) and not is_digits(port):
            yield _finding(end, f"has an endPort after the name {port!r}, where only a number may stand")
    elif last < port:
        yield _finding(end, f"has a range that ends at {last}, before it begins at {port}")
    elif last > _HIGHEST:
        yield _finding(end, f"has endPort {last}, but ports go from 1 to {_HIGHEST}")


def _protocol(entry: PortEntry) -> Iterator[Finding]:
    site = entry.protocol
    if site is not None and site.value not in PROTOCOLS and not is_placeholder(site.value):
        meant = str(site.value).strip().upper()
        what = f"has the protocol {site.value!r}, and there are TCP, UDP and SCTP"
        yield _finding(site, what, meant if meant in PROTOCOLS else None)


def _finding(
    site: Site, what: str, value: Scalar | None = None, *, refuses: str = "the API server"
) -> Finding:
    return Finding(
        message=f"{site.resource} {what}: {refuses} refuses the object.",
        severity=Severity.WARNING if site.value == "" else Severity.ERROR,
        unset=site.value == "",
        primary=site,
        expected=value,
        remedies=(Remedy(f"write {value!r}", ((site, value),)),) if value is not None else (),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
