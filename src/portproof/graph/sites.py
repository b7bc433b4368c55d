"""Where ports and pods stand in each kind: a table of JSONPaths.

A new kind is one line here. A path is compiled when a resource of its kind first
comes along. Meanings: kubernetes/api types of each group; argoproj.io Rollout as
in argo-rollouts' ``pkg/apis/rollouts/v1alpha1/types.go``; DeploymentConfig as in
openshift/api's ``apps/v1/types.go``, with the old version ``v1``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from portproof.resources import Resource
from portproof.yamldoc import FieldPath

_APPS = ("apps", "extensions")

_POD_TEMPLATES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "Pod": (("",), "$"),
    "ReplicationController": (("",), "spec.template"),
    "Deployment": (_APPS, "spec.template"),
    "ReplicaSet": (_APPS, "spec.template"),
    "DaemonSet": (_APPS, "spec.template"),
    "StatefulSet": (_APPS, "spec.template"),
    "Rollout": (("argoproj.io",), "spec.template"),
    "DeploymentConfig": (("apps.openshift.io", ""), "spec.template"),
    "Job": (("batch",), "spec.template"),
    "CronJob": (("batch",), "spec.jobTemplate.spec.template"),
}
"""Kind -> its API groups, and the place of its pod template."""

_BACKENDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Ingress": (
        ("networking.k8s.io", "extensions"),
        ("spec.defaultBackend", "spec.backend", "spec.rules[*].http.paths[*].backend"),
    ),
}
"""Kind -> its API groups, and the places of its backends."""

_ADDRESSES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Probe": (("monitoring.coreos.com",), ("spec.prober.url", "spec.targets.staticConfig.static[*]")),
    "VMProbe": (
        ("operator.victoriametrics.com",),
        (
            "spec.vmProberSpec.url",
            "spec.targets.staticConfig.targets[*]",
            "spec.targets.static.targets[*]",
        ),
    ),
}
"""Kind -> its API groups, and the places of addresses that somebody calls from another namespace than the resource's.

Fields: prometheus-operator ``pkg/apis/monitoring/v1/probe_types.go``, VictoriaMetrics operator
``api/operator/v1beta1/vmprobe_types.go``.
"""

KINDS = frozenset((*_POD_TEMPLATES, *_BACKENDS, *_ADDRESSES))
"""All kinds of these tables."""

FINITE = frozenset({"Job", "CronJob"})
"""Kinds whose pods end; a finished pod is no endpoint."""

BUILT_IN_GROUPS = frozenset(
    {
        "", "apps", "extensions", "batch", "autoscaling", "policy", "rbac.authorization.k8s.io", "networking.k8s.io",
        "storage.k8s.io", "scheduling.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io",
        "admissionregistration.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "node.k8s.io",
        "gateway.networking.k8s.io", "certificates.k8s.io", "flowcontrol.apiserver.k8s.io",
    }
)  # fmt: skip
"""API groups of which it is known whether they make pods."""

_ALL: frozenset[str] = frozenset()
_PODLESS: Mapping[str, frozenset[str]] = {
    "monitoring.coreos.com": frozenset(
        {"ServiceMonitor", "PodMonitor", "Probe", "PrometheusRule", "AlertmanagerConfig", "ScrapeConfig"}
    ),
    "bitnami.com": frozenset({"SealedSecret"}),
    "keda.sh": frozenset({"ScaledObject", "TriggerAuthentication", "ClusterTriggerAuthentication"}),
    "cert-manager.io": _ALL,
    "external-secrets.io": _ALL,
    "generators.external-secrets.io": _ALL,
    "secrets-store.csi.x-k8s.io": _ALL,
    "autoscaling.k8s.io": _ALL,
    "snapshot.storage.k8s.io": _ALL,
    "traefik.io": _ALL,
    "traefik.containo.us": _ALL,
    "networking.istio.io": _ALL,
    "security.istio.io": _ALL,
    "telemetry.istio.io": _ALL,
    "projectcontour.io": _ALL,
    "configuration.konghq.com": _ALL,
    "getambassador.io": _ALL,
    "cilium.io": _ALL,
    "projectcalico.org": _ALL,
    "crd.projectcalico.org": _ALL,
    "policy.linkerd.io": _ALL,
    "linkerd.io": _ALL,
    "metallb.io": _ALL,
    "route.openshift.io": _ALL,
    "cloud.google.com": _ALL,
    "networking.gke.io": _ALL,
    "elbv2.k8s.aws": _ALL,
}
"""Groups of custom resources whose controllers make no pods, with the kinds of which that is so; none means all of them.

Prometheus' operator makes pods of a Prometheus, KEDA Jobs of a ScaledJob.
"""


def is_podless(resource: Resource) -> bool:
    """Whether it is known that nobody makes pods of a resource."""
    group, kinds = resource.key.group, _PODLESS.get(resource.key.group)
    return group in BUILT_IN_GROUPS or (kinds is not None and (not kinds or resource.key.kind in kinds))


def pod_template(resource: Resource) -> tuple[FieldPath, Mapping[str, Any]] | None:
    """The pod template of a workload and its path; None when the kind makes no pods or holds no template."""
    entry = _POD_TEMPLATES.get(resource.key.kind)
    if entry is None or resource.key.group not in entry[0]:
        return None
    for path, value in find(entry[1], resource.data):
        if isinstance(value, dict):
            return path, value
    return None


def makes_pods(resource: Resource) -> bool:
    """Whether the kind is a known workload, with or without a template of its own."""
    entry = _POD_TEMPLATES.get(resource.key.kind)
    return entry is not None and resource.key.group in entry[0]


def backends(resource: Resource) -> Iterator[tuple[FieldPath, Mapping[str, Any]]]:
    """Every backend of an Ingress with its path."""
    entry = _BACKENDS.get(resource.key.kind)
    if entry is None or resource.key.group not in entry[0]:
        return
    for text in entry[1]:
        for path, value in find(text, resource.data):
            if isinstance(value, dict):
                yield path, value


def addresses(resource: Resource) -> Iterator[tuple[FieldPath, str]]:
    """Every text of a resource that holds an address, with its path."""
    entry = _ADDRESSES.get(resource.key.kind)
    if entry is None or resource.key.group not in entry[0]:
        return
    for text in entry[1]:
        for path, value in find(text, resource.data):
            if isinstance(value, str):
                yield path, value


def find(text: str, data: Any) -> Iterator[tuple[FieldPath, Any]]:
    """All values at a JSONPath, each with its plain path. Raises `PathError` for text that is no JSONPath."""
    for match in compiled(text).find(data):
        yield _plain_path(match), match.value


_LOADING = threading.Lock()
"""Targets are checked in several threads, and jsonpath-ng imports itself in a circle: two at once see half of it."""


class PathError(ValueError):
    """A text that is no JSONPath of names, indexes and ``[*]``; the message says why it is not usable."""


@cache
def compiled(text: str) -> Any:
    """The JSONPath that `text` holds. Raises `PathError`."""
    if "|" in text:  # jsonpath-ng warns that it will give this up
        raise PathError("only names, indexes and [*] are supported")
    with _LOADING:
        from jsonpath_ng.exceptions import JSONPathError  # noqa: PLC0415 - slow to load, as the parser is
        from jsonpath_ng.parser import parse  # noqa: PLC0415

        try:
            path = parse(text)
        except JSONPathError as error:
            raise PathError(str(error).partition("\n")[0].strip()) from error
    if not _is_plain(path):
        raise PathError("only names, indexes and [*] are supported")
    return path


def _is_plain(path: Any) -> bool:
    """Whether every match has one plain path, found in a time that the data bounds: no ``..``, filter or parent."""
    match type(path).__name__:
        case "Child":
            return _is_plain(path.left) and _is_plain(path.right)
        case "Fields":
            return len(path.fields) == 1
        case "Index":
            return len(getattr(path, "indices", "?")) == 1
        case name:
            return name in ("Root", "Wildcard", "Slice")


def _plain_path(match: Any) -> FieldPath:
    """The path of a match, from the chain of its contexts (its printed form would need to be parsed again)."""
    steps: list[str | int] = []
    while match is not None and match.context is not None:
        step = match.path
        steps.append(step.indices[0] if hasattr(step, "indices") else step.fields[0])
        match = match.context
    return tuple(reversed(steps))
