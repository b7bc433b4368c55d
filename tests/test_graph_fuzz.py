"""Mangled objects: whatever stands anywhere in a manifest, no rule fails, and a finding holds what the manifest holds.

The corpus are the inputs of all rule fixtures; hypothesis puts odd values into them. A long run:
``HYPOTHESIS_MAX_EXAMPLES=20000 pytest tests/test_graph_fuzz.py``.
"""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from portproof import resources, yamldoc
from portproof.discover.model import ManifestTarget
from portproof.graph import link
from portproof.graph.identity import identities
from portproof.render.model import RenderedDocument
from portproof.resources import Manifests, Resource
from portproof.rules import all_rules
from portproof.rules.edges import every
from portproof.yamldoc import FieldPath

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("HYPOTHESIS_MAX_EXAMPLES", "300"))
FIXTURES = sorted((Path(__file__).parent.parent / "fixtures" / "rules").glob("*/*/input.yaml"))
DOCUMENTS = [
    data
    for file in FIXTURES
    for _, part in yamldoc.split(file.read_text())
    if isinstance(data := yamldoc.load(part), dict)
]
ODD: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [None, True, False, 0, -1, 80, 8080, 65536, 10**30, 1.5, float("nan"), "", "80", "http", "${PORT}"]
    ),
    st.sampled_from(
        ["a" * 300, "http://web:80:80", "::", "\ud800", "\x00", "é", "web.default.svc:80", "=", "*"]
    ),
    st.sampled_from(
        [[], {}, [None], [[]], [{}], {"": None}, {"name": {}}, [80, "http"], {"matchLabels": []}]
    ),
    st.integers(),
    st.text(max_size=20),
)


def places(data: Any, path: FieldPath = ()) -> list[FieldPath]:
    """Every path of a document, inner ones too."""
    found = [path]
    if isinstance(data, dict):
        for key, value in data.items():
            found += places(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            found += places(value, (*path, index))
    return found


def put(holder: Any, step: str | int, value: Any) -> None:
    """Set an entry, unless an earlier change has taken its holder away."""
    if isinstance(holder, list | dict) and (isinstance(holder, dict) or isinstance(step, int)):
        holder.__setitem__(step, value)  # type: ignore[index]


@st.composite
def renderings(draw: st.DrawFn) -> list[Any]:
    """Some documents of the fixtures, each with some of its values replaced."""
    picked = draw(st.lists(st.integers(0, len(DOCUMENTS) - 1), min_size=1, max_size=6))
    mangled = [copy.deepcopy(DOCUMENTS[index]) for index in picked]
    for data in mangled:
        for _ in range(draw(st.integers(0, 3))):
            path = draw(st.sampled_from(places(data)))
            if len(path) == 0 or path in {("kind",), ("apiVersion",)}:
                continue
            put(yamldoc.lookup(data, path[:-1]), path[-1], copy.deepcopy(draw(ODD)))
    return mangled


LIST_FOR_A_NAME = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "web"},
    "spec": {"parentRefs": [{"name": "public", "namespace": [None]}]},
}


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@example([LIST_FOR_A_NAME])
@given(renderings())
def test_no_rule_fails_and_findings_hold_what_is_there(documents: list[Any]) -> None:
    found = tuple(
        Resource(key, item, RenderedDocument(""), inside)
        for data in documents
        for key, item, inside in resources.objects(data, "default", ())
    )
    graph = link.build(Manifests(ManifestTarget("."), found))
    for rule in all_rules():
        for finding in rule.check(graph):
            assert finding.message
            held = [
                yamldoc.lookup(one.data, finding.primary.path)
                for one in found
                if one.key == finding.primary.resource
            ]
            assert held, "a finding is about a resource of the rendering"
            piece = finding.primary.piece
            if piece is not None:
                assert any(
                    isinstance(text, str) and text[piece.start : piece.end] == str(finding.primary.value)
                    for text in held
                )
    edges = [edge for edge, _ in every(graph)]
    known = [one for one, _ in identities(graph, edges)]
    assert len(set(known)) == len(edges), "every edge has an identity of its own"


def test_the_corpus_is_that_of_every_rule() -> None:
    assert len(DOCUMENTS) > 500
