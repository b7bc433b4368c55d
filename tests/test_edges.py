"""The one table of edges: every family's are in it, each holds what the manifest holds, and nobody waits for it."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from portproof import rules, yamldoc
from portproof.graph.answers import answer
from portproof.graph.fields import scalar
from portproof.graph.model import (
    Answer,
    Edge,
    Missed,
    PodEdge,
    Pods,
    PortGraph,
    Reached,
    Relation,
    ServiceName,
    Site,
    Unknown,
)
from portproof.graph.pod_groups import PodGroup
from portproof.replacing import replace
from portproof.rules.edges import every, families
from tests.support.rules import graph

FIXTURES = sorted((Path(__file__).parent.parent / "fixtures" / "rules").glob("*/*/input.yaml"))
AnyEdge = Edge[ServiceName | Pods]


@cache
def built(file: Path) -> PortGraph:
    return graph(file.read_text())


def found(file: Path) -> list[tuple[AnyEdge, Answer]]:
    return list(every(built(file)))


def test_every_module_of_edges_is_found() -> None:
    names = (one.name for one in pkgutil.walk_packages(rules.__path__, "portproof.rules."))
    modules = {name for name in names if name.endswith(".edges") and name.count(".") == 3}
    assert {f"portproof.rules.{one}.edges" for one in families()} == modules
    assert len(modules) >= 4
    for name in modules:
        assert callable(importlib.import_module(name).edges)


def test_every_relation_has_edges_with_each_answer() -> None:
    seen = {(edge.relation, type(said)) for file in FIXTURES for edge, said in found(file)}
    wanted = {(relation, kind) for relation in Relation for kind in (Reached, Missed, Unknown)}
    assert wanted == seen


def held(resources: PortGraph, site: Site) -> list[object]:
    return [yamldoc.lookup(one.data, site.path) for one in resources.resources if one.key == site.resource]


@pytest.mark.parametrize("part", range(8))
def test_an_edge_holds_what_the_manifest_holds(part: int) -> None:
    for file in FIXTURES[part::8]:
        for edge, said in found(file):
            assert said == answer(built(file), edge)
            at = Site(edge.holder, edge.at, None)
            assert any(one is not None for one in held(built(file), at)), (file, edge)
            if edge.port is None:
                continue
            texts = held(built(file), edge.port)
            piece = edge.port.piece
            if piece is not None:
                texts = [one[piece.start : piece.end] for one in texts if isinstance(one, str)]
                assert str(edge.port.value) in texts, (file, edge)
            else:
                values = [scalar(one) for one in texts]
                assert edge.port.value in values or str(edge.port.value).upper() in values, (file, edge)


def test_a_group_answers_what_its_workloads_answer() -> None:
    asked = 0
    for file in FIXTURES:
        resources = built(file)
        group = PodGroup(resources, resources.workloads)
        for edge, _ in found(file):
            if not isinstance(edge.whom, Pods) or edge.relation is Relation.TARGET or edge.whom.container:
                continue
            if edge.whom.workload is not None:
                asked += 1
                assert type(group.answer(edge)) is together(resources, edge), (file, edge)  # type: ignore[arg-type]
    assert asked > 100


def together(resources: PortGraph, edge: PodEdge) -> type[Answer]:
    said = [answer(resources, replace(edge, whom=Pods(one))) for one in resources.workloads]
    kinds: tuple[type[Answer], ...] = (Reached, Unknown, Missed)
    return next(kind for kind in kinds if any(isinstance(one, kind) for one in said))


def test_rules_do_without_the_table() -> None:
    script = (
        "import sys; from tests.support.rules import RULES, keys, read\n"
        "keys(read('apiVersion: v1\\nkind: Service\\nmetadata: {name: web}\\nspec: {ports: [{port: 80}]}'))\n"
        "assert 'portproof.graph.answers' in sys.modules\n"
        "assert 'portproof.rules.edges' not in sys.modules"
    )
    root = Path(__file__).parent.parent
    subprocess.run([sys.executable, "-c", script], check=True, cwd=root)
