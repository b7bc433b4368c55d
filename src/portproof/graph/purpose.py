"""What a port is for, as the name of a port or of a setting tells."""

from __future__ import annotations

import re
from enum import Enum


class Purpose(Enum):
    """What a port is for, as names of settings and of ports tell; MAIN is the one without such a word."""

    MAIN = ""
    METRICS = r"metric|telemetry|monitor|\bprom"
    HEALTH = r"health|probe|readiness|liveness|\b(?:ready|live|status)"
    WEBHOOK = "webhook"
    GRPC = "grpc"
    ADMIN = "admin|management|mgmt|actuator"
    TLS = r"https|secure|\b(?:ssl|tls)"


_WORDS = tuple((one, re.compile(one.value)) for one in Purpose if one.value)


def purpose(name: str) -> Purpose:
    """What a setting or a port of that name is for."""
    text = name.lower().replace("_", "-")
    return next((one for one, words in _WORDS if words.search(text)), Purpose.MAIN)


def has_words(name: object, wanted: object) -> bool:
    """Whether a name says all that another one does, and more: ``http-web`` is said with ``http``, ``http-metrics`` is not."""
    one, other = str(name), str(wanted)
    return purpose(one) is purpose(other) and set(_split(other)) < set(_split(one))


def _split(name: str) -> list[str]:
    return re.split(r"[-_.]", name.lower())
