"""What a mesh is told about single ports of its workloads: a table of kinds.

All of them mean the ports of the workload, never those of a Service. Sources: linkerd2 ``policy-controller`` (Server: a
port of the pods by number or by name, and text is always a name); istio/api ``security/v1beta1`` (the keys of
PeerAuthentication's ``portLevelMtls``, and the ports that an AuthorizationPolicy denies). A new kind is a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from portproof.graph import selectors, sites
from portproof.graph.fields import mapping, scalar
from portproof.graph.model import PortGraph, Site, Workload
from portproof.graph.names import is_digits, is_placeholder
from portproof.graph.selectors import Selector
from portproof.resources import Resource
from portproof.rules.policy.ingress import ScopePods, workloads_by_label
from portproof.rules.policy.policies import MESH_ROOT, Encoding, Opening
from portproof.yamldoc import FieldPath, leaves


class MeshPortKind(Struct, frozen=True):
    """Where the resources of a kind say which pods they are about (a field of ``spec``), and, by JSONPath, which ports.

    `keyed` says that the ports are the keys of a mapping. `only` is the action that counts where a kind has several,
    `writing` how a number is written.
    """

    kind: str
    groups: tuple[str, ...]
    selector: str
    ports: str
    writing: Encoding
    keyed: bool = False
    only: str = ""


ROWS = (
    MeshPortKind("Server", ("policy.linkerd.io",), "podSelector", "spec.port", Encoding.PLAIN),
    MeshPortKind(
        "PeerAuthentication",
        ("security.istio.io",),
        "selector",
        "spec.portLevelMtls",
        Encoding.DIGITS,
        keyed=True,
    ),
    MeshPortKind(
        "AuthorizationPolicy",
        ("security.istio.io",),
        "selector",
        "spec.rules[*].to[*].operation.ports[*]",
        Encoding.DIGITS,
        only="DENY",
    ),
)


class MeshPort(Struct, frozen=True):
    """A port that a mesh is told about, with the pods that are meant, and what they have.

    `others` are the numbers and names that resources of the same kind tell about the same pods.
    """

    opening: Opening
    pods: ScopePods
    others: frozenset[str | int]

    @property
    def site(self) -> Site:
        """The port, or the first value below it where it is a key."""
        assert self.opening.site is not None  # noqa: S101 - a mesh is never told about all ports
        return self.opening.site

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """The workloads whose pods are meant."""
        return self.pods.workloads


def settings(graph: PortGraph) -> Iterator[MeshPort]:
    """Every port that a mesh is told about; without workloads when it is not known whose."""
    for row in ROWS:
        groups: dict[tuple[str, Selector | None], list[Resource]] = defaultdict(list)
        for resource in graph.of_kind(row.kind, *row.groups):
            if _counts(row, resource):
                groups[resource.key.namespace, _selector(row, resource)].append(resource)
        if groups:
            yield from _told(graph, row, groups)


def _told(
    graph: PortGraph, row: MeshPortKind, groups: Mapping[tuple[str, Selector | None], Sequence[Resource]]
) -> Iterator[MeshPort]:
    pods = workloads_by_label(graph)
    meant = {key: pods.matching(key[1], frozenset({key[0]})) if key[1] is not None else () for key in groups}
    told: dict[Workload, set[str | int]] = defaultdict(set)
    openings = {key: [one for each in group for one in _openings(row, each)] for key, group in groups.items()}
    for key, found in openings.items():
        for workload in meant[key]:
            told[workload].update(one.name or one.first for one in found)
    for key, found in openings.items():
        workloads = meant[key]
        others = frozenset().union(*(told[one] for one in workloads))
        scope = ScopePods(graph, workloads)
        for opening in found:
            yield MeshPort(opening, scope, others)


def _counts(row: MeshPortKind, resource: Resource) -> bool:
    """Whether the resource is one of its kind's that are meant, and is for the pods of its own namespace."""
    spec = mapping(resource.data.get("spec"))
    elsewhere = resource.key.namespace == MESH_ROOT or {"targetRef", "targetRefs"} & set(spec)
    return not elsewhere and row.only in ("", spec.get("action"))


def _selector(row: MeshPortKind, resource: Resource) -> Selector | None:
    """Which pods are meant; None when it is not known, or others than those of the rendering may be, too."""
    found = selectors.kubernetes(mapping(resource.data.get("spec")).get(row.selector))
    return found if found is not None and found.is_narrow and found.is_exact else None


def _openings(row: MeshPortKind, resource: Resource) -> Iterator[Opening]:
    for path, value in sites.find(row.ports, resource.data):
        for place, port in mapping(value).items() if row.keyed else [("", value)]:
            where = (*path, place) if row.keyed else path
            found = scalar(place if row.keyed else port)
            site = (
                next(_leaves(resource, where, port), None) if row.keyed else Site(resource.key, path, found)
            )
            if site is not None and found is not None and not is_placeholder(found):
                yield _opening(row, site, where, found)


def _leaves(resource: Resource, path: FieldPath, value: Any) -> Iterator[Site]:
    for below, leaf in leaves(value):
        if not isinstance(leaf, dict | list):
            yield Site(resource.key, (*path, *below), scalar(leaf))


def _opening(row: MeshPortKind, site: Site, at: FieldPath, found: str | int) -> Opening:
    value = int(found) if row.writing is Encoding.DIGITS and is_digits(found) else found
    number, name = (value, "") if isinstance(value, int) else (0, value)
    return Opening(row.writing, site, number, number, name, "TCP", at=at, is_key=row.keyed)
