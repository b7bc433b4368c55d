"""Charts: which are rendered, with which values, and which are not."""

from __future__ import annotations

import pytest

from portproof.config import ChartConfig, Config
from portproof.discover.charts import release_name
from portproof.discover.model import Cluster, Discovery, HelmTarget, Mount, Skip
from tests.support.discovery import SERVICE, Repository, chart


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
            ("helm:web?values=values-metadata.yaml", "describes values, but contains none", False)
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

    def test_a_starter_is_no_target(self, repository: Repository) -> None:
        repository.add({"starters/web/Chart.yaml": chart("<CHARTNAME>"), "web/Chart.yaml": chart("web")})
        assert (repository.targets(), repository.skips()) == (
            ["helm:web"],
            [("helm:starters/web", "a starter, of which helm makes other charts", False)],
        )

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
            ("none.yaml", "does not exist"),
            ("templates", "does not exist"),
            ("../../secret.yaml", "points outside the repository"),
            ("/../secret.yaml", "points outside the repository"),
            ("link.yaml", "points to an absolute path"),
            ("/.git/config", "points into .git"),
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
            ("web", f"the values file {file} in the configuration {problem}"),
        )

    def test_a_chart_that_is_never_installed_without_values(self, repository: Repository) -> None:
        repository.add(
            {"web/Chart.yaml": chart("web"), "web/values-prod.yaml": "", "api/Chart.yaml": chart("api")}
        )
        given = Config(charts=(ChartConfig("web", defaults=False), ChartConfig("*", release="x")))
        assert repository.targets(config=given) == ["helm:api", "helm:web?values=values-prod.yaml"]
        assert repository.skips(config=given) == [("helm:web", "defaults: false in the configuration", False)]

    def test_a_configured_chart_that_is_not_there_is_shown(self, repository: Repository) -> None:
        assert repository.skips(config=Config(charts=(ChartConfig("web"),))) == [
            ("helm:web", "named in the configuration, but there is no such chart", True)
        ]


class TestLinksInCharts:
    @pytest.mark.parametrize(
        ("target", "problem"),
        [
            ("/etc/passwd", "points to an absolute path"),
            ("../../outside", "points outside the repository"),
            ("../web/../../outside", "points outside the repository"),
            ("../.git/config", "points into .git"),
            ("secret", "is part of a loop"),
        ],
    )
    def test_a_link_that_must_not_be_followed_makes_the_chart_a_skip(
        self, repository: Repository, target: str, problem: str
    ) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/secret": f"-> {target}", ".git/config": ""})
        assert repository.skips() == [("helm:web", f"the link web/secret {problem}", True)]

    def test_a_link_to_a_link_that_leads_out_makes_the_chart_a_skip(self, repository: Repository) -> None:
        repository.add({"web/Chart.yaml": chart("web"), "web/a": "-> ../b/c", "b": "-> ../outside"})
        assert ("helm:web", "the link web/a points outside the repository", True) in repository.skips()

    @pytest.mark.parametrize("folder", ["templates", "testdata", "node_modules", "files/.cache"])
    def test_a_link_is_found_wherever_it_lies_in_the_chart(self, repository: Repository, folder: str) -> None:
        repository.add({"web/Chart.yaml": chart("web"), f"web/{folder}/x": "-> /etc/passwd"})
        assert ("helm:web", f"the link web/{folder}/x points to an absolute path", True) in repository.skips()

    def test_a_link_is_found_in_a_mounted_chart(self, repository: Repository) -> None:
        repository.add(
            {
                "a/Chart.yaml": chart("a", ("b", "file://../b")),
                "b/Chart.yaml": chart("b"),
                "b/x": "-> /etc/passwd",
            }
        )
        assert ("helm:a", "the link b/x points to an absolute path", True) in repository.skips()

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
        assert repository.skips() == [("helm:web", "the link web/files/up is part of a loop", True)]

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
