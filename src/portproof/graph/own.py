"""Names of this release: a Service whose name changes with the release's can only be one of the chart itself."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

from portproof.graph.answered import is_answered
from portproof.graph.model import PortGraph, Relation, ServiceEdge, Workload

_ROUTES = (
    Relation.INGRESS,
    Relation.WEBHOOK,
    Relation.HTTP_PROXY,
    Relation.OPENSHIFT_ROUTE,
    *(one for one in Relation if one.carries_requests),
)
_MAKE_NONE = (
    ".k8s.io",
    "monitoring.coreos.com",
    "cert-manager.io",
    "traefik.io",
    "istio.io",
    "projectcontour.io",
)
"""How the groups of the kinds end that ask for Services, or have nothing to do with them."""


def routes(graph: PortGraph) -> tuple[ServiceEdge, ...]:
    """Who sends requests to a Service from outside of it: Ingresses, routes and webhooks."""
    return graph.asking(*_ROUTES)


def calls(graph: PortGraph) -> tuple[ServiceEdge, ...]:
    """The calls of pods that can only mean a Service of their own namespace.

    Of two labels, ``web-0.web``, the first may be a pod of a headless Service. A file has addresses of parts that are
    switched off.
    """
    return tuple(
        one
        for one in graph.asking(Relation.CALLER)
        if one.whom.namespace == one.holder.namespace and one.holder.kind != "ConfigMap"
    )


def absent(graph: PortGraph) -> tuple[ServiceEdge, ...]:
    """The routes to Services that are not there, and the calls.

    None if there are no Services at all, and none to those that an operator may make for a custom resource.
    """
    if not graph.services:
        return ()
    return tuple(one for one in (*routes(graph), *calls(graph)) if is_absent(graph, one))


def lost(graph: PortGraph, release: str) -> tuple[ServiceEdge, ...]:
    """The routes to Services that are not there, and that have the name of the release in theirs; calls, too."""
    word = re.compile(rf"(?<![a-z0-9]){re.escape(release)}(?![a-z0-9])")
    return tuple(one for one in absent(graph) if word.search(one.whom.name))


def moved(here: Sequence[ServiceEdge], there: Sequence[ServiceEdge]) -> frozenset[str]:
    """The names that differ between the routes of two renderings under two names of the release.

    Empty if the renderings have not the same routes.
    """
    if [(one.relation, one.at) for one in here] != [(one.relation, one.at) for one in there]:
        return frozenset()
    pairs = [(one.whom.name, other.whom.name) for one, other in zip(here, there, strict=True)]
    return frozenset(one for one, other in pairs if one != other) - {
        one for one, other in pairs if one == other
    }


def is_of_part(name: str, release: str, parts: Container[str]) -> bool:
    """Whether the name of a Service of the release has the name of one of these parts of its chart in it.

    The parts are written as the words of the name without what is between them: ``aiproxy`` of ``shop-ai-proxy``.
    """
    words = [word for word in name.replace(release, "", 1).split("-") if word]
    places = range(len(words) + 1)
    return any("".join(words[start:end]) in parts for start in places for end in places[start + 1 :])


def is_absent(graph: PortGraph, edge: ServiceEdge) -> bool:
    """Whether the Service that an edge names is nowhere, no operator may make it, and something is sent to it."""
    name = edge.whom.name
    if graph.variants(*edge.whom.place) or name in graph.neighbours:
        return False
    if edge.relation is Relation.INGRESS and is_answered(graph.resource(edge.holder)):
        return False
    if edge.relation is Relation.CALLER and any(_is_pod(name, one) for one in graph.workloads):
        return False
    return not (edge.idle or edge.wanted == "use-annotation" or may_be_made(graph, name))


def _is_pod(name: str, workload: Workload) -> bool:
    """Whether that is the name of a pod, under which its containers reach themselves."""
    beginning, _, number = name.rpartition("-")
    own = name == workload.key.name and workload.key.kind == "Pod"
    return own or (number.isdigit() and beginning == workload.key.name)


def may_be_made(graph: PortGraph, name: str) -> bool:
    """Whether an operator may make a Service of that name for a custom resource of the rendering."""
    return any(name.startswith(one.key.name) for one in graph.resources if has_operator(one.key.group))


def has_operator(group: str) -> bool:
    """Whether resources of that group are neither Kubernetes' own nor of a kind that makes no Services."""
    return "." in group and not group.endswith(_MAKE_NONE)
