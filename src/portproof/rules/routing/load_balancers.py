"""Ports that annotations for cloud load balancers name: a table, and the texts they hold.

Meanings: kubernetes-sigs/aws-load-balancer-controller ``pkg/service`` and ``pkg/ingress``, kubernetes/ingress-gce
``pkg/annotations``, ``pkg/negannotation`` and ``pkg/backendconfig``, kubernetes-sigs/cloud-provider-azure
``pkg/consts`` and ``pkg/provider/azure_loadbalancer_healthprobe.go``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from portproof.graph.fields import indexed, mapping, scalar
from portproof.graph.model import MatchBy, Piece, Site
from portproof.graph.names import is_digits, is_placeholder
from portproof.resources import Resource

Entries: TypeAlias = Iterator[tuple[int, int]]
"""Where the names and numbers of ports stand in a text."""

ALB_HEALTH_CHECK = "alb.ingress.kubernetes.io/healthcheck-port"

_AWS = "service.beta.kubernetes.io/aws-load-balancer-"
_ACTIONS = "alb.ingress.kubernetes.io/actions."
_AZURE = re.compile(r"service\.beta\.kubernetes\.io/port_(?P<number>[0-9]{1,5})_(?P<setting>.+)")
_ACTION_PORT = re.compile(r'"servicePort"\s*:\s*"?(?P<port>[^",}\s]+)')
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_TRAFFIC_PORT = "traffic-port"


def _words(text: str) -> Entries:
    return (match.span() for match in re.finditer(r"[^,\s]+", text) if match[0] != "*")


def _name(text: str) -> Entries:
    if text and text != _TRAFFIC_PORT and not is_digits(text):
        yield 0, len(text)


def _keys_of(*route: str) -> Callable[[str], Entries]:
    """A reader of the keys of the mapping at `route` in a JSON text."""

    def read(text: str) -> Entries:
        found: Any = _json(text)
        for step in route:
            found = mapping(found).get(step)
        for key in mapping(found):
            places = [match.span(1) for match in re.finditer(rf'"({re.escape(key)})"\s*:', text)]
            if len(places) == 1:
                yield places[0]

    return read


class AnnotationKind(Struct, frozen=True):
    """An annotation of a Service that names ports of it.

    `read` finds them in its text. `only_load_balancers`: it is read only of Services of that type. `rejects`: the
    controller then rejects the Service, and does not only ignore the entry. `so` says what breaks if the port is missing.
    """

    annotation: str
    read: Callable[[str], Entries]
    by: MatchBy
    so: str
    rejects: bool = False
    only_load_balancers: bool = False


ROWS: tuple[AnnotationKind, ...] = (
    AnnotationKind(
        f"{_AWS}ssl-ports",
        _words,
        MatchBy.EITHER,
        "no listener gets TLS for it, and newer controllers reject the Service",
        only_load_balancers=True,
    ),
    AnnotationKind(
        f"{_AWS}healthcheck-port",
        _name,
        MatchBy.NAME,
        "the controller rejects the Service",
        rejects=True,
        only_load_balancers=True,
    ),
    AnnotationKind(
        ALB_HEALTH_CHECK, _name, MatchBy.NAME, "the controller rejects any Ingress in front of it"
    ),
    AnnotationKind(
        "cloud.google.com/neg",
        _keys_of("exposed_ports"),
        MatchBy.NUMBER,
        "the Service gets no network endpoint group",
        rejects=True,
    ),
    AnnotationKind(
        "cloud.google.com/backend-config",
        _keys_of("ports"),
        MatchBy.EITHER,
        "the BackendConfig has no effect",
    ),
    AnnotationKind(
        "beta.cloud.google.com/backend-config",
        _keys_of("ports"),
        MatchBy.EITHER,
        "the BackendConfig has no effect",
    ),
    AnnotationKind("cloud.google.com/app-protocols", _keys_of(), MatchBy.NAME, "the protocol has no effect"),
    AnnotationKind(
        "service.alpha.kubernetes.io/app-protocols",
        _keys_of(),
        MatchBy.NAME,
        "the protocol has no effect",
    ),
)


class PortSetting(Struct, frozen=True):
    """An annotation of Azure for the Service port `number`, which is part of its name; `probe` is a port it names."""

    number: int
    annotation: Site
    probe: str = ""


def texts(resource: Resource) -> Mapping[str, str]:
    """The annotations of a resource that hold text."""
    found = mapping(mapping(resource.data.get("metadata")).get("annotations"))
    return {name: text for name, text in found.items() if isinstance(text, str)}


def site(resource: Resource, annotation: str, entry: tuple[int, int], by: MatchBy, label: str = "") -> Site:
    """A name or number within the text of an annotation; `label` tells it from an equal one."""
    start, end = entry
    word = texts(resource)[annotation][start:end]
    is_number = _PORT.fullmatch(word) is not None and by is not MatchBy.NAME
    value = int(word) if is_number else word
    return Site(
        resource.key, ("metadata", "annotations", annotation), value, Piece(start, end, label or word)
    )


def azure(resource: Resource) -> Iterator[PortSetting]:
    """The settings of single ports."""
    for name, text in texts(resource).items():
        found = _AZURE.fullmatch(str(name))
        if found is not None:
            place = Site(resource.key, ("metadata", "annotations", name), text)
            named = (
                found["setting"] == "health-probe_port" and not is_digits(text) and not is_placeholder(text)
            )
            yield PortSetting(int(found["number"]), place, text if named else "")


def actions(ingress: Resource) -> Iterator[tuple[str, Site]]:
    """The Services to which the ALB's actions forward, with the port of each."""
    for name, text in texts(ingress).items():
        if not str(name).startswith(_ACTIONS):
            continue
        config = mapping(mapping(_json(text)).get("forwardConfig"))
        targets = [
            one for _, one in indexed(config.get("targetGroups")) if one.get("servicePort") is not None
        ]
        places = [match.span("port") for match in _ACTION_PORT.finditer(text)]
        if len(places) != len(targets):
            continue
        for index, (target, place) in enumerate(zip(targets, places, strict=True)):
            where = site(ingress, name, place, MatchBy.EITHER, f"targetGroups[{index}]")
            if str(scalar(target["servicePort"])) == str(where.value) and isinstance(
                target.get("serviceName"), str
            ):
                yield target["serviceName"], where


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
