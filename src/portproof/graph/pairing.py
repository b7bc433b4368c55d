"""What is the same in two revisions: by the first of several descriptions that is true of one thing in each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from portproof.graph.identity import who
from portproof.graph.model import (
    Before,
    Container,
    ContainerPort,
    PortGraph,
    Selection,
    Service,
    ServicePort,
    Workload,
)
from portproof.resources import Resource, ResourceKey

_Item = TypeVar("_Item", bound=Hashable)
_Port = TypeVar("_Port", ContainerPort, ServicePort)
Description: TypeAlias = Callable[[_Item], Hashable | None]
"""What tells an item from others; None when it has nothing of that kind."""


_HASH = re.compile(r"-[2456789bcdfghkmt]{10}\Z")
"""What kustomize appends to the names of ConfigMaps that it generates (``api/hasher/hasher.go``)."""

_REPOSITORY = re.compile(r"(?:@.*|:[^/:]*)\Z")
"""The tag or the digest of an image."""


def paired(
    now: Iterable[_Item],
    then: Iterable[_Item],
    *descriptions: Description[_Item],
    last: Description[_Item] | None = None,
) -> dict[_Item, _Item]:
    """What each item was then. A description decides where one of those that are left fits it in each revision.

    Those that are left over at the end are the same when there is one in each, and `last` is equal of both.
    """
    found: dict[_Item, _Item] = {}
    news, olds = list(now), list(then)
    for description in descriptions:
        new, old = _unique(news, description), _unique(olds, description)
        pairs = {one: old[told] for told, one in new.items() if told in old}
        found |= pairs
        taken = set(pairs.values())
        news, olds = [one for one in news if one not in pairs], [one for one in olds if one not in taken]
    if last is not None and len(news) == len(olds) == 1 and last(news[0]) == last(olds[0]):
        found[news[0]] = olds[0]
    return found


def _unique(items: Iterable[_Item], description: Description[_Item]) -> dict[Hashable, _Item]:
    groups: dict[Hashable, list[_Item]] = defaultdict(list)
    for one in items:
        told = description(one)
        if told is not None:
            groups[told].append(one)
    return {told: several[0] for told, several in groups.items() if len(several) == 1}


def ports(now: Sequence[_Port], then: Sequence[_Port]) -> dict[_Port, _Port]:
    """What each port of a Service or a container was: by its name, its number and protocol, or as the only other one."""
    return paired(
        now,
        then,
        lambda one: one.name_text,
        lambda one: (one.number.value, one.protocol),
        last=lambda one: one.protocol,
    )


def containers(now: Workload, then: Workload) -> dict[Container, Container]:
    """What each container of a workload was: by its name, or as the only other one."""
    return paired(now.containers, then.containers, lambda one: one.name or None, last=lambda _: True)


def before(
    resources: Sequence[Resource],
    services: Mapping[Service, Selection],
    workloads: Iterable[Workload],
    base: PortGraph,
) -> Before:
    """What the resources of a rendering, its Services with what they select, and its workloads were in `base`.

    The same is what has the same group, kind, namespace and name. A namespace may be added to all, and a name may be made
    up at each render: then it is the only one of that name, or the only one of its kind that looks like it. In a chart it
    may have another name because the values say so: then its template makes nothing else of its kind.
    """
    keys = dict.fromkeys(one.key for one in resources)
    alone = {**_alone(base.resources), **_alone(resources)}
    known = paired(
        workloads,
        base.workloads,
        _key,
        _name,
        _place,
        _labels,
        _programs,
        lambda one: alone.get(one.key),
    )

    def behind(one: Service) -> Hashable:
        """A Service by its pods, whatever they are called."""
        selected = services[one] if one in services else base.select(one)
        pods = frozenset(known.get(each, each) for each in selected.workloads)
        return (pods, _numbers(one)) if pods else None

    return Before(
        paired(services, base.services, _key, _name, _selected, behind, lambda one: alone.get(one.key)),
        known,
        paired(
            keys, dict.fromkeys(one.key for one in base.resources), who, _own_name, _without_hash, alone.get
        ),
    )


def _alone(resources: Sequence[Resource]) -> Mapping[ResourceKey, Hashable]:
    """The template of a chart that makes each resource, where it makes nothing else of that kind."""
    made: dict[Hashable, set[ResourceKey]] = defaultdict(set)
    for one in resources:
        source = one.document.source or ""
        if "/templates/" in f"/{source}":
            made[one.key.group, one.key.kind, source].add(one.key)
    return {key: place for place, keys in made.items() if len(keys) == 1 for key in keys}


def _key(one: Service | Workload) -> Hashable:
    return who(one.key)


def _name(one: Service | Workload) -> Hashable:
    return _own_name(one.key)


def _place(one: Workload) -> Hashable:
    """A Deployment may have become a StatefulSet."""
    return one.key.namespace, one.key.name, frozenset(one.labels.items())


def _labels(one: Workload) -> Hashable:
    names = tuple(sorted(each.name for each in one.containers))
    return (one.key.kind, one.key.namespace, frozenset(one.labels.items()), names) if one.labels else None


def _programs(one: Workload) -> Hashable:
    """By what runs in it and which ports that has, whatever its labels say."""
    programs = sorted(
        (each.name, _REPOSITORY.sub("", each.image), tuple(sorted(port.label for port in each.ports)))
        for each in one.containers
    )
    return (one.key.kind, one.key.namespace, tuple(programs)) if one.ports else None


def _own_name(key: ResourceKey) -> Hashable:
    group, kind, _, name = who(key)
    return group, kind, name


def _without_hash(key: ResourceKey) -> Hashable:
    group, kind, namespace, name = who(key)
    return group, kind, namespace, _HASH.sub("", name)


def _selected(one: Service) -> Hashable:
    """By its selector and its ports: several may select the same pods."""
    if not one.selector:
        return None
    return one.key.namespace, frozenset(one.selector.items()), _numbers(one)


def _numbers(one: Service) -> tuple[object, ...]:
    return tuple(each.number.value for each in one.ports)
