"""The base revision through real git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from portproof.discover.model import HelmTarget, KustomizeTarget, ManifestTarget, Mount
from portproof.errors import UsageError
from portproof.revision import Comparison, compare_with
from portproof.source import Tree


def git(root: Path, *arguments: str) -> str:
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com"}
    who |= {
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.com",
        "GIT_CONFIG_GLOBAL": "/dev/null",
    }
    done = subprocess.run(
        ["git", *arguments], cwd=root, env={**os.environ, **who}, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def repository(root: Path, files: dict[str, str]) -> Path:
    root.mkdir(exist_ok=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    put(root, files)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=base")
    return root


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def compared(root: Path, revision: str = "main") -> Comparison:
    return compare_with(revision, root, os.environ)


CHART = {
    "charts/a/Chart.yaml": "name: a\n",
    "charts/a/values.yaml": "port: 1\n",
    "charts/a/templates/s.yaml": "x\n",
}
TARGET = HelmTarget("charts/a", mounts=(Mount(".", "charts/a"),))


def test_changes_are_those_since_the_merge_base_committed_or_not(tmp_path: Path) -> None:
    root = repository(tmp_path, {**CHART, "other": "1", "gone": "1"})
    git(root, "switch", "--quiet", "--create=topic")
    put(root, {"charts/a/values.yaml": "port: 2\n"})
    (root / "gone").unlink()
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=change")
    git(root, "switch", "--quiet", "main")
    put(root, {"other": "2"})
    git(root, "commit", "--quiet", "--all", "--message=meanwhile")
    git(root, "switch", "--quiet", "topic")
    put(root, {"new file é.yaml": "1", "charts/a/templates/s.yaml": "y\n"})
    assert compared(root).changed == {
        "charts/a/values.yaml",
        "charts/a/templates/s.yaml",
        "gone",
        "new file é.yaml",
    }


def test_the_base_tree_reads_as_the_base_did(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    repository(root, CHART)
    put(root, {"charts/a/values.yaml": "port: 2\n", "charts/a/templates/new.yaml": "z\n"})
    (root / "charts/a/templates/s.yaml").unlink()
    tree = compared(root).base_tree([TARGET], Tree(root), tmp_path / "base")
    assert tree.text("charts/a/values.yaml") == "port: 1\n"
    assert tree.text("charts/a/templates/s.yaml") == "x\n"
    assert not (tree.root / "charts/a/templates/new.yaml").exists()
    assert (root / "charts/a/values.yaml").read_text() == "port: 2\n"


def test_what_git_ignores_is_there_in_both_revisions(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    repository(root, {**CHART, ".gitignore": "*.tgz\n"})
    put(root, {"charts/a/charts/redis-1.tgz": "fetched"})
    tree = compared(root).base_tree([TARGET], Tree(root), tmp_path / "base")
    assert (tree.root / "charts/a/charts/redis-1.tgz").read_text() == "fetched"


def test_a_target_whose_path_is_a_file_has_its_folder_in_the_base(tmp_path: Path) -> None:
    root = repository(tmp_path / "repo", {"k8s/dev.yaml": "1", "k8s/prod.yaml": "1", "k8s/all.yaml": "1"})
    put(root, {"k8s/dev.yaml": "2"})
    targets = [
        ManifestTarget(f"k8s/{name}", (f"k8s/{name}", "k8s/all.yaml")) for name in ("dev.yaml", "prod.yaml")
    ]
    comparison = compared(root)
    for whole in (False, True):
        tree = comparison.base_tree(targets, Tree(root), tmp_path / f"base-{whole}", whole=whole)
        assert [tree.text(f"k8s/{name}.yaml") for name in ("dev", "prod", "all")] == ["1", "1", "1"]
    assert all(comparison.affects(target) for target in targets)


def test_only_targets_that_the_difference_can_affect_are_named(tmp_path: Path) -> None:
    root = repository(
        tmp_path, {**CHART, "k8s/base/a.yaml": "1", "k8s/base/gone.yaml": "1", "plain/s.yaml": "1"}
    )
    put(root, {"charts/a/values.yaml": "port: 2\n"})
    (root / "k8s/base/gone.yaml").unlink()
    comparison = compared(root)
    assert comparison.affects(TARGET)
    assert comparison.affects(KustomizeTarget("k8s/over", ("k8s/base/a.yaml", "k8s/over/kustomization.yaml")))
    assert not comparison.affects(ManifestTarget("plain", ("plain/s.yaml",)))
    assert not comparison.affects(HelmTarget("charts/b", mounts=(Mount(".", "charts/b"),)))


@pytest.mark.parametrize("revision", ["nowhere", "--output=/tmp/x", "HEAD:charts"])
def test_an_unknown_revision_is_refused_with_the_next_step(tmp_path: Path, revision: str) -> None:
    root = repository(tmp_path, CHART)
    with pytest.raises(UsageError, match="no such revision") as caught:
        compared(root, revision)
    assert "git fetch" in caught.value.next_step


def test_without_git_the_reason_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs git"):
        compare_with("main", tmp_path, {"PATH": str(tmp_path)})
