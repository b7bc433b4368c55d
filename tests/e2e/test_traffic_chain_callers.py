"""Callers in one chart and across charts: found at the caller's line, with a fix that a render has proven."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Program, Repository, place

CHART = "apiVersion: v2\nname: {name}\nversion: 1.0.0\n"
SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {app: {{ .Release.Name }}}
  ports:
    - name: http
      port: {{ .Values.service.port }}
      targetPort: http
"""
WORKLOAD = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      containers:
        - name: main
          image: registry.example.org/{{ .Release.Name }}:1
          ports: [{name: http, containerPort: 8080}]
          env:
            {{- range $name, $value := .Values.env }}
            - name: {{ $name }}
              value: {{ $value | quote }}
            {{- end }}
"""


def chart(name: str, values: str) -> dict[str, str]:
    folder = f"charts/{name}"
    return {
        f"{folder}/Chart.yaml": CHART.format(name=name),
        f"{folder}/values.yaml": values,
        f"{folder}/templates/service.yaml": SERVICE,
        f"{folder}/templates/deployment.yaml": WORKLOAD,
    }


ORDERS = chart("orders", "service:\n  port: 80\nenv: {}\n")
SHOP = chart("shop", 'service:\n  port: 80\nenv:\n  ORDERS_URL: "http://orders:80/v1"\n  LOG_LEVEL: info\n')


@pytest.fixture
def shops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    repository = Repository(tmp_path)
    repository.write({**ORDERS, **SHOP})
    repository.commit()
    monkeypatch.chdir(tmp_path)
    return repository


def only(report: dict[str, Any]) -> dict[str, Any]:
    (finding,) = report["findings"]
    assert finding["rule"] == "caller-service-port"
    return dict(finding)


def test_a_call_to_another_chart_is_found_at_the_callers_line(portproof: Program, shops: Repository) -> None:
    assert portproof.check()["findings"] == []
    shops.replace("charts/shop/values.yaml", "http://orders:80/v1", "http://orders:8080/v1")
    finding = only(portproof.check())
    assert finding["severity"] == "warning"
    assert "(the Service is in charts/orders)" in finding["message"]
    assert place(finding["location"]) == "charts/shop/values.yaml:4:30-4:34"
    assert finding["location"]["proof"] == "proven"
    assert [edit["new"] for edit in finding["fix"]["edits"]] == ["80"]
    assert portproof("fix", "--write").code == 0
    assert b"http://orders:80/v1" in shops.read("charts/shop/values.yaml")
    assert portproof.check()["findings"] == []


def test_a_call_within_one_chart_is_an_error(portproof: Program, shops: Repository) -> None:
    text = shops.read("charts/shop/templates/deployment.yaml").decode()
    shops.write(
        {
            "charts/shop/templates/deployment.yaml": text
            + "            - name: SELF\n              value: http://{{ .Release.Name }}-cache:{{ .Values.cachePort }}\n",
            "charts/shop/values.yaml": "service:\n  port: 80\ncachePort: 6380\nenv: {}\n",
            "charts/shop/templates/cache.yaml": SERVICE.replace("{{ .Release.Name }}", "shop-cache").replace(
                "{{ .Values.service.port }}", "6379"
            ),
        }
    )
    finding = only(portproof.check())
    assert finding["severity"] == "error"
    assert place(finding["location"]) == "charts/shop/values.yaml:3:12-3:16"
    assert finding["location"]["proof"] == "proven"
    assert finding["fix"]["edits"][0]["new"] == "6379"


def test_a_service_that_moves_away_from_its_callers_is_found_in_the_pull_request(
    portproof: Program, shops: Repository
) -> None:
    shops.replace("charts/orders/values.yaml", "port: 80", "port: 8080")
    finding = only(portproof.check("--base", "HEAD"))
    assert finding["introduced"] is True
    assert finding["targets"] == ["helm:charts/shop"]
    assert finding["location"]["path"] == "charts/orders/values.yaml", "the line of the change"
    assert "charts/shop/values.yaml" in [
        one["location"]["path"] for one in finding["related"] if one["location"]
    ]


def test_a_caller_that_changes_is_compared_with_what_it_calls(portproof: Program, shops: Repository) -> None:
    shops.replace("charts/shop/values.yaml", "http://orders:80/v1", "http://orders:81/v1")
    report = portproof.check("--base", "HEAD")
    assert only(report)["introduced"] is True
    assert [one["id"] for one in report["targets"]] == ["helm:charts/shop"]
    shops.commit()
    shops.replace("charts/shop/values.yaml", "LOG_LEVEL: info", "LOG_LEVEL: debug")
    assert only(portproof.check("--base", "HEAD"))["introduced"] is False


def test_what_the_configuration_names_together_is_no_guess(portproof: Program, shops: Repository) -> None:
    shops.replace("charts/shop/values.yaml", "http://orders:80/v1", "http://orders:8080/v1")
    shops.write({"portproof.yaml": "environments: {prod: [helm:charts/*]}\n"})
    assert only(portproof.check())["severity"] == "error"
    shops.write({"portproof.yaml": "environments:\n  prod: [helm:charts/shop]\n  dev: [helm:charts/order]\n"})
    run = portproof("check", "--format", "json")
    assert run.report["findings"] == []
    said = "portproof.yaml:1: environments: dev: no target matches 'helm:charts/order'"
    assert run.stderr.count(said) == 1
    assert portproof("targets").stderr.count(said) == 1
    assert said not in portproof("check", "charts").stderr  # what is elsewhere was not looked at


def test_a_url_without_a_port_stays_a_note_across_charts(portproof: Program, shops: Repository) -> None:
    shops.replace("charts/orders/values.yaml", "port: 80", "port: 8080")
    shops.replace("charts/shop/values.yaml", "http://orders:80/v1", "http://orders/v1")
    assert only(portproof.check())["severity"] == "note"


def test_environments_are_kept_apart(portproof: Program, shops: Repository) -> None:
    shops.write(
        {
            "charts/orders/values-prod.yaml": "service:\n  port: 8443\n",
            "charts/orders/values-dev.yaml": "service:\n  port: 8080\n",
            "charts/shop/values-prod.yaml": 'env:\n  ORDERS_URL: "http://orders:8443/v1"\n',
            "charts/shop/values-dev.yaml": 'env:\n  ORDERS_URL: "http://orders:8443/v1"\n',
        }
    )
    finding = only(portproof.check())
    assert finding["targets"] == ["helm:charts/shop?values=values-dev.yaml"]
    assert place(finding["location"]) == "charts/shop/values-dev.yaml:2:30-2:34"


def test_a_line_of_a_config_map_in_an_overlay_is_edited_alone(
    portproof: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = """apiVersion: v1
kind: ConfigMap
metadata: {name: shop}
data:
  nginx.conf: |
    location /a { proxy_pass http://orders:80; }
    location /b { proxy_pass http://orders:8080; }
"""
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: orders}\nspec:\n  ports: [{port: 80}]\n"
    repository = Repository(tmp_path)
    repository.write(
        {
            "base/kustomization.yaml": "resources: [config.yaml, service.yaml]\n",
            "base/config.yaml": config,
            "base/service.yaml": service,
            "overlays/prod/kustomization.yaml": "namespace: prod\nresources: [../../base]\n",
        }
    )
    repository.commit()
    monkeypatch.chdir(tmp_path)
    finding = only(portproof.check())
    assert place(finding["location"]) == "base/config.yaml:7:44-7:48"
    assert finding["location"]["proof"] == "proven"
    (effect,) = finding["fix"]["effects"]
    assert effect["before"] == "…8080…"
    assert effect["after"] == "…80…"


TEST_HOOK = """apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-test
  labels: {app: {{ .Release.Name }}}
  annotations: {helm.sh/hook: test}
spec:
  restartPolicy: Never
  containers:
    - name: wget
      image: registry.example.org/tools:1
      command: [wget, "-qO-", "http://{{ .Release.Name }}:PORT/"]
"""


@pytest.mark.parametrize(("port", "line"), [("{{ .Values.service.port }}", None), ("8080", 12)])
def test_a_test_of_the_chart_calls_a_service_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portproof: Program, port: str, line: int | None
) -> None:
    """`helm test` fails where the test has a number of its own; its pod is no endpoint, whatever its labels."""
    repository = Repository(tmp_path)
    hook = {"charts/orders/templates/tests/test.yaml": TEST_HOOK.replace("PORT", port)}
    repository.write({**ORDERS, **hook})
    monkeypatch.chdir(tmp_path)
    report = portproof.check("charts/orders")
    assert [(one["rule"], one["location"]["line"]) for one in report["findings"]] == (
        [("caller-service-port", line)] if line else []
    )
