"""Which patches can change what is deployed."""

from __future__ import annotations

from pathlib import Path

import pytest

from portproof.discover.facts import DESCRIPTIONS
from portproof.discover.gitops.patched import changes_descriptions
from portproof.source import Tree
from portproof.yamldoc import load

RETRIES = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: any}\nspec: {timeout: 10m, upgrade: {remediation: {retries: 2}}}\n"
OPERATION = '[{"op": "OP", "path": "PATH", "value": 1}]'


def of(patch: str, kind: str = "HelmRelease") -> dict[str, object]:
    return {"target": {"kind": kind}, "patch": patch}


IDLE = {
    "retries of every release": of(RETRIES),
    "retries of one release": {"patch": RETRIES},
    "a file with retries": {"target": {"kind": "HelmRelease"}, "path": "retries.yaml"},
    "what becomes of CRDs, set by an operation": of(
        OPERATION.replace("OP", "add").replace("PATH", "/spec/install/crds")
    ),
    "another kind": of(RETRIES.replace("timeout", "values"), "PostgresCluster"),
    "an object of another kind": {
        "patch": RETRIES.replace("HelmRelease", "Service").replace("timeout", "ports")
    },
}
CHANGES = {
    "a chart": of(RETRIES.replace("timeout", "chart")),
    "values among the retries": of(RETRIES.replace("retries", "values")),
    "patches of a kustomization": of(RETRIES.replace("timeout", "patches"), "Kustomization"),
    "a label, by which others select": of(RETRIES.replace("name: any", "labels: {a: b}")),
    "an object that is removed": of(RETRIES.replace("spec:", "$patch: delete\nspec:")),
    "a spec that is replaced": of(OPERATION.replace("OP", "replace").replace("PATH", "/spec")),
    "a name that begins like an idle one": of(
        OPERATION.replace("OP", "add").replace("PATH", "/spec/testing")
    ),
    "what is moved out of an idle field": of(
        OPERATION.replace("OP", "move").replace("PATH", "/spec/install/crds")
    ),
    "another name": {
        "target": {"kind": "HelmRelease"},
        "patch": RETRIES,
        "options": {"allowNameChange": True},
    },
    "a pattern of kinds": of(RETRIES.replace("timeout", "chart"), "Helm.*"),
    "any kind": {"target": {"name": "shop"}, "patch": RETRIES.replace("timeout", "chart")},
    "a file that is not here": {"path": "other.yaml"},
    "a file that lies outside": {"path": "../../retries.yaml"},
    "no YAML": of("a: [\n"),
    "a text": of("retries"),
    "nothing": {},
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps/retries.yaml").write_text(RETRIES)
    return Tree(tmp_path)


@pytest.mark.parametrize("name", IDLE)
def test_what_says_only_how_often_something_is_tried_changes_nothing(tree: Tree, name: str) -> None:
    assert not changes_descriptions(tree, "apps", [IDLE[name]], DESCRIPTIONS)


@pytest.mark.parametrize("name", CHANGES)
def test_everything_else_may_change_what_is_deployed(tree: Tree, name: str) -> None:
    assert changes_descriptions(tree, "apps", [CHANGES[name]], DESCRIPTIONS)
    assert changes_descriptions(tree, "apps", [IDLE["another kind"], CHANGES[name]], DESCRIPTIONS)


def test_no_patches_change_nothing_and_what_is_no_list_may(tree: Tree) -> None:
    assert not changes_descriptions(tree, "apps", load("[]"), DESCRIPTIONS)
    assert not changes_descriptions(tree, "apps", None, DESCRIPTIONS)
    assert changes_descriptions(tree, "apps", {"patch": RETRIES}, DESCRIPTIONS)
