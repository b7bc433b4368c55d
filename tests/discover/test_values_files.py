"""Values files, wherever they are: taken for the chart and the environment that keys and place name, else unread."""

from __future__ import annotations

import pytest

from portproof.config import ChartConfig, Config
from portproof.discover.model import HelmTarget
from portproof.environment import environment_of
from tests.support.discovery import Repository, chart

VALUES = "image:\n  tag: 1\nservice:\n  port: 80\nreplicas: 1\n"
PROD = "service:\n  port: 8080\nreplicas: 3\n"
OTHER = "agents: 2\nqueue:\n  port: 5672\n"


def shop(folder: str = "charts/shop", name: str = "shop", values: str = VALUES) -> dict[str, str]:
    return {f"{folder}/Chart.yaml": chart(name), f"{folder}/values.yaml": values}


def inferred(repository: Repository) -> dict[str, tuple[str, str]]:
    """The values files that were taken for a chart's: their chart, and the environment that they are for."""
    return {
        one.values[0]: (one.chart, environment_of(one))
        for one in repository.find().targets
        if isinstance(one, HelmTarget) and one.inferred
    }


def unread(repository: Repository) -> dict[str, str]:
    return {one.path: one.reason for one in repository.find().unread}


@pytest.mark.parametrize(
    "path",
    [
        "envs/prod.yaml",
        "env/prod.yml",
        "env/prod/values.yaml",
        "envs/prod/values.yaml",
        "environments/prod.yaml",
        "environments/prod/shop.yaml",
        "clusters/prod/shop/values.yaml",
        "clusters/prod/shop.yaml",
        "values/prod.yaml",
        "values/shop/prod.yaml",
        "helm_vars/prod/values.yaml",
        "deploy/prod/values.yaml",
        "deploy/values-prod.yaml",
        "deploy/values-shop-prod.yaml",
        "prod-values.yaml",
        "values_prod.yaml",
        "values.prod.yaml",
        "shop-prod.values.yaml",
        "charts/prod-values.yaml",
        "charts/shop/envs/prod.yaml",
        "charts/shop/prod.yaml",
        "charts/shop/prod-values.yaml",
        "charts/shop/values_prod.yaml",
        "charts/shop/values/prod.yaml",
        "charts/shop/env/prod/values.yaml",
    ],
)
def test_a_layout_says_the_chart_and_the_environment(repository: Repository, path: str) -> None:
    repository.add(shop() | {path: PROD})
    assert inferred(repository) == {path: ("charts/shop", "prod")}
    assert unread(repository) == {}


@pytest.mark.parametrize(
    "path", ["environments/acme.yaml", "clusters/acme/values.yaml", "envs/acme/shop.yaml"]
)
def test_what_lies_in_a_folder_of_environments_is_called_like_one(repository: Repository, path: str) -> None:
    repository.add(shop() | {path: PROD})
    assert inferred(repository) == {path: ("charts/shop", "acme")}


def test_a_chart_of_a_folder_of_its_own(repository: Repository) -> None:
    repository.add(
        {**shop("services/shop/chart"), **shop("services/bill/chart", "bill")}
        | {"services/shop/envs/prod.yaml": PROD, "services/bill/envs/prod.yaml": PROD}
    )
    assert inferred(repository) == {
        "services/bill/envs/prod.yaml": ("services/bill/chart", "prod"),
        "services/shop/envs/prod.yaml": ("services/shop/chart", "prod"),
    }


def test_twins_are_told_apart_by_their_names(repository: Repository) -> None:
    repository.add(
        {**shop(), **shop("charts/shop-api", "shop-api")}
        | {"envs/prod/shop.yaml": PROD, "envs/prod/shop-api.yaml": PROD, "values-shop-api-qa.yaml": PROD}
    )
    assert inferred(repository) == {
        "envs/prod/shop-api.yaml": ("charts/shop-api", "prod"),
        "envs/prod/shop.yaml": ("charts/shop", "prod"),
        "values-shop-api-qa.yaml": ("charts/shop-api", "qa"),
    }


def test_the_chart_whose_keys_they_are(repository: Repository) -> None:
    repository.add(
        {**shop(), **shop("charts/queue", "queue", OTHER)} | {"envs/prod.yaml": "agents: 3\nqueue: {}\n"}
    )
    assert inferred(repository) == {"envs/prod.yaml": ("charts/queue", "prod")}


def test_twins_that_nothing_tells_apart_are_unread(repository: Repository) -> None:
    repository.add({**shop(), **shop("charts/bill", "bill")} | {"envs/prod.yaml": PROD})
    assert inferred(repository) == {}
    assert unread(repository) == {
        "envs/prod.yaml": "its keys are those of charts/bill and charts/shop; if it is given to charts/bill: "
        "`charts: [{path: charts/bill, values: [/envs/prod.yaml]}]` in portproof.yaml"
    }


@pytest.mark.parametrize(
    ("path", "says"),
    [("monitoring/grafana/values.yaml", "monitoring"), ("values/grafana-values.yaml", "grafana-values")],
)
def test_values_of_something_else_are_not_given_to_a_chart(
    repository: Repository, path: str, says: str
) -> None:
    repository.add(shop() | {path: PROD})
    assert inferred(repository) == {}
    (reason,) = unread(repository).values()
    assert f"its place says '{says}'" in reason


def test_a_file_that_names_another_chart_is_not_given_to_the_one_with_its_keys(
    repository: Repository,
) -> None:
    repository.add({**shop(), **shop("charts/queue", "queue", OTHER)} | {"envs/prod/queue.yaml": PROD})
    assert (inferred(repository), unread(repository)) == ({}, {})


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("envs/prod.yaml", "apiVersion: v1\nkind: Service\nservice: {}\nreplicas: 1\n"),
        ("envs/prod.yaml", "service: {}\n"),
        ("envs/prod.yaml", "service: {}\nnodes: []\nregion: x\nzones: []\n"),
        ("envs/prod.yaml", f"{PROD}sops:\n  mac: x\n"),
        ("envs/prod.yaml", "- service\n- replicas\n"),
        ("envs/prod.yaml.gotmpl", PROD),
        ("envs/secrets.yaml", PROD),
        ("envs/example.yaml", PROD),
        ("values.schema.yaml", PROD),
        ("values-prod.yaml.j2", PROD),
        ("examples/prod/values.yaml", PROD),
        ("charts/shop/templates/prod.yaml", PROD),
        ("charts/shop/test-values/prod.yaml", PROD),
        (".github/values-prod.yaml", PROD),
        ("settings.yaml", PROD),
    ],
)
def test_what_is_no_values_file_is_neither(repository: Repository, path: str, text: str) -> None:
    repository.add(shop() | {path: text})
    assert (inferred(repository), unread(repository)) == ({}, {})


@pytest.mark.parametrize("charts", [{}, shop()])
def test_values_of_a_chart_from_elsewhere_are_unread(repository: Repository, charts: dict[str, str]) -> None:
    repository.add(charts | {"monitoring/loki-values.yaml": "loki: {}\ngateway: {}\n"})
    assert unread(repository) == {
        "monitoring/loki-values.yaml": "its chart is not in this repository; check what it renders: "
        "`helm template CHART -f monitoring/loki-values.yaml | portproof check -`"
    }


def test_values_that_a_release_gives_to_a_chart_of_a_registry_are_read(repository: Repository) -> None:
    release = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: loki}\nspec:\n  sources:\n"
        "  - {repoURL: https://charts.example.net, chart: loki, targetRevision: 1.0.0, helm: {valueFiles: [$own/loki-values.yaml]}}\n"
        "  - {repoURL: https://git.example.net/own.git, ref: own}\n"
    )
    repository.add({"loki-values.yaml": "loki: {}\n", "app.yaml": release})
    assert [one.path for one in repository.find().unread if one.kind == "values"] == []


def test_values_of_a_chart_of_a_registry_that_a_kustomization_inflates_are_read(
    repository: Repository,
) -> None:
    entry = "{name: loki, repo: https://charts.example.net, version: 1.0.0, valuesFile: values.yaml}"
    repository.add({"loki/values.yaml": "loki: {}\n", "loki/kustomization.yaml": f"helmCharts: [{entry}]\n"})
    assert [one.path for one in repository.find().unread if one.kind == "values"] == []


@pytest.mark.parametrize("head", ["#@data/values\n---\n", "#@data/values-schema\n---\n"])
def test_values_for_ytt_are_said_to_be_that(repository: Repository, head: str) -> None:
    repository.add(shop() | {"web/values.yaml": f"{head}web: {{port: 80}}\n"})
    (found,) = repository.find().unread
    reason = "ytt reads it; check what it renders: `ytt -f web | portproof check -`"
    assert (found.path, found.kind, found.reason) == ("web/values.yaml", "ytt", reason)


def test_a_template_for_another_tool_is_unread(repository: Repository) -> None:
    repository.add(shop() | {"envs/prod.yaml": PROD + "{{- if .Values.x }}\nimage: {}\n{{- end }}\n"})
    assert unread(repository) == {"envs/prod.yaml": "a template that another tool fills in"}


def test_a_chart_without_defaults_is_known_by_what_its_templates_read(repository: Repository) -> None:
    repository.add(
        {
            "charts/shop/Chart.yaml": chart("shop"),
            "charts/shop/templates/a.yaml": "{{ .Values.service.port }} {{ .Values.replicas }}",
            "envs/prod.yaml": PROD,
        }
    )
    assert inferred(repository) == {"envs/prod.yaml": ("charts/shop", "prod")}


def test_an_umbrella_is_known_by_its_dependencies(repository: Repository) -> None:
    repository.add(
        {"charts/all/Chart.yaml": chart("all", ("db", "file://../db"), ("web", "file://../web"))}
        | {"envs/prod.yaml": "db: {port: 1}\nweb: {port: 2}\n"}
    )
    assert inferred(repository) == {"envs/prod.yaml": ("charts/all", "prod")}


def test_what_is_given_to_a_chart_is_not_taken_again(repository: Repository) -> None:
    repository.add(shop() | {"envs/prod.yaml": PROD})
    given = Config(charts=(ChartConfig("charts/shop", (("/envs/prod.yaml",),), release="shop"),))
    found = [one for one in repository.find(config=given).targets if isinstance(one, HelmTarget)]
    assert [(one.values, one.inferred) for one in found] == [((), False), (("envs/prod.yaml",), False)]


def test_what_a_kustomization_reads_is_its_own(repository: Repository) -> None:
    repository.add(
        shop()
        | {
            "envs/kustomization.yaml": "configMapGenerator: [{name: a, files: [prod.yaml]}]\n",
            "envs/prod.yaml": PROD,
        }
    )
    assert inferred(repository) == {}
