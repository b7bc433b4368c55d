"""``helmCharts`` of a kustomization: rendered by helm, patched by kustomize, and each place where a person edits it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from portproof.discover.find import discover
from portproof.source import Tree
from tests.e2e.program import Program, Repository, environment
from tests.e2e.test_remote_charts import TEMPLATE, VERSIONS
from tests.support.registry import certificate, host, publish
from tests.support.rendering import current_helm, engine, helm3, kustomize, rendered

CHART = {
    "base/charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.1.0\n",
    "base/charts/web/values.yaml": "service:\n  target: http\n",
    "base/charts/web/templates/all.yaml": TEMPLATE,
}
ENTRY = "helmCharts:\n- name: web\n  releaseName: shop\n  namespace: sales\n"
FROM_FILE = ENTRY + "  valuesFile: web.yaml\n"
INLINE = "  valuesInline:\n    service: {target: %s}\n"
FILE = "service: {target: %s}\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    found = Repository(tmp_path)
    found.commit()
    return found


def overlay(report: dict[str, Any], folder: str = "base") -> dict[str, Any]:
    (target,) = (one for one in report["targets"] if one["id"] == f"kustomize:{folder}")
    return dict(target)


def errors(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in report["findings"] if one["severity"] == "error"]


WAYS = {
    "inline values": ({"base/kustomization.yaml": ENTRY + INLINE % "htpp"}, "base/kustomization.yaml"),
    "a values file": (
        {"base/kustomization.yaml": FROM_FILE, "base/web.yaml": FILE % "htpp"},
        "base/web.yaml",
    ),
    "inline values win": (
        {"base/kustomization.yaml": FROM_FILE + INLINE % "htpp", "base/web.yaml": FILE % "http"},
        "base/kustomization.yaml",
    ),
    "the file wins": (
        {
            "base/kustomization.yaml": FROM_FILE + "  valuesMerge: merge\n" + INLINE % "http",
            "base/web.yaml": FILE % "htpp",
        },
        "base/web.yaml",
    ),
    "the file is replaced": (
        {
            "base/kustomization.yaml": FROM_FILE + "  valuesMerge: replace\n" + INLINE % "htpp",
            "base/web.yaml": FILE % "http",
        },
        "base/kustomization.yaml",
    ),
    "further files win": (
        {
            "base/kustomization.yaml": ENTRY + INLINE % "http" + "  additionalValuesFiles: [more.yaml]\n",
            "base/more.yaml": FILE % "htpp",
        },
        "base/more.yaml",
    ),
    "the chart's own values": (
        {"base/kustomization.yaml": ENTRY, "base/charts/web/values.yaml": "service:\n  target: htpp\n"},
        "base/charts/web/values.yaml",
    ),
    "the template": (
        {
            "base/kustomization.yaml": ENTRY,
            "base/charts/web/templates/all.yaml": TEMPLATE.replace("{{ .Values.service.target }}", "htpp"),
        },
        "base/charts/web/templates/all.yaml",
    ),
    "another home and case": (
        {
            "base/kustomization.yaml": (
                "helmGlobals: {chartHome: ../vendor}\n"
                "HelmCharts: [{name: web, releaseName: shop, valuesInLine: {service: {target: htpp}}}]\n"
            ),
            **{path.replace("base/charts", "vendor"): text for path, text in CHART.items()},
        },
        "base/kustomization.yaml",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_broken_port_is_found_where_it_is_written_and_mended(
    portproof: Program, repository: Repository, way: str
) -> None:
    files, place = WAYS[way]
    repository.write({**CHART, **files})
    report = portproof.check("base/kustomization.yaml")
    (finding,) = errors(report)
    assert finding["rule"] == "service-target-name"
    assert (finding["location"]["path"], finding["location"]["proof"]) == (place, "proven")
    assert [edit["path"] for edit in finding["fix"]["edits"]] == [place]
    repository.write({path: text.replace("htpp", "http") for path, text in files.items()})
    report = portproof.check("base/kustomization.yaml")
    assert errors(report) == []
    assert (overlay(report)["status"], overlay(report)["reason"]) == ("checked", None)


def test_what_two_entries_make_is_named_by_the_entry(portproof: Program, repository: Repository) -> None:
    repository.write({**CHART, "base/kustomization.yaml": ENTRY + ENTRY.partition("\n")[2]})
    (finding,) = errors(portproof.check("base/kustomization.yaml"))
    assert (
        finding["message"]
        == "base cannot be built: entry 2 of its helmCharts adds Service/shop-web once more"
    )
    assert finding["location"]["path"] == "base/kustomization.yaml"


OPTIONS = {
    "everything that is given": (
        "  kubeVersion: 1.29.0\n  apiVersions: [example.org/v1]\n  includeCRDs: true\n  skipTests: true\n  skipHooks: true\n"
    ),
    "a name template": "  nameTemplate: shop\n",
    "nothing": "",
}


@pytest.mark.parametrize("option", OPTIONS)
def test_what_comes_out_is_what_kustomize_itself_makes_of_it(repository: Repository, option: str) -> None:
    """Beside kustomize's own inflation, which does not know helm 4."""
    template = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-seen', namespace: '{{ .Release.Namespace }}'}\n"
        "data:\n  version: '{{ .Capabilities.KubeVersion }}'\n  api: '{{ .Capabilities.APIVersions.Has \"example.org/v1\" }}'\n"
    )
    hook = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n  annotations: {helm.sh/hook: %s}\n"
    crd = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: xs.example.org}\n"
        "spec: {group: example.org, names: {kind: X, plural: xs}, scope: Cluster, versions: []}\n"
    )
    files = {
        **CHART,
        "base/charts/web/templates/seen.yaml": template,
        "base/charts/web/templates/test.yaml": hook % ("a-test", "test"),
        "base/charts/web/templates/hook.yaml": hook % ("a-hook", "pre-install"),
        "base/charts/web/crds/x.yaml": crd,
        "base/kustomization.yaml": ENTRY.replace(
            "  releaseName: shop\n", "" if "name " in option else "  releaseName: shop\n"
        )
        + OPTIONS[option]
        + 'namePrefix: a-\npatches:\n- target: {kind: Service}\n  patch: \'[{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]\'\n',
    }
    repository.write(files)
    command = [*kustomize().argv, "--enable-helm", f"--helm-command={helm3().argv[0]}", "base"]
    made = subprocess.run(
        command, check=False, capture_output=True, text=True, env={"HOME": str(repository.root)}
    )
    assert made.returncode == 0, made.stderr
    expected = sorted((one for one in yaml.safe_load_all(made.stdout) if one), key=str)
    target = next(one for one in discover(Tree(repository.root)).targets if one.id == "kustomize:base")
    with engine(repository.root.parent / "engine", helm=helm3()) as renderer:
        found = rendered(renderer.render(target, Tree(repository.root)))
    ours = sorted((yaml.safe_load(one.text) for one in found.documents), key=str)
    assert ours == expected


def test_a_chart_of_a_registry_is_fetched(
    repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with host() as on:
        publish(on, "web", VERSIONS)
        online = Program(
            environment()
            | {
                "SSL_CERT_FILE": str(certificate()),
                "PORTPROOF_CACHE": str(tmp_path_factory.mktemp("cache")),
                "PORTPROOF_HELM": current_helm().argv[0],
                "PORTPROOF_KUSTOMIZE": kustomize().argv[0],
            }
        )
        entry = f"{ENTRY}  repo: {on.url()}\n  version: 1.0.0\n{INLINE % 'htpp'}"
        repository.write({"portproof.yaml": "allow-hosts: [127.0.0.1]\n", "base/kustomization.yaml": entry})
        report = online.check()
        (finding,) = errors(report)
        assert (finding["location"]["path"], finding["location"]["proof"]) == (
            "base/kustomization.yaml",
            "proven",
        )
        assert finding["fix"]["edits"][0]["new"] == "http"
        report = online.check("--offline")
        assert overlay(report)["status"] == "skipped"
        assert "is not fetched with --offline" in overlay(report)["reason"]
        service = {
            "base/kustomization.yaml": entry + "resources: [map.yaml]\n",
            "base/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
        }
        repository.write(service)
        report = online.check("--offline")
        assert overlay(report)["status"] == "checked"
        assert overlay(report)["reason"].startswith(
            "without a part: helmCharts: the chart web 1.0.0 from https://127.0.0.1"
        )
        assert [one["kind"] for one in report["unread"]] == ["helm-charts"]


def test_a_version_and_a_repo_name_the_folder_that_was_pulled(
    portproof: Program, repository: Repository
) -> None:
    entry = f"{ENTRY}  repo: https://charts.example.invalid\n  version: 0.1.0\n{INLINE % 'htpp'}"
    pulled = {path.replace("charts/web", "charts/web-0.1.0/web"): text for path, text in CHART.items()}
    repository.write({**pulled, "base/kustomization.yaml": entry})
    assert len(errors(portproof.check("--offline", "base/kustomization.yaml"))) == 1


def test_an_overlay_patches_what_the_base_inflates(portproof: Program, repository: Repository) -> None:
    patch = "kind: Service\napiVersion: v1\nmetadata: {name: shop-web, namespace: sales}\nspec: {ports: [{port: 80, targetPort: htpp}]}\n"
    repository.write(
        {
            **CHART,
            "base/kustomization.yaml": ENTRY,
            "prod/kustomization.yaml": "resources: [../base]\npatches: [{path: port.yaml}]\n",
            "prod/port.yaml": patch,
        }
    )
    (finding,) = errors(portproof.check())
    assert finding["location"]["path"] == "prod/port.yaml"
    assert finding["targets"] == ["kustomize:prod"]


def test_a_change_of_a_chart_concerns_who_inflates_it(portproof: Program, repository: Repository) -> None:
    repository.write({**CHART, "base/kustomization.yaml": ENTRY, "base/charts/web/.helmignore": "*.md\n"})
    repository.commit()
    repository.write({"base/charts/web/values.yaml": "service:\n  target: htpp\n"})
    found = errors(portproof.check("--base", "HEAD"))
    assert {one["introduced"] for one in found} == {True}
    assert "kustomize:base" in {target for one in found for target in one["targets"]}


NOT_RENDERED = {
    "no folder": ("- name: other\n", "there is no such folder, and it names no repo"),
    "outside": ("- name: web\nhelmGlobals: {chartHome: ../../x}\n", "its folder is outside the repository"),
    "an option": ("- name: --post-renderer=x\n", "its name is no name of a chart"),
    "a way out": ("- name: web/../../../x\n", "its name is no name of a chart"),
    "a namespace": ("- {name: web, namespace: '--x'}\n", "its namespace '--x' is no name"),
    "a version": ("- {name: web, kubeVersion: '--x'}\n", "'--x' is not a valid version"),
    "a values file": ("- {name: web, valuesFile: no.yaml}\n", "its values file no.yaml does not exist"),
    "a values file of a host": (
        "- {name: web, valuesFile: 'https://x.test/a.yaml'}\n",
        "its values file https://x.test/a.yaml is not in the repository",
    ),
    "a values file outside": (
        "- {name: web, additionalValuesFiles: [../../a.yaml]}\n",
        "its values file ../../a.yaml is not in the repository",
    ),
    "a template": ("- {name: web, nameTemplate: 'x-{{ randAlpha 3 }}'}\n", "helm fills in its nameTemplate"),
    "a merge": ("- {name: web, valuesMerge: x}\n", "its valuesMerge 'x' is none"),
}


@pytest.mark.parametrize("case", NOT_RENDERED)
@pytest.mark.parametrize("beside", [True, False])
def test_what_is_not_rendered_says_why(
    portproof: Program, repository: Repository, case: str, *, beside: bool
) -> None:
    entry, reason = NOT_RENDERED[case]
    text = f"helmCharts:\n{entry}"
    files = {"base/kustomization.yaml": text}
    if beside:
        files["base/kustomization.yaml"] += "resources: [map.yaml]\n"
        files["base/map.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
    repository.write({**CHART, **files})
    report = portproof.check("--offline")
    target = overlay(report)
    assert target["status"] == ("checked" if beside else "skipped")
    assert reason in target["reason"]
    assert "of its helmCharts is not rendered" in target["reason"]


def test_a_chart_that_does_not_render_is_a_failure_at_its_template(
    portproof: Program, repository: Repository
) -> None:
    broken = {"base/charts/web/templates/bad.yaml": "a: {{ .Values.service.target.deeper.still }}\n"}
    repository.write({**CHART, **broken, "base/kustomization.yaml": ENTRY})
    report = portproof.check("base/kustomization.yaml")
    assert overlay(report)["status"] == "failed"
    (finding,) = (one for one in report["findings"] if "kustomize:base" in one["targets"])
    assert finding["rule"] == "render-failed"
    assert finding["location"]["path"] == "base/charts/web/templates/bad.yaml"
