"""Where a value is given anew for one target alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from portproof.discover.model import HelmTarget, Install
from portproof.override import override
from portproof.source import Span, Tree

SHARED = "a:\n  b:\n    port: 8081\nlist:\n- port: 8082\n'odd key': 8083\nname: 'http'\n"
PROD = HelmTarget("web", ("web/values-prod.yaml",))
SHOP = HelmTarget("web", ("apps/shop.yaml",), install=Install("shop", 1, ("spec", "values")))


def given(
    root: Path, own: str, value: str = "8081", target: HelmTarget = PROD, new: str | int = 8080
) -> str | None:
    """The target's own values file with the value of the chart that reads `value` given anew; None when it cannot be."""
    tree = Tree(root, {"web/values.yaml": SHARED, target.values[-1]: own})
    start = SHARED.index(value)
    edit = override(target, Span("web/values.yaml", start, start + len(value)), new, tree)
    return None if edit is None else tree.with_edits([edit]).text(target.values[-1])


@pytest.mark.parametrize(
    ("own", "changed"),
    [
        ("x: 1\n", "a:\n  b:\n    port: 8080\nx: 1\n"),
        ("# why\nx: 1", "# why\na:\n  b:\n    port: 8080\nx: 1"),
        ("a:\n    x: 1\n", "a:\n    b:\n      port: 8080\n    x: 1\n"),
        ("a:\n  b:\n    # here\n    x: 1\n", "a:\n  b:\n    # here\n    port: 8080\n    x: 1\n"),
        ("a:\r\n  b:\r\n    x: 1\r\n", "a:\r\n  b:\r\n    port: 8080\r\n    x: 1\r\n"),
        ("---\nx: 1\n", "---\na:\n  b:\n    port: 8080\nx: 1\n"),
        ("\ufeffx: 1\n", "\ufeffa:\n  b:\n    port: 8080\nx: 1\n"),
        ("a:\n  b: 1\na:\n  x: 1\n", "a:\n  b: 1\na:\n  b:\n    port: 8080\n  x: 1\n"),
    ],
)
def test_the_line_goes_where_its_neighbours_are(tmp_path: Path, own: str, changed: str) -> None:
    assert given(tmp_path, own) == changed


@pytest.mark.parametrize(
    "own",
    [
        "",
        "{}\n",
        "a: {b: {x: 1}}\n",
        "a:\n  b: {x: 1}\n",
        "a:\n  b: 1\n",
        "a: &anchor\n  b:\n    port: 1\n",
        "a:\n  b:\n    port:\n",
        "a:\n  b:\n    port:\n      x: 1\n",
        "a:\n  b:\n",
        "a:\nx: 1\n",
        "x: &x\n  y: 1\na: *x\n",
        "a: &x\n  y: 1\nx: *x\n",
        "d:\n- &x\n  y: 1\na: *x\n",
        "- x: 1\n",
        "--- x\n",
        "a: [\n",
        "{a: 1}\n",
        "\n\ufeffx: 1\n",
    ],
)
def test_what_is_no_block_of_keys_takes_no_line(tmp_path: Path, own: str) -> None:
    assert given(tmp_path, own) is None


def test_lists_and_odd_keys_are_left_alone(tmp_path: Path) -> None:
    assert given(tmp_path, "x: 1\n", "8082") is None
    assert given(tmp_path, "x: 1\n", "8083") is None
    assert given(tmp_path, "x: 1\n", "odd") is None


def test_names_that_read_as_something_else_are_quoted(tmp_path: Path) -> None:
    assert given(tmp_path, "x: 1\n", "http", new="web") == "name: web\nx: 1\n"
    assert given(tmp_path, "x: 1\n", "http", new="on") == 'name: "on"\nx: 1\n'
    assert given(tmp_path, "x: 1\n", "http", new="80") == 'name: "80"\nx: 1\n'


def test_values_inside_of_an_object(tmp_path: Path) -> None:
    own = "kind: Other\n---\n# nothing\n---\nspec:\n  values:\n    x: 1\n"
    assert given(tmp_path, own, target=SHOP) == own.replace(
        "    x: 1", "    a:\n      b:\n        port: 8080\n    x: 1"
    )
    assert given(tmp_path, "a: 1\n---\nspec:\n  values: |\n    x: 1\n", target=SHOP) is None
    assert given(tmp_path, "a: 1\n---\nspec:\n  other:\n    x: 1\n", target=SHOP) is None
    assert given(tmp_path, "spec:\n  values:\n    x: 1\n", target=SHOP) is None


def test_only_what_comes_before_can_be_given_anew(tmp_path: Path) -> None:
    tree = Tree(tmp_path, {"web/values.yaml": SHARED, "web/values-prod.yaml": SHARED, "other.yaml": SHARED})
    start = SHARED.index("8081")
    assert override(HelmTarget("web"), Span("web/values.yaml", start, start + 4), 1, tree) is None
    assert override(PROD, Span("web/values-prod.yaml", start, start + 4), 1, tree) is None
    assert override(PROD, Span("other.yaml", start, start + 4), 1, tree) is None
