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


_OTHER_WORDS = frozenset(
    {
        "amqp",
        "cql",
        "dns",
        "grpc",
        "imap",
        "kafka",
        "ldap",
        "ldaps",
        "memcached",
        "mongo",
        "mongodb",
        "mqtt",
        "mysql",
    }
    | {"nats", "postgres", "postgresql", "redis", "sftp", "smtp", "ssh", "zookeeper"}
)
_OTHER_NUMBERS = frozenset(
    {
        22,
        25,
        53,
        389,
        465,
        587,
        636,
        1433,
        1521,
        1883,
        2181,
        3306,
        4222,
        5432,
        5672,
        6379,
        9042,
        9092,
        11211,
        26379,
    }
    | {27017, 50051}
)


def speaks_http(name: object, number: object) -> bool:
    """Whether nothing says that a port speaks another protocol: its name does, or else its number is known for one."""
    words = set(_split(str(name or "")))
    if words & {"http", "https", "h2c", "web"} or purpose(str(name or "")) is Purpose.METRICS:
        return True
    return not (words & _OTHER_WORDS or number in _OTHER_NUMBERS)


def has_words(name: object, wanted: object) -> bool:
    """Whether a name says all that another one does, and more: ``http-web`` is said with ``http``, ``http-metrics`` is not."""
    one, other = str(name), str(wanted)
    return purpose(one) is purpose(other) and set(_split(other)) < set(_split(one))


def _split(name: str) -> list[str]:
    return re.split(r"[-_.]", name.lower())
