"""How the probes and lifecycle hooks of a container act, as their manifests have it, with what is missing or too much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from portproof.graph import sites
from portproof.graph.fields import mapping, scalar
from portproof.graph.model import Container, PortGraph, Site, Workload
from portproof.yamldoc import FieldPath, lookup

_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_HOOKS = ("postStart", "preStop")
_OF_PROBES = ("exec", "httpGet", "tcpSocket", "grpc")
_OF_HOOKS = ("exec", "httpGet", "tcpSocket", "sleep")
"""In the order in which the API server looks at them (k/k ``pkg/apis/core/validation/validation.go``, validateHandler)."""

_WITH_PORTS = frozenset({"httpGet", "tcpSocket", "grpc"})


class Handler(Struct, frozen=True):
    """One way to act: ``httpGet``, ``exec``. `path` is its place; `data` is what it holds."""

    kind: str
    path: FieldPath
    data: Mapping[str, Any]

    @property
    def has_port(self) -> bool:
        """Whether it contacts a port."""
        return self.kind in _WITH_PORTS

    def port(self, workload: Workload) -> Site:
        """Its port, whether it is there or not."""
        return Site(workload.key, (*self.path, "port"), scalar(self.data.get("port")))


class Acting(Struct, frozen=True):
    """A probe or hook that may have handlers, in the order in which the API server looks at them."""

    workload: Workload
    container: Container
    name: str
    handlers: tuple[Handler, ...]

    @property
    def is_hook(self) -> bool:
        """Whether it is a lifecycle hook rather than a probe."""
        return self.name in _HOOKS

    @property
    def label(self) -> str:
        """``readinessProbe``, ``preStop hook``."""
        return f"{self.name} hook" if self.is_hook else self.name


def acting(graph: PortGraph) -> Iterator[Acting]:
    """Every probe and hook of whole containers; one without an image is a fragment, a patch for a whole one."""
    holders = (one for one in graph.resources if sites.pod_template(one) is not None)
    for workload, resource in zip(graph.workloads, holders, strict=True):
        for container in workload.containers:
            if container.image:
                yield from _of(workload, container, mapping(lookup(resource.data, container.path)))


def _of(workload: Workload, container: Container, data: Mapping[str, Any]) -> Iterator[Acting]:
    lifecycle = mapping(data.get("lifecycle"))
    places = [((*container.path, name), name, _OF_PROBES, mapping(data.get(name))) for name in _PROBES]
    places += [
        ((*container.path, "lifecycle", name), name, _OF_HOOKS, mapping(lifecycle.get(name)))
        for name in _HOOKS
    ]
    for path, name, kinds, action in places:
        found = [(kind, action.get(kind)) for kind in kinds]
        handlers = tuple(Handler(kind, (*path, kind), call) for kind, call in found if isinstance(call, dict))
        if handlers:
            yield Acting(workload, container, name, handlers)
