"""Which workload a Service that selects no pods means, and what in the same rendering shows it.

A selector that matches nothing is legal, and the pods are often deployed elsewhere. So it says nothing by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum, auto

from msgspec import Struct

from portproof.graph import own
from portproof.graph.answers import resolve
from portproof.graph.fields import labels, mapping
from portproof.graph.meant import only
from portproof.graph.model import RUNTIME_LABELS, PortGraph, Service, Workload
from portproof.graph.names import digits, is_elected, is_near_name, is_placeholder
from portproof.graph.past import lost_pods
from portproof.rules.service.misspelled import misspelled
from portproof.yamldoc import lookup

_OF_RELEASES = ("app.kubernetes.io/instance", "release")
_OF_PARTS = frozenset(
    {"app.kubernetes.io/component", "component", "app.kubernetes.io/name", "app", "name", "tier"}
)
"""Labels with the name of a release, and those that say which part of an application it is."""

_SHORTEST = 4
"""Values of fewer letters are alike by chance."""


class Witness(Enum):
    """What shows that a workload is meant."""

    TYPO = auto()
    OWN_LABELS = auto()
    ALL_BUT_ONE = auto()
    ITS_NAME = auto()
    OTHER_KEY = auto()
    NAMESPACE = auto()


class Meant(Struct, frozen=True):
    """The workload that a Service means, and the keys of the selector that its pods do not satisfy."""

    workload: Workload
    keys: tuple[str, ...]
    witness: Witness


def selects_nothing(graph: PortGraph) -> Iterator[Service]:
    """The Services whose selectors match no pods of any workload here, not even of Jobs."""
    nested = {service for service, _ in nested_selectors(graph)}
    for service in graph.services:
        if not service.selector or service.type == "ExternalName" or RUNTIME_LABELS & service.selector.keys():
            continue
        if service in nested:
            continue
        if lost_pods(graph, service) is not None:  # service-lost-pods says it, whatever the names
            continue
        if not graph.select(service).workloads and not any(
            _is_near_by(service, one) and not _lacking(service, one) for one in graph.workloads
        ):
            yield service


def meant(graph: PortGraph, service: Service) -> Meant | None:
    """The workload that a Service means; None when nothing shows it, or when several may be."""
    free = [one for one in graph.workloads if one.serves and not graph.services_of(one)]
    own = [one for one in free if _is_near_by(service, one) and _has_itself(graph, service, one)]
    if own:
        return _only(service, own, Witness.OWN_LABELS)
    if graph.unknown_owners:
        return None
    near = [
        (one, keys[0])
        for one in graph.workloads
        if one.serves and _is_near_by(service, one) and len(keys := _differing(service, one)) == 1
    ]
    typos = [one for one, key in near if _is_typo(service, one, key)]
    if typos:
        return (
            _only(service, [one for one in typos if one in free], Witness.TYPO) if len(typos) == 1 else None
        )
    pointed = _pointed_at(service, near, free)
    if pointed is not None:
        return pointed
    fitting = [(one, key) for one, key in near if one in free and _serves_all(service, one)]
    named = [(one, key) for one, key in fitting if _has_its_name(service, one, key)]
    if len(named) == 1:
        return Meant(named[0][0], (named[0][1],), Witness.ALL_BUT_ONE)
    prefixed = [(one, key) for one, key in fitting if _differs_in_prefix(service, one, key)]
    if len(prefixed) == 1:
        return Meant(prefixed[0][0], (prefixed[0][1],), Witness.TYPO)
    if len(near) == 1 and fitting:
        one, key = fitting[0]
        value, label = service.selector[key], one.labels.get(key)
        if len(service.selector) > 1 and label is None:
            return Meant(one, (key,), Witness.ALL_BUT_ONE)
        if len(free) == 1 and is_near_name(value, label or ""):
            return Meant(one, (key,), Witness.TYPO)
    return _only(service, [one for one in free if _is_elsewhere(graph, service, one)], Witness.NAMESPACE)


def _pointed_at(
    service: Service, near: Sequence[tuple[Workload, str]], free: Sequence[Workload]
) -> Meant | None:
    """The one of the workloads that lack one key whose own name the Service has: in the selector, or as its own name."""
    by_name = [(one, key) for one, key in near if _is_its_name(service, one, key)]
    if len(by_name) == 1:
        return Meant(by_name[0][0], (by_name[0][1],), Witness.ITS_NAME)
    renamed = [
        (one, key) for one, key in near if one in free and _has_it_under_another_key(service, one, key)
    ]
    return Meant(renamed[0][0], (renamed[0][1],), Witness.OTHER_KEY) if len(renamed) == 1 else None


def nested_selectors(graph: PortGraph) -> Iterator[tuple[Service, str]]:
    """The Services whose selectors are written like a Deployment's, each with the key that holds the labels.

    A Service's selector is a map of texts (``core/v1`` ServiceSpec). Other maps in it may be ``{label}``, to be filled in.
    """
    for service in graph.services:
        selector = lookup(graph.read_from[service].data, ("spec", "selector"))
        for key, value in selector.items() if isinstance(selector, dict) else ():
            if key in ("matchLabels", "matchExpressions") and isinstance(value, (dict, list)):
                yield service, str(key)


def without_selector(graph: PortGraph) -> Iterator[tuple[Service, Workload]]:
    """The Services that select nothing because they have no selector, each with the Deployment whose name and ports it has.

    A program that leads may write the Endpoints of its Service itself; those are StatefulSets or custom resources.
    """
    if graph.unknown_owners:
        return
    written = {one.key.namespace for one in graph.resources if one.key.kind in ("Endpoints", "EndpointSlice")}
    for service in graph.services:
        if service.selector or service.type == "ExternalName" or service.key.namespace in written:
            continue
        if any(misspelled(mapping(graph.read_from[service].data.get("spec")), ("selector",))):
            continue  # port-field-misspelled says it
        meant = [
            one
            for one in graph.workloads
            if one.key.kind == "Deployment" and one.key.name == service.key.name and _is_near_by(service, one)
        ]
        if len(meant) == 1 and _serves_all(service, meant[0]):
            yield service, meant[0]


def lacks_pods_of_its_release(graph: PortGraph, service: Service) -> str:
    """The key of the selector that no pods of the Service's own release have; empty where others may have such pods.

    The label of the release binds both: what else a chart makes has it, and no other release does. Only keys that say what
    a part of an application is are certain; programs set others at run time (``vault-active``).
    """
    resource = graph.read_from[service]
    own_labels = labels(lookup(resource.data, ("metadata", "labels")))
    key = next((one for one in _OF_RELEASES if one in service.selector), "")
    is_of_chart = "/templates/" in f"/{resource.document.source or ''}"
    if not (key and is_of_chart and service.selector[key] == own_labels.get(key)) or graph.unknown_owners:
        return ""
    beside = [one for one in graph.workloads if one.labels.get(key) == service.selector[key]]
    lacking = [set(_differing(service, one)) for one in beside]
    if not lacking or not all(keys <= _OF_PARTS for keys in lacking):
        return ""
    return next(one for one in service.selector if one in min(lacking, key=len))


def is_deserted(graph: PortGraph, service: Service) -> bool:
    """Whether nothing has such pods, in an environment of which it is stated that there is nothing else."""
    if graph.surroundings is None or any(own.has_operator(one.key.group) for one in graph.resources):
        return False
    near = frozenset({service.key.namespace})
    return not any(
        service.selector.items() <= one.labels.items() and one.is_in(near) for one in graph.surroundings.pods
    )


def _only(service: Service, found: Sequence[Workload], witness: Witness) -> Meant | None:
    workload = only(found)
    return None if workload is None else Meant(workload, tuple(_differing(service, workload)), witness)


def _is_near_by(service: Service, workload: Workload) -> bool:
    return workload.key.namespace == service.key.namespace


def _differing(service: Service, workload: Workload) -> list[str]:
    """The selector's keys that the workload's pods do not satisfy."""
    return [key for key, value in service.selector.items() if workload.labels.get(key) != value]


def _lacking(service: Service, workload: Workload) -> list[str]:
    """Those that no program can add to the pods: which one of them leads is found out at run time."""
    return [
        key
        for key in _differing(service, workload)
        if key in workload.labels or not is_elected(key, service.selector[key])
    ]


def _is_typo(service: Service, workload: Workload, key: str) -> bool:
    value = service.selector[key]
    return len(value) >= _SHORTEST and is_near_name(value, workload.labels.get(key, ""))


def _has_its_name(service: Service, workload: Workload, key: str) -> bool:
    value = service.selector[key]
    same = digits(value) == digits(workload.labels.get(key, value))
    return workload.key.name == service.key.name and same


def _is_its_name(service: Service, workload: Workload, key: str) -> bool:
    """Whether one of several labels is the workload's own name, which its pods do not have as a label of that key."""
    return (
        len(service.selector) > 1
        and key not in workload.labels
        and service.selector[key] == workload.key.name
    )


def _differs_in_prefix(service: Service, workload: Workload, key: str) -> bool:
    """Whether only one of the two has the application's name before it: ``backend`` and ``shop-backend``.

    A word behind it means something else: ``web-worker``, ``web-canary``.
    """
    value, label = service.selector[key], workload.labels.get(key, "")
    shorter, longer = sorted((value, label), key=len)
    return len(shorter) >= _SHORTEST and longer.endswith(f"-{shorter}") and digits(value) == digits(label)


def _has_it_under_another_key(service: Service, workload: Workload, key: str) -> bool:
    """Whether the workload has the Service's name, and its pods the wanted value in another label only."""
    has = key not in workload.labels and service.selector[key] in workload.labels.values()
    return has and workload.key.name == service.key.name


def _has_itself(graph: PortGraph, service: Service, workload: Workload) -> bool:
    """Whether the object that makes the pods has all labels that the Service wants, instead of the pods."""
    data = graph.read_from[workload].data
    return service.selector.items() <= labels(lookup(data, ("metadata", "labels"))).items()


def _serves_all(service: Service, workload: Workload) -> bool:
    """Whether the pods declare every port that the Service sends traffic to."""
    return bool(service.ports) and all(resolve(port, workload) is not None for port in service.ports)


def _is_elsewhere(graph: PortGraph, service: Service, workload: Workload) -> bool:
    """Whether the workload has the Service's name and the labels that it wants, in another namespace that is written down."""
    if workload.key.name != service.key.name or _is_near_by(service, workload):
        return False
    written = (lookup(graph.read_from[one].data, ("metadata", "namespace")) for one in (service, workload))
    return all(one and not is_placeholder(one) for one in written) and not _differing(service, workload)
