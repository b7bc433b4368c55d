"""Charts as Argo CD and Flux install them: which values, release and namespace, and what cannot be known."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from portproof.config import ChartConfig, Config
from portproof.discover.charts import MAX_INSTALLS
from portproof.discover.find import discover
from portproof.discover.gitops.given import GivenError
from portproof.discover.model import Cluster, HelmTarget
from portproof.render.install_values import InstallValues, install_values
from portproof.source import Tree

CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"


def application(helm: Mapping[str, Any] | None = None, **source: Any) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd"},
            "spec": {
                "source": {"repoURL": "https://git.example.org/shop.git", "path": "charts/web", **source}
                | ({"helm": dict(helm)} if helm is not None else {}),
                "destination": {"server": "https://kubernetes.default.svc", "namespace": "sales"},
            },
        }
    )


def release(chart: Mapping[str, Any] | None = None, **spec: Any) -> str:
    source = {"kind": "GitRepository", "name": "shop"}
    return yaml.safe_dump(
        {
            "apiVersion": "helm.toolkit.fluxcd.io/v2",
            "kind": "HelmRelease",
            "metadata": {"name": "shop", "namespace": "sales"},
            "spec": {
                "chart": {"spec": {"chart": "./charts/web", "sourceRef": source, **(chart or {})}},
                **spec,
            },
        }
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, {"charts/web/Chart.yaml": CHART, "charts/web/values.yaml": "port: 80\n"})
    return tmp_path


def write(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def charts(root: Path, config: Config | None = None) -> list[HelmTarget]:
    return [one for one in discover(Tree(root), (".",), config).targets if isinstance(one, HelmTarget)]


def installed(root: Path) -> HelmTarget:
    (found,) = (one for one in charts(root) if one.install)
    return found


def reasons(root: Path) -> list[str]:
    found = discover(Tree(root))
    assert not [one for one in found.targets if isinstance(one, HelmTarget) and one.install]
    return [one.reason for one in found.skips if one.kind == "helm" and one.counts]


def given(root: Path, target: HelmTarget) -> InstallValues:
    assert target.install
    return install_values(target, target.install, Tree(root))


def test_an_application_gives_files_values_parameters_release_and_namespace(root: Path) -> None:
    helm = {
        "releaseName": "front",
        "valueFiles": ["values-prod.yaml", "/env/prod.yaml"],
        "valuesObject": {"port": 8080, "tls": False, "name": "8080"},
        "parameters": [
            {"name": "a.b", "value": "1,2"},
            {"name": "list", "value": "{1,2}"},
            {"name": "text", "value": "01", "forceString": True},
        ],
        "kubeVersion": "1.30",
        "apiVersions": ["monitoring.coreos.com/v1"],
    }
    files = {"charts/web/values-prod.yaml": "", "env/prod.yaml": "", "apps/shop.yaml": application(helm)}
    write(root, files)
    target = installed(root)
    assert target.id == "helm:charts/web?values=values-prod.yaml,/env/prod.yaml,/apps/shop.yaml#shop"
    assert target.values == ("charts/web/values-prod.yaml", "env/prod.yaml", "apps/shop.yaml")
    assert (target.release, target.namespace) == ("front", "sales")
    assert target.cluster == Cluster("1.30", ("monitoring.coreos.com/v1",))
    assert given(root, target) == InstallValues(
        '{"name": "8080", "port": 8080, "tls": false}\n',
        ("--set=a.b=1\\,2", "--set=list={1,2}", "--set-string=text=01"),
    )


@pytest.mark.parametrize("write_as", [json.dumps, lambda data: yaml.safe_dump(data, default_flow_style=True)])
def test_however_it_is_written(root: Path, write_as: Callable[[object], str]) -> None:
    write(root, {"apps/shop.yaml": write_as(yaml.safe_load(application({"values": "a: 1"})))})
    install = installed(root).install
    assert install
    assert (install.name, install.document) == ("shop", 0)
    assert install.values == ("spec", "source", "helm", "values")


def test_values_may_be_a_text(root: Path) -> None:
    write(root, {"apps/shop.yaml": application({"values": "port: 8080\n# why\n"})})
    assert given(root, installed(root)) == InstallValues("port: 8080\n# why\n")


def test_one_of_several_sources_may_be_a_chart_with_files_of_another(root: Path) -> None:
    text = yaml.safe_load(application())
    text["spec"]["sources"] = [
        {"repoURL": "https://git.example.org/shop.git", "ref": "here"},
        {"path": "charts/web", "helm": {"valueFiles": ["$here/env/prod.yaml"], "values": "port: 1\n"}},
    ]
    del text["spec"]["source"]
    write(root, {"env/prod.yaml": "", "apps/shop.yaml": yaml.safe_dump(text)})
    target = installed(root)
    assert target.values == ("env/prod.yaml", "apps/shop.yaml")
    assert given(root, target).values == "port: 1\n"


def test_a_helm_release_gives_files_values_release_and_namespace(root: Path) -> None:
    files = {"valuesFiles": ["./charts/web/values.yaml", "./env/prod.yaml"]}
    write(root, {"env/prod.yaml": "", "apps/shop.yaml": release(files, values={"port": 8080})})
    target = installed(root)
    assert target.id == "helm:charts/web?values=/env/prod.yaml,/apps/shop.yaml#shop"
    assert (target.release, target.namespace) == ("shop", "sales")
    assert given(root, target) == InstallValues('{"port": 8080}\n')
    write(root, {"apps/shop.yaml": release(targetNamespace="east")})
    assert (installed(root).release, installed(root).namespace) == ("east-shop", "east")
    write(root, {"apps/shop.yaml": release(targetNamespace="east", releaseName="front")})
    assert installed(root).release == "front"


def test_several_objects_of_one_file_are_targets_of_their_own(root: Path) -> None:
    texts = [release(values={"port": n}).replace("name: shop", f"name: shop-{n}", 1) for n in (1, 2)]
    write(root, {"apps/all.yaml": "---\n" + "---\n# nothing\n---\n".join(texts)})
    found = [one for one in charts(root) if one.install]
    assert [one.id.partition("#")[2] for one in found] == ["shop-1", "shop-2"]
    assert [given(root, one).values for one in found] == ['{"port": 1}\n', '{"port": 2}\n']


def test_the_configuration_counts_where_the_object_says_nothing(root: Path) -> None:
    text = application().replace("    namespace: sales\n", "").replace("name: shop", "name: '${app}'")
    write(root, {"apps/shop.yaml": application({"releaseName": "not_a_name"})})
    config = Config(charts=(ChartConfig("charts/*", release="front", namespace="east", kube_version="1.29"),))
    (target,) = (one for one in charts(root, config) if one.install)
    assert (target.release, target.namespace, target.cluster.kube_version) == ("front", "sales", "1.29")
    write(root, {"apps/shop.yaml": text})
    assert reasons(root) == ["as installed by '${app}': '${app}' is an unresolved placeholder"]


def test_values_files_that_an_object_gives_need_no_second_target(root: Path) -> None:
    write(
        root,
        {
            "charts/web/values-prod.yaml": "",
            "apps/shop.yaml": application({"valueFiles": ["values-prod.yaml"]}),
        },
    )
    assert [one.id for one in charts(root)] == [
        "helm:charts/web",
        "helm:charts/web?values=values-prod.yaml,/apps/shop.yaml#shop",
    ]
    write(root, {"apps/shop.yaml": application({"valueFiles": ["values-prod.yaml"], "values": "a: 1"})})
    assert "helm:charts/web?values=values-prod.yaml" in [one.id for one in charts(root)]


@pytest.mark.parametrize(
    "text",
    [
        application(path="charts/other"),
        application(path="../charts/web"),
        application(chart="{{web}}"),
        application().replace("argoproj.io/", "app.k8s.io/"),
        application().replace("Application", "AppProject"),
        release({"sourceRef": {"kind": "HelmRepository", "name": "web"}}),
        release({"chart": "web"}),
        "kind: HelmRelease\napiVersion: [",
        "kind: HelmRelease\nspec: 1\n",
        "- HelmRelease\n",
    ],
)
def test_what_installs_no_chart_of_this_repository_makes_no_target(root: Path, text: str) -> None:
    write(root, {"apps/shop.yaml": text})
    assert [one.id for one in charts(root)] == ["helm:charts/web"]
    assert reasons(root) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (application({"valueFiles": ["none.yaml"]}), "its values file none.yaml does not exist"),
        (
            application({"valueFiles": ["../../../x"]}),
            "its values file ../../../x points outside the repository",
        ),
        (
            application({"valueFiles": ["https://example.org/v.yaml"]}),
            "its values file https://example.org/v.yaml is not in the repository",
        ),
        (
            application({"fileParameters": [{"name": "a", "path": "b"}]}),
            "its values file b does not exist",
        ),
        (
            application({"valuesObject": {"a": 1}}).replace("helm:", "plugin: {name: x}\n    helm:"),
            "an Argo CD plugin renders it",
        ),
        (application({"valuesObject": {"a": "{{ host }}"}}), "'{{ host }}' is an unresolved placeholder"),
        (application({"values": 'a: "x.{{ host }}"'}), "'{{ host }}' is an unresolved placeholder"),
        (
            release(valuesFrom=[{"kind": "Secret", "name": "a"}]),
            "it reads values from objects in the cluster (valuesFrom)",
        ),
    ],
)
def test_what_cannot_be_known_is_told(root: Path, text: str, problem: str) -> None:
    write(root, {"env/prod.yaml": "", "apps/shop.yaml": text})
    assert reasons(root) == [f"as installed by 'shop': {problem}"]


def test_what_the_chart_itself_fills_in_is_known(root: Path) -> None:
    write(
        root,
        {"apps/shop.yaml": application({"valuesObject": {"a": '{{ .Release.Name }}-{{ include "x" . }}'}})},
    )
    assert installed(root).install


@pytest.mark.parametrize(
    "text",
    [
        "{{ range .Alerts }}{{ .Labels.name }}{{ end }}",
        "{{ if .CommonLabels }}a{{ else }}b{{- end -}}",
        '{"legend": "{{pod}}",\n "expr": "up"}',
    ],
)
def test_what_alerts_and_dashboards_fill_in_is_no_placeholder(root: Path, text: str) -> None:
    for helm in ({"valuesObject": {"a": text}}, {"values": yaml.safe_dump({"a": text})}):
        write(root, {"apps/shop.yaml": application(helm)})
        assert installed(root).install


def test_missing_files_and_values_that_are_optional_are_left_out(root: Path) -> None:
    helm = {"valueFiles": ["none.yaml"], "ignoreMissingValueFiles": True}
    write(root, {"apps/shop.yaml": application(helm)})
    assert installed(root).values == ("apps/shop.yaml",)
    write(root, {"apps/shop.yaml": release(valuesFrom=[{"kind": "Secret", "name": "a", "optional": True}])})
    assert installed(root).values == ("apps/shop.yaml",)


def test_a_single_value_of_a_secret_has_a_stand_in(root: Path) -> None:
    entry = {"kind": "Secret", "name": "login", "valuesKey": "password", "targetPath": "auth.password"}
    write(root, {"apps/shop.yaml": release(values={"port": 8080}, valuesFrom=[entry])})
    assert given(root, installed(root)).options == ("--set-string=auth.password=x-placeholder",)
    write(root, {"apps/shop.yaml": release(valuesFrom=[{**entry, "optional": True}])})
    assert given(root, installed(root)).options == ()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "ConfigMap"},
        *(
            {"targetPath": path}
            for path in ("smtp.port", "service.ports", "replicas", "tls.enabled", "hosts[0]", "a,b=c", "-f=x")
        ),
    ],
)
def test_a_value_that_may_be_none_of_text_has_none(root: Path, change: Mapping[str, str]) -> None:
    entry = {"kind": "Secret", "name": "login", "targetPath": "auth.password", **change}
    write(root, {"apps/shop.yaml": release(valuesFrom=[entry])})
    assert reasons(root) == [
        "as installed by 'shop': it reads values from objects in the cluster (valuesFrom)"
    ]


PATCH = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: {}\nspec:\n  values: {{port: 1}}\n"


@pytest.mark.parametrize(
    "files",
    [
        {"over/patch.yaml": PATCH.format("shop")},
        {"over/kustomization.yaml": yaml.safe_dump({"patches": [{"patch": PATCH.format("shop")}]})},
        {
            "over/kustomization.yaml": "patches:\n- target: {kind: HelmRelease}\n"
            "  patch: '[{op: replace, path: /spec/values/port, value: 1}]'\n"
        },
    ],
)
def test_values_that_a_kustomization_changes_are_not_known(root: Path, files: Mapping[str, str]) -> None:
    write(root, {"apps/shop.yaml": release(values={"port": 2}), **files})
    assert reasons(root) == ["as installed by 'shop': a kustomization changes its values"]


@pytest.mark.parametrize(
    "files",
    [
        {"over/patch.yaml": PATCH.format("other")},
        {
            "other/shop.yaml": PATCH.format("shop").replace(
                "spec:", "spec:\n  chartRef: {kind: OCIRepository, name: shop}"
            )
        },
        {"over/patch.yaml": PATCH.format("shop").replace("values: {port: 1}", "interval: 1h")},
        {"over/kustomization.yaml": yaml.safe_dump({"patches": [{"patch": PATCH.format("other")}]})},
        {
            "over/kustomization.yaml": "patches:\n- target: {kind: HelmRelease}\n"
            "  patch: '[{op: replace, path: /spec/interval, value: 1h}]'\n"
        },
    ],
)
def test_patches_of_something_else_do_not_matter(root: Path, files: Mapping[str, str]) -> None:
    write(root, {"apps/shop.yaml": release(values={"port": 2}), **files})
    install = installed(root).install
    assert install
    assert (install.name, install.values, install.tool) == ("shop", ("spec", "values"), "HelmRelease")


def test_templates_are_not_objects(root: Path) -> None:
    write(root, {"charts/web/templates/app.yaml": application(), "charts/web/apps.yaml": application()})
    assert installed(root).values == ("charts/web/apps.yaml",)


def test_so_many_installs_are_not_rendered(root: Path) -> None:
    texts = [release().replace("name: shop", f"name: shop-{n:03}", 1) for n in range(MAX_INSTALLS + 2)]
    write(root, {"apps/all.yaml": "---\n".join(texts)})
    found = discover(Tree(root))
    assert len([one for one in found.targets if isinstance(one, HelmTarget) and one.install]) == MAX_INSTALLS
    assert [one.reason for one in found.skips if one.counts] == [
        f"as installed by 'shop-{n}': more than {MAX_INSTALLS} objects install it"
        for n in (MAX_INSTALLS, MAX_INSTALLS + 1)
    ]


def test_an_object_that_is_edited_away_is_a_failure_not_a_guess(root: Path) -> None:
    write(root, {"apps/shop.yaml": release(values={"port": 1})})
    target = installed(root)
    assert target.install
    for text in ("", "kind: [", "{"):
        with pytest.raises(GivenError, match=r"apps/shop\.yaml"):
            install_values(target, target.install, Tree(root, {"apps/shop.yaml": text}))
