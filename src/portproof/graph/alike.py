"""Which Service a name that nobody has stands for, as far as the rendering itself shows it.

A name alone says little: what it names may be deployed elsewhere. So every answer here needs the port as well, and a
Service that is meant by this name and by no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from portproof.discover.model import UNNAMED
from portproof.graph import own
from portproof.graph.answers import answers
from portproof.graph.meant import only
from portproof.graph.model import PortGraph, Relation, Service, ServiceEdge
from portproof.graph.names import digits

_GENERIC = frozenset({"service", "svc", "srv", "server", "app", "application"})
"""Words that say of a Service only that it is one: ``frontend`` and ``frontend-service`` mean the same."""

_SHORTEST = 4
"""Names of fewer letters are alike by chance."""

_MANY = 50
"""A word of as many Services does not tell which of them is meant."""


def is_alike(name: str, asked: str) -> bool:
    """Whether a Service may be called so: its name differs in a word such as ``service``, or has all that are asked for, and more.

    What is asked for with more words, as ``dev-web`` for ``web``, may get its prefix when it is deployed.

    Names that differ in their digits (``web-1``) are meant to differ, but for those of words before both: the release
    ``team2`` has ``team2-web``. What shares generic words alone is not alike.
    """
    shorter, longer = _telling(asked), _telling(name)
    if name == asked or len(shorter) > len(longer) or len("".join(shorter)) < _SHORTEST:
        return False
    if digits(name) == digits(asked):
        return _has_in_order(longer, shorter)
    before = longer[: len(longer) - len(shorter)]
    return longer[len(before) :] == shorter and all(
        word[:1].isalpha() and len(word) >= _SHORTEST for word in before
    )


def _telling(name: str) -> list[str]:
    return [word for word in name.split("-") if word not in _GENERIC]


def _has_in_order(words: Sequence[str], wanted: Sequence[str]) -> bool:
    rest = iter(words)
    return all(any(word == one for word in rest) for one in wanted)


def meant(graph: PortGraph, edge: ServiceEdge) -> Service | None:
    """The one Service that the name of an edge stands for; None when nothing shows it.

    It has pods and the port, nobody asks for it by its own name, and no kustomization has renamed it. A call may ask for
    the number of the pods, as for that of a Service that it reaches. Names with the release's in them are those of `own`.
    """
    name, namespace = edge.whom.name, edge.whom.namespace
    if UNNAMED in name or name in graph.own_names:
        return None
    words = _services(graph)
    sharing = dict.fromkeys(one for word in _telling(name) for one in words.get((namespace, word), ()))
    near = [one for one in sharing if is_alike(one.key.name, name)]
    if only(one.key for one in near) is None or (namespace, near[0].key.name) in graph.asked:
        return None
    found = near[0]
    renamed = any(affix.plain(found.key.name) == name for affix in graph.affixes)
    if renamed or not graph.select(found).workloads or not _has_port(found, edge):
        return None
    return None if own.may_be_made(graph, name) else found


@lru_cache(maxsize=4)
def _services(graph: PortGraph) -> Mapping[tuple[str, str], Sequence[Service]]:
    """The Services by namespace and by those words of their names that only a few have: thousands of edges may ask."""
    found: dict[tuple[str, str], list[Service]] = {}
    for one in graph.services:
        for word in dict.fromkeys(_telling(one.key.name)):
            found.setdefault((one.key.namespace, word), []).append(one)
    return {place: several for place, several in found.items() if len(several) <= _MANY}


def _has_port(service: Service, edge: ServiceEdge) -> bool:
    targets = edge.relation is Relation.CALLER
    return any(
        edge.protocol in ("", one.protocol)
        and (answers(one, edge.wanted, edge.by) or (targets and one.target.value == edge.wanted))
        for one in service.ports
    )
