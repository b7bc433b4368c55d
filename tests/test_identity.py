"""The identity of an edge: no other edge of a rendering has it, and it stays when other things move."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from portproof import yamldoc
from portproof.graph import link
from portproof.graph.identity import Identity, identities, identity
from portproof.graph.model import Edge, Pods, PortGraph, Relation, ServiceName
from portproof.resources import Manifests, Resource
from portproof.rules.base import Remedy
from portproof.rules.edges import every
from portproof.yamldoc import FieldPath
from tests.support.rules import graph, read, remedied, rows

FIXTURES = sorted((Path(__file__).parent.parent / "fixtures" / "rules").glob("*/*/input.yaml"))
EXAMPLES = int(os.environ.get("HYPOTHESIS_MAX_EXAMPLES", "150"))
UNRELATED = "unrelated-entry"
MOVED = 61_234
AnyEdge = Edge[ServiceName | Pods]


@cache
def manifests(file: Path) -> Manifests:
    return read(file.read_text())


def known(found: Manifests, file: Path) -> dict[Identity, AnyEdge]:
    built = link.build(found, rows(file.read_text()))
    pairs = list(identities(built, (edge for edge, _ in every(built))))
    assert len(dict(pairs)) == len(pairs), "two edges have one identity"
    return dict(pairs)


@cache
def before(file: Path) -> dict[Identity, AnyEdge]:
    return known(manifests(file), file)


def copied(found: Manifests) -> Manifests:
    resources = tuple(
        Resource(one.key, copy.deepcopy(dict(one.data)), one.document, one.inside) for one in found.resources
    )
    return Manifests(found.target, resources, found.problems)


def variants(found: Manifests) -> bool:
    """Whether one object is there several times: then nothing but its place tells which of them an edge is of."""
    keys = [one.key for one in found.resources]
    return len(set(keys)) < len(keys)


def ordinal(one: Identity) -> bool:
    """Whether nothing but its place tells it from an equal one: a repeated entry."""
    return any("#" in step for step in (one.apart, *one.at))


def by_its_ports(one: Identity) -> bool:
    """Whether an entry on the way has nothing but its ports to be known by: a policy's rules without peers."""
    return any('"port' in step for step in one.at)


@pytest.mark.parametrize("part", range(8))
def test_no_two_edges_of_a_rendering_share_an_identity(part: int) -> None:
    for file in FIXTURES[part::8]:
        found = before(file)
        for one, edge in found.items():
            assert one.relation is edge.relation
            assert one.holder[1:] == (edge.holder.kind, edge.holder.namespace, edge.holder.name)


def lists(value: Any, field: str = "") -> Iterator[list[Any]]:
    """The lists whose order means nothing: all but words of a command, which follow each other."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from lists(one, str(key))
    elif isinstance(value, list):
        if field not in ("args", "command"):
            yield value
        for one in value:
            yield from lists(one)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(FIXTURES), st.randoms(use_true_random=False))
def test_the_order_of_lists_and_objects_means_nothing(file: Path, order: random.Random) -> None:
    changed = copied(manifests(file))
    assume(not variants(changed))
    for one in changed.resources:
        for entries in lists(one.data):
            order.shuffle(entries)
    objects = list(changed.resources)
    order.shuffle(objects)
    changed = Manifests(changed.target, tuple(objects), changed.problems)
    assert known(changed, file).keys() == before(file).keys()


def entries(data: Any, path: FieldPath) -> Iterator[list[Any]]:
    """The lists of mappings on the way to a field; not those that say what the entry which has them is about."""
    for width, step in enumerate(path):
        held = yamldoc.lookup(data, path[:width])
        is_own = isinstance(step, int) and path[width - 1] not in ("match", "to")
        if is_own and isinstance(held, list) and all(isinstance(one, dict) for one in held):
            yield held


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(FIXTURES), st.data())
def test_an_entry_more_leaves_the_others_what_they_are(file: Path, data: st.DataObject) -> None:
    found = before(file)
    assume(found)
    edge = data.draw(st.sampled_from(list(found.values())))
    changed = copied(manifests(file))
    holders = [one.data for one in changed.resources if one.key == edge.holder]
    ways = [held for one in holders for held in entries(one, edge.at)]
    assume(ways and not variants(changed))
    chosen = data.draw(st.sampled_from(range(len(ways))))
    ways[chosen].insert(data.draw(st.integers(0, len(ways[chosen]))), {"name": UNRELATED})
    after = known(changed, file).keys()
    assert all(one in after or by_its_ports(one) for one in found)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(FIXTURES), st.data())
def test_a_number_that_moves_leaves_all_edges_what_they_are(file: Path, data: st.DataObject) -> None:
    found = before(file)
    moving = [one for one in found.items() if one[1].port is not None and isinstance(one[1].port.value, int)]
    assume(moving)
    own, edge = data.draw(st.sampled_from(moving))
    site = edge.port
    assert site is not None
    assume(not variants(manifests(file)) and not any(ordinal(one) for one in found))
    after = known(remedied(manifests(file), Remedy("", ((site, MOVED),))), file)
    others = {one for one, other in found.items() if other.port != site}
    assert all(one in after or by_its_ports(one) for one in others)
    told_by_its_number = str(site.value) in f"{own.apart} {' '.join(own.at)}"
    assert own in after or told_by_its_number


def only(text: str, relation: Relation) -> list[Identity]:
    built = graph(text)
    edges = [edge for edge, _ in every(built) if edge.relation is relation]
    return [one for one, _ in identities(built, edges)]


INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
    - host: shop.example.org
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: web, port: PORT}}}
"""


def test_a_port_may_come_to_be_asked_for_by_name() -> None:
    number, name = (
        only(INGRESS.replace("PORT", one), Relation.INGRESS) for one in ("{number: 80}", "{name: http}")
    )
    assert number == name
    assert number[0].at[:4] == ("spec", "rules", '[{"host":"shop.example.org"}]', "http")


@pytest.mark.parametrize("api", ["networking.k8s.io/v1beta1", "extensions/v1beta1"])
def test_another_version_of_the_api_is_the_same_object(api: str) -> None:
    text = INGRESS.replace("PORT", "{number: 80}")
    old = text.replace("networking.k8s.io/v1", api)
    assert only(old, Relation.INGRESS) == only(text, Relation.INGRESS)


@pytest.mark.parametrize(
    ("at", "entry"),
    [
        ("env: [{name: DB, value: 'db:5432'}]", "[name=DB]"),
        ("args: ['--db=db:5432']", "[--db]"),
        ("args: [--db, 'db:5432']", "[--db=]"),
        ("args: [-c, 'wait-for db:5432']", "[-c=]"),
        ("command: [wait-for, 'db:5432']", "[db:#]"),
    ],
)
def test_a_call_is_known_by_its_variable_or_flag(at: str, entry: str) -> None:
    text = f"""
apiVersion: v1
kind: Pod
metadata: {{name: web}}
spec: {{containers: [{{name: web, {at}}}]}}
"""
    (one,) = only(text, Relation.CALLER)
    assert one.at[:3] == ("spec", "containers", "[name=web]")
    assert entry in one.at
    assert one.at[-1] == "db"
    assert "5432" not in str(one)


def test_a_rule_of_a_policy_is_known_by_its_peers() -> None:
    rule = "{{from: [{{podSelector: {{matchLabels: {{app: {}}}}}}}], ports: [{{port: {}}}]}}"

    def policy(*rules: str) -> list[Identity]:
        return only(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: web}\n"
            f"spec: {{podSelector: {{}}, ingress: [{', '.join(rules)}]}}",
            Relation.POLICY,
        )

    (one,) = policy(rule.format("shop", 8080))
    assert one in policy(rule.format("blog", 8080), rule.format("shop", 9090))


def test_one_edge_can_be_asked_for_its_identity_alone() -> None:
    built = graph(INGRESS.replace("PORT", "{number: 80}"))
    ((edge, _),) = every(built)
    resource = built.resource(edge.holder)
    assert resource is not None
    assert [identity(edge, resource.data)] == [one for one, _ in identities(built, [edge])]


def test_objects_of_another_rendering_do_not_matter() -> None:
    """What is looked up in the holder may not be there at all: another variant of it was meant."""
    built: PortGraph = graph(INGRESS.replace("PORT", "{number: 80}"))
    ((edge, _),) = every(built)
    assert "0" in identity(edge, {}).at


@pytest.mark.parametrize("key", ['"8080"', "8080"])
def test_a_port_that_is_a_key_is_no_part_of_it(key: str) -> None:
    text = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: web}
spec: {selector: {matchLabels: {app: web}}, portLevelMtls: {KEY: {mode: STRICT}}}
"""
    (one,) = only(text.replace("KEY", key), Relation.POLICY)
    assert one.at == ("spec", "portLevelMtls", "#")
