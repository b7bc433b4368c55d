"""What is rendered, what is not, and what is said about it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from portproof.config import ChartConfig, Config
from portproof.discover.charts import release_name
from portproof.discover.find import discover
from portproof.discover.model import (
    Cluster,
    Dependency,
    Discovery,
    HelmTarget,
    KustomizeTarget,
    ManifestTarget,
    Mount,
    Skip,
)
from portproof.discover.references import is_remote
from portproof.discover.walk import EscapeError, resolve
from portproof.source import MAX_SOURCE_BYTES, Tree

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"
CRD = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: webs}\n"


def chart(name: str, *dependencies: tuple[str, str], kind: str = "application") -> str:
    lines = [f"apiVersion: v2\nname: {name}\nversion: 1.0.0\ntype: {kind}\n"]
    if dependencies:
        lines.append("dependencies:\n")
    lines += [
        f"  - {{name: {name}, version: 1.x, repository: '{repository}'}}\n"
        for name, repository in dependencies
    ]
    return "".join(lines)


class Repository:
    """A tree on disk that is filled from a mapping of paths to texts; a text ``-> x`` makes a link to x."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, files: Mapping[str, str]) -> Repository:
        for path, text in files.items():
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("-> "):
                file.symlink_to(text[3:])
            else:
                file.write_text(text)
        return self

    def find(self, *paths: str, config: Config | None = None) -> Discovery:
        return discover(Tree(self.root), paths or (".",), config)

    def targets(self, *paths: str, config: Config | None = None) -> list[str]:
        return [target.id for target in self.find(*paths, config=config).targets]

    def skips(self, *paths: str, config: Config | None = None) -> list[tuple[str, str, bool]]:
        return [(skip.id, skip.reason, skip.counts) for skip in self.find(*paths, config=config).skips]

    def helm(self, config: Config | None = None) -> HelmTarget:
        (target,) = (one for one in self.find(config=config).targets if isinstance(one, HelmTarget))
        return target

    def kustomize(self) -> KustomizeTarget:
        (target,) = (one for one in self.find().targets if isinstance(one, KustomizeTarget))
        return target

    def manifests(self) -> list[ManifestTarget]:
        return [one for one in self.find().targets if isinstance(one, ManifestTarget)]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    root = tmp_path / "repository"
    root.mkdir()
    return Repository(root)


class TestCharts:
    def test_a_chart_is_a_target_with_its_defaults(self, repository: Repository) -> None:
        repository.add({"charts/web/Chart.yaml": chart("web")})
        assert repository.find() == Discovery(
            (HelmTarget("charts/web", release="web", mounts=(Mount(".", "charts/web"),)),), ()
        )

    def test_a_chart_at_the_root_is_a_target(self, repository: Repository) -> None:
        repository.add({"Chart.yaml": chart("web"), "values-prod.yaml": "", "ci/a-values.yaml": ""})
        assert repository.targets() == [
            "helm:.",
            "helm:.?values=ci/a-values.yaml",
            "helm:.?values=values-prod.yaml",
        ]

    def test_every_values_file_makes_a_target(self, repository: Repository) -> None:
        names = [
            "ci/a-values.yaml",
            "ci/b-values.yml",
            "values-dev.yml",
            "values-prod.yaml",
            "values.test.yaml",
        ]
        repository.add({"web/Chart.yaml": chart("web"), **{f"web/{name}": "" for name in names}})
        assert repository.targets() == ["helm:web", *(f"helm:web?values={name}" for name in names)]

    @pytest.mark.parametrize(
        "name",
        [
            "values.yaml",
            "values.yml",
            "values.schema.json",
            "values.schema.yaml",
            "values-prod.yaml.example",
            "values-prod.json",
            "more/values-prod.yaml",
            "my-values.yaml",
            "ci/.chartsnap.yaml",
            "ci/ct.yaml",
            "ci/more/a-values.yaml",
        ],
    )
    def test_what_only_resembles_a_values_file_makes_none(self, repository: Repository, name: str) -> None:
        repository.add({"web/Chart.yaml": chart("web"), f"web/{name}": ""})
        assert repository.targets() == ["helm:web"]

    def test_other_values_in_ci_make_a_target(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/ci/tls.yaml": "tls: true\n"})
        assert repository.targets() == ["helm:web", "helm:web?values=ci/tls.yaml"]

    def test_objects_in_ci_are_no_values(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/ci/namespace.yaml": SERVICE})
        assert repository.targets() == ["helm:web"]

    def test_descriptions_of_values_are_no_values(self, repository: Repository) -> None:
        described = "port:\n  __metadata:\n    label: Port\n"
        repository.add({"web/Chart.yaml": chart("web"), "web/values-metadata.yaml": described})
        assert repository.skips() == [
            ("helm:web?values=values-metadata.yaml", "describes values and holds none", False)
        ]

    def test_encrypted_values_are_skipped(self, repository: Repository) -> None:
        repository.add(
            {"web/Chart.yaml": chart("web"), "web/values-prod.yaml": "a: ENC[x]\nsops:\n  mac: x\n"}
        )
        assert repository.skips() == [("helm:web?values=values-prod.yaml", "encrypted with sops", True)]

    def test_values_files_beyond_the_cap_are_shown_as_skipped(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), **{f"web/values-{n:03}.yaml": "" for n in range(66)}})
        assert repository.skips() == [
            ("helm:web?values=values-064.yaml", "more than 64 values files", True),
            ("helm:web?values=values-065.yaml", "more than 64 values files", True),
        ]

    def test_a_library_chart_is_no_target(self, repository: Repository) -> None:
        repository.add({"common/Chart.yaml": chart("common", kind="library")})
        assert repository.find() == Discovery((), (Skip("helm", "common", "a library chart", counts=False),))

    def test_a_subchart_is_no_target(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/charts/db/Chart.yaml": chart("db")})
        assert (repository.targets(), repository.skips()) == (
            ["helm:web"],
            [("helm:web/charts/db", "a subchart of web", False)],
        )

    def test_a_chart_inside_templates_is_no_target(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/templates/x/Chart.yaml": chart("x")})
        assert repository.skips() == [("helm:web/templates/x", "inside the templates of web", False)]

    def test_a_chart_elsewhere_inside_a_chart_is_a_target(self, repository: Repository) -> None:
        repository.add({"Chart.yaml": chart("web"), "examples/app/Chart.yaml": chart("app")})
        assert repository.targets() == ["helm:.", "helm:examples/app"]

    @pytest.mark.parametrize(
        "text", ["", "name: [", "- a list\n", "apiVersion: v2\n", "name: {a: b}\n", "\0", "a: &a [*a]"]
    )
    def test_a_broken_chart_is_a_target_named_after_its_folder(
        self, repository: Repository, text: str
    ) -> None:
        repository.add({"My_Web/Chart.yaml": text})
        assert repository.helm() == HelmTarget("My_Web", release="my-web", mounts=(Mount(".", "My_Web"),))

    def test_only_chart_yaml_makes_a_chart(self, repository: Repository) -> None:
        repository.add({"web/chart.yaml": chart("web")})
        assert repository.find() == Discovery((), ())

    @pytest.mark.parametrize(
        ("name", "folder", "expected"),
        [
            ("web", "x", "web"),
            ("My.Web_App", "x", "my-web-app"),
            ("-web-", "x", "web"),
            ("ø", "charts/web", "web"),
            ("ø", ".", "release-name"),
            ("", "ø", "release-name"),
            ("a" * 52 + "-b", "x", "a" * 52),
            ("--post-renderer=x", "x", "post-renderer-x"),
        ],
    )
    def test_the_release_is_a_valid_name(self, name: str, folder: str, expected: str) -> None:
        assert release_name(name, folder) == expected

    def test_a_chart_is_what_is_below_it(self, repository: Repository) -> None:
        repository.add(
            {"web/Chart.yaml": chart("web"), "web/templates/a.yaml": SERVICE, "web/deploy/b.yaml": SERVICE}
        )
        assert repository.targets() == ["helm:web"]


class TestConfiguredCharts:
    def test_configured_values_make_further_targets(self, repository: Repository) -> None:
        repository.add({"c/web/Chart.yaml": chart("web"), "c/web/env/prod.yaml": "", "envs/eu.yaml": ""})
        config = Config(
            charts=(ChartConfig("c/*", (("env/prod.yaml",), ("env/prod.yaml", "/envs/eu.yaml"))),)
        )
        assert repository.targets(config=config) == [
            "helm:c/web",
            "helm:c/web?values=env/prod.yaml",
            "helm:c/web?values=env/prod.yaml,/envs/eu.yaml",
        ]

    def test_configured_values_that_are_found_anyway_make_one_target(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/values-prod.yaml": ""})
        config = Config(charts=(ChartConfig("web", (("values-prod.yaml",),)),))
        assert repository.targets(config=config) == ["helm:web", "helm:web?values=values-prod.yaml"]

    def test_release_and_namespace_are_configured(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web")})
        target = repository.helm(Config(charts=(ChartConfig("web", release="shop", namespace="prod"),)))
        assert (target.release, target.namespace) == ("shop", "prod")

    def test_what_the_templates_learn_of_the_cluster_is_configured(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web")})
        every = ChartConfig("*", kube_version="1.29", api_versions=("a.example.org/v1", "b.example.org/v1"))
        web = ChartConfig("web", kube_version="1.30", api_versions=("b.example.org/v1", "c.example.org/v1"))
        versions = ("a.example.org/v1", "b.example.org/v1", "c.example.org/v1")
        assert repository.helm(Config(charts=(every, web))).cluster == Cluster("1.30", versions)
        assert repository.helm().cluster == Cluster()

    @pytest.mark.parametrize(
        ("file", "problem"),
        [
            ("none.yaml", "is not there"),
            ("templates", "is not there"),
            ("../../secret.yaml", "leads out of the repository"),
            ("/../secret.yaml", "leads out of the repository"),
            ("link.yaml", "is absolute"),
            ("/.git/config", "leads into .git"),
        ],
    )
    def test_configured_values_that_cannot_be_given_to_helm_are_a_skip(
        self, repository: Repository, file: str, problem: str
    ) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/templates/a.yaml": "", ".git/config": ""})
        repository.add({"envs/link.yaml": "-> /etc/passwd"})
        file = "/envs/link.yaml" if file == "link.yaml" else file
        found = repository.find(config=Config(charts=(ChartConfig("web", ((file,),)),)))
        assert (
            [target.id for target in found.targets],
            next((skip.path, skip.reason) for skip in found.skips),
        ) == (
            ["helm:web"],
            ("web", f"the values file {file} of the configuration {problem}"),
        )

    def test_a_configured_chart_that_is_not_there_is_shown(self, repository: Repository) -> None:
        assert repository.skips(config=Config(charts=(ChartConfig("web"),))) == [
            ("helm:web", "named by the configuration, but there is no such chart", True)
        ]


class TestDependencies:
    def test_a_vendored_folder_is_not_missing(self, repository: Repository) -> None:
        repository.add(
            {"web/Chart.yaml": chart("web", ("db", "https://x.test")), "web/charts/x/Chart.yaml": chart("db")}
        )
        assert repository.helm().missing == ()

    def test_a_vendored_archive_is_not_missing(self, repository: Repository) -> None:
        repository.add(
            {"web/Chart.yaml": chart("web", ("db", "https://x.test")), "web/charts/db-1.2.0.tgz": ""}
        )
        assert (repository.helm().missing, repository.helm().archives) == ((), ("charts/db-1.2.0.tgz",))

    def test_an_archive_of_a_longer_name_is_another_chart(self, repository: Repository) -> None:
        repository.add(
            {"web/Chart.yaml": chart("web", ("db", "https://x.test")), "web/charts/db-ui-1.2.0.tgz": ""}
        )
        assert repository.helm().missing == (Dependency(".", "db", "1.x", "https://x.test"),)

    @pytest.mark.parametrize(
        "where", ["https://x.test", "http://x.test", "oci://x.test/charts", "@stable", "alias:x", ""]
    )
    def test_what_has_to_be_fetched_is_missing(self, repository: Repository, where: str) -> None:
        repository.add({"web/Chart.yaml": chart("web", ("db", where))})
        assert repository.helm().missing == (Dependency(".", "db", "1.x", where),)

    def test_the_lock_file_says_the_version(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web", ("db", "https://x.test"))})
        repository.add({"web/Chart.lock": "dependencies:\n- {name: db, version: 1.2.3}\n"})
        assert repository.helm().missing == (Dependency(".", "db", "1.2.3", "https://x.test"),)

    def test_a_dependency_that_a_condition_switches_off_is_missing_all_the_same(
        self, repository: Repository
    ) -> None:
        text = (
            chart("web")
            + "dependencies: [{name: db, version: '1', repository: 'oci://x', condition: db.enabled}]\n"
        )
        repository.add({"web/Chart.yaml": text, "web/values.yaml": "db: {enabled: false}\n"})
        assert repository.helm().missing == (Dependency(".", "db", "1", "oci://x"),)

    def test_requirements_of_old_charts_are_read(self, repository: Repository) -> None:
        repository.add(
            {
                "web/Chart.yaml": "apiVersion: v1\nname: web\nversion: 1.0.0\n",
                "web/requirements.yaml": "dependencies:\n- {name: db, version: 1.x, repository: https://x.test}\n",
                "web/requirements.lock": "dependencies:\n- {name: db, version: 1.2.3}\n",
            }
        )
        assert repository.helm().missing == (Dependency(".", "db", "1.2.3", "https://x.test"),)

    def test_one_dependency_under_two_aliases_is_missing_once(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web", ("db", "oci://x"), ("db", "oci://x"))})
        assert repository.helm().missing == (Dependency(".", "db", "1.x", "oci://x"),)

    def test_a_vendored_subchart_may_miss_something_itself(self, repository: Repository) -> None:
        repository.add(
            {"web/Chart.yaml": chart("web"), "web/charts/db/Chart.yaml": chart("db", ("common", "oci://x"))}
        )
        assert repository.helm().missing == (Dependency("charts/db", "common", "1.x", "oci://x"),)

    @pytest.mark.parametrize("entries", ["x", "[x, 1, null]", "[{version: 1}]", "{a: b}"])
    def test_a_broken_list_of_dependencies_is_for_helm_to_report(
        self, repository: Repository, entries: str
    ) -> None:
        repository.add({"web/Chart.yaml": chart("web") + f"dependencies: {entries}\n"})
        assert repository.helm().missing == ()

    def test_a_file_dependency_is_mounted(self, repository: Repository) -> None:
        repository.add(
            {
                "c/web/Chart.yaml": chart("web", ("common", "file://../lib")),
                "c/lib/Chart.yaml": chart("common"),
            }
        )
        (web,) = (t for t in repository.find().targets if t.path == "c/web")
        assert isinstance(web, HelmTarget)
        assert (web.mounts, web.missing) == ((Mount(".", "c/web"), Mount("charts/lib", "c/lib")), ())

    def test_file_dependencies_are_mounted_below_each_other(self, repository: Repository) -> None:
        repository.add(
            {
                "a/Chart.yaml": chart("a", ("b", "file://../b")),
                "b/Chart.yaml": chart("b", ("c", "file://../c"), kind="library"),
                "c/Chart.yaml": chart("c", ("d", "oci://x"), kind="library"),
            }
        )
        target = repository.helm()
        assert (target.mounts, target.missing) == (
            (Mount(".", "a"), Mount("charts/b", "b"), Mount("charts/b/charts/c", "c")),
            (Dependency("charts/b/charts/c", "d", "1.x", "oci://x"),),
        )

    def test_a_vendored_copy_goes_before_a_file_dependency(self, repository: Repository) -> None:
        repository.add(
            {
                "a/Chart.yaml": chart("a", ("b", "file://../b")),
                "a/charts/b/Chart.yaml": chart("b"),
                "b/Chart.yaml": chart("b", kind="library"),
            }
        )
        assert repository.helm().mounts == (Mount(".", "a"),)

    def test_file_dependencies_from_folders_of_one_name_get_places_of_their_own(
        self, repository: Repository
    ) -> None:
        repository.add(
            {
                "a/Chart.yaml": chart("a", ("x", "file://../x/lib"), ("y", "file://../y/lib")),
                "a/charts/lib/README": "",
                "x/lib/Chart.yaml": chart("x", kind="library"),
                "y/lib/Chart.yaml": chart("y", kind="library"),
            }
        )
        assert repository.helm().mounts == (
            Mount(".", "a"),
            Mount("charts/lib-2", "x/lib"),
            Mount("charts/lib-3", "y/lib"),
        )

    def test_archives_of_a_mounted_chart_are_known(self, repository: Repository) -> None:
        repository.add(
            {
                "a/Chart.yaml": chart("a", ("b", "file://../b")),
                "b/Chart.yaml": chart("b", ("c", "oci://x"), kind="library"),
                "b/charts/c-1.0.0.tgz": "",
            }
        )
        assert (repository.helm().archives, repository.helm().missing) == (
            ("charts/b/charts/c-1.0.0.tgz",),
            (),
        )

    def test_a_cycle_of_file_dependencies_is_a_skip(self, repository: Repository) -> None:
        repository.add(
            {
                "a/Chart.yaml": chart("a", ("b", "file://../b")),
                "b/Chart.yaml": chart("b", ("a", "file://../a")),
            }
        )
        assert repository.find().skips == (
            Skip("helm", "a", "its file:// dependencies go round in circles: a -> b -> a"),
            Skip("helm", "b", "its file:// dependencies go round in circles: b -> a -> b"),
        )

    def test_a_chart_that_depends_on_itself_is_a_skip(self, repository: Repository) -> None:
        repository.add({"a/Chart.yaml": chart("a", ("b", "file://."))})
        assert repository.skips() == [
            ("helm:a", "its file:// dependencies go round in circles: a -> a", True)
        ]

    @pytest.mark.parametrize("where", ["file://../../x", "file:///etc", "file://../x/../../y"])
    def test_a_file_dependency_out_of_the_tree_is_a_skip(self, repository: Repository, where: str) -> None:
        repository.add({"a/Chart.yaml": chart("a", ("b", where))})
        assert repository.skips() == [
            ("helm:a", f"the dependency b ({where}) leads out of the repository (a/Chart.yaml:6)", True)
        ]

    def test_a_file_dependency_through_a_link_out_of_the_tree_is_a_skip(self, repository: Repository) -> None:
        repository.add({"a/Chart.yaml": chart("a", ("b", "file://../lib/b")), "lib": "-> ../elsewhere"})
        assert (
            "helm:a",
            "the dependency b (file://../lib/b) leads out of the repository (a/Chart.yaml:6)",
            True,
        ) in repository.skips()

    def test_a_file_dependency_that_is_not_there_is_for_helm_to_report(self, repository: Repository) -> None:
        repository.add({"a/Chart.yaml": chart("a", ("b", "file://../b"))})
        assert repository.helm() == HelmTarget("a", release="a", mounts=(Mount(".", "a"),))

    def test_dependencies_that_multiply_are_refused(self, repository: Repository) -> None:
        for n in range(12):
            twice = [("x", f"file://../c{n + 1}"), ("y", f"file://../d{n + 1}")]
            for letter in "cd":
                repository.add({f"{letter}{n}/Chart.yaml": chart(f"{letter}{n}", *twice)})
        repository.add({"c12/Chart.yaml": chart("x"), "d12/Chart.yaml": chart("x")})
        assert repository.skips("c0") == [
            ("helm:c0", "its links and file:// dependencies lead to more than 100 folders", True)
        ]


class TestLinksInCharts:
    @pytest.mark.parametrize(
        ("target", "problem"),
        [
            ("/etc/passwd", "is absolute"),
            ("../../outside", "leads out of the repository"),
            ("../web/../../outside", "leads out of the repository"),
            ("../.git/config", "leads into .git"),
            ("secret", "goes round in circles"),
        ],
    )
    def test_a_link_that_must_not_be_followed_makes_the_chart_a_skip(
        self, repository: Repository, target: str, problem: str
    ) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/secret": f"-> {target}", ".git/config": ""})
        assert repository.skips() == [("helm:web", f"the link web/secret {problem}", True)]

    def test_a_link_to_a_link_that_leads_out_makes_the_chart_a_skip(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/a": "-> ../b/c", "b": "-> ../outside"})
        assert ("helm:web", "the link web/a leads out of the repository", True) in repository.skips()

    @pytest.mark.parametrize("folder", ["templates", "testdata", "node_modules", "files/.cache"])
    def test_a_link_is_found_wherever_it_lies_in_the_chart(self, repository: Repository, folder: str) -> None:
        repository.add({"web/Chart.yaml": chart("web"), f"web/{folder}/x": "-> /etc/passwd"})
        assert ("helm:web", f"the link web/{folder}/x is absolute", True) in repository.skips()

    def test_a_link_is_found_in_a_mounted_chart(self, repository: Repository) -> None:
        repository.add(
            {
                "a/Chart.yaml": chart("a", ("b", "file://../b")),
                "b/Chart.yaml": chart("b"),
                "b/x": "-> /etc/passwd",
            }
        )
        assert ("helm:a", "the link b/x is absolute", True) in repository.skips()

    def test_a_link_to_a_file_inside_the_repository_is_fine(self, repository: Repository) -> None:
        repository.add(
            {"web/Chart.yaml": chart("web"), "web/values.yaml": "-> ../values.yaml", "values.yaml": ""}
        )
        assert repository.targets() == ["helm:web"]

    def test_a_dangling_link_is_for_helm_to_report(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/templates/x": "-> nothing"})
        assert repository.targets() == ["helm:web"]

    def test_a_linked_folder_is_mounted(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/files": "-> ../shared", "shared/x": ""})
        assert repository.helm().mounts == (Mount(".", "web"), Mount("files", "shared"))

    def test_a_linked_subchart_is_vendored(self, repository: Repository) -> None:
        repository.add(
            {
                "web/Chart.yaml": chart("web", ("lib", "https://x.test")),
                "web/charts/lib": "-> ../../lib",
                "lib/Chart.yaml": chart("lib", kind="library"),
            }
        )
        assert (repository.helm().mounts, repository.helm().missing) == (
            (Mount(".", "web"), Mount("charts/lib", "lib")),
            (),
        )

    def test_a_link_to_a_folder_above_makes_the_chart_a_skip(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/files/up": "-> .."})
        assert repository.skips() == [("helm:web", "the link web/files/up goes round in circles", True)]

    def test_links_that_multiply_folders_are_refused(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/x": "-> ../f0", "f30/end": ""})
        for n in range(30):
            repository.add({f"f{n}/a": f"-> ../f{n + 1}", f"f{n}/b": f"-> ../f{n + 1}"})
        assert repository.skips() == [
            ("helm:web", "its links and file:// dependencies lead to more than 100 folders", True)
        ]

    def test_a_name_with_control_characters_makes_the_chart_a_skip(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/templates/a\nb.yaml": ""})
        reason = "the file name web/templates/a\\nb.yaml is not printable UTF-8"
        assert ("helm:web", reason, True) in repository.skips()

    def test_folders_nested_without_end_make_the_chart_a_skip(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/" + "d/" * 400 + "x": ""})
        assert repository.skips() == [("helm:web", "its folders are nested too deeply", True)]


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
        with pytest.raises(EscapeError, match="leads out of the repository"):
            resolve(repository.root, "a")


KUSTOMIZATION_FIELDS = {
    "resources: [{}]": "base",
    "bases: [{}]": "base",
    "components: [{}]": "base",
    "crds: [{}]": "file",
    "configurations: [{}]": "file",
    "openapi: {{path: {}}}": "file",
    "patches: [{{path: {}}}]": "file",
    "patches: [{}]": "patch",
    "patchesStrategicMerge: [{}]": "patch",
    "patchesJson6902: [{{path: {}}}]": "file",
    "replacements: [{{path: {}}}]": "file",
    "generators: [{}]": "plugin configuration",
    "transformers: [{}]": "plugin configuration",
    "validators: [{}]": "plugin configuration",
    "configMapGenerator: [{{files: [{}]}}]": "file",
    "configMapGenerator: [{{files: [key={}]}}]": "file",
    "configMapGenerator: [{{envs: [{}]}}]": "file",
    "configMapGenerator: [{{env: {}}}]": "file",
    "secretGenerator: [{{files: [{}]}}]": "file",
    "secretGenerator: [{{envs: [{}]}}]": "file",
    "secretGenerator: [{{env: {}}}]": "file",
    "transformers: ['{{kind: PatchTransformer, path: {}}}']": "file",
    "transformers: ['{{kind: PatchStrategicMergeTransformer, paths: [{}]}}']": "patch",
    "generators: ['{{kind: ConfigMapGenerator, files: [{}]}}']": "file",
    "generators: ['{{kind: SecretGenerator, envs: [{}]}}']": "file",
    "transformers: ['{{kind: ReplacementTransformer, replacements: [{{path: {}}}]}}']": "file",
    "transformers: ['{{kind: ValueAddTransformer, targetFilePath: {}}}']": "file",
    "transformers: ['{{kind: List, items: [{{kind: PatchTransformer, path: {}}}]}}']": "file",
    "ConfigMapGenerator: [{{Files: [{}]}}]": "file",
}
FIELDS = pytest.mark.parametrize(
    ("field", "what"), KUSTOMIZATION_FIELDS.items(), ids=list(KUSTOMIZATION_FIELDS)
)


class TestKustomizations:
    @pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
    def test_a_kustomization_is_a_target(self, repository: Repository, name: str) -> None:
        repository.add({f"app/{name}": ""})
        assert repository.find().targets == (KustomizeTarget("app", (f"app/{name}",)),)

    def test_leaves_are_targets_and_bases_are_not(self, repository: Repository) -> None:
        repository.add({"base/kustomization.yaml": ""})
        for name in ("dev", "prod", "test"):
            repository.add({f"overlays/{name}/kustomization.yaml": "resources: [../../base]"})
        assert (repository.targets(), repository.skips()) == (
            ["kustomize:overlays/dev", "kustomize:overlays/prod", "kustomize:overlays/test"],
            [("kustomize:base", "base of overlays/dev (and 2 more)", False)],
        )

    def test_a_component_is_never_rendered_alone(self, repository: Repository) -> None:
        repository.add({"c/kustomization.yaml": "kind: Component", "d/kustomization.yaml": "kind: Component"})
        repository.add({"app/kustomization.yaml": "components: [../c]"})
        assert (repository.targets(), repository.skips()) == (
            ["kustomize:app"],
            [
                ("kustomize:c", "component of app", False),
                ("kustomize:d", "a component that nothing refers to", False),
            ],
        )

    def test_a_base_that_only_an_unused_component_has_is_a_target(self, repository: Repository) -> None:
        repository.add(
            {"c/kustomization.yaml": "kind: Component\nresources: [../base]", "base/kustomization.yaml": ""}
        )
        assert repository.targets() == ["kustomize:base"]

    def test_a_circle_is_a_target_so_that_kustomize_reports_it(self, repository: Repository) -> None:
        repository.add(
            {"a/kustomization.yaml": "resources: [../b]", "b/kustomization.yaml": "resources: [../a]"}
        )
        assert repository.targets() == ["kustomize:a"]

    def test_a_kustomization_that_refers_to_itself_is_a_target(self, repository: Repository) -> None:
        repository.add({"a/kustomization.yaml": "resources: [.]"})
        assert repository.targets() == ["kustomize:a"]

    @pytest.mark.parametrize(
        "text", ["resources: [", "- a", "text", "resources: 1", "resources: [{a: b}, null]"]
    )
    def test_a_broken_kustomization_is_a_target(self, repository: Repository, text: str) -> None:
        repository.add({"a/kustomization.yaml": text})
        assert repository.targets() == ["kustomize:a"]

    @FIELDS
    def test_every_field_that_names_a_file_is_read(
        self, repository: Repository, field: str, what: str
    ) -> None:
        assert what
        repository.add(
            {"a/kustomization.yaml": field.format("some/x.yaml"), "a/some/x.yaml": "kind: LabelTransformer\n"}
        )
        assert repository.kustomize().files == ("a/kustomization.yaml", "a/some/x.yaml")

    @FIELDS
    def test_a_remote_reference_in_any_field_is_a_skip(
        self, repository: Repository, field: str, what: str
    ) -> None:
        repository.add({"a/kustomization.yaml": field.format("https://x.test/y.yaml")})
        assert repository.skips() == [
            (
                "kustomize:a",
                f"remote {what} https://x.test/y.yaml: not fetched (a/kustomization.yaml:1)",
                True,
            )
        ]

    @FIELDS
    def test_a_path_out_of_the_tree_in_any_field_is_a_skip(
        self, repository: Repository, field: str, what: str
    ) -> None:
        repository.add({"a/kustomization.yaml": field.format("../../y.yaml")})
        assert repository.skips() == [
            (
                "kustomize:a",
                f"the {what} ../../y.yaml leads out of the repository (a/kustomization.yaml:1)",
                True,
            )
        ]

    def test_files_are_collected_through_bases_and_components(self, repository: Repository) -> None:
        repository.add(
            {
                "top/kustomization.yaml": "resources: [../base]\ncomponents: [../part]",
                "base/Kustomization": "resources: [svc.yaml]\npatches: [{path: p.yaml}]",
                "base/svc.yaml": SERVICE,
                "base/p.yaml": "",
                "part/kustomization.yml": "kind: Component\nconfigMapGenerator: [{files: [c.txt], envs: [e.env]}]",
                "part/c.txt": "",
                "part/e.env": "",
            }
        )
        assert repository.kustomize().files == (
            "base/Kustomization",
            "base/p.yaml",
            "base/svc.yaml",
            "part/c.txt",
            "part/e.env",
            "part/kustomization.yml",
            "top/kustomization.yaml",
        )

    def test_files_of_generators_and_of_folders_of_transformers_are_collected(
        self, repository: Repository
    ) -> None:
        repository.add(
            {
                "a/kustomization.yaml": "generators: [g.yaml]\ntransformers: [t]",
                "a/g.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\nfiles: [data.txt]\n",
                "a/data.txt": "",
                "a/t/kustomization.yaml": "resources: [t.yaml]",
                "a/t/t.yaml": "apiVersion: builtin\nkind: PatchTransformer\npath: p.yaml\n",
                "a/t/p.yaml": "",
            }
        )
        assert repository.kustomize().files == (
            "a/data.txt",
            "a/g.yaml",
            "a/kustomization.yaml",
            "a/t/kustomization.yaml",
            "a/t/p.yaml",
            "a/t/t.yaml",
        )

    def test_a_remote_path_in_a_folder_of_transformers_is_a_skip(self, repository: Repository) -> None:
        repository.add(
            {
                "a/kustomization.yaml": "transformers: [t]",
                "a/t/kustomization.yaml": "resources: [t.yaml]",
                "a/t/t.yaml": "apiVersion: builtin\nkind: PatchTransformer\npath: https://x.test/p.yaml\n",
            }
        )
        assert (
            "kustomize:a",
            "remote file https://x.test/p.yaml: not fetched (a/t/t.yaml:3)",
            True,
        ) in repository.skips()

    def test_a_file_read_through_a_link_counts_in_both_places(self, repository: Repository) -> None:
        repository.add(
            {"a/kustomization.yaml": "resources: [x.yaml]", "a/x.yaml": "-> ../x.yaml", "x.yaml": SERVICE}
        )
        assert repository.kustomize().files == ("a/kustomization.yaml", "a/x.yaml", "x.yaml")

    def test_a_base_through_a_link_out_of_the_tree_is_a_skip(self, repository: Repository) -> None:
        repository.add({"a/kustomization.yaml": "resources: [b]", "a/b": "-> ../../outside"})
        assert (
            "kustomize:a",
            "the base b leads out of the repository (a/kustomization.yaml:1)",
            True,
        ) in repository.skips()

    def test_an_inline_patch_is_no_path(self, repository: Repository) -> None:
        text = "patchesStrategicMerge:\n  - |\n    kind: Service\n    x: https://x.test\n  - '{kind: Pod}'\n"
        repository.add({"a/kustomization.yaml": text})
        assert repository.targets() == ["kustomize:a"]

    def test_a_base_that_is_not_there_is_for_kustomize_to_report(self, repository: Repository) -> None:
        repository.add({"a/kustomization.yaml": "resources: [../base, x.yaml]\npatches: [{path: p.yaml}]"})
        assert repository.find() == Discovery((KustomizeTarget("a", ("a/kustomization.yaml",)),), ())

    @pytest.mark.parametrize(
        "reference",
        [
            "https://github.com/a/b//c?ref=v1",
            "http://x.test/y.yaml",
            "github.com/a/b",
            "github.com/a/b?ref=v1",
            "GitHub.com/a/b",
            "git::https://x.test/a/b",
            "git@github.com:a/b.git",
            "ssh://git@x.test/a",
            "file:///etc",
            "gh:a/b",
            "org-1234@github.com:a/b",
        ],
    )
    def test_a_remote_reference_is_known_by_its_form(self, reference: str) -> None:
        assert is_remote(reference)

    @pytest.mark.parametrize(
        "reference", ["../base", "base", "v1.2/x.yaml", "a@b", "./github.com/x", "a/b@c:d", "git"]
    )
    def test_a_local_reference_is_known_by_its_form(self, reference: str) -> None:
        assert not is_remote(reference)

    @pytest.mark.parametrize(
        "reference", ["bitbucket.org/a/b", "x.test/a/b?ref=v1", "../b?ref=v1", "a/b.git", "x/_git/y"]
    )
    def test_a_host_like_path_that_is_not_there_is_remote(
        self, repository: Repository, reference: str
    ) -> None:
        repository.add({"a/kustomization.yaml": f"resources: ['{reference}']"})
        assert repository.skips() == [
            ("kustomize:a", f"remote base {reference}: not fetched (a/kustomization.yaml:1)", True)
        ]

    def test_a_host_like_path_that_is_there_is_local(self, repository: Repository) -> None:
        repository.add(
            {"a/kustomization.yaml": "resources: [my.app/base]", "a/my.app/base/kustomization.yaml": ""}
        )
        assert repository.targets() == ["kustomize:a"]

    def test_a_remote_base_of_a_base_names_where_it_stands(self, repository: Repository) -> None:
        repository.add(
            {
                "a/kustomization.yaml": "resources: [../b]",
                "b/kustomization.yaml": "resources: [https://x.test]",
            }
        )
        assert repository.skips() == [
            ("kustomize:a", "remote base https://x.test: not fetched (b/kustomization.yaml:1)", True),
            ("kustomize:b", "base of a", False),
        ]

    @pytest.mark.parametrize(
        "text",
        [
            "helmCharts: [{name: x}]",
            "helmChartInflationGenerator: [{chartName: x}]",
            "generators: ['{apiVersion: builtin, kind: HelmChartInflationGenerator}']",
        ],
    )
    def test_helm_charts_are_a_skip(self, repository: Repository, text: str) -> None:
        repository.add({"a/kustomization.yaml": text})
        assert repository.skips() == [
            ("kustomize:a", "helmCharts are not inflated yet (a/kustomization.yaml:1)", True)
        ]

    def test_a_kustomization_inside_templates_is_a_skip(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/templates/kustomization.yaml": ""})
        assert repository.skips() == [("kustomize:web/templates", "inside the templates of web", False)]

    def test_a_kustomization_that_is_a_link_out_of_the_tree_is_a_skip(self, repository: Repository) -> None:
        repository.add({"a/kustomization.yaml": "-> /etc/passwd"})
        assert ("kustomize:a", "the kustomization kustomization.yaml is absolute", True) in repository.skips()


class TestManifests:
    @pytest.mark.parametrize("name", ["a.yaml", "a.yml"])
    def test_a_folder_of_manifests_is_a_target(self, repository: Repository, name: str) -> None:
        repository.add(
            {f"deploy/{name}": SERVICE, "deploy/README.md": SERVICE, "deploy/settings.yaml": "a: b"}
        )
        assert repository.find() == Discovery((ManifestTarget("deploy", (f"deploy/{name}",)),), ())

    @pytest.mark.parametrize(
        "text",
        [
            '{"apiVersion": "v1", "kind": "Service"}',
            '\n{"kind": "List", "apiVersion": "v1", "items": [{"kind": "Service"}]}',
            '{"apiVersion": "v1", "kind": "Service", ',
        ],
    )
    def test_json_is_a_manifest(self, repository: Repository, text: str) -> None:
        repository.add({"deploy/a.json": text})
        assert repository.targets() == ["manifests:deploy"]

    @pytest.mark.parametrize(
        "text",
        [
            '{"kind": "Service"}',
            '{"x": {"apiVersion": "v1", "kind": "Service"}}',
            "[1]",
            '{"apiVersion" kind',
        ],
    )
    def test_other_json_is_none(self, repository: Repository, text: str) -> None:
        repository.add({"deploy/a.json": text})
        assert repository.find() == Discovery((), ())

    @pytest.mark.parametrize(
        "text",
        [
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n",
            CONFIG_MAP + "---\n" + SERVICE,
            "\ufeff" + SERVICE,
            SERVICE.replace("\n", "\r\n"),
            '"apiVersion": v1\n"kind": "Service"\n',
        ],
        ids=["list", "documents", "byte order mark", "crlf", "quoted"],
    )
    def test_objects_are_found_in(self, repository: Repository, text: str) -> None:
        repository.add({"deploy/a.yaml": text})
        assert repository.targets() == ["manifests:deploy"]

    @pytest.mark.parametrize(
        "text",
        [CONFIG_MAP, "apiVersion: v1\nkind: List\nitems:\n- kind: ConfigMap\n", CONFIG_MAP + "---\n" + CRD],
    )
    def test_a_folder_without_anything_that_has_ports_is_no_target(
        self, repository: Repository, text: str
    ) -> None:
        repository.add({"deploy/a.yaml": text})
        assert repository.skips() == [("manifests:deploy", "nothing with ports", False)]

    @pytest.mark.parametrize(
        "kind",
        [
            "networking.istio.io/v1 VirtualService",
            "networking.istio.io/v1 ServiceEntry",
            "gateway.networking.k8s.io/v1 Gateway",
            "gateway.networking.k8s.io/v1 HTTPRoute",
            "monitoring.coreos.com/v1 ServiceMonitor",
            "networking.k8s.io/v1 NetworkPolicy",
        ],
    )
    def test_a_folder_of_nothing_but_references_is_a_target(self, repository: Repository, kind: str) -> None:
        version, name = kind.split()
        repository.add({"mesh/a.yaml": f"apiVersion: {version}\nkind: {name}\nmetadata: {{name: web}}\n"})
        assert repository.targets() == ["manifests:mesh"]

    def test_routes_go_with_the_services_that_are_kept_beside_them(self, repository: Repository) -> None:
        route = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: web}\n"
        repository.add({"k8s/services/a.yaml": SERVICE, "k8s/virtualservices/b.yaml": route})
        assert repository.targets() == ["manifests:k8s"]

    def test_a_folder_of_custom_resource_definitions_is_no_target(self, repository: Repository) -> None:
        repository.add({"crds/a.yaml": CRD})
        assert repository.skips() == [("manifests:crds", "only CustomResourceDefinitions", False)]

    def test_files_for_other_programs_are_no_manifests(self, repository: Repository) -> None:
        repository.add({"skaffold.yaml": "apiVersion: skaffold/v4beta1\nkind: Config\n"})
        assert repository.find() == Discovery((), ())

    def test_each_folder_is_a_target_of_its_own(self, repository: Repository) -> None:
        repository.add({"k8s/a.yaml": SERVICE, "k8s/web/b.yaml": SERVICE, "k8s/db/c.yaml": SERVICE})
        assert repository.targets() == ["manifests:k8s", "manifests:k8s/db", "manifests:k8s/web"]

    def test_folders_named_after_kinds_are_one_target(self, repository: Repository) -> None:
        repository.add(
            {
                "k8s/services/a.yaml": SERVICE,
                "k8s/deploy/b.yaml": SERVICE,
                "k8s/configmaps/c.yaml": CONFIG_MAP,
            }
        )
        files = ("k8s/configmaps/c.yaml", "k8s/deploy/b.yaml", "k8s/services/a.yaml")
        assert repository.manifests() == [ManifestTarget("k8s", files)]

    def test_a_folder_named_after_a_kind_goes_with_the_manifests_of_its_parent(
        self, repository: Repository
    ) -> None:
        repository.add({"k8s/a.yaml": SERVICE, "k8s/ingress/b.yaml": SERVICE})
        assert repository.manifests() == [ManifestTarget("k8s", ("k8s/a.yaml", "k8s/ingress/b.yaml"))]

    def test_a_single_folder_named_after_a_kind_stays_by_itself(self, repository: Repository) -> None:
        repository.add({"k8s/services/a.yaml": SERVICE})
        assert repository.targets() == ["manifests:k8s/services"]

    def test_a_folder_called_deploy_alone_is_not_named_after_a_kind(self, repository: Repository) -> None:
        repository.add({"a.yaml": SERVICE, "deploy/b.yaml": SERVICE})
        assert repository.targets() == ["manifests:.", "manifests:deploy"]

    def test_a_file_that_a_kustomization_reads_is_no_plain_manifest(self, repository: Repository) -> None:
        repository.add({"kustomization.yaml": "resources: [deploy/a.yaml]", "deploy/a.yaml": SERVICE})
        assert repository.targets() == ["kustomize:."]

    def test_what_a_kustomization_does_not_list_is_left_out(self, repository: Repository) -> None:
        repository.add({"app/kustomization.yaml": "", "app/a.yaml": SERVICE, "app/b.yaml": SERVICE})
        reason = "not listed by the kustomization that reads this folder: a.yaml (and 1 more)"
        assert (repository.targets(), repository.skips()) == (
            ["kustomize:app"],
            [("manifests:app", reason, False)],
        )

    @pytest.mark.parametrize(
        "line",
        ["spec: {{ .Values.x }}", "{{- if x }}", "{% if x %}", "<%= x %>: [", "x: %%X%%", "#@ load('x')"],
    )
    def test_a_template_of_another_tool_is_a_skip(self, repository: Repository, line: str) -> None:
        repository.add({"deploy/a.yaml": f"{SERVICE}{line}\n"})
        assert repository.skips() == [("manifests:deploy/a.yaml", "a template of another tool", True)]

    def test_a_template_without_anything_that_has_ports_does_not_count(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": CONFIG_MAP + "data: {{ x }}\n"})
        assert repository.skips() == [("manifests:deploy/a.yaml", "a template of another tool", False)]

    def test_braces_in_a_string_are_no_template(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": SERVICE + "x: '{{ a }}'\ny: |\n  #@type null\n"})
        assert repository.targets() == ["manifests:deploy"]

    def test_a_broken_manifest_is_kept_so_that_rendering_reports_it(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": SERVICE + "spec: [\n"})
        assert repository.manifests() == [ManifestTarget("deploy", ("deploy/a.yaml",))]

    def test_a_large_manifest_is_a_skip_that_counts(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": SERVICE + "#" * MAX_SOURCE_BYTES})
        assert repository.skips() == [("manifests:deploy/a.yaml", "5.0 MiB, larger than 5 MiB", True)]

    def test_another_large_file_does_not_count(self, repository: Repository) -> None:
        repository.add({"deploy/a.json": '"' + "#" * MAX_SOURCE_BYTES})
        assert repository.skips() == [("manifests:deploy/a.json", "5.0 MiB, larger than 5 MiB", False)]

    def test_a_binary_file_that_begins_like_a_manifest_counts(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": SERVICE + "\0"})
        assert repository.skips() == [
            ("manifests:deploy/a.yaml", f"a binary file ({len(SERVICE) + 1} bytes)", True)
        ]

    def test_a_file_in_another_encoding_is_a_skip(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": ""})
        (repository.root / "deploy/a.yaml").write_bytes(SERVICE.encode() + b"# caf\xe9\n")
        assert repository.skips() == [
            (
                "manifests:deploy/a.yaml",
                f"not UTF-8 (byte {len(SERVICE) + 5}) ({len(SERVICE) + 7} bytes)",
                True,
            )
        ]

    def test_an_edit_of_the_tree_is_seen(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": CONFIG_MAP})
        found = discover(Tree(repository.root, {"deploy/a.yaml": SERVICE}))
        assert [target.id for target in found.targets] == ["manifests:deploy"]

    def test_a_link_to_a_manifest_is_left_to_its_own_folder(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": SERVICE, "copy/a.yaml": "-> ../deploy/a.yaml"})
        assert repository.find() == Discovery((ManifestTarget("deploy", ("deploy/a.yaml",)),), ())

    def test_a_link_to_a_manifest_out_of_the_tree_is_a_skip(self, repository: Repository) -> None:
        repository.add({"deploy/a.yaml": "-> /etc/hosts"})
        assert repository.skips() == [("manifests:deploy/a.yaml", "a link that is absolute", True)]


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
            ("manifests:deploy/a\\x1b[2J.yaml", "a name that is not printable UTF-8", True)
        ]

    def test_a_name_that_is_not_utf8_is_a_skip(self, repository: Repository) -> None:
        Path(os.fsdecode(os.fsencode(repository.root) + b"/\xff.yaml")).write_text(SERVICE)
        assert repository.skips() == [("manifests:\\udcff.yaml", "a name that is not printable UTF-8", True)]


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


SHOP = {
    "charts/web/Chart.yaml": chart("web", ("lib", "file://../lib")),
    "charts/web/templates/a.yaml": "",
    "charts/lib/Chart.yaml": chart("lib", kind="library"),
    "base/kustomization.yaml": "resources: [a.yaml]",
    "base/a.yaml": SERVICE,
    "base/patches/unused.yaml": "",
    "overlays/prod/kustomization.yaml": "resources: [../../base]\npatches: [{path: patches/p.yaml}]",
    "overlays/prod/patches/p.yaml": "",
    "overlays/dev/kustomization.yaml": "",
    "k8s/services/a.yaml": SERVICE,
    "k8s/deployments/a.yaml": SERVICE,
    "testdata/a.yaml": SERVICE,
}


class TestPaths:
    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("charts", ["helm:charts/web"]),
            ("charts/web", ["helm:charts/web"]),
            ("charts/web/templates", ["helm:charts/web"]),
            ("charts/web/templates/a.yaml", ["helm:charts/web"]),
            ("charts/lib", ["helm:charts/web"]),
            ("overlays", ["kustomize:overlays/dev", "kustomize:overlays/prod"]),
            ("overlays/prod/patches", ["kustomize:overlays/prod"]),
            ("overlays/prod/patches/p.yaml", ["kustomize:overlays/prod"]),
            ("base", ["kustomize:overlays/prod"]),
            ("base/a.yaml", ["kustomize:overlays/prod"]),
            ("base/patches", []),
            ("k8s", ["manifests:k8s"]),
            ("k8s/services", ["manifests:k8s"]),
            ("k8s/services/a.yaml", ["manifests:k8s"]),
            ("nowhere", []),
            ("chart", []),
        ],
    )
    def test_a_path_selects(self, repository: Repository, path: str, expected: list[str]) -> None:
        assert repository.add(SHOP).targets(path) == expected

    def test_several_paths_select_what_each_of_them_does(self, repository: Repository) -> None:
        assert repository.add(SHOP).targets("k8s", "charts/lib") == ["helm:charts/web", "manifests:k8s"]

    def test_a_folder_above_a_base_does_not_select_overlays_elsewhere(self, repository: Repository) -> None:
        repository.add(
            {"apps/base/kustomization.yaml": "", "c/kustomization.yaml": "resources: [../apps/base]"}
        )
        assert repository.targets("apps") == []

    def test_a_values_file_elsewhere_selects_its_chart(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "envs/prod/web.yaml": ""})
        config = Config(charts=(ChartConfig("web", (("/envs/prod/web.yaml",),)),))
        assert repository.targets("envs/prod", config=config) == ["helm:web?values=/envs/prod/web.yaml"]

    def test_skips_outside_of_the_paths_are_not_shown(self, repository: Repository) -> None:
        assert repository.add(SHOP).skips("charts") == [("helm:charts/lib", "a library chart", False)]

    def test_the_skip_of_an_enclosing_chart_is_shown(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/x": "-> /etc", "web/templates/a.yaml": ""})
        assert repository.skips("web/templates") == [("helm:web", "the link web/x is absolute", True)]

    def test_the_whole_repository_is_found_in_the_order_of_the_ids(self, repository: Repository) -> None:
        found = repository.add(SHOP).find()
        assert ([target.id for target in found.targets], [skip.id for skip in found.skips]) == (
            ["helm:charts/web", "kustomize:overlays/dev", "kustomize:overlays/prod", "manifests:k8s"],
            ["helm:charts/lib", "kustomize:base", "manifests:testdata"],
        )


def test_files_that_hold_the_same_objects_are_alternatives(tmp_path: Path) -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{ports: [{{port: {}}}]}}\n"
    for name, port in (("install.yaml", 80), ("namespace-install.yaml", 81)):
        (tmp_path / name).write_text(service.format(port))
    (tmp_path / "extra.yaml").write_text(service.format(80).replace("web", "other"))
    found = discover(Tree(tmp_path))
    assert {target.id: target.files for target in found.targets if isinstance(target, ManifestTarget)} == {
        "manifests:install.yaml": ("extra.yaml", "install.yaml"),
        "manifests:namespace-install.yaml": ("extra.yaml", "namespace-install.yaml"),
    }


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
