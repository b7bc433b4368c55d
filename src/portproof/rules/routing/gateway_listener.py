"""Two Gateway listeners conflict, or a listener is incomplete or invalid.

Each listener needs a unique name and a unique combination of port, protocol and
hostname. A TCP listener takes the whole port, so no HTTP, HTTPS or TLS listener can
share it. The rule also checks ListenerSets.

Why it matters:

The API server rejects the whole Gateway if two listeners have the same name or the
same combination. It also rejects a listener that:

* has no name, port or protocol.
* has a name with capital letters.
* has a port that is not a number from 1 to 65535.
* is for TCP or UDP and has a hostname.

Controllers reject `http`, because protocols are in capital letters. If a TCP listener
shares its port, they do not serve both.

Severity:

* **error**: the API server or the controller rejects a listener.
* **warning**: HTTP, HTTPS and TLS listeners share a port and a hostname. The
  specification leaves this to the controller, and Envoy Gateway and Istio do not
  serve all of them. It is also a warning when a required field is present but empty,
  as a template renders it without a value.
* **note**: a field is empty, and the chart is rendered with its default values alone.

Fix:

Sometimes. It removes the quotes from a port, or writes the protocol in capital
letters. Only you know how to resolve a conflict between two listeners.

Bad (the same name)::

    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {name: public}
    spec:
      gatewayClassName: example
      listeners:
        - {name: web, port: 80, protocol: HTTP}
        - {name: web, port: 8080, protocol: HTTP}

Bad (the same port, protocol and hostname)::

    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {name: public}
    spec:
      gatewayClassName: example
      listeners:
        - {name: shop, port: 80, protocol: HTTP}
        - {name: blog, port: 80, protocol: HTTP}

Bad (TCP takes all)::

    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {name: public}
    spec:
      gatewayClassName: example
      listeners:
        - {name: web, port: 8080, protocol: HTTP}
        - {name: database, port: 8080, protocol: TCP}

Good::

    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {name: public}
    spec:
      gatewayClassName: example
      listeners:
        - {name: shop, port: 80, protocol: HTTP, hostname: shop.example.org}
        - {name: blog, port: 80, protocol: HTTP, hostname: blog.example.org}
        - {name: database, port: 5432, protocol: TCP}
        - {name: names, port: 53, protocol: UDP}
        - {name: names-tcp, port: 53, protocol: TCP}

Not reported when:

* the hostnames differ.
* UDP shares a port with another protocol.
* two different Gateways use the same port.
* an XListenerSet has no port: the controller chooses one.
* the protocol is a controller's custom one.
* a field is a placeholder, such as `${PORT}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from portproof.graph.model import PortGraph, Site
from portproof.graph.names import is_digits, is_placeholder
from portproof.resources import ResourceKey
from portproof.rules.base import Finding, Label, Remedy, Severity, rule
from portproof.rules.routing.gateways import LISTENING, Listener, listeners

_WEB = ("HTTP", "HTTPS", "TLS")
_KNOWN = (*_WEB, "TCP", "UDP")
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
"""gateway-api ``apis/v1/shared_types.go``, SectionName."""


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each listener that cannot be had, or not beside an earlier one."""
    for kind, group in LISTENING.items():
        for resource in graph.of_kind(kind, group):
            found = listeners(resource)
            yield from _same_names(resource.key, found)
            for listener in found:
                yield from _incomplete(resource.key, listener)
                yield from _port(listener)
                yield from _protocol(resource.key, listener)
            yield from _conflicts(resource.key, found)


def _same_names(key: ResourceKey, found: Sequence[Listener]) -> Iterator[Finding]:
    first: dict[str, Site] = {}
    for name in (one.name for one in found):
        if name is None or is_placeholder(name.value):
            continue
        earlier = first.setdefault(str(name.value), name)
        if earlier is not name:
            yield Finding(
                message=f"{key} has two listeners named {name.value!r}: the API server rejects the {key.kind}.",
                severity=Severity.ERROR,
                primary=name,
                related=(Label(earlier, "used here first"),),
            )


def _incomplete(key: ResourceKey, listener: Listener) -> Iterator[Finding]:
    """What a listener lacks, and a name or a hostname that it cannot have."""
    for field in ("name", "port", "protocol"):
        value = listener.data.get(field)
        if value in (None, "") and not (field == "port" and key.kind == "XListenerSet"):
            site = Site(key, (*listener.path, field), value)
            yield _rejected(listener, site, f"has no {field}", unset=field in listener.data)
    name = listener.name
    if name is not None and isinstance(name.value, int):
        yield _rejected(listener, name, f"has the name {name.value}, which must be a string, not a number")
    elif name is not None and not is_placeholder(name.value) and not _NAME.fullmatch(str(name.value)):
        what = f"has the name {name.value!r}, which may contain only lowercase letters, digits, '-' and '.'"
        yield _rejected(listener, name, what)
    hostname = listener.hostname
    if hostname and listener.protocol in ("TCP", "UDP"):
        site = Site(key, (*listener.path, "hostname"), hostname)
        yield _rejected(
            listener, site, f"has the hostname {hostname!r}, but {listener.protocol} has no hostnames"
        )


def _rejected(listener: Listener, site: Site, what: str, *, unset: bool = False) -> Finding:
    key = site.resource
    who = "A listener" if site.path[-1] == "name" and not site.value else f"Listener {_name(listener)}"
    return Finding(
        message=f"{who} of {key} {what}: the API server rejects the {key.kind}.",
        severity=Severity.WARNING if unset else Severity.ERROR,
        unset=unset,
        primary=site,
    )


def _port(listener: Listener) -> Iterator[Finding]:
    site = listener.number
    if site is None or is_placeholder(site.value):
        return
    if isinstance(site.value, int) and (1 <= site.value <= 65535 or _is_chosen(site)):
        return
    key, value = site.resource, site.value
    text = isinstance(value, str)
    must = "a number, not a string" if text else "between 1 and 65535"
    number = int(value) if isinstance(value, str) and is_digits(value) and len(value) <= 5 else 0
    usable = text and 1 <= number <= 65535
    yield Finding(
        message=f"Listener {_name(listener)} of {key} has port {value!r}, which must be {must}: the API server rejects the {key.kind}.",
        severity=Severity.ERROR,
        primary=site,
        expected=number if usable else None,
        remedies=(Remedy("remove the quotes", ((site, number),)),) if usable else (),
    )


def _protocol(key: ResourceKey, listener: Listener) -> Iterator[Finding]:
    """A protocol in small letters, which is none: a controller's own has its domain in front (``example.org/http``)."""
    meant = listener.protocol.upper()
    if meant in _KNOWN and listener.protocol != meant:
        site = Site(key, (*listener.path, "protocol"), listener.protocol)
        yield Finding(
            message=(
                f"Listener {_name(listener)} of {key} has the protocol {listener.protocol!r}, but protocols are uppercase: "
                "controllers reject it (UnsupportedProtocol)."
            ),
            severity=Severity.ERROR,
            primary=site,
            expected=meant,
            remedies=(Remedy(f"set the protocol to {meant}", ((site, meant),)),),
        )


def _is_chosen(site: Site) -> bool:
    """Whether the controller chooses the port: 0 in an XListenerSet."""
    return site.value == 0 and site.resource.kind == "XListenerSet"


def _conflicts(key: ResourceKey, found: Sequence[Listener]) -> Iterator[Finding]:
    settled = [one for one in found if _is_settled(one)]
    for _, group in groupby(sorted(settled, key=_number), key=_number):
        ports = list(group)
        for index, listener in enumerate(ports):
            clashes = (
                _taking_all(key, listener, ports),
                *(_twice(key, one, listener) for one in ports[:index]),
                *(_mixed(key, one, listener) for one in ports[:index]),
            )
            yield from [one for one in clashes if one is not None][:1]


def _is_settled(listener: Listener) -> bool:
    words = (listener.protocol, listener.hostname)
    return _number(listener) > 0 and listener.protocol != "" and not any(is_placeholder(one) for one in words)


def _number(listener: Listener) -> int:
    value = listener.number.value if listener.number else None
    return value if isinstance(value, int) else 0


def _taking_all(key: ResourceKey, listener: Listener, ports: Sequence[Listener]) -> Finding | None:
    others = [one for one in ports if one.protocol in _WEB]
    if listener.protocol != "TCP" or not others:
        return None
    what = (
        f"{_both(key, others[0], listener)}, one for {others[0].protocol} and one for TCP, which takes the whole port: "
        "the controller does not serve both."
    )
    return _clashing(others[0], listener, what, Severity.ERROR)


def _twice(key: ResourceKey, earlier: Listener, later: Listener) -> Finding | None:
    if (earlier.protocol, earlier.hostname) != (later.protocol, later.hostname):
        return None
    host = f" and hostname {later.hostname!r}" if later.hostname else " without a hostname"
    what = f"{_both(key, earlier, later)} for {later.protocol}{host}: the API server rejects the {key.kind}."
    return _clashing(earlier, later, what, Severity.ERROR)


def _mixed(key: ResourceKey, earlier: Listener, later: Listener) -> Finding | None:
    protocols = {earlier.protocol, later.protocol}
    if len(protocols) == 1 or not protocols <= set(_WEB) or earlier.hostname != later.hostname:
        return None
    host = f"hostname {later.hostname!r}" if later.hostname else "every hostname"
    what = (
        f"{_both(key, earlier, later)} for {host}, with {earlier.protocol} and {later.protocol}: Envoy Gateway and "
        "Istio do not serve both."
    )
    return _clashing(earlier, later, what, Severity.WARNING)


def _both(key: ResourceKey, earlier: Listener, later: Listener) -> str:
    return f"Listeners {_name(earlier)} and {_name(later)} of {key} both have port {_number(later)}"


def _clashing(earlier: Listener, later: Listener, message: str, severity: Severity) -> Finding | None:
    if earlier.number is None or later.number is None:
        return None
    return Finding(
        message=message,
        severity=severity,
        primary=later.number,
        related=(Label(earlier.number, "the other listener"),),
    )


def _name(listener: Listener) -> str:
    return repr(listener.name.value) if listener.name else "(unnamed)"


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
