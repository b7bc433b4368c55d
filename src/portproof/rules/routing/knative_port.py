"""A Knative Service declares ports that Knative rejects.

The pods of a Knative Service, Configuration or Revision have one port across all
their containers. Its name is a protocol: `http1` or `h2c`. Without a name, it is
`http1`.

Why it matters:

Knative's webhook rejects the resource (knative/serving
`pkg/apis/serving/k8s_validation.go`) when:

* a port has another name.
* there is a second port.
* there are several containers, and none has a port.
* the protocol is not TCP.
* `hostPort` or `hostIP` is set.
* Knative's own proxy uses the port (8008, 8012, 8013, 8022, 9090, 9091).
* a probe of the serving container names another port.

The API server rejects a port without a number, or with a string in its place.

Severity:

* **error**: Knative or the API server rejects the resource.
* **warning**: the port number is present but empty, as a template renders it without
  a value.
* **note**: a field is empty, and the chart is rendered with its default values alone.

Fix:

Sometimes. It sets the name to `http1` or `h2c`, or removes the quotes from a number.

Bad (a name)::

    apiVersion: serving.knative.dev/v1
    kind: Service
    metadata: {name: web}
    spec:
      template:
        spec:
          containers:
            - image: web
              ports: [{name: http, containerPort: 8080}]

Bad (two ports)::

    apiVersion: serving.knative.dev/v1
    kind: Service
    metadata: {name: web}
    spec:
      template:
        spec:
          containers:
            - image: web
              ports: [{containerPort: 8080}, {containerPort: 9000}]

Good::

    apiVersion: serving.knative.dev/v1
    kind: Service
    metadata: {name: web}
    spec:
      template:
        spec:
          containers:
            - image: web
              ports: [{name: h2c, containerPort: 8080}]
            - image: cache
              name: cache

Not reported when:

* a probe uses a number.
* a probe belongs to a container that does not serve requests.
* a field is a placeholder, such as `${PORT}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from portproof.graph import sites
from portproof.graph.fields import indexed, mapping, scalar
from portproof.graph.model import PortGraph, Site
from portproof.graph.names import is_digits, is_placeholder
from portproof.resources import Resource, ResourceKey
from portproof.rules.base import Finding, Label, Remedy, Severity, rule
from portproof.yamldoc import FieldPath

_GROUP = "serving.knative.dev"
_PODS = {"Service": "spec.template.spec", "Configuration": "spec.template.spec", "Revision": "spec"}
_PROTOCOLS = ("http1", "h2c")
_RESERVED = frozenset({8008, 8012, 8013, 8022, 9090, 9091})
_HIGHEST = 65535
_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


class _Container(Struct, frozen=True):
    """A container, its path, and its port entries with theirs."""

    key: ResourceKey
    path: FieldPath
    data: Mapping[str, Any]
    ports: tuple[tuple[FieldPath, Mapping[str, Any]], ...]


def check(graph: PortGraph) -> Iterator[Finding]:
    """Yield a finding for each port that Knative or the API server rejects."""
    for kind, place in _PODS.items():
        for resource in graph.of_kind(kind, _GROUP):
            for path, pod in sites.find(place, resource.data):
                containers = tuple(_containers(resource, path, mapping(pod)))
                yield from _number_of_ports(containers)
                for container in containers:
                    for where, port in container.ports:
                        yield from _port(container.key, where, port)
                    if container.ports or len(containers) == 1:
                        yield from _probes(container)


def _containers(resource: Resource, path: FieldPath, pod: Mapping[str, Any]) -> Iterator[_Container]:
    for index, data in indexed(pod.get("containers")):
        where = (*path, "containers", index)
        ports = tuple(((*where, "ports", number), port) for number, port in indexed(data.get("ports")))
        yield _Container(resource.key, where, data, ports)


def _number_of_ports(containers: Sequence[_Container]) -> Iterator[Finding]:
    declared = [port for one in containers for port in one.ports]
    if not declared and len(containers) > 1:
        one = containers[0]
        name = "name" if one.data.get("name") else "image"
        yield Finding(
            message=(
                f"{one.key} has {len(containers)} containers but no port: Knative rejects it, because the port shows "
                "which container serves requests."
            ),
            severity=Severity.ERROR,
            primary=_site(one.key, one.path, one.data, name),
        )
    for path, port in declared[1:]:
        key = containers[0].key
        yield Finding(
            message=f"{key} declares more than one port: Knative accepts only one across all containers.",
            severity=Severity.ERROR,
            primary=_site(key, path, port, "containerPort"),
            related=(Label(_site(key, *declared[0], "containerPort"), "the first port"),),
        )


def _port(key: ResourceKey, path: FieldPath, port: Mapping[str, Any]) -> Iterator[Finding]:
    name = _site(key, path, port, "name")
    if name.value and name.value not in _PROTOCOLS and not is_placeholder(name.value):
        likely = sorted(_PROTOCOLS, key=lambda one: one != "h2c") if _is_http2(name.value) else _PROTOCOLS
        yield Finding(
            message=(
                f"{key} names its port {name.value!r}: Knative rejects every name but 'http1' and 'h2c', because the "
                "name sets the protocol."
            ),
            severity=Severity.ERROR,
            primary=name,
            expected=likely[0],
            remedies=tuple(Remedy(f"set the port name to {one}", ((name, one),)) for one in likely),
        )
    number = _site(key, path, port, "containerPort")
    if not isinstance(number.value, int) and not is_placeholder(number.value):
        yield _no_number(number, unset="containerPort" in port)
    if number.value in _RESERVED:
        yield _rejected(number, f"{key} declares port {number.value}, which Knative's own proxy uses")
    protocol = _site(key, path, port, "protocol")
    if protocol.value not in (None, "", "TCP") and not is_placeholder(protocol.value):
        yield _rejected(protocol, f"{key} declares a {protocol.value} port instead of TCP")
    for field in ("hostPort", "hostIP"):
        site = _site(key, path, port, field)
        if site.value:
            yield _rejected(site, f"{key} sets `{field}`")


def _no_number(site: Site, *, unset: bool) -> Finding:
    value = site.value
    right = int(str(value)) if is_digits(value) and 1 <= int(str(value)) <= _HIGHEST else None
    what = (
        "a port without a number"
        if value is None
        else f"containerPort {value!r}, which must be a number, not a string"
    )
    empty = unset and value is None
    return Finding(
        message=f"{site.resource} has {what}: the API server rejects the {site.resource.kind}.",
        severity=Severity.WARNING if empty else Severity.ERROR,
        unset=empty,
        primary=site,
        expected=right,
        remedies=() if right is None else (Remedy("remove the quotes", ((site, right),)),),
    )


def _probes(container: _Container) -> Iterator[Finding]:
    """Probes of the serving container may name its port only; without a name it is ``http``."""
    named = [port.get("name") for _, port in container.ports]
    own = (named[0] if named else None) or "http"
    if is_placeholder(own):
        return
    for probe in _PROBES:
        for handler in ("httpGet", "tcpSocket"):
            call = mapping(mapping(container.data.get(probe)).get(handler))
            site = _site(container.key, (*container.path, probe, handler), call, "port")
            if isinstance(site.value, str) and site.value not in ("", own) and not is_placeholder(site.value):
                yield _rejected(
                    site, f"{container.key} probes the port named {site.value!r}, but its port is {own!r}"
                )


def _rejected(site: Site, what: str) -> Finding:
    return Finding(message=f"{what}: Knative rejects it.", severity=Severity.ERROR, primary=site)


def _site(key: ResourceKey, path: FieldPath, data: Mapping[str, Any], field: str) -> Site:
    return Site(key, (*path, field), scalar(data.get(field)))


def _is_http2(name: object) -> bool:
    return any(part in str(name) for part in ("grpc", "h2", "http2"))


RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=check)
