"""How two ends talk: with or without TLS, over which protocol."""

from __future__ import annotations

import re
from collections.abc import Iterator

from portproof.effects import Change
from portproof.graph.model import ContainerPort, Service, ServicePort, Workload
from portproof.safety.model import Danger, Risk

FIELDS = frozenset({"scheme", "appProtocol", "protocol"})
"""Fields that say how to talk."""

_TLS = re.compile(
    r"(?:\A|[-_.])(?:https|tls|ssl|wss|grpcs|ldaps|amqps|mqtts|http2s)(?:\Z|[-_.\d])", re.IGNORECASE
)
_PLAIN = re.compile(r"(?:\A|[-_.])(?:http|ws|h2c|grpc|ldap|amqp|mqtt)(?:\Z|[-_.\d])", re.IGNORECASE)
_PORT_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_TLS_NUMBERS = frozenset({443, 8443})
_PLAIN_NUMBERS = frozenset({80, 8080})


def flipped(change: Change) -> Risk:
    """What a changed scheme or protocol means."""
    was, now = change.before or "the default", change.after or "the default"
    return Risk(Danger.SCHEME, f"{change.resource} would speak {now} instead of {was}")


def of_reference(change: Change) -> Iterator[Risk]:
    """A reference that goes from a port with TLS to one without, or the other way round."""
    one, other = _is_tls(change.before), _is_tls(change.after)
    if None not in (one, other) and one is not other:
        yield Risk(Danger.SCHEME, f"{change.before} and {change.after} differ in TLS")


def of_target(
    service: Service, port: ServicePort, change: Change, workload: Workload, end: ContainerPort
) -> Iterator[Risk]:
    """A Service's port that would send to a port of the other kind."""
    own = _is_tls(port.name_text)  # without a name: 443 in front of a plain port is common
    one = _is_tls(change.before) if own is None else own
    other = _is_tls(change.after) if own is None else _is_tls(end.name_text, end.value)
    if None not in (one, other) and one is not other:
        text = f"port {port.label} of {service.key} and port {end.label} of {workload.key} differ in TLS"
        yield Risk(Danger.SCHEME, text)


def _is_tls(*values: object) -> bool | None:
    """Whether a port is for TLS by the first of these names and numbers that tells; None when none does.

    What is no name of a port, as the address that somebody calls, tells nothing and is not quoted.
    """
    for value in values:
        if isinstance(value, int) and value in _TLS_NUMBERS | _PLAIN_NUMBERS:
            return value in _TLS_NUMBERS
        if isinstance(value, str) and _PORT_NAME.fullmatch(value):
            if _TLS.search(value):
                return True
            if _PLAIN.search(value):
                return False
    return None
