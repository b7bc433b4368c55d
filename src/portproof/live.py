"""What a cluster holds: controllers make objects out of others, and those are not read a second time.

A Deployment has ReplicaSets, old ones among them, and these have pods; a CronJob has Jobs. Whoever reads all of them would
take one workload for many, and what was replaced long ago for what runs. So the object at the top stands for all, with what
its newest pod has besides: labels and containers that are added at admission, such as a mesh's sidecar.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

Data: TypeAlias = Mapping[str, Any]
_Name: TypeAlias = tuple[str, str, str]
"""Kind, namespace and name."""

_MAKERS = {
    "Pod": frozenset({"ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"}),
    "ReplicaSet": frozenset({"Deployment", "Rollout"}),
    "ReplicationController": frozenset({"DeploymentConfig"}),
    "Job": frozenset({"CronJob"}),
}
"""Kinds of objects that controllers make of a pod template, and what they make them of."""

_ENDED = frozenset({"Succeeded", "Failed"})
_SOURCE = re.compile(r"^# Source: (\S{1,500})\s*$", re.MULTILINE)
_FLUX = {"kustomize.toolkit.fluxcd.io": "Flux Kustomization", "helm.toolkit.fluxcd.io": "Flux HelmRelease"}
_HASHES = ("pod-template-hash", "rollouts-pod-template-hash")


class Item(Struct, frozen=True):
    """An object and who it is."""

    kind: str
    namespace: str
    name: str
    data: Data


def settled(items: Sequence[Item]) -> list[Data | None]:
    """The data of each object as it is to be read; None for one that another stands for, or that has ended."""
    if not any(_maker(one) or _status(one) for one in items if one.kind in _MAKERS):
        return [one.data for one in items]
    known = {(one.kind, one.namespace, one.name): one for one in items}
    newest = _newest_pods(items, known)
    return [_read_as(one, known, newest) for one in items]


def origin(data: Data, text: str) -> str:
    """Where an object is from, by what deployed it: the words complete "from ..."; empty where nothing says.

    `text` is its document: ``helm template`` names the template in a comment.
    """
    labels, annotations = _labels(data), _mapping(_metadata(data).get("annotations"))
    tracked = annotations.get("argocd.argoproj.io/tracking-id")
    if isinstance(tracked, str) and ":" in tracked:
        return f"the Argo CD Application {tracked.partition(':')[0]}"
    for group, kind in _FLUX.items():
        if name := labels.get(f"{group}/name"):
            return f"the {kind} {labels.get(f'{group}/namespace')}/{name}"
    if release := annotations.get("meta.helm.sh/release-name"):
        return f"the Helm release {release} in namespace {annotations.get('meta.helm.sh/release-namespace')}"
    source = _SOURCE.search(text)
    return "" if source is None else f"the template {source[1]}"


def _read_as(one: Item, known: Mapping[_Name, Item], newest: Mapping[_Name, Item]) -> Data | None:
    if one.kind in _MAKERS and (maker := _maker(one)) is not None:
        if _top(one, known) is not None or _is_scaled_away(one):
            return None
        if one.kind == "Pod" and (_has_ended(one) or newest.get(maker) is not one):
            return None
    elif one.kind == "Pod" and _has_ended(one):
        return None
    pod = newest.get((one.kind, one.namespace, one.name))
    return one.data if pod is None or one.kind == "Pod" else _as_running(one.data, pod.data)


def _newest_pods(items: Iterable[Item], known: Mapping[_Name, Item]) -> dict[_Name, Item]:
    """The newest pod that has not ended, by the workload at the top; where that is not there, by who made it."""
    found: dict[_Name, Item] = {}
    for one in items:
        maker = _maker(one) if one.kind == "Pod" and not _has_ended(one) else None
        if maker is not None:
            top = _top(one, known) or maker
            if top not in found or _created(one) > _created(found[top]):
                found[top] = one
    return found


def _top(one: Item, known: Mapping[_Name, Item]) -> _Name | None:
    """The workload that an object was made of in the end; None where that is not there."""
    maker = _maker(one)
    if maker is None:
        return None
    if maker in known:
        return _top(known[maker], known) or maker
    # Without the ReplicaSet in between: its name is that of the Deployment and the hash.
    kind, namespace, name = maker
    for label in _HASHES:
        ending = f"-{_labels(one.data).get(label)}"
        for above in _MAKERS.get(kind, ()):
            if name.endswith(ending) and (above, namespace, name.removesuffix(ending)) in known:
                return above, namespace, name.removesuffix(ending)
    return None


def _maker(one: Item) -> _Name | None:
    """The controller that made an object, of the kinds that make such objects of a template."""
    owners = _metadata(one.data).get("ownerReferences")
    for owner in owners if isinstance(owners, list) else ():
        if isinstance(owner, dict) and owner.get("controller") is True:
            kind, name = owner.get("kind"), owner.get("name")
            if isinstance(kind, str) and isinstance(name, str) and kind in _MAKERS.get(one.kind, ()):
                return kind, one.namespace, name
    return None


def _is_scaled_away(one: Item) -> bool:
    """Whether a ReplicaSet is one that its controller has replaced."""
    return one.kind == "ReplicaSet" and _mapping(one.data.get("spec")).get("replicas") == 0


def _has_ended(one: Item) -> bool:
    """Whether a pod will never answer again: it has run to its end, or is being deleted."""
    return _status(one).get("phase") in _ENDED or "deletionTimestamp" in _metadata(one.data)


def _as_running(data: Data, pod: Data) -> Data:
    """A workload with the labels and containers that its pod has and its template does not."""
    spec = _mapping(data.get("spec"))
    template = _mapping(spec.get("template"))
    inner = _mapping(template.get("spec"))
    if not inner:  # a CronJob: its pods end
        return data
    labels = {**_labels(pod), **_labels(template)}
    added = {
        field: [*own, *_others(_mapping(pod.get("spec")).get(field), own)]
        for field in ("containers", "initContainers")
        if isinstance(own := inner.get(field, []), list)
    }
    added = {field: every for field, every in added.items() if every}
    metadata = {**_mapping(template.get("metadata")), "labels": labels}
    return {
        **data,
        "spec": {**spec, "template": {**template, "metadata": metadata, "spec": {**inner, **added}}},
    }


def _others(running: Any, own: Sequence[Any]) -> Iterator[Any]:
    """The containers that run besides those of the template."""
    names = {_mapping(one).get("name") for one in own}
    for one in running if isinstance(running, list) else ():
        if _mapping(one).get("name") not in names:
            yield one


def _created(one: Item) -> str:
    return str(_metadata(one.data).get("creationTimestamp") or "")


def _status(one: Item) -> Data:
    return _mapping(one.data.get("status"))


def _metadata(data: Data) -> Data:
    return _mapping(data.get("metadata"))


def _labels(data: Data) -> Data:
    return _mapping(_metadata(data).get("labels"))


def _mapping(value: Any) -> Data:
    return value if isinstance(value, dict) else {}
