"""Which files a target reads: the questions that are asked of it have one answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from portproof.discover.find import discover
from portproof.discover.model import HelmTarget, KustomizeTarget, ManifestTarget, Mount, Target, inputs_of
from portproof.source import Tree, is_within

FIXTURES = Path(__file__).parents[1] / "fixtures"
TREES = [FIXTURES / "incident" / "broken", FIXTURES / "shop"]


def targets(root: Path) -> tuple[Target, ...]:
    found = tuple(discover(Tree(root)).targets)
    assert found
    return found


@pytest.mark.parametrize("root", TREES, ids=lambda root: root.name)
def test_what_is_an_input_is_read_and_lies_in_the_targets_folders(root: Path) -> None:
    for target in targets(root):
        inputs = target.inputs(Tree(root))
        assert inputs, target.id
        for path in inputs:
            assert (root / path).is_file()
            assert target.reads(path), (target.id, path)
            assert target.uses(path), (target.id, path)
            assert any(is_within(path, folder) for folder in target.folders), (target.id, path)


@pytest.mark.parametrize("root", TREES, ids=lambda root: root.name)
def test_the_inputs_of_several_are_those_of_each(root: Path) -> None:
    each = {path for target in targets(root) for path in target.inputs(Tree(root))}
    assert inputs_of(targets(root), Tree(root)) == tuple(sorted(each))


def test_the_inputs_of_a_chart_are_values_and_templates_its_parts_included(tmp_path: Path) -> None:
    read = [
        "charts/a/values.yaml",
        "charts/a/templates/b.yaml",
        "charts/a/templates/deep/_c.tpl",
        "charts/a/charts/sub/values.yaml",
        "charts/a/charts/sub/templates/d.yaml",
        "charts/common/templates/e.yaml",
        "env/prod.yaml",
    ]
    other = [
        "charts/a/Chart.yaml",
        "charts/a/README.md",
        "charts/a/templates/NOTES.txt",
        "charts/a/files/f.yaml",
    ]
    other += ["charts/a/ci/test-values.yaml", "charts/a/values-dev.yaml", "charts/other/values.yaml"]
    for path in (*read, *other):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    mounts = (Mount(".", "charts/a"), Mount("common", "charts/common"))
    target = HelmTarget("charts/a", ("env/prod.yaml",), mounts=mounts)
    assert target.inputs(Tree(tmp_path)) == tuple(sorted(read))
    assert target.folders == {"charts/a", "charts/common", "env"}
    assert target.value_files == ("env/prod.yaml", "charts/a/values.yaml")
    assert [path for path in other if target.reads(path)] == other[:4]


def test_the_chart_at_the_root() -> None:
    target = HelmTarget(".", ("values-prod.yaml",), mounts=(Mount(".", "."),))
    assert target.value_files == ("values-prod.yaml", "values.yaml")
    assert target.folders == {"."}


def test_a_folder_is_used_when_it_holds_a_file_that_is_read() -> None:
    overlay = KustomizeTarget(
        "prod", ("base/kustomization.yaml", "base/parts/a.yaml", "prod/kustomization.yaml")
    )
    assert [path for path in ("base", "base/parts", "base/other", "prod", ".") if overlay.uses(path)] == [
        "base", "base/parts", "prod",
    ]  # fmt: skip
    manifests = ManifestTarget("k8s", ("k8s/a.yaml", "k8s/web/b.yaml"))
    assert [path for path in ("k8s", "k8s/web", "k8s/other", "k8s/a.yaml", ".") if manifests.uses(path)] == [
        "k8s", "k8s/web", "k8s/a.yaml",
    ]  # fmt: skip
    chart = HelmTarget("charts/a", ("env/prod.yaml",), mounts=(Mount(".", "charts/a"),))
    assert [path for path in ("env", "charts/a/templates", "charts", "other") if chart.uses(path)] == [
        "env", "charts/a/templates",
    ]  # fmt: skip


def test_the_folder_of_one_of_several_alternatives_is_that_of_its_files() -> None:
    assert ManifestTarget("k8s/dev.yaml", ("k8s/dev.yaml", "k8s/web.yaml")).folders == {"k8s"}
    assert ManifestTarget("k8s", ("k8s/web/a.yaml",)).folders == {"k8s", "k8s/web"}
