"""What a change brings in, and no remedy of a rule cures, is cured by the text that the change replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.e2e.program import Program, Repository
from tests.e2e.test_change import CHART, MANIFESTS

Make = Callable[[str], Repository]

HOOK = """apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata:
  name: v1.shop.example.com
spec:
  group: shop.example.com
  version: v1
  service:
    name: {{ .Release.Name }}-api
    namespace: {{ .Release.Namespace }}
    port: 80
"""
CALLER = """apiVersion: v1
kind: ConfigMap
metadata:
  name: front
data:
  API: http://web:80/api
"""
COMPOSED = {
    **CHART,
    "chart/templates/service.yaml": CHART["chart/templates/service.yaml"].replace(
        "  name: web\n", "  name: {{ .Release.Name }}-api\n", 1
    ),
    "chart/templates/hook.yaml": HOOK,
}


def introduced(portproof: Program) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = portproof.check("--base", "HEAD")["findings"]
    return [one for one in findings if one["introduced"] and one["severity"] != "note"]


def test_a_part_of_a_name_gets_its_old_text_back(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write(COMPOSED)
    repository.write({"chart/templates/ingress.yaml": ""})
    repository.commit()
    repository.replace("chart/templates/hook.yaml", "-api\n", "-apo\n")
    (finding,) = introduced(portproof)
    fix = finding["fix"]
    assert (fix["safety"], fix["description"]) == ("safe", "take this part of the change back")
    assert [(one["path"], one["line"], one["old"], one["new"]) for one in fix["edits"]] == [
        ("chart/templates/hook.yaml", 9, "-apo", "-api")
    ]
    repository.git("apply", "-", stdin=fix["patch"])
    assert introduced(portproof) == []


def test_a_name_that_is_too_long_gets_its_old_text_back(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write(MANIFESTS)
    repository.commit()
    repository.replace("k8s/service.yaml", "targetPort: admin", "targetPort: admin-of-the-web-shop")
    (finding,) = introduced(portproof)
    assert finding["rule"] == "service-target-invalid"
    (edit,) = finding["fix"]["edits"]
    assert (edit["old"], edit["new"]) == ("admin-of-the-web-shop", "admin")


def test_what_the_base_has_too_is_not_taken_back(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write(MANIFESTS)
    repository.replace("k8s/service.yaml", "targetPort: admin", "targetPort: admin-of-the-web-shop")
    repository.commit()
    repository.replace("k8s/service.yaml", "port: 81", "port: 82")
    (finding,) = portproof.check("--base", "HEAD")["findings"]
    assert (finding["introduced"], finding["fix"], finding["alternatives"]) == (False, None, [])


def test_a_way_back_that_breaks_something_else_is_not_offered(
    portproof: Program, make_repository: Make
) -> None:
    """The same change renames the container's port, so that the old line of the Service meets nothing either."""
    repository = make_repository("")
    repository.write(MANIFESTS)
    repository.commit()
    repository.replace("k8s/service.yaml", "targetPort: admin", "targetPort: admin-of-the-web-shop")
    repository.replace("k8s/deployment.yaml", "name: admin", "name: console")
    (finding,) = introduced(portproof)
    assert "take this part of the change back" not in str(finding)


def test_what_the_base_had_comes_back_with_its_text(portproof: Program, make_repository: Make) -> None:
    """The Service of the base has an error of its own, which is gone by its old name in the head."""
    repository = make_repository("")
    renamed = {
        **CHART,
        "chart/values.yaml": CHART["chart/values.yaml"] + "name: web\n",
        "chart/templates/service.yaml": CHART["chart/templates/service.yaml"]
        .replace("  name: web\n", "  name: {{ .Values.name }}\n", 1)
        .replace("targetPort: admin", "targetPort: console"),
        "chart/templates/ingress.yaml": CALLER,
    }
    repository.write(renamed)
    repository.commit()
    repository.replace("chart/values.yaml", "name: web\n", "name: shop\n")
    findings = introduced(portproof)
    (gone,) = [one for one in findings if one["rule"] == "service-gone"]
    offered = [one for one in (gone["fix"], *gone["alternatives"]) if one and one["safety"] == "safe"]
    assert any("+name: web" in one["patch"] for one in offered), gone


SHOP = {
    "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 0.1.0\n",
    "chart/values.yaml": "port: 80\ntarget: 8080\n",
    "chart/templates/all.yaml": """apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  selector: {app: shop}
  ports:
    - name: http
      port: {{ .Values.port }}
      targetPort: {{ .Values.target | int }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: shop
          image: registry.example.org/shop:1
          ports: [{name: web, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /, port: web}}
""",
}


def test_the_text_of_the_base_comes_back_and_not_only_its_value(
    portproof: Program, make_repository: Make
) -> None:
    repository = make_repository("")
    repository.write(SHOP)
    repository.commit()
    repository.replace("chart/templates/all.yaml", "{{ .Values.target | int }}", "9090")
    (finding,) = introduced(portproof)
    assert finding["fix"]["safety"] == "safe"
    repository.git("apply", "-", stdin=finding["fix"]["patch"])
    assert repository.git("status", "--porcelain") == ""


def test_a_line_that_was_deleted_comes_back(portproof: Program, make_repository: Make) -> None:
    repository = make_repository("")
    repository.write(SHOP)
    repository.commit()
    repository.replace("chart/templates/all.yaml", "      targetPort: {{ .Values.target | int }}\n", "")
    (finding,) = introduced(portproof)
    back = [one for one in (finding["fix"], *finding["alternatives"]) if one and one["safety"] == "safe"]
    repository.git("apply", "-", stdin=back[0]["patch"])
    assert repository.git("status", "--porcelain") == ""


ACCOUNT = """apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .Values.name }}
"""


def test_a_way_back_to_all_of_the_base_is_safe(portproof: Program, make_repository: Make) -> None:
    """One value names the pods, their Service and what no port is asked of: all of it is as it was."""
    repository = make_repository("")
    named = {
        path: text.replace("name: web\n", "name: {{ .Values.name }}\n", 1)
        for path, text in CHART.items()
        if path.endswith(("service.yaml", "deployment.yaml"))
    }
    values = CHART["chart/values.yaml"] + "name: web\n"
    extra = {"chart/templates/ingress.yaml": CALLER, "chart/templates/account.yaml": ACCOUNT}
    repository.write({**CHART, **named, **extra, "chart/values.yaml": values})
    repository.commit()
    repository.replace("chart/values.yaml", "name: web\n", "name: shop\n")
    (gone,) = introduced(portproof)
    assert (gone["rule"], gone["fix"]["safety"]) == ("service-gone", "safe")
    assert "+name: web" in gone["fix"]["patch"]
