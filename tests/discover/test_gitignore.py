"""What git ignores, held against git itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from portproof.discover.gitignore import ignored_by_git
from portproof.source import Tree
from tests.e2e.program import Repository

PATHS = [
    "a.yaml",
    "build/a.yaml",
    "deploy/a.yaml",
    "deploy/build/a.yaml",
    "deploy/local.yaml",
    "deploy/sub/values-secret.yaml",
    "out/kept/a.yaml",
    "out/b.yaml",
    "x/y/z.yaml",
]


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {".gitignore": "build\n"},
        {".gitignore": "/build/\n"},
        {".gitignore": "build/*\n"},
        {".gitignore": "# build\n\n*-secret.yaml\nlocal.y?ml\n"},
        {".gitignore": "*\n!a.yaml\n!*/\n"},
        {".gitignore": "out/*\n!out/kept\n"},
        {".gitignore": "x/**/z.yaml\n"},
        {"deploy/.gitignore": "*.yaml\n!a.yaml\n", ".gitignore": "out\n"},
        {"deploy/.gitignore": "/local.yaml\n/sub/\n"},
        {".gitignore": "[\nbuild \n"},
    ],
)
@pytest.mark.parametrize("committed", [False, True])
def test_as_git_does(tmp_path: Path, rules: dict[str, str], *, committed: bool) -> None:
    repository = Repository(tmp_path)
    repository.write({**dict.fromkeys(PATHS, "a: 1\n"), **rules})
    repository.git("init", "--quiet", "--template=")
    repository.write({"README.md": ""})
    repository.git("add", "--force", "README.md")
    if committed:
        repository.git("add", "--force", "deploy/local.yaml", "x/y/z.yaml")
    listed = repository.git("ls-files", "--others", "--ignored", "--exclude-standard", "-z").split("\0")
    tops = ignored_by_git(PATHS, Tree(tmp_path))
    assert {path for path in PATHS if any(path == top or path.startswith(f"{top}/") for top in tops)} == {
        *listed
    } & {*PATHS}


def test_outside_of_a_work_tree_nothing_is_ignored(tmp_path: Path) -> None:
    Repository(tmp_path).write({".gitignore": "*\n", "a.yaml": ""})
    assert ignored_by_git(["a.yaml"], Tree(tmp_path)) == frozenset()


def test_an_index_that_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write({".gitignore": "a.yaml\n", "a.yaml": "", "b.yaml": ""})
    repository.git("init", "--quiet", "--template=")
    assert ignored_by_git(["a.yaml"], Tree(tmp_path)) == frozenset(), "there is none"
    repository.git("add", "b.yaml")
    assert ignored_by_git(["a.yaml"], Tree(tmp_path)) == {"a.yaml"}
    repository.git("update-index", "--index-version", "4")
    assert ignored_by_git(["a.yaml"], Tree(tmp_path)) == frozenset()


def test_a_work_tree_beside_the_clone(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "clone")
    repository.write({".gitignore": "a.yaml\nb.yaml\n", "b.yaml": ""})
    repository.git("init", "--quiet", "--template=")
    repository.git("add", "--force", "b.yaml")
    repository.commit()
    repository.git("worktree", "add", "--quiet", "../other")
    assert ignored_by_git(["a.yaml", "b.yaml"], Tree(tmp_path / "other")) == {"a.yaml"}
