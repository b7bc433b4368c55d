"""Which folders are searched: links, what is passed over, and what may not be read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from portproof.config import Config
from portproof.discover.find import discover
from portproof.discover.model import Discovery, Skip
from portproof.discover.walk import EscapeError, resolve
from portproof.source import Tree
from tests.support.discovery import SERVICE, Repository, chart


class TestResolve:
    def test_links_are_followed_step_by_step(self, repository: Repository) -> None:
        repository.add({"a/b/file": "", "l": "-> a", "a/m": "-> ../l/b"})
        assert resolve(repository.root, "l/m/file").path == "a/b/file"

    def test_what_is_not_there_is_missing(self, repository: Repository) -> None:
        assert resolve(repository.root, "a/b").kind == "missing"

    @pytest.mark.parametrize("path", ["a\0b", "x" * 5000])
    def test_a_path_that_no_system_accepts_is_missing(self, repository: Repository, path: str) -> None:
        assert resolve(repository.root, path).kind == "missing"

    def test_a_way_back_in_is_no_way_out(self, repository: Repository) -> None:
        repository.add({"a": f"-> ../{repository.root.name}/b", "b": ""})
        with pytest.raises(EscapeError, match="points outside the repository"):
            resolve(repository.root, "a")


class TestWhatIsPassedOver:
    @pytest.mark.parametrize(
        "folder", ["node_modules", ".venv", "venv", "__pycache__", ".tox", ".terraform", ".git"]
    )
    def test_caches_and_other_peoples_modules_are_not_searched(
        self, repository: Repository, folder: str
    ) -> None:
        repository.add({f"x/{folder}/a/a.yaml": SERVICE})
        assert repository.targets() == []

    def test_vendored_go_modules_are_not_searched(self, repository: Repository) -> None:
        repository.add({"go.mod": "", "vendor/x/a.yaml": SERVICE})
        assert repository.skips() == [
            ("manifests:vendor", "vendored Go modules; name the path to check it", False)
        ]

    def test_another_vendor_folder_is_searched(self, repository: Repository) -> None:
        repository.add({"vendor/x/a.yaml": SERVICE})
        assert repository.targets() == ["manifests:vendor/x"]

    @pytest.mark.parametrize(
        "folder",
        [
            "testdata",
            "pkg/testdata2",
            "test-data",
            "__fixtures__",
            "__snapshots__",
            "tests/fixtures",
            "e2e/a/fixtures",
        ],
    )
    def test_test_data_is_one_skip(self, repository: Repository, folder: str) -> None:
        repository.add({f"{folder}/web/Chart.yaml": chart("web"), f"{folder}/a.yaml": SERVICE})
        assert repository.find() == Discovery(
            (), (Skip("manifests", folder, "test data; name the path to check it", counts=False),)
        )

    def test_fixtures_outside_of_tests_are_searched(self, repository: Repository) -> None:
        repository.add({"fixtures/web/Chart.yaml": chart("web")})
        assert repository.targets() == ["helm:fixtures/web"]

    @pytest.mark.parametrize("folder", ["testdata", "node_modules", "test/fixtures", ".cache"])
    @pytest.mark.parametrize("below", ["", "/web"])
    def test_a_path_that_is_asked_for_is_searched(
        self, repository: Repository, folder: str, below: str
    ) -> None:
        repository.add({f"{folder}/web/Chart.yaml": chart("web")})
        assert repository.targets(folder + below) == [f"helm:{folder}/web"]

    def test_git_is_not_entered_even_when_asked_for(self, repository: Repository) -> None:
        repository.add({".git/web/Chart.yaml": chart("web")})
        assert repository.targets(".git/web") == []

    def test_a_base_in_test_data_is_read_all_the_same(self, repository: Repository) -> None:
        repository.add(
            {"a/kustomization.yaml": "resources: [../testdata]", "testdata/kustomization.yaml": ""}
        )
        assert repository.kustomize().files == ("a/kustomization.yaml", "testdata/kustomization.yaml")

    @pytest.mark.parametrize("pattern", ["third/**", "third", "**/web"])
    def test_what_the_configuration_excludes_is_not_searched(
        self, repository: Repository, pattern: str
    ) -> None:
        repository.add({"third/web/Chart.yaml": chart("web")})
        found = repository.find("third/web", config=Config(exclude=(pattern,)))
        assert found.targets == ()

    def test_an_excluded_folder_is_shown(self, repository: Repository) -> None:
        repository.add({"third/web/Chart.yaml": chart("web")})
        assert repository.skips(config=Config(exclude=("third",))) == [
            ("manifests:third", "excluded by the configuration", False)
        ]

    def test_an_excluded_values_file_makes_no_target(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/values-old.yaml": ""})
        assert repository.targets(config=Config(exclude=("**/values-old.yaml",))) == ["helm:web"]

    def test_a_folder_that_is_a_link_is_not_followed(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "copy": "-> web", "up/up": "-> .."})
        assert repository.targets() == ["helm:web"]

    def test_a_name_with_control_characters_is_a_skip(self, repository: Repository) -> None:
        repository.add({"deploy/a\x1b[2J.yaml": SERVICE})
        assert repository.skips() == [
            ("manifests:deploy/a\\x1b[2J.yaml", "its name is not printable UTF-8", True)
        ]

    def test_a_picture_with_such_a_name_is_none_that_counts(self, repository: Repository) -> None:
        repository.add({"shot at 10\u202fAM.png": "", "deploy/web.yaml": SERVICE})
        assert repository.skips() == [
            ("manifests:shot at 10\\u202fAM.png", "its name is not printable UTF-8", False)
        ]

    def test_a_name_that_is_not_utf8_is_a_skip(self, repository: Repository) -> None:
        Path(os.fsdecode(os.fsencode(repository.root) + b"/\xff.yaml")).write_text(SERVICE)
        assert repository.skips() == [("manifests:\\udcff.yaml", "its name is not printable UTF-8", True)]


@pytest.mark.parametrize("name", [".archive", "_archived"])
def test_archives_are_passed_over_unless_they_are_named(tmp_path: Path, name: str) -> None:
    file = tmp_path / name / "app.yaml"
    file.parent.mkdir()
    file.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n")
    found = discover(Tree(tmp_path))
    assert not found.targets
    assert [(skip.path, skip.reason) for skip in found.skips] == [
        (name, "archived; name the path to check it")
    ]
    assert [target.id for target in discover(Tree(tmp_path), (name,)).targets] == [f"manifests:{name}"]


@pytest.mark.parametrize("name", ["invalid", "invalid-examples", "invalid_manifests", "should-fail"])
def test_examples_of_what_is_not_valid_are_passed_over(repository: Repository, name: str) -> None:
    repository.add({f"hack/{name}/a.yaml": SERVICE, f"hack/{name}-not/a.yaml": SERVICE})
    found = repository.find()
    assert [one.path for one in found.targets] == [f"hack/{name}-not"]
    reason = "examples of what is not valid; name the path to check it"
    assert (f"hack/{name}", reason) in [(one.path, one.reason) for one in found.skips]
    assert [one.path for one in repository.find(f"hack/{name}").targets] == [f"hack/{name}"]


@pytest.mark.parametrize("name", [".fttemplates", "_template", "__templates__", "_flux_templates"])
def test_what_a_generator_copies_is_passed_over_unless_they_are_named(tmp_path: Path, name: str) -> None:
    file = tmp_path / name / "app.yaml"
    file.parent.mkdir()
    file.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n")
    found = discover(Tree(tmp_path))
    assert not found.targets
    assert [(skip.path, skip.reason) for skip in found.skips] == [
        (name, "templates of new files; name the path to check it")
    ]
    assert [target.id for target in discover(Tree(tmp_path), (name,)).targets] == [f"manifests:{name}"]


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder outside of pytest's own (which are private), and, when run by root, a process without root's powers."""
    root = Path(tempfile.mkdtemp()).resolve()
    root.chmod(0o755)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        yield root
    finally:
        os.seteuid(user)
        for folder in (root / "secret", root / "web" / "secret"):
            if folder.exists():
                folder.chmod(0o700)
        shutil.rmtree(root)


def forbidden(root: Path, user: int, files: Mapping[str, str], locked: str) -> Repository:
    """A repository with one path that may not be read."""
    me = os.geteuid()
    os.seteuid(user)
    repository = Repository(root).add(files)
    (root / locked).chmod(0o000)
    os.seteuid(me)
    return repository


class TestPermissions:
    def test_a_folder_that_cannot_be_listed_is_a_skip(self, as_nobody: Path) -> None:
        files = {"secret/a.yaml": SERVICE, "deploy/a.yaml": SERVICE}
        repository = forbidden(as_nobody, os.getuid(), files, "secret")
        assert (repository.targets(), repository.skips()) == (
            ["manifests:deploy"],
            [("manifests:secret", "cannot be listed: permission denied", True)],
        )

    def test_a_manifest_that_cannot_be_read_is_a_skip(self, as_nobody: Path) -> None:
        repository = forbidden(as_nobody, os.getuid(), {"deploy/a.yaml": SERVICE}, "deploy/a.yaml")
        assert repository.skips() == [
            ("manifests:deploy/a.yaml", f"permission denied ({len(SERVICE)} bytes)", True)
        ]

    def test_a_chart_file_that_cannot_be_read_is_for_helm_to_report(self, as_nobody: Path) -> None:
        repository = forbidden(as_nobody, os.getuid(), {"web/Chart.yaml": chart("x")}, "web/Chart.yaml")
        assert repository.targets() == ["helm:web"]

    def test_a_root_that_is_not_there_is_a_skip(self, tmp_path: Path) -> None:
        assert Repository(tmp_path / "none").skips() == [
            ("manifests:.", "cannot be listed: no such file or directory", True)
        ]
