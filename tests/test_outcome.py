"""Which failures to render are the same in another revision."""

from __future__ import annotations

from pathlib import Path

import pytest

from portproof.discover.model import HelmTarget
from portproof.outcome import FailureKey, failure_key
from portproof.render.model import FailureSite, RenderFailure
from portproof.source import Tree

PATH = "charts/a/values.yaml"


def key(root: Path, message: str, text: str, site: FailureSite | None) -> FailureKey:
    tree = Tree(root, {PATH: text})
    return failure_key(RenderFailure(HelmTarget("charts/a"), message, site), tree)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("cannot load values.yaml: yaml: line 3: bad", "cannot load values.yaml: yaml: line 12: bad"),
        ("not YAML (line 3, column 5)", "not YAML (line 4, column 9)"),
        ("nil pointer\n  at <.a.b> (charts/a/x.yaml:3)", "nil pointer\n  at <.a.b> (charts/a/x.yaml:30)"),
        ("charts/a/x.yaml:3:7: bad", "charts/a/x.yaml:4:8: bad"),
        ("schema:\n- port: wrong\n- name: wrong", "schema:\n- name: wrong\n- port: wrong"),
    ],
)
def test_the_same_words_at_another_place_are_the_same(tmp_path: Path, before: str, after: str) -> None:
    old = key(tmp_path, before, "a\nbad line\n", FailureSite(PATH, 2, 3))
    assert old == key(tmp_path, after, "new\nanother\na\n  bad line\n", FailureSite(PATH, 4, 5))
    assert key(tmp_path, before, "", None) == key(tmp_path, after, "", None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("port 80 is taken", "port 81 is taken"),
        ("at <.Values.a> (charts/a/x.yaml:3)", "at <.Values.b> (charts/a/x.yaml:3)"),
        ("at <.Values.a> (charts/a/x.yaml:3)", "at <.Values.a> (charts/a/y.yaml:3)"),
        ("v1.30 is too old", "v1.31 is too old"),
    ],
)
def test_other_words_are_another_failure(tmp_path: Path, before: str, after: str) -> None:
    site = FailureSite(PATH, 1, 1)
    assert key(tmp_path, before, "a\n", site) != key(tmp_path, after, "a\n", site)


def test_the_line_that_is_blamed_tells_failures_apart(tmp_path: Path) -> None:
    site = FailureSite(PATH, 2, 3)
    assert key(tmp_path, "bad", "x\none\n", site) != key(tmp_path, "bad", "x\ntwo\n", site)
    assert key(tmp_path, "bad", "x\n", FailureSite(PATH, 9, 3)) == key(
        tmp_path, "bad", "x\n", FailureSite(PATH, 8, 3)
    )


def test_a_site_that_names_no_line_does_not_look_at_one(tmp_path: Path) -> None:
    site = FailureSite(PATH)
    assert key(tmp_path, "bad", "one\n", site) == key(tmp_path, "bad", "two\n", site)
    assert key(tmp_path, "bad", "", site) != key(tmp_path, "bad", "", FailureSite("charts/a/Chart.yaml"))
