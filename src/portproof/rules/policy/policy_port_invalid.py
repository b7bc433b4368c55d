"""A policy has a port that the API server rejects.

In a NetworkPolicy, `port` is a number from 1 to 65535 or the name of a port, never
digits in quotes. `endPort` must be a number, needs a number in `port`, and can't be
below it. `protocol` must be `TCP`, `UDP` or `SCTP`, in capital letters.

In Cilium's and Istio's policies a port is text, so a number must be in quotes. Istio
takes no names.

Why it matters:

The API server or Istio rejects the whole policy, so `helm upgrade` or `kubectl apply`
fails.

Severity:

* **error**: when the port, the end of the range or the protocol is invalid.
* **warning**: when the text is empty, as a template leaves it when its value isn't set.
* **note**: when the text is empty and a chart is rendered with its defaults alone,
  because users set the value when they install it.

Fix:

Sometimes. It removes or adds the quotes, or writes the protocol in capital letters. Any
other value is yours to choose.

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

Not reported when:

* the port is absent: all ports are meant.
* the protocol is absent: `TCP` is meant.
* the value is a placeholder (`${PORT}`).
* the protocol is that of a Cilium or Calico policy.
* the value is a range, zero or a name in a Cilium policy.
* the port is that of a Calico policy, which has its own notation.
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
    """Yield a finding for each port of a policy that is rejected."""
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
            yield _finding(port, f"has port {value}, which is not a number between 1 and {_HIGHEST}")
    elif is_digits(value):
        number = int(str(value))
        yield _finding(port, f"has port {value!r} in quotes, but it must be a number", number)
    elif value == "":
        yield _finding(port, "has an empty port, but it must be a number or a name")
    elif problem := port_name_problem(str(value)):
        yield _finding(port, f"has the port name {value!r}, which {problem}")


def _text(port: Site) -> Iterator[Finding]:
    if isinstance(port.value, int):
        what = f"has port {port.value} without quotes, but it must be text"
        yield _finding(port, what, str(port.value))


def _digits(port: Site) -> Iterator[Finding]:
    value = port.value
    yield from _text(port)
    if isinstance(value, str) and not is_digits(value):
        yield _finding(port, f"has port {value!r}, but only numbers are allowed", by="Istio")
    elif isinstance(value, str) and int(value) > _HIGHEST:
        yield _finding(port, f"has port {value}, but ports end at {_HIGHEST}", by="Istio")


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
        quoted = " in quotes" if number is not None else ""
        yield _finding(end, f"has endPort {last!r}{quoted}, but it must be a number", number)
    elif port is None:
        yield _finding(end, f"has endPort {last} without a port")
    elif isinstance(port, str):
        if not is_placeholder(port) and not is_digits(port):
            yield _finding(end, f"has endPort {last} and the port name {port!r}, but a range needs a number")
    elif last < port:
        yield _finding(end, f"has endPort {last}, which is below port {port}")
    elif last > _HIGHEST:
        yield _finding(end, f"has endPort {last}, but ports end at {_HIGHEST}")


def _protocol(entry: PortEntry) -> Iterator[Finding]:
    site = entry.protocol
    if site is not None and site.value not in PROTOCOLS and not is_placeholder(site.value):
        meant = str(site.value).strip().upper()
        what = f"has protocol {site.value!r}, but Kubernetes supports only TCP, UDP and SCTP"
        yield _finding(site, what, meant if meant in PROTOCOLS else None)


def _finding(site: Site, what: str, value: Scalar | None = None, *, by: str = "the API server") -> Finding:
    return Finding(
        message=f"{site.resource} {what}: {by} rejects the {site.resource.kind}.",
        severity=Severity.WARNING if site.value == "" else Severity.ERROR,
        unset=site.value == "",
        primary=site,
        expected=value,
        remedies=(Remedy(f"write {value!r}", ((site, value),)),) if value is not None else (),
    )


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
