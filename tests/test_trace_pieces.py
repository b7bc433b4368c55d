"""Numbers inside longer texts: what the text becomes under a probe, and where they stand in plain manifests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portproof import resources, yamldoc
from portproof.discover.model import ManifestTarget
from portproof.graph.model import Piece, Site
from portproof.render.model import RenderedDocument, Rendering
from portproof.source import Tree
from portproof.trace.model import Proof
from portproof.trace.pieces import origin_of, place_in
from portproof.trace.probe import origins
from tests.support.fake_renderer import FakeRenderer


def piece(text: str, number: str, nth: int = 0) -> Piece:
    start = -1
    for _ in range(nth + 1):
        start = text.index(number, start + 1)
    return Piece(start, start + len(number), "it")


def test_a_number_that_moved_behind_another_one_is_found() -> None:
    text = "http://a:80/ http://b:8081/"
    after = "http://a:31013/ http://b:31026/"
    assert origin_of(piece(text, "8081"), text, after, {"31013": "80", "31026": "8081"}) == "31026"


def test_a_text_that_changes_otherwise_too_proves_nothing() -> None:
    text = "http://b:8081/?seed=abc"
    assert origin_of(piece(text, "8081"), text, "http://b:31013/?seed=xyz", {"31013": "8081"}) is None


def test_a_number_that_stays_has_no_origin() -> None:
    text = "http://b:8081/ 8081"
    assert origin_of(piece(text, "8081"), text, "http://b:8081/ 31013", {"31013": "8081"}) is None


def test_a_name_is_found_in_the_text_around_it() -> None:
    text = "shop/web:http:PROXY"
    after = "shop/web-001:http-000:PROXY"
    assert origin_of(piece(text, "http"), text, after, {"http-000": "http", "web-001": "web"}) == "http-000"


def test_a_name_whose_text_changes_otherwise_too_has_no_origin() -> None:
    text = "shop/web:http"
    assert origin_of(piece(text, "http"), text, "shop/api:http-000", {"http-000": "http"}) is None


@given(st.lists(st.sampled_from(["80", "8081", "x", ":"]), min_size=1, max_size=8), st.data())
def test_every_number_leads_back_to_its_own_stand_in(parts: list[str], data: st.DataObject) -> None:
    text = " ".join(parts)
    numbers = [index for index, part in enumerate(parts) if part.isdigit()]
    stand_ins = {str(31013 + 13 * index): parts[index] for index in numbers}
    after = " ".join(str(31013 + 13 * i) if part.isdigit() else part for i, part in enumerate(parts))
    if numbers:
        index = data.draw(st.sampled_from(numbers))
        start = len(" ".join(parts[:index])) + (1 if index else 0)
        found = origin_of(Piece(start, start + len(parts[index]), "it"), text, after, stand_ins)
        assert found == str(31013 + 13 * index)


def test_place_in_a_block_scalar_counts_equal_numbers() -> None:
    source = "|\n    a: web:8080\n    b: api:8080\n"
    text = "a: web:8080\nb: api:8080\n"
    assert place_in(source, text, piece(text, "8080", 1)) == source.rindex("8080")


MANIFEST = """apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data:
  plain: http://api:8081/8081
  quoted: "tab\\there http://api:8081"
  file: |
    # 8081
    upstream: http://api:8081
  folded: >-
    one api:8081
    two
"""


@pytest.mark.parametrize(
    ("key", "number", "line"),
    [("plain", 0, 5), ("plain", 1, 5), ("quoted", 0, 6), ("file", 1, 9), ("folded", 0, 11)],
)
def test_plain_manifests_hold_the_piece_itself(tmp_path: Path, key: str, number: int, line: int) -> None:
    (tmp_path / "web.yaml").write_text(MANIFEST)
    target = ManifestTarget(".", ("web.yaml",))
    read = resources.read(Rendering(target, (RenderedDocument(MANIFEST, "web.yaml", 0, 1),)))
    value = yamldoc.lookup(read.resources[0].data, ("data", key))
    site = Site(read.resources[0].key, ("data", key), 8081, piece(value, "8081", number))
    origin = origins(read, [site], Tree(tmp_path), FakeRenderer())[site]
    assert origin.proof is Proof.PROVEN
    assert MANIFEST[origin.span.start : origin.span.end] == "8081"
    assert MANIFEST.count("\n", 0, origin.span.start) + 1 == line
    assert MANIFEST[: origin.span.start].count("8081", MANIFEST.index(f"{key}: ")) == number
