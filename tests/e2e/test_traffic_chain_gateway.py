"""Routes of the Gateway API in a chart and in an overlay: found at the line that decides, with a proven fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Program, Repository, fixes, place

VALUES = """service:
  port: 80
  targetPort: 8080
gateway:
  listener: web
  port: 8000
route:
  listener: web
  backendPort: 80
"""
TEMPLATE = """apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: public
spec:
  gatewayClassName: example
  listeners:
    - name: {{ .Values.gateway.listener }}
      port: {{ .Values.gateway.port }}
      protocol: HTTP
    - name: database
      port: 5432
      protocol: TCP
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: shop
spec:
  parentRefs:
    - name: public
      sectionName: {{ .Values.route.listener }}
  rules:
    - backendRefs:
        - name: shop
          port: {{ .Values.route.backendPort }}
---
apiVersion: v1
kind: Service
metadata:
  name: shop
spec:
  selector: {app: shop}
  ports:
    - name: http
      port: {{ .Values.service.port }}
      targetPort: {{ .Values.service.targetPort }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: main
          image: registry.example.org/shop:1
          ports: [{name: http, containerPort: 8080}]
"""
GRANT = """apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: public, namespace: shop}
spec:
  from:
    - group: gateway.networking.k8s.io
      kind: HTTPRoute
      namespace: edge
  to:
    - {group: "", kind: Service}
"""
ROUTE = """apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: edge}
spec:
  parentRefs: [{name: public}]
  rules:
    - backendRefs:
        - {name: shop, namespace: shop, port: 80}
"""
SERVICE = """apiVersion: v1
kind: Service
metadata: {name: shop, namespace: shop}
spec:
  selector: {app: shop}
  ports:
    - {port: 80, targetPort: 8080}
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    repository = Repository(tmp_path)
    repository.write(
        {
            "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
            "chart/values.yaml": VALUES,
            "chart/templates/all.yaml": TEMPLATE,
            "edge/base/route.yaml": ROUTE,
            "edge/base/grant.yaml": GRANT,
            "edge/base/service.yaml": SERVICE,
            "edge/base/kustomization.yaml": "resources: [route.yaml, grant.yaml, service.yaml]\n",
            "edge/prod/kustomization.yaml": "resources: [../base]\n",
        }
    )
    repository.commit()
    monkeypatch.chdir(tmp_path)
    return repository


def only(report: dict[str, Any]) -> dict[str, Any]:
    (finding,) = report["findings"]
    return dict(finding)


@pytest.mark.usefixtures("shop")
def test_a_healthy_chart_is_silent(portproof: Program) -> None:
    assert portproof.check()["findings"] == []


def test_a_backend_port_is_traced_to_the_values_and_mended(portproof: Program, shop: Repository) -> None:
    shop.replace("chart/values.yaml", "backendPort: 80", "backendPort: 8080")
    finding = only(portproof.check())
    assert (finding["rule"], finding["severity"]) == ("route-backend-port", "error")
    assert finding["expected"] == 80
    assert place(finding["location"]) == "chart/values.yaml:9:16-9:20"
    assert finding["location"]["proof"] == "proven"
    assert [edit["new"] for edit in finding["fix"]["edits"]] == ["80"]
    assert portproof("fix", "--write").code == 0
    assert shop.read("chart/values.yaml").decode() == VALUES


def test_a_service_port_that_moves_away_from_its_route_is_found(portproof: Program, shop: Repository) -> None:
    shop.replace("chart/values.yaml", "  port: 80\n", "  port: 81\n")
    finding = only(portproof.check("--base", "HEAD"))
    assert finding["rule"] == "route-backend-port"
    assert finding["introduced"] is True
    assert place(finding["related"][0]["location"]).startswith("chart/")
    offered = {(edit["path"], edit["line"], edit["new"]) for fix in fixes(finding) for edit in fix["edits"]}
    assert offered == {("chart/values.yaml", 9, "81"), ("chart/values.yaml", 2, "80")}


def test_a_listener_is_traced_to_the_route(portproof: Program, shop: Repository) -> None:
    shop.replace("chart/values.yaml", "route:\n  listener: web", "route:\n  listener: wbe")
    finding = only(portproof.check())
    assert (finding["rule"], finding["severity"]) == ("route-parent-listener", "error")
    assert place(finding["location"]) == "chart/values.yaml:8:13-8:16"
    assert finding["location"]["proof"] == "proven"
    assert portproof("fix", "--write").code == 0
    assert shop.read("chart/values.yaml").decode() == VALUES


def test_a_listener_on_the_port_of_another_is_traced_to_the_gateway(
    portproof: Program, shop: Repository
) -> None:
    shop.replace("chart/values.yaml", "port: 8000", "port: 5432")
    finding = only(portproof.check())
    assert (finding["rule"], finding["severity"]) == ("gateway-listener", "error")
    assert place(finding["location"]) == "chart/templates/all.yaml:12:13-12:17"


def test_a_grant_is_mended_in_the_base(portproof: Program, shop: Repository) -> None:
    shop.replace("edge/base/grant.yaml", "kind: HTTPRoute", "kind: Gateway")
    finding = only(portproof.check())
    assert (finding["rule"], finding["severity"]) == ("route-reference-grant", "error")
    assert finding["location"]["path"] == "edge/base/route.yaml"
    assert finding["targets"] == ["kustomize:edge/prod"]
    (edit,) = finding["fix"]["edits"]
    assert (edit["path"], edit["old"], edit["new"]) == ("edge/base/grant.yaml", "Gateway", "HTTPRoute")
    assert portproof("fix", "--write").code == 0
    assert shop.read("edge/base/grant.yaml").decode() == GRANT


def alternative(protocol: str) -> str:
    """A Gateway of that name, with one listener."""
    return (
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: public}\n"
        f"spec: {{gatewayClassName: example, listeners: [{{name: in, port: 443, protocol: {protocol}}}]}}\n"
    )


BESIDE = """apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {name: shop}
spec: {parentRefs: [{name: public}], rules: [{backendRefs: [{name: shop, port: 80}]}]}
"""


@pytest.mark.parametrize(("protocol", "found"), [("TCP", 0), ("UDP", 2)])
def test_a_file_beside_alternatives_is_right_when_it_fits_one(
    portproof: Program, tmp_path: Path, protocol: str, found: int
) -> None:
    files = {"a.yaml": alternative("HTTP"), "b.yaml": alternative(protocol), "route.yaml": BESIDE}
    Repository(tmp_path).write({f"deploy/{name}": text for name, text in files.items()})
    findings = portproof.check(tmp_path)["findings"]
    assert sum(len(one["targets"]) for one in findings) == found


def part(name: str, port: int, target: int) -> str:
    """A Service and its Deployment, which declares 8080."""
    return (
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n"
        f"spec: {{selector: {{app: {name}}}, ports: [{{name: http, port: {port}, targetPort: {target}}}]}}\n---\n"
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\n"
        f"spec:\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n"
        f"    spec: {{containers: [{{name: main, image: 'example/{name}:1', ports: [{{name: http, containerPort: 8080}}]}}]}}\n"
    )


INGRESS = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec: {defaultBackend: {service: {name: web, port: {number: 9999}}}}
"""


def test_one_file_with_everything_is_one_side_and_a_file_for_each_part_the_other(
    portproof: Program, tmp_path: Path
) -> None:
    """What is wrong in any file of a side is said, and of the file that goes with both what is wrong with both."""
    web = part("web", 80, 8080).replace("targetPort: 8080", "targetPort: htpp")
    files = {"all.yaml": part("api", 81, 8080) + "---\n" + part("web", 82, 8080)}
    files |= {"api.yaml": part("api", 80, 8080), "web.yaml": web, "ingress.yaml": INGRESS}
    Repository(tmp_path).write({f"deploy/{name}": text for name, text in files.items()})
    report = portproof.check(tmp_path)
    assert [one["id"] for one in report["targets"]] == [
        "manifests:deploy/all.yaml",
        "manifests:deploy/api.yaml",
    ]
    assert {(one["rule"], one["location"]["path"]) for one in report["findings"]} == {
        ("service-target-name", "deploy/web.yaml"),
        ("ingress-backend-port", "deploy/ingress.yaml"),
    }
