"""All kinds of targets together, and the paths that select some."""

from __future__ import annotations

import pytest

from portproof.config import ChartConfig, Config
from tests.support.discovery import SERVICE, Repository, chart

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
            ("base", ["kustomize:base", "kustomize:overlays/prod"]),
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
        assert repository.skips("web/templates") == [
            ("helm:web", "the link web/x points to an absolute path", True)
        ]

    def test_the_whole_repository_is_found_in_the_order_of_the_ids(self, repository: Repository) -> None:
        found = repository.add(SHOP).find()
        assert ([target.id for target in found.targets], [skip.id for skip in found.skips]) == (
            ["helm:charts/web", "kustomize:overlays/dev", "kustomize:overlays/prod", "manifests:k8s"],
            ["helm:charts/lib", "kustomize:base", "manifests:testdata"],
        )


WERF = "project: shop\nconfigVersion: 1\n{{ $x := 1 }}\n---\nimage: web\ndockerfile: Dockerfile\n"
"""A template, and no YAML before it is filled in."""


class TestWerf:
    def test_a_chart_in_the_usual_folder_is_a_target(self, repository: Repository) -> None:
        repository.add({".helm/Chart.yaml": chart("web"), ".helm/values-prod.yaml": "", "werf.yaml": WERF})
        found = repository.find()
        assert [target.id for target in found.targets] == ["helm:.helm", "helm:.helm?values=values-prod.yaml"]
        assert found.unread == ()

    @pytest.mark.parametrize(
        ("text", "folder"),
        [(WERF, ".helm"), (f"{WERF}deploy:\n  helmChartDir: deploy/chart\n", "deploy/chart")],
    )
    def test_a_chart_that_only_werf_renders_is_unread(
        self, repository: Repository, text: str, folder: str
    ) -> None:
        repository.add({"werf.yaml": text, f"{folder}/templates/a.yaml": SERVICE})
        assert [(one.path, one.kind) for one in repository.find().unread] == [(folder, "werf")]

    def test_without_a_chart_there_is_nothing_to_say(self, repository: Repository) -> None:
        assert repository.add({"werf.yaml": WERF, ".helm/values.yaml": ""}).find().unread == ()


def test_a_configuration_of_skaffold_may_be_called_anything(repository: Repository) -> None:
    repository.add(
        {
            "skaffold.yaml": "apiVersion: skaffold/v2beta7\nkind: Config\nmetadata: {name: recipe_box}\n"
            "deploy: {kustomize: {paths: [o]}}\n",
            "o/kustomization.yaml": "resources: [a.yaml]",
            "o/a.yaml": SERVICE,
        }
    )
    assert repository.find().unread == ()
