"""What is the same in two revisions: each thing is one other thing, whatever order both stand in."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portproof import resources
from portproof.discover.model import HelmTarget
from portproof.graph import link, pairing
from portproof.graph.model import PortGraph
from portproof.render.model import RenderedDocument, Rendering
from tests.support.rules import read

Item = tuple[str, int]
ITEMS = st.lists(st.sampled_from(list(product("abcd", range(4)))), max_size=6, unique=True)


def paired(now: list[Item], then: list[Item]) -> dict[Item, Item]:
    return pairing.paired(now, then, lambda one: one[0], lambda one: one[1], last=lambda _: True)


@given(ITEMS, ITEMS)
def test_each_is_one_other(now: list[Item], then: list[Item]) -> None:
    found = paired(now, then)
    assert set(found) <= set(now)
    assert set(found.values()) <= set(then)
    assert len(set(found.values())) == len(found)


@given(ITEMS, ITEMS)
def test_order_decides_nothing(now: list[Item], then: list[Item]) -> None:
    turned, back = sorted(now), sorted(then, reverse=True)
    assert paired(turned, back) == paired(now, then)


@given(ITEMS)
def test_what_stays_is_itself(items: list[Item]) -> None:
    """As far as anything tells it from the others."""
    found = paired(items, items)
    assert all(found[one] == one for one in found)
    names = [name for name, _ in items]
    assert {one for one in items if names.count(one[0]) == 1} <= set(found)


def test_the_last_one_is_the_same_only_when_it_is_alone() -> None:
    assert paired([("a", 1)], [("b", 2)]) == {("a", 1): ("b", 2)}
    assert paired([("a", 1)], [("b", 2), ("c", 3)]) == {}
    assert paired([("a", 1), ("b", 2)], [("b", 3)]) == {("b", 2): ("b", 3)}


PODS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s}
spec:
  selector: {matchLabels: {app: %s}}
  template:
    metadata: {labels: {app: %s}}
    spec:
      containers: [{name: web, image: "registry.example.org/web:%d", ports: [{name: http, containerPort: %d}]}]
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: %s}
spec: {selector: {app: %s}, ports: [{name: http, port: 80, targetPort: http}]}
"""


def graph(text: str, base: PortGraph | None = None) -> PortGraph:
    return link.build(read(text), base=base)


def test_pods_are_known_by_their_containers_when_all_of_their_names_change() -> None:
    base = graph(PODS % ("web", "web", "web", 1, 8080))
    now = graph(PODS % ("store", "store", "store", 2, 3000), base)
    assert [(new.key.name, old.key.name) for new, old in now.before.workloads.items()] == [("store", "web")]


def test_of_two_alike_neither_is_known() -> None:
    base = graph(PODS % ("web", "web", "web", 1, 8080))
    both = "---".join(PODS % (name, name, name, 1, 8080) for name in ("store", "shop"))
    assert graph(both, base).before.workloads == {}


def test_a_service_is_known_by_its_pods() -> None:
    base = graph("---".join([SERVICE % ("web", "web"), PODS % ("web", "web", "web", 1, 8080)]))
    text = "---".join([SERVICE % ("store", "store"), PODS % ("store", "store", "store", 1, 8080)])
    before = graph(text, base).before
    assert [(new.key.name, old.key.name) for new, old in before.services.items()] == [("store", "web")]


CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {PORT: '%d'}\n"


def test_a_generated_config_map_is_known_without_its_hash() -> None:
    base = graph(CONFIG % ("web-6h29kb54gd", 8080))
    (pair,) = graph(CONFIG % ("web-m9tk4d7g2h", 3000), base).before.keys.items()
    assert [one.name for one in pair] == ["web-m9tk4d7g2h", "web-6h29kb54gd"]


def made(path: str, *names: str, base: PortGraph | None = None) -> PortGraph:
    """Services without a selector, made by one template."""
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {ports: [{port: 80}]}\n"
    documents = tuple(RenderedDocument(text % name, path) for name in names)
    return link.build(resources.read(Rendering(HelmTarget("web", (), release="web"), documents)), base=base)


def test_what_a_template_makes_alone_is_the_same_whatever_it_is_called() -> None:
    base = made("web/templates/service.yaml", "web")
    now = made("web/templates/service.yaml", "shop", base=base)
    assert [(new.key.name, old.key.name) for new, old in now.before.services.items()] == [("shop", "web")]
    assert {new.name: old.name for new, old in now.before.keys.items()} == {"shop": "web"}


@pytest.mark.parametrize(
    ("path", "then", "now"),
    [
        ("web/templates/service.yaml", ["web", "api"], ["web", "shop"]),  # one was removed, another added
        ("web/templates/service.yaml", ["web"], ["shop", "api"]),
        ("manifests/service.yaml", ["web"], ["shop"]),
    ],
)
def test_a_file_that_makes_several_tells_nothing(path: str, then: list[str], now: list[str]) -> None:
    graph = made(path, *now, base=made(path, *then))
    assert all(new.key == old.key for new, old in graph.before.services.items())
