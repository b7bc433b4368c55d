"""Which pods a target has, and what selects pods: policies, disruption budgets, autoscalers, monitors.

Sources: kubernetes/api ``policy/v1``, ``autoscaling/v2``; istio ``security/v1``; linkerd ``policy.linkerd.io``; the policies
of the network are those of `rules.policy.policies`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from portproof.graph import selectors
from portproof.graph.fields import indexed, mapping
from portproof.graph.model import PortGraph
from portproof.graph.selectors import Selector
from portproof.portmap.model import OpenPorts, PodSelector, Purpose
from portproof.replacing import replace
from portproof.resources import Resource, ResourceKey
from portproof.rules.monitoring.monitors import Monitors
from portproof.rules.policy import policies
from portproof.rules.policy.policies import MESH_ROOT, Layer
from portproof.yamldoc import lookup

_Keyed: TypeAlias = tuple[ResourceKey, PodSelector]

_MESH = (
    ("security.istio.io", "AuthorizationPolicy", "selector"),
    ("security.istio.io", "PeerAuthentication", "selector"),
    ("policy.linkerd.io", "Server", "podSelector"),
)
"""Policies of meshes, which decide by the identity that the mesh gives a pod: group, kind, the field with the selector."""

COUNTING = frozenset({"PodDisruptionBudget", "HorizontalPodAutoscaler", "ScaledObject"})
"""Kinds that count pods."""

_ACCOUNTS = frozenset(
    {
        "serviceAccounts",
        "serviceAccountSelector",
        "io.cilium.k8s.policy.serviceaccount",
        "k8s:io.cilium.k8s.policy.serviceaccount",
    }
)
"""Keys by which Calico and Cilium look at the service account of a pod, not at its labels."""

_OWN = ("podSelector", "endpointSelector", "selector")
"""Where a policy says whose it is."""
_LETS_IN = ("ingress", "ingressDeny")
"""Where a policy says who may come in."""
_CILIUM = re.compile(r"(?:k8s|any):")
_CALICO_KEY = re.compile(
    r"has\(\s*+([a-zA-Z0-9_./-]++)\s*+\)|(?<![a-zA-Z0-9_./-])([a-zA-Z0-9_./-]++)\s*+(?:==|!=|not\s++in\b|in\b)"
)


def selecting(
    graph: PortGraph, counting: Iterable[Resource], is_settled: Callable[[ResourceKey], bool]
) -> Iterator[PodSelector]:
    """What selects pods in a rendering, Services aside; `counting` are its resources of the kinds of `COUNTING`.

    `is_settled` says whether the namespace of a resource is stated.
    """
    for key, one in (*_policies(graph), *_identities(graph), *_counting(graph, counting), *_monitors(graph)):
        yield replace(one, settled=not one.namespace or is_settled(key))


def _counting(graph: PortGraph, counting: Iterable[Resource]) -> Iterator[_Keyed]:
    for resource in counting:
        if resource.key.kind == "PodDisruptionBudget":
            chosen = selectors.kubernetes(lookup(resource.data, ("spec", "selector")))
            yield resource.key, _selector(Purpose.BUDGET, resource, chosen)
        else:
            scaled = _scaled(graph, resource)
            if scaled is not None:
                yield resource.key, _selector(Purpose.AUTOSCALER, resource, scaled)


def _monitors(graph: PortGraph) -> Iterator[_Keyed]:
    for endpoint in Monitors(graph).endpoints(pods=True):
        if endpoint.free:  # the others keep pods that declare the port, and a test declares none
            for namespace in sorted(endpoint.namespaces or {""}):
                monitor = PodSelector(Purpose.MONITOR, str(endpoint.monitor), namespace, endpoint.selector)
                yield endpoint.monitor, monitor


def _selector(purpose: Purpose, resource: Resource, chosen: Selector | None) -> PodSelector:
    return PodSelector(purpose, str(resource.key), resource.key.namespace, chosen)


def _policies(graph: PortGraph) -> Iterator[_Keyed]:
    for policy in policies.read(graph, Layer.NETWORK):
        resource = graph.resource(policy.key)
        spec = mapping(resource.data) if resource else {}
        by_account = bool(_ACCOUNTS & set(_names(spec)))
        bodies = [mapping(spec.get("spec")), *(one for _, one in indexed(spec.get("specs")))]
        own = {"_": [{field: one.get(field) for field in _OWN} for one in bodies]}
        peers = {"_": [{field: one.get(field) for field in _LETS_IN} for one in bodies]}
        yield (
            policy.key,
            PodSelector(
                Purpose.IDENTITY if by_account else Purpose.POLICY,
                str(policy.key),
                policy.namespace,
                policy.selector,
                frozenset(_label_keys(own)),
                frozenset(_label_keys(peers)),
                ingress=policy.ingress is not None,
                egress=policy.egress is not None,
                open=tuple(_open_to_all(policy, spec)),
            ),
        )


def _open_to_all(policy: policies.Policy, data: Mapping[str, Any]) -> Iterator[OpenPorts]:
    """The ports that a NetworkPolicy of Kubernetes leaves open: a rule without ``from`` lets everybody in."""
    if policy.key.group != "networking.k8s.io":
        return
    rules = (rule for _, rule in indexed(lookup(data, ("spec", "ingress"))))
    for rule, opened in zip(rules, policy.ingress or (), strict=False):
        if not rule.get("from"):
            for one in opened.openings:
                if one.is_for("TCP"):
                    yield OpenPorts(one.first, one.last, one.name)


def _identities(graph: PortGraph) -> Iterator[_Keyed]:
    for group, kind, field in _MESH:
        for resource in graph.of_kind(kind, group):
            spec = mapping(resource.data.get("spec"))
            lenient = kind == "PeerAuthentication" and lookup(spec, ("mtls", "mode")) != "STRICT"
            if lenient or {"targetRef", "targetRefs"} & set(spec):
                continue
            namespace = "" if resource.key.namespace == MESH_ROOT else resource.key.namespace
            chosen = selectors.kubernetes(spec.get(field))
            one = PodSelector(Purpose.IDENTITY, str(resource.key), namespace, chosen, ingress=True)
            yield resource.key, one


def _scaled(graph: PortGraph, resource: Resource) -> Selector | None:
    """The selector of the workload that an autoscaler sums up; None when it is not in the rendering."""
    target = mapping(lookup(resource.data, ("spec", "scaleTargetRef")))
    kind = target.get("kind") or "Deployment"
    for workload in graph.workloads:
        key = workload.key
        if (key.kind, key.name, key.namespace) == (kind, target.get("name"), resource.key.namespace):
            return selectors.kubernetes(lookup(graph.read_from[workload].data, ("spec", "selector")))
    return None


def _names(data: Any) -> Iterator[str]:
    """All keys of mappings."""
    if isinstance(data, dict):
        yield from (str(key) for key in data)
        for value in data.values():
            yield from _names(value)
    elif isinstance(data, list):
        for one in data:
            yield from _names(one)


def _label_keys(data: Mapping[str, Any]) -> Iterator[str]:
    """The keys of the pod labels that a policy looks at; namespaces and nodes have labels of their own."""
    for key, value in data.items():
        if key in ("namespaceSelector", "nodeSelector", "metadata"):
            continue
        if key == "matchLabels":
            yield from (_CILIUM.sub("", str(one), count=1) for one in mapping(value))
        elif key == "matchExpressions":
            yield from (_CILIUM.sub("", str(one.get("key")), count=1) for _, one in indexed(value))
        elif key in ("selector", "notSelector") and isinstance(value, str):
            yield from (one or other for one, other in _CALICO_KEY.findall(value))
        elif isinstance(value, dict):
            yield from _label_keys(value)
        else:
            for _, one in indexed(value):
                yield from _label_keys(one)
