"""Values that stand in objects of Argo CD and Flux: found there, proven there, mended there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Program, Repository, place

CHART = {
    "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "charts/web/values.yaml": "service:\n  port: 80\n  target: 8080\ncontainer:\n  port: 8080\n",
    "charts/web/templates/all.yaml": """apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {app: {{ .Release.Name }}}
  ports:
    - {name: http, port: {{ .Values.service.port }}, targetPort: {{ .Values.service.target }}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      containers:
        - name: web
          image: registry.example.org/web:1
          ports: [{name: http, containerPort: {{ .Values.container.port }}}]
          readinessProbe: {httpGet: {path: /, port: http}}
          {{- with .Values.backend }}
          env: [{name: BACKEND, value: {{ . | quote }}}]
          {{- end }}
""",
}
APPLICATION = """apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: shop
spec:
  source:
    repoURL: https://git.example.org/shop.git
    path: charts/web
    helm:
{helm}
  destination:
    namespace: sales
"""
RELEASE = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: {name}
spec:
  chart:
    spec:
      chart: ./charts/web
      sourceRef: {{kind: GitRepository, name: shop}}
  values:
    service:
      target: {target}
    backend: {backend}
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    found = Repository(tmp_path)
    found.write(CHART)
    found.commit()
    monkeypatch.chdir(tmp_path)
    return found


def release(name: str, target: int = 8080, backend: str = "''") -> str:
    return RELEASE.format(name=name, target=target, backend=backend)


def only(report: dict[str, Any]) -> dict[str, Any]:
    (finding,) = report["findings"]
    return dict(finding)


@pytest.mark.parametrize(
    ("helm", "where"),
    [
        ("      valuesObject:\n        service: {target: 8081}\n", "apps/shop.yaml:11:27-11:31"),
        (
            "      values: |\n        # up to date\n        service: {target: 8081}\n",
            "apps/shop.yaml:12:27-12:31",
        ),
        ("      parameters:\n      - {name: service.target, value: '8081'}\n", "apps/shop.yaml:11:40-11:44"),
    ],
)
def test_an_application(portproof: Program, repository: Repository, helm: str, where: str) -> None:
    repository.write({"apps/shop.yaml": APPLICATION.format(helm=helm)})
    finding = only(portproof.check())
    assert finding["rule"] == "service-target-number"
    assert finding["resource"]["namespace"] == "sales"
    assert finding["targets"] == ["helm:charts/web?values=/apps/shop.yaml#shop"]
    assert place(finding["location"]) == where
    assert finding["location"]["proof"] == "proven"
    assert portproof("fix", "--write").code == 0
    assert b"8080" in repository.read("apps/shop.yaml")
    assert portproof.check()["findings"] == []


def test_a_helm_release_in_a_pull_request(portproof: Program, repository: Repository) -> None:
    repository.write(
        {"apps/shop.yaml": release("shop"), "apps/kustomization.yaml": "resources: [shop.yaml]\n"}
    )
    repository.commit()
    assert portproof.check()["findings"] == []
    repository.replace("apps/shop.yaml", "target: 8080", "target: 8081")
    report = portproof.check("--base", "HEAD")
    finding = only(report)
    assert finding["introduced"] is True
    assert place(finding["location"]) == "apps/shop.yaml:12:15-12:19"
    assert {one["id"] for one in report["targets"]} == {
        "helm:charts/web?values=/apps/shop.yaml#shop",
        "kustomize:apps",
    }
    patch = portproof("fix")
    assert "+      target: 8080" in patch.stdout
    repository.git("apply", "--check", stdin=patch.stdout)


FROM_A_SECRET = "  valuesFrom:\n  - {kind: Secret, name: login, valuesKey: host, targetPath: PATH}\n"


def test_a_helm_release_with_a_value_of_a_secret(portproof: Program, repository: Repository) -> None:
    text = release("shop", 8081) + FROM_A_SECRET.replace("PATH", "backend")
    repository.write({"apps/shop.yaml": text, "apps/kustomization.yaml": "resources: [shop.yaml]\n"})
    report = portproof.check()
    finding = only(report)
    assert (finding["rule"], finding["severity"]) == ("service-target-number", "error")
    assert place(finding["location"]) == "apps/shop.yaml:12:15-12:19"
    reasons = {one["id"]: (one["status"], one["reason"]) for one in report["targets"]}
    said = "with placeholders for values that it was not given: backend"
    assert reasons["helm:charts/web?values=/apps/shop.yaml#shop"] == ("checked", said)
    repository.replace("apps/shop.yaml", "target: 8081", "target: 8080")
    assert portproof.check()["findings"] == []


def test_what_a_text_cannot_stand_in_for_is_skipped(portproof: Program, repository: Repository) -> None:
    text = release("shop") + FROM_A_SECRET.replace("PATH", "container")  # whose port the template reads
    repository.write({"apps/shop.yaml": text})
    report = portproof.check()
    assert report["findings"] == []
    (target,) = (one for one in report["targets"] if one["id"].endswith("#shop"))
    assert target["status"] == "skipped"
    assert target["reason"].startswith(
        "it does not render without the values of Secrets of the cluster (container)"
    )


def test_one_wrong_line_of_the_chart_is_one_finding_for_all_that_install_it(
    portproof: Program, repository: Repository
) -> None:
    repository.replace("charts/web/values.yaml", "target: 8080", "target: 8081")
    plain = release("one").replace("  values:\n    service:\n      target: 8080\n    backend: ''\n", "")
    repository.write({"apps/one.yaml": plain, "apps/two.yaml": plain.replace("name: one", "name: two")})
    finding = only(portproof.check())
    assert finding["targets"] == [
        "helm:charts/web",
        "helm:charts/web?values=/apps/one.yaml#one",
        "helm:charts/web?values=/apps/two.yaml#two",
    ]
    assert place(finding["location"]) == "charts/web/values.yaml:3:11-3:15"


def test_one_wrong_line_is_one_finding_for_a_chart_and_the_chart_around_it(
    portproof: Program, repository: Repository
) -> None:
    """The usual full name, which leaves out what the release says already: web alone, shop-web in shop."""
    repository.replace("charts/web/values.yaml", "target: 8080", "target: 8081")
    name = "{{ .Release.Name }}{{ if ne .Release.Name .Chart.Name }}-{{ .Chart.Name }}{{ end }}"
    templates = CHART["charts/web/templates/all.yaml"].replace("{{ .Release.Name }}", name)
    around = "dependencies:\n- {name: web, version: 1.0.0, repository: 'file://../charts/web'}\n"
    whole = f"apiVersion: v2\nname: shop\nversion: 1.0.0\n{around}"
    repository.write({"charts/web/templates/all.yaml": templates})
    repository.commit()
    repository.write({"a-shop/Chart.yaml": whole})
    finding = only(portproof.check())
    assert finding["targets"] == ["helm:a-shop", "helm:charts/web"]
    assert place(finding["location"]) == "charts/web/values.yaml:3:11-3:15"
    # The chart around it is new and comes first; the base had the finding by another name.
    assert only(portproof.check("--base", "HEAD"))["introduced"] is True
    repository.replace("charts/web/values.yaml", "port: 80\n", "port: 81\n")
    assert only(portproof.check("--base", "HEAD"))["introduced"] is False


def test_installs_of_one_chart_call_each_other(portproof: Program, repository: Repository) -> None:
    repository.write(
        {"apps/one.yaml": release("one", backend="http://two:80/"), "apps/two.yaml": release("two")}
    )
    assert portproof.check()["findings"] == []
    repository.replace("apps/one.yaml", "http://two:80/", "http://two:8080/")
    finding = only(portproof.check())
    assert finding["rule"] == "caller-service-port"
    assert place(finding["location"]) == "apps/one.yaml:13:25-13:29"
    assert finding["fix"]["edits"][0]["new"] == "80"


def test_a_fix_that_would_break_another_install_is_none(portproof: Program, repository: Repository) -> None:
    repository.write(
        {
            "apps/odd.yaml": release("odd").replace(
                "service:\n      target: 8080", "container:\n      port: 9090"
            )
        }
    )
    finding = only(portproof.check())
    assert place(finding["location"]) == "charts/web/values.yaml:3:11-3:15"
    # 8080 works for the program of every other install: to follow the declared port is no safe fix.
    assert finding["fix"] is None
    (other,) = finding["alternatives"]
    assert [(edit["path"], edit["new"]) for edit in other["edits"]] == [("apps/odd.yaml", "8080")]
    assert other["safety"] == "unsafe"
    assert portproof("fix", "--write").code == 1
    assert repository.git("diff", "--name-only") == ""


def test_what_is_asked_for_does_not_bound_the_proof(portproof: Program, repository: Repository) -> None:
    odd = release("odd").replace("service:\n      target: 8080", "container:\n      port: 9090")
    repository.write(
        {"apps/odd.yaml": odd, "apps/other.yaml": release("other").replace("service:", "unused:")}
    )
    report = portproof.check("apps/odd.yaml")
    assert [one["id"] for one in report["targets"]] == ["helm:charts/web?values=/apps/odd.yaml#odd"]
    (edit,) = only(report)["fix"]["edits"]
    assert edit["path"] == "apps/odd.yaml"  # not the chart's values, which others go by
    assert (
        "apps/odd.yaml:11\n    +     service:\n    +       target: 9090\n"
        in portproof("check", "apps/odd.yaml").stdout
    )


def test_where_nothing_can_be_added_what_is_declared_is_no_fix(
    portproof: Program, repository: Repository
) -> None:
    odd = release("odd").replace("  values:\n    service:\n      target: 8080\n    backend: ''\n", "")
    repository.write({"apps/odd.yaml": odd + "  values: {container: {port: 9090}}\n"})
    finding = only(portproof.check())
    assert finding["fix"] is None
    (other,) = finding["alternatives"]
    assert [(edit["path"], edit["new"]) for edit in other["edits"]] == [("apps/odd.yaml", "8080")]
    assert other["safety"] == "unsafe"
    assert "unsafe: set containerPort to 8080" in portproof("check").stdout
    assert portproof("fix").stdout == ""


def test_an_object_without_a_chart_here_changes_nothing(portproof: Program, repository: Repository) -> None:
    repository.write({"apps/shop.yaml": release("shop").replace("./charts/web", "./charts/other")})
    report = portproof.check()
    assert [one["id"] for one in report["targets"]] == ["helm:charts/web"]
