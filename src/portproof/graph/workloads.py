"""Pod templates -> workloads: containers, declared ports, probes, and the numbers they mention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from portproof.builds.model import Images, none_built
from portproof.graph import built, sites
from portproof.graph.fields import indexed, labels, mapping, nonzero, optional, protocol, scalar
from portproof.graph.images import default_ports, is_placeholder_image
from portproof.graph.model import Container, ContainerPort, PortCheck, Role, Site, Workload
from portproof.graph.names import is_placeholder
from portproof.graph.numbers import numbers_in
from portproof.replacing import replace
from portproof.resources import Resource, ResourceKey
from portproof.yamldoc import FieldPath

_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_HOOKS = ("postStart", "preStop")
_HANDLERS = ("httpGet", "tcpSocket", "grpc")
MARK = ("app.kubernetes.io/managed-by", "portproof")
"""The label of all that portproof writes for a cluster, by which the logs of its tests are read."""

_TEST_HOOKS = ("test", "test-success", "test-failure")
_HOOK_ANNOTATIONS = ("helm.sh/hook", "argocd.argoproj.io/hook")


class _Config(Struct, frozen=True):
    """Numbers in the ConfigMaps of the rendering, by (namespace, name), and the names of those by namespace."""

    numbers: Mapping[tuple[str, str], frozenset[int]]
    names: Mapping[str, frozenset[str]]

    def referred_by(self, namespace: str, names: Iterable[str]) -> frozenset[int]:
        found: set[int] = set()
        for name in names:
            found |= self.numbers.get((namespace, name), frozenset())
        return frozenset(found)


def workloads(
    resources: Sequence[Resource], images: Images = none_built
) -> Iterator[tuple[Workload, Resource]]:
    """Every workload of a rendering with the resource that it is read from, in its order.

    `images` says what builds the image of a container, where that is this repository.
    """
    config = _config([one for one in resources if one.key.kind == "ConfigMap"])
    for resource in resources:
        found = sites.pod_template(resource)
        if found is not None:
            yield _workload(resource, *found, config, images), resource


def _config(maps: Sequence[Resource]) -> _Config:
    names: dict[str, set[str]] = {}
    for one in maps:
        if not one.data.get("binaryData"):
            names.setdefault(one.key.namespace, set()).add(one.key.name)
    return _Config(
        {(one.key.namespace, one.key.name): numbers_in(one.data.get("data")) for one in maps},
        {namespace: frozenset(every) for namespace, every in names.items()},
    )


def _workload(
    resource: Resource, path: FieldPath, template: Mapping[str, Any], config: _Config, images: Images
) -> Workload:
    metadata = mapping(template.get("metadata"))
    pod = mapping(template.get("spec"))
    annotations = mapping(metadata.get("annotations"))
    readable = config.names.get(resource.key.namespace, frozenset())
    containers = tuple(_containers(resource, (*path, "spec"), pod, readable, images))
    configs = frozenset(_config_map_names(pod))
    return Workload(
        key=resource.key,
        labels=labels(metadata.get("labels")),
        containers=containers,
        serves=not _ends(resource, pod) and not _is_hook(resource, annotations),
        host_network=pod.get("hostNetwork") is True,
        opaque=_opaque(containers, annotations),
        config_numbers=config.referred_by(resource.key.namespace, configs),
        annotation_numbers=numbers_in(annotations),
        configs=configs,
    )


def _ends(resource: Resource, pod: Mapping[str, Any]) -> bool:
    """Whether the pods run to completion; those of controllers other than Jobs are always restarted."""
    if resource.key.kind == "Pod":
        return pod.get("restartPolicy") in ("Never", "OnFailure")
    return resource.key.kind in sites.FINITE


def _is_hook(resource: Resource, template_annotations: Mapping[str, Any]) -> bool:
    own = mapping(mapping(resource.data.get("metadata")).get("annotations"))
    return any(
        name in annotations for name in _HOOK_ANNOTATIONS for annotations in (own, template_annotations)
    )


def is_test(resource: Resource) -> bool:
    """Whether it exists only while ``helm test`` runs (https://helm.sh/docs/topics/chart_tests/), or is a test of ours."""
    metadata = mapping(resource.data.get("metadata"))
    if mapping(metadata.get("labels")).get(MARK[0]) == MARK[1]:
        return True
    annotations = mapping(metadata.get("annotations"))
    hooks = str(annotations.get("helm.sh/hook", "")).split(",")
    return any(one.strip() in _TEST_HOOKS for one in hooks)


def _opaque(containers: Iterable[Container], annotations: Mapping[str, Any]) -> str:
    """Why the declared ports are not the ones that the pods will have; empty when they are.

    Istio's injection templates replace the container, its ports included, at admission.
    """
    if (
        any(container.image == "auto" for container in containers)
        or "inject.istio.io/templates" in annotations
    ):
        return "its ports are added by injection"
    for container in containers:
        for port in container.ports:
            fields = (port.number, port.name, port.protocol_site)
            if any(one is not None and is_placeholder(one.value) for one in fields):
                return "its ports are filled in later"
    return ""


def _containers(
    resource: Resource, path: FieldPath, pod: Mapping[str, Any], readable: frozenset[str], images: Images
) -> Iterator[Container]:
    for field in ("containers", "initContainers"):
        for index, data in indexed(pod.get(field)):
            if field == "containers":
                role = Role.REGULAR
            else:  # native sidecars: KEP-753; k/k PR #127976 for their named ports
                role = Role.SIDECAR if data.get("restartPolicy") == "Always" else Role.INIT
            defaults = default_ports(data, pod, readable)
            if defaults and _is_of_a_chart(resource):
                names = (str(data.get("name")), resource.key.name)
                defaults = () if is_placeholder_image(str(data.get("image")), *names) else defaults
            found = _container(resource.key, (*path, field, index), data, role, defaults)
            yield replace(found, built=built.read(data, images)) if found.ports else found


def _is_of_a_chart(resource: Resource) -> bool:
    """Whether helm rendered it: only helm names a file and shows another text than the file's own."""
    return resource.document.source is not None and resource.document.offset is None


def _container(
    key: ResourceKey, path: FieldPath, data: Mapping[str, Any], role: Role, defaults: tuple[int, ...]
) -> Container:
    name = str(data.get("name") or "")
    said = [
        data.get("command"),
        data.get("args"),
        [item.get("value") for _, item in indexed(data.get("env"))],
    ]
    return Container(
        name=name,
        role=role,
        path=path,
        image=str(data.get("image") or ""),
        ports=tuple(
            _port(key, (*path, "ports", index), port, name) for index, port in indexed(data.get("ports"))
        ),
        checks=tuple(_checks(key, path, data)),
        mentions=numbers_in(said),
        default_ports=defaults,
    )


def _port(key: ResourceKey, path: FieldPath, data: Mapping[str, Any], container: str) -> ContainerPort:
    return ContainerPort(
        number=Site(key, (*path, "containerPort"), scalar(data.get("containerPort"))),
        name=optional(key, (*path, "name"), data.get("name")),
        protocol=protocol(data),
        host_port=nonzero(key, (*path, "hostPort"), data.get("hostPort")),
        container=container,
        host_ip=str(data.get("hostIP") or ""),
        protocol_site=optional(key, (*path, "protocol"), data.get("protocol")),
    )


def _checks(key: ResourceKey, path: FieldPath, data: Mapping[str, Any]) -> Iterator[PortCheck]:
    lifecycle = mapping(data.get("lifecycle"))
    places = [((*path, name), name, mapping(data.get(name))) for name in _PROBES]
    places += [((*path, "lifecycle", name), name, mapping(lifecycle.get(name))) for name in _HOOKS]
    for where, name, action in places:
        for handler in _HANDLERS:
            call = action.get(handler)
            if isinstance(call, dict) and call.get("port") is not None:
                host = call.get("host")
                yield PortCheck(
                    name,
                    handler,
                    Site(key, (*where, handler, "port"), scalar(call["port"])),
                    str(host) if host else None,
                )


def _config_map_names(pod: Mapping[str, Any]) -> Iterator[str]:
    for field in ("containers", "initContainers"):
        for _, container in indexed(pod.get(field)):
            for _, source in indexed(container.get("envFrom")):
                yield str(mapping(source.get("configMapRef")).get("name") or "")
            for _, variable in indexed(container.get("env")):
                reference = mapping(mapping(variable.get("valueFrom")).get("configMapKeyRef"))
                yield str(reference.get("name") or "")
    for _, volume in indexed(pod.get("volumes")):
        yield str(mapping(volume.get("configMap")).get("name") or "")
        for _, source in indexed(mapping(volume.get("projected")).get("sources")):
            yield str(mapping(source.get("configMap")).get("name") or "")
