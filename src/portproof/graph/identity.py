"""What makes an edge the same in another revision: who asks, in which of its fields, and whom.

An index says nothing, for lists change their order, and so do numbers and names of ports, for these are what moves. So
an entry of a list is known by what it is called; else by what it is about (a host, a path, peers, a flag); else, when it
is alone among those that are called and about nothing else, by that; and only when several are left by the rest of what
they hold, and at last by their numbers.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeAlias, TypeVar

from msgspec import Struct

from portproof.graph.model import Edge, Pods, PortGraph, Relation, ServiceName
from portproof.replacing import replace
from portproof.resources import ResourceKey
from portproof.yamldoc import FieldPath

AnyEdge: TypeAlias = "Edge[ServiceName | Pods]"
_Edge = TypeVar("_Edge", bound="Edge[ServiceName | Pods]")

_ABOUT = frozenset(
    {
        # routes
        "host", "hostname", "hosts", "sni", "snis", "path", "prefix", "match", "matches", "matchers", "conditions", "type",
        "serviceName", "destination", "subset", "uri", "scheme", "method", "authority", "headers", "queryParams",
        "sourceLabels", "sniHosts", "destinationSubnets", "gateways", "namespace", "kind", "group",
        # policies
        "from", "to", "when", "source", "action", "operation", "protocol", "endpointSelector", "nodeSelector",
        "fromEndpoints", "fromEntities", "fromCIDR", "fromCIDRSet", "fromNodes", "fromGroups", "fromRequires",
        "toEndpoints", "toEntities", "toCIDR", "toCIDRSet", "toFQDNs", "toServices", "toRequires", "toGroups", "toNodes",
    }
)  # fmt: skip
"""Fields that say what an entry is about: which requests, which peers, which Service."""

_MOVES = frozenset(
    {
        "port", "ports", "number", "targetPort", "portNumber", "containerPort", "hostPort", "nodePort", "endPort",
        "servicePort", "healthPort", "sectionName", "weight", "toPorts", "notPorts",
    }
)  # fmt: skip
"""Fields that hold what may move: ports, and the share of requests that goes there."""

_WAYS = frozenset(
    {"service", "port", "name", "number", "servicePort", "targetPort", "portNumber", "destination"}
)
"""Steps from the part that asks to its port; it may come to be asked for by name instead of number."""

_NETWORK = frozenset({"Ingress", "NetworkPolicy"})
_GROUPS_NOW = {"traefik.containo.us": "traefik.io", "crd.projectcalico.org": "projectcalico.org"}
"""API groups under which the objects of another one were known, or still are."""

_HANDLERS = frozenset({"httpGet", "tcpSocket", "grpc"})
_WORDS = frozenset({"args", "command"})
_PORT_IN_TEXT = re.compile(r"(?<=:)\d{1,5}(?!\d)")
_ORDINAL = re.compile(r"\[\d+\]\Z")


class Identity(Struct, frozen=True):
    """Who asks whom, and where, without what can move.

    `holder` is the group, kind, namespace and name of who asks, `at` the field in words, `whom` a Service or a workload
    with its container; empty when it is not known who is meant. `apart` tells it from others of which all that is the
    same: by what it asks for, and its place among them.
    """

    relation: Relation
    holder: tuple[str, ...]
    at: tuple[str, ...]
    whom: tuple[str, ...]
    apart: str = ""

    @property
    def place(self) -> Identity:
        """The field alone, whomever it means: it may come to mean another."""
        return replace(self, whom=(), apart="")


def identity(edge: AnyEdge, data: Mapping[str, Any]) -> Identity:
    """The identity of one edge, whose holder is `data`. Edges of one field to the same port may share one."""
    return _Holder(data).identity(edge)


def identities(graph: PortGraph, edges: Iterable[_Edge]) -> Iterator[tuple[Identity, _Edge]]:
    """Each of the `edges` of `graph` with an identity that no other has; those of one holder have to stand together."""
    held: dict[ResourceKey, Mapping[str, Any]] = {}
    for resource in graph.resources:
        held.setdefault(resource.key, resource.data)
    seen: Counter[Identity] = Counter()
    for key, group in groupby(edges, key=lambda one: (one.relation, one.holder)):
        holder = _Holder(held.get(key[1], {}))
        found = [(holder.identity(one), one) for one in group]
        count = Counter(one for one, _ in found)
        for known, edge in found:
            told = known if count[known] == 1 else replace(known, apart=str(edge.wanted))
            seen[told] += 1
            yield (
                told if seen[told] == 1 else replace(told, apart=f"{told.apart}#{seen[told]}"),
                edge,
            )


def same_field(path: FieldPath, data: Mapping[str, Any], other: Mapping[str, Any]) -> FieldPath | None:
    """Where `other`, another revision of the object `data`, has the field at `path`; None without its list entry.

    Entries of a list are paired by what they are known by, and those that are left over in order, if both have as many.
    """
    found: list[str | int] = []
    here: Any = data
    there: Any = other
    field = ""
    for step, following in zip(path, (*path[1:], None), strict=True):
        if isinstance(step, int):
            index = _same_entry(field, here, there, step, following)
            if index is None:
                return None
            found.append(index)
            here, there = here[step], there[index]
        else:
            field = step
            found.append(step)
            here, there = (one.get(step) if isinstance(one, dict) else None for one in (here, there))
    return tuple(found)


def _same_entry(field: str, here: Any, there: Any, index: int, following: str | int | None) -> int | None:
    if not isinstance(here, list) or not isinstance(there, list) or index >= len(here):
        return None
    known, others = (
        list(_keys(field, items, [_without_list(one, following) for one in items])) for items in (here, there)
    )
    if known[index] in others:
        return others.index(known[index])
    mine = [at for at, key in enumerate(known) if key not in others]
    theirs = [at for at, key in enumerate(others) if key not in known]
    return theirs[mine.index(index)] if len(mine) == len(theirs) else None


class _Holder:
    """An object that asks; the keys of each of its lists are found once."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self._keys: dict[tuple[int, object], Sequence[str]] = {}

    def identity(self, edge: AnyEdge) -> Identity:
        return Identity(edge.relation, who(edge.holder), (*self._place(edge), *_role(edge)), _whom(edge))

    def _place(self, edge: AnyEdge) -> Iterator[str]:
        """The field in words: what each step of its path is called."""
        path = edge.at[:-1] if edge.at and edge.at[-1] in _HANDLERS else edge.at
        value: Any = self._data
        field = ""
        for step, following in zip(path, (*path[1:], None), strict=True):
            if isinstance(value, list) and isinstance(step, int) and step < len(value):
                yield f"[{self._key(field, value, step, following)}]"
                value = value[step]
            else:
                field = _step(edge, str(step))
                yield field
                value = value.get(step) if isinstance(value, dict) else None

    def _key(self, field: str, items: list[Any], index: int, following: str | int | None) -> str:
        place = id(items), following
        if place not in self._keys:
            entries = [_without_list(one, following) for one in items]
            self._keys[place] = _keys(field, items, entries)
        return self._keys[place][index]


def _step(edge: AnyEdge, name: str) -> str:
    """A field; without the port, where that has no field of its own: ``portLevelMtls: {"8080": …}``, ``port_443_…``."""
    if edge.port is not None or edge.default is None:
        return name
    return re.sub(rf"(?<!\d){re.escape(str(edge.default))}(?!\d)", "#", name)


def _without_list(entry: object, field: object) -> object:
    """An entry without a list of its own through which a path goes on: that has keys of its own."""
    if not isinstance(entry, dict) or not isinstance(entry.get(field), list):
        return entry
    return {key: value for key, value in entry.items() if key != field}


def who(key: ResourceKey) -> tuple[str, ...]:
    """Group, kind, namespace and name of an object, whichever of its groups a revision writes it in."""
    group = _GROUPS_NOW.get(key.group, key.group)
    if group == "extensions":  # k/k 1.8 to 1.22: each kind moved to a group of its own
        group = "networking.k8s.io" if key.kind in _NETWORK else "apps"
    return group, key.kind, key.namespace, key.name


def _whom(edge: AnyEdge) -> tuple[str, ...]:
    whom = edge.whom
    if isinstance(whom, ServiceName):
        return "", "Service", whom.namespace, whom.name
    if whom.workload is None:
        return ()
    return (*who(whom.workload.key), *([whom.container.name] if whom.container is not None else []))


def _role(edge: AnyEdge) -> Iterator[str]:
    """What tells the port from others of the same part: a health port, the host in a text of several."""
    port, width = edge.port, len(edge.at)
    if port is None:
        return
    if port.path[:width] == edge.at:
        yield from (str(one) for one in port.path[width:] if one not in _WAYS | _HANDLERS)
    if port.piece is not None and port.piece.label not in ("port", str(port.value)):
        yield _ORDINAL.sub("", port.piece.label)


def _keys(field: str, whole: Sequence[object], items: Sequence[object]) -> Sequence[str]:
    """What each entry of a list is known by, first of all without what its path leads through; equal ones are numbered."""
    keys = [_named(field, items, index) for index in range(len(items))]
    for told in (map(_rest, items), map(_rest, whole), map(_text, whole)):
        equal = _equal(keys)
        texts = list(told) if equal else []
        for group in equal:
            if len({texts[index] for index in group}) > 1:
                for index in group:
                    keys[index] = f"{keys[index]} {texts[index]}".strip()
    for group in _equal(keys):
        for count, index in enumerate(group[1:], 2):
            keys[index] = f"{keys[index]}#{count}"
    return keys


def _equal(keys: Sequence[str]) -> list[list[int]]:
    """The places of keys that several entries have."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        groups[key].append(index)
    return [group for group in groups.values() if len(group) > 1]


def _named(field: str, items: Sequence[object], index: int) -> str:
    """What an entry is called or about; empty when it is neither."""
    item = items[index]
    if isinstance(item, str):
        return _word(items, index) if field in _WORDS else "" if field in _MOVES else _blanked(item)
    if not isinstance(item, dict):
        return ""
    port = item.get("port")
    for name in (item.get("name"), port.get("name") if isinstance(port, dict) else None):
        if isinstance(name, str) and name:
            return f"name={name}"
    about = {key: value for key, value in item.items() if key in _ABOUT}
    return _text(_still(about)) if about else ""


def _word(items: Sequence[object], index: int) -> str:
    """An argument by its flag; what follows a flag is its value. Of a text of several words nothing is a name."""
    text, before = str(items[index]), items[index - 1] if index else ""
    if text.startswith("-"):
        return text.partition("=")[0]
    if isinstance(before, str) and before.startswith("-") and "=" not in before:
        return f"{before}="
    return "" if re.search(r"\s", text) else re.sub(r"\d+", "#", text)


def _rest(item: object) -> str:
    """What an entry holds besides what moves."""
    return _text(_still(item))


def _still(value: object) -> object:
    """`value` without what may move."""
    if isinstance(value, dict):
        return {key: _still(one) for key, one in value.items() if key not in _MOVES or isinstance(one, dict)}
    if isinstance(value, list):
        return [_still(one) for one in value]
    return _blanked(value) if isinstance(value, str) else value


def _blanked(text: str) -> str:
    return _PORT_IN_TEXT.sub("#", text)


def _text(value: object) -> str:
    """The same text for the same data, in whichever order its fields and entries stand."""
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{_text(key)}:{_text(one)}" for key, one in value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted(map(_text, value))) + "]"
    return json.dumps(value, default=str)
